"""Clients' own requests behind a real host: each is refused by the name of a part, or its client gets in and can be cut off."""

from random import Random

import pytest

from tests.support import any_csr
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES
from tests.support.openssl import OpenSsl

from .doors import IN, REFUSED, Door

pytestmark = pytest.mark.promise(7)
SEEDS = range(24)


def test_any_request_is_refused_by_the_name_of_a_part_or_its_client_gets_in_and_is_refused_once_revoked(
    openssl: OpenSsl, home: Home, shop: Door
):
    home.partners()
    requests = {f"csr-{seed}": any_csr.draw(openssl, Random(seed)) for seed in SEEDS}
    sound = [name for name, request in requests.items() if request.sound]
    assert 8 <= len(sound) < len(requests)
    for name, request in requests.items():
        home.make(CERTIFICATES, client(name, request=request.pem))
    for name in requests.keys() - sound:
        message = home.says(CERTIFICATES, name, "Ready", "InvalidRequest")
        assert any(fault in message for fault in requests[name].faults), (message, requests[name].drawn)
    files = {}
    for name in sound:
        home.issued(name)
        files[name] = dict(home.files(name)) | {"tls.key": openssl.file(requests[name].key)}
        shop.comes_to_tell(files[name], IN)
    for name in sound:
        home.respec(CERTIFICATES, name, revoked=True)
    for name in sound:
        shop.comes_to_tell(files[name], REFUSED)

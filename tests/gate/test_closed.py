"""No gate is ever open because of the operator: what is not there yet, or not any more, lets nobody in."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually

from .doors import CLOSED, IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Street, admitted, knocking

pytestmark = pytest.mark.promise(3)


def crl_text(path: Path) -> str:
    done = subprocess.run(["openssl", "crl", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def gate_crl(home: Home) -> Path:
    path = home.folder / "gate.crl"
    path.write_bytes(home.data(f"doorward.{home.namespace}.partners")["ca.crl"])
    return path


def test_a_host_whose_issuer_does_not_exist_is_closed(shop):
    shop.comes_to_tell(NOBODY, CLOSED)


def test_a_host_is_closed_while_the_operator_does_not_run(running_operator, home, street):
    home.partners()
    running_operator.stop()
    try:
        street.door("shop").comes_to_tell(NOBODY, CLOSED)
    finally:
        running_operator.start()


def test_a_host_that_was_closed_opens_to_clients_once_the_issuer_is_there(home, shop):
    shop.comes_to_tell(NOBODY, CLOSED)
    home.partners()
    admitted(home, shop, "alice")
    assert shop.tells(NOBODY) == NO_CERTIFICATE


def test_a_host_of_a_namespace_that_did_not_consent_is_closed(admin, running_operator, ingress_nginx, tmp_path):
    home = Home.found(admin, tmp_path, consent=False)
    home.make(ISSUERS, issuer())
    home.says(ISSUERS, "partners", "Ready", "NotPermitted")
    Street.build(ingress_nginx, home).door("shop").comes_to_tell(NOBODY, CLOSED)
    home.abandon()


def test_a_host_stays_closed_to_strangers_when_its_issuer_is_deleted(home, shop):
    home.partners()
    admitted(home, shop, "alice")
    with knocking(shop.ingress, [shop.host]) as knocks:
        home.remove(ISSUERS, "partners")
        home.gone(ISSUERS, "partners")
        eventually(lambda: "NoSuchIssuer" in annotation(home), "the Ingress is told")
        knocks.once_more()
    assert knocks.statuses(shop.host) <= {400, 403}


def test_an_empty_crl_is_a_signed_crl_that_lets_the_good_ones_in(home, shop):
    home.partners()
    admitted(home, shop, "alice")
    said = crl_text(gate_crl(home))
    assert "No Revoked Certificates." in said
    assert "Signature Algorithm: ecdsa-with-SHA256" in said

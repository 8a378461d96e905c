"""What the gate service remembers of earlier requests is how to read them, and never what it answered."""

from types import SimpleNamespace

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER
from doorward.gate_service import server
from doorward.gate_service.server import Application
from doorward.objects.proxy_requests import ingress_nginx
from tests.unit import given as rules
from tests.unit.given import ALICE

from .given import World

RECORD = rules.record()


def scope(path: str = "/ingress-nginx/shop/issuers/partners", fingerprint: str = RECORD.sha1) -> SimpleNamespace:
    serial = f"{RECORD.serial:X}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    query = f"verify=SUCCESS&serial={serial}&fingerprint={fingerprint}"
    return SimpleNamespace(method="GET", path=path, query_string=query)


@pytest.mark.parametrize(
    ("kind", "at", "refused", "admitted"),
    [
        (CLIENT_CERTIFICATE, ALICE, {"suspended": True}, {"suspended": False}),
        (ISSUED_CERTIFICATE, RECORD.key, {"revocation": {"reason": "certificateHold"}}, {"revocation": None}),
        (ISSUER, rules.ISSUER, {"ca": {"distrust": [1]}}, {"ca": {"distrust": []}}),
    ],
)
def test_the_same_request_is_answered_by_what_is_known_at_that_moment(world: World, kind, at, refused, admitted):
    application = Application(world.service.answer, world.metrics.answered)
    for _ in range(3):
        assert application.respond(scope())[0] == 200
        world.patch(kind, at, {"spec": refused})
        assert application.respond(scope()) == (403, b"")
        world.patch(kind, at, {"spec": admitted})


def test_a_certificate_of_another_client_gets_the_headers_of_that_client(world: World):
    application = Application(world.service.answer, world.metrics.answered)
    assert f"x-doorward-client: {ALICE}\r\n".encode() in application.respond(scope())[1]
    world.patch(ISSUED_CERTIFICATE, RECORD.key, {"spec": {"subject": "CN=other.example"}})
    assert b"x-doorward-common-name: other.example\r\n" in application.respond(scope())[1]


def test_texts_that_no_proxy_sends_take_no_memory(world: World):
    application = Application(world.service.answer, world.metrics.answered)
    before = server._read_of_ingress_nginx.cache_info().currsize
    for number in range(100):
        assert application.respond(scope(f"/ingress-nginx/{number}" + "a" * ingress_nginx.LONGEST))[0] == 403
    assert server._read_of_ingress_nginx.cache_info().currsize == before


def test_what_is_remembered_is_bounded(world: World):
    application = Application(world.service.answer, world.metrics.answered)
    for number in range(2 * server.REMEMBERED):
        assert application.respond(scope(fingerprint=f"{number:040x}"))[0] == 403
    assert server._read_of_ingress_nginx.cache_info().currsize == server.REMEMBERED

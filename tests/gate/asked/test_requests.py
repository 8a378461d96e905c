"""Every request is asked about: what is revoked, suspended or deleted is refused at the next one, with the operator down."""

import json
import time

import pytest

from tests.gate.doors import (
    IN,
    NO_CERTIFICATE,
    NOBODY,
    REFUSED,
    Door,
    Files,
    Street,
    admitted,
)
from tests.support.home import Home
from tests.support.installation import GateServiceProcess
from tests.support.kube import CERTIFICATES, INGRESSES, eventually

from .asking import (
    AT_ONCE,
    AUTH_URL,
    IDENTITY,
    RESPONSE_HEADERS,
    question,
    refused_at_once,
    without_operator,
)
from .connections import connected, context

# Who gets in


def test_an_ingress_asks_from_the_moment_it_is_created(street: Street):
    made = street.home.make(INGRESSES, street.manifest("shop"))
    said = made["metadata"]["annotations"]
    assert said[AUTH_URL] == question(street.home.namespace)
    assert said[RESPONSE_HEADERS] == IDENTITY


def test_a_client_gets_in_and_nobody_else(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    assert shop.tells(NOBODY) == NO_CERTIFICATE
    gate = {"gate_namespace": home.namespace, "issuer_namespace": home.namespace, "issuer": "partners"}
    assert gate_service.metrics().total("doorward_gate_requests_total", **gate, answer="admitted") > 0


def test_the_application_hears_who_it_is_and_no_client_can_say_it(home: Home, shop: Door):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    forged = (
        "X-Doorward-Client: edge/admin",
        "x-doorward-common-name: admin",
        "X-DOORWARD-SERIAL: 1",
        "X-Doorward-Client: b",
    )
    answer = shop.ask(files, *(word for header in forged for word in ("--header", header)))
    headers = json.loads(answer.body)["headers"]
    assert headers["x-doorward-client"] == f"{home.namespace}/alice"
    assert headers["x-doorward-common-name"] == "alice.example"
    assert headers["x-doorward-serial"] == home.body(CERTIFICATES, "alice")["status"]["serialNumber"]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--data", "a=b"], id="a POST"),
        pytest.param(["--request", "DELETE"], id="a DELETE"),
        pytest.param(["--data", "a=b", "--header", "Transfer-Encoding: chunked"], id="a body in chunks"),
        pytest.param(["--header", "Connection: Upgrade", "--header", "Upgrade: websocket"], id="a WebSocket"),
        pytest.param(["--header", "Cookie: " + "a" * 6000], id="a long header"),
        pytest.param(["--http2"], id="HTTP/2"),
    ],
)
def test_whatever_a_client_sends_it_gets_in(home: Home, shop: Door, options):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    assert shop.ask(files, *options).status in (200, 501)


# Who does not


@pytest.fixture
def three(home: Home, shop: Door) -> dict[str, Files]:
    """Three clients who get in."""
    home.partners()
    return {name: admitted(home, shop, name) for name in ("alice", "bob", "carol")}


def test_with_the_operator_down_a_client_is_refused_at_its_next_request(home, shop, three, running_operator):
    dave = admitted(home, shop, "dave")
    with without_operator(running_operator):
        home.respec(CERTIFICATES, "alice", revoked=True)
        refused_at_once(shop, three["alice"])
        home.respec(CERTIFICATES, "bob", suspended=True)
        refused_at_once(shop, three["bob"])
        home.admin.ask("DELETE", CERTIFICATES.path(home.namespace, "carol"))
        refused_at_once(shop, three["carol"])
        assert shop.tells(dave) == IN
        home.respec(CERTIFICATES, "bob", suspended=False)
        eventually(lambda: shop.tells(three["bob"]) == IN, "the suspension is lifted")
    shop.comes_to_tell(three["alice"], REFUSED)


def test_each_of_twenty_suspensions_is_in_force_within_a_second(home, shop, three, running_operator):
    """From the API server's answer to the last question that let a client in, who asks without end: how long an answer takes on a
    busy machine says nothing of the suspension.
    """
    using, late = context(three["alice"]), []

    def asked() -> int:
        try:
            with connected(shop, using) as connection:
                return connection.ask()
        except OSError:  # nginx reloads: another test's hosts go
            return 0

    with without_operator(running_operator):
        for _ in range(20):
            home.respec(CERTIFICATES, "alice", suspended=True)
            since = last = begun = time.monotonic()
            while asked() != 403:
                last, begun = begun, time.monotonic()
                assert last - since < AT_ONCE
            late.append(last - since)
            home.respec(CERTIFICATES, "alice", suspended=False)
            eventually(lambda: asked() == 200, "the suspension is lifted", seconds=AT_ONCE, pause=0.01)
    assert sorted(late)[-2] < 1.0, late


def test_without_the_gate_service_nobody_gets_in(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    gate_service.stop()
    try:
        assert shop.ask(files).status == 500
    finally:
        gate_service.start()
    shop.comes_to_tell(files, IN)

"""Every request is asked about: what is revoked, suspended or deleted is refused at the next one, with the operator down."""

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.cluster.policies_support import SECRET
from tests.gate.doors import (
    CLOSED,
    IN,
    NO_CERTIFICATE,
    NOBODY,
    REFUSED,
    Door,
    Files,
    Street,
    admitted,
)
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.installation import GateServiceProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually

from .asking import (
    AT_ONCE,
    AUTH_URL,
    IDENTITY,
    RESPONSE_HEADERS,
    question,
    refused_at_once,
    undisturbed,
    without_operator,
)
from .connections import TLS_1_2, TLS_1_3, connected, context

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


def test_on_an_open_connection_the_next_request_is_refused(home, shop, three, running_operator):
    def story() -> None:
        home.respec(CERTIFICATES, "alice", suspended=False)
        eventually(lambda: shop.tells(three["alice"]) == IN, "she gets in", seconds=AT_ONCE)
        with connected(shop, context(three["alice"])) as connection:
            assert connection.ask() == 200
            home.respec(CERTIFICATES, "alice", suspended=True)
            eventually(lambda: connection.ask() == 403, "it is refused", seconds=AT_ONCE)
            assert connection.ask() == 403

    with without_operator(running_operator):
        undisturbed(story)


def test_each_of_twenty_suspensions_is_in_force_within_a_second(home, shop, three, running_operator):
    """From the API server's answer to the first refusal, by a client that asks without end."""
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
            since = time.monotonic()
            while asked() != 403:
                assert time.monotonic() - since < AT_ONCE
            late.append(time.monotonic() - since)
            home.respec(CERTIFICATES, "alice", suspended=False)
            eventually(lambda: asked() == 200, "the suspension is lifted", seconds=AT_ONCE, pause=0.01)
    assert sorted(late)[-2] < 1.0, late


def test_a_connection_opened_before_and_used_after_is_refused(home, shop, three, running_operator):
    def story() -> None:
        home.respec(CERTIFICATES, "alice", suspended=False)
        eventually(lambda: shop.tells(three["alice"]) == IN, "she gets in", seconds=AT_ONCE)
        with connected(shop, context(three["alice"])) as connection:
            home.respec(CERTIFICATES, "alice", suspended=True)
            refused_at_once(shop, three["alice"])
            assert connection.ask() == 403

    with without_operator(running_operator):
        undisturbed(story)


def test_on_an_open_http_2_connection_the_next_request_is_refused(home, shop, three, running_operator):
    files = three["alice"]
    command = ["curl", "--silent", "--insecure", "--http2", "--rate", "5/s", "--output", "/dev/null"]
    command += ["--connect-to", f"::{shop.ingress.address}:{shop.ingress.https_port}"]
    command += ["--cert", str(files["tls.crt"]), "--key", str(files["tls.key"])]
    command += ["--write-out", "%{http_version} %{http_code} %{num_connects}\n", f"https://{shop.host}/?[1-20]"]

    def story() -> None:
        home.respec(CERTIFICATES, "alice", suspended=False)
        eventually(lambda: shop.tells(files) == IN, "she gets in", seconds=AT_ONCE)
        timer = threading.Timer(1.0, home.respec, (CERTIFICATES, "alice"), {"suspended": True})
        timer.start()
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        timer.join()
        versions, codes, connects = zip(*(line.split() for line in said), strict=True)
        if connects[1:].count("0") < len(connects) - 1:
            raise ConnectionResetError("nginx ended the connection")
        assert set(versions) == {"2"}
        assert codes[0] == "200"
        assert codes[-1] == "403"
        assert list(codes) == sorted(codes)

    with without_operator(running_operator):
        undisturbed(story)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_revoked_client_that_resumes_its_session_is_refused(home, shop, three, version):
    using = context(three["alice"], version)
    with connected(shop, using) as connection:
        assert connection.ask() == 200
        session = connection.session
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(three["alice"], REFUSED)
    with connected(shop, using, session=session) as connection:
        assert connection.sock.session_reused, "nginx takes the session"
        assert connection.ask() == 403


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_client_of_another_host_does_not_get_in_by_its_session(home, street, shop, version):
    home.partners("alice")
    home.make(ISSUERS, issuer("staff"))
    home.make(CERTIFICATES, client("mallory", issuer="staff"))
    home.issued("mallory")
    theirs, mallory = street.door("desk", issuer="staff"), home.files("mallory")
    shop.comes_to_tell(home.files(), IN)
    theirs.comes_to_tell(mallory, IN)
    using = context(mallory, version)
    with connected(theirs, using) as connection:
        assert connection.ask() == 200
        session = connection.session
    with connected(shop, using, session=session, sni=False) as connection:
        assert connection.ask() in (400, 403, 421)
    assert shop.tells(mallory) != IN


def test_a_leaf_that_somebody_else_signed_with_the_same_ca_is_refused(home: Home, street: Street, tmp_path: Path):
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=shared")
    home.secret("shared", {"tls.crt": theirs.certificate.read_bytes(), "tls.key": theirs.key.read_bytes()})
    home.make(ISSUERS, issuer("partners", ca={"secretRef": {"name": "shared"}}))
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    shop = street.door("shop")
    shop.comes_to_tell(home.files(), IN)
    assert shop.tells(theirs.client("mallory")) == CLOSED


def test_an_ingress_without_a_host_and_with_a_ca_of_its_own_lets_nobody_in(home, street, shop, tmp_path):
    """It sets the trust anchor for every client without SNI, at whatever host."""
    home.partners("alice")
    shop.comes_to_tell(home.files(), IN)
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    home.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    body = street.manifest("any", issuer=None, **{SECRET: f"{home.namespace}/theirs"})
    del body["spec"]["rules"][0]["host"], body["spec"]["tls"]
    home.make(INGRESSES, body)
    mallory = context(theirs.client("mallory"))

    def asked(host: str) -> int:
        with connected(shop, mallory, sni=False, host=host) as connection:
            return connection.ask()

    eventually(lambda: asked("any.example") == 200, "nginx trusts their CA where there is no SNI")
    assert {asked(shop.host) for _ in range(5)} == {403}


def test_over_plain_http_nobody_gets_in(home: Home, street: Street):
    home.partners("alice")
    body = street.manifest("shop")
    del body["spec"]["tls"]
    home.make(INGRESSES, body)
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(home.files(), IN)
    answers = [shop.ingress.hosts.ask(shop.host, scheme="http", options=options) for options in ([], list(FORGED))]
    assert {answer.status for answer in answers} == {403}


FORGED = (
    "--header",
    "ssl-client-verify: SUCCESS",
    "--header",
    "X-Forwarded-Proto: https",
    "--header",
    "X-Original-URL: https://shop/?verify=SUCCESS",
)


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

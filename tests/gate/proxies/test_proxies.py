"""The gate service behind real Traefik and Envoy, none of which is given a CRL here: it alone refuses who is revoked."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.gate.asked.attacks import ALERT, told_anew
from tests.gate.asked.attacks import CLOSED as CLOSED_EARLY
from tests.gate.asked.connections import TLS_1_2, TLS_1_3, connected, context
from tests.gate.doors import CLOSED, IN, NOBODY, Files
from tests.support.ca import OpensslCa
from tests.support.kube import CERTIFICATES, eventually

from .house import House

IN_TLS = {ALERT, CLOSED_EARLY}
"""Who is refused in the handshake is sent an alert, and may find the connection closed before it is read."""
AT_ONCE = 10.0
"""Seconds, on a busy machine; a watch takes milliseconds."""


def test_a_client_gets_in_and_the_application_hears_who_it_is(house: House):
    name, files = house.admitted("alice")
    headers = house.required.headers(files)
    assert headers["x-doorward-client"] == f"{house.home.namespace}/{name}"
    assert headers["x-doorward-common-name"] == f"{name}.example"
    assert headers["x-doorward-serial"] == house.home.serial(name)


def test_nobody_gets_in_without_a_certificate(house: House):
    assert told_anew(house.required, context(NOBODY)) in IN_TLS
    assert house.optional.tells(NOBODY) == CLOSED


@pytest.mark.parametrize("how", ["revoked", "suspended", "deleted"])
def test_who_is_cut_off_is_refused_at_the_next_request(house: House, how: str):
    name, files = house.admitted("alice")
    if how == "deleted":
        house.home.remove(CERTIFICATES, name)
    else:
        house.respec(name, **{how: True})
    eventually(lambda: house.required.tells(files) == CLOSED, "she is refused", seconds=AT_ONCE)
    assert house.optional.tells(files) == CLOSED


def test_on_an_open_connection_the_next_request_is_refused(house: House):
    name, files = house.admitted("alice")
    with connected(house.required, context(files)) as connection:
        assert connection.ask() == 200
        house.respec(name, suspended=True)
        eventually(lambda: connection.ask() == 403, "it is refused", seconds=AT_ONCE)
        house.respec(name, suspended=False)
        eventually(lambda: connection.ask() == 200, "the suspension is lifted", seconds=AT_ONCE)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_who_resumes_a_session_is_refused(house: House, version):
    name, files = house.admitted("alice")
    using = context(files, version)
    with connected(house.required, using) as connection:
        assert connection.ask() == 200
        session = connection.sock.session
    house.respec(name, revoked=True)
    eventually(lambda: house.required.tells(files) == CLOSED, "she is refused", seconds=AT_ONCE)
    with connected(house.required, using, session=session) as connection:
        assert connection.ask() == 403


# Headers


def forged(certificate: bytes) -> list[tuple[str, ...]]:
    """What somebody sends who wants to be the holder of a certificate, whose PEM may be known."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    line, digest = base64.b64encode(der).decode(), hashlib.sha256(der).hexdigest()
    pem = certificate.decode().replace("\n", "%0A")
    names = ("X-Forwarded-Tls-Client-Cert", "x-forwarded-tls-client-cert", "X_Forwarded_Tls_Client_Cert",
             "X-Forwarded_Tls-Client_Cert", "X.Forwarded.Tls.Client.Cert", "X-Forwarded-Tls-Client-Cert-Info")  # fmt: skip
    envoys = (
        "X-Forwarded-Client-Cert",
        "x-forwarded-client-cert",
        "X_Forwarded_Client_Cert",
        "x.forwarded.client.cert",
    )
    elements = (f"Hash={digest}", f'By=spiffe://a;Hash={digest};Subject="CN=a"', f"Hash={digest},Hash={digest}", f'Cert="{pem}"')  # fmt: skip
    single = [f"{name}: {value}" for name in names for value in (line, pem)]
    single += [f"{name}: {value}" for name in envoys for value in elements]
    doubled = [(f"{names[0]}: {line}", f"{names[0]}: {line}"), (f"{envoys[0]}: {elements[0]}",) * 2]
    dropped = [(f"Connection: {name}", f"{name}: {value}") for name, value in ((names[0], line), (envoys[0], elements[0]))]  # fmt: skip
    ours = ("X-Doorward-Client: a/b", "ssl-client-verify: SUCCESS", "X-Original-URL: /?verify=SUCCESS")
    return [(header,) for header in single] + doubled + dropped + [ours]


@pytest.fixture
def stranger(tmp_path: Path) -> Files:
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    return theirs.client("mallory")


def test_no_header_makes_a_client_another_one(house: House):
    """Neither without a certificate, nor with the own one, which was revoked."""
    _, alice = house.admitted("alice")
    name, mallory = house.admitted("mallory")
    house.respec(name, revoked=True)
    eventually(lambda: house.required.tells(mallory) == CLOSED, "mallory is refused", seconds=AT_ONCE)
    told = {}
    for lines in forged(alice["tls.crt"].read_bytes()):
        options = [word for line in lines for word in ("--header", line)]
        asked = (house.optional.ask(NOBODY, *options), house.optional.ask(mallory, *options), house.required.ask(mallory, *options))  # fmt: skip
        told[lines] = {answer.status for answer in asked}
    assert {lines: statuses for lines, statuses in told.items() if statuses != {403}} == {}
    assert house.required.tells(alice) == IN


def test_a_client_cannot_say_who_it_is(house: House):
    name, files = house.admitted("alice")
    lines = ("X-Doorward-Client: edge/admin", "x-doorward-common-name: admin", "X-Doorward-Client: edge/root")
    answer = house.required.ask(files, *(word for line in lines for word in ("--header", line)))
    headers = json.loads(answer.body)["headers"]
    assert headers["x-doorward-client"] == f"{house.home.namespace}/{name}"
    assert headers["x-doorward-common-name"] == f"{name}.example"


def test_a_certificate_of_another_ca_gets_in_nowhere(house: House, stranger: Files):
    _, files = house.admitted("alice")
    for door in (house.required, house.optional):
        assert told_anew(door, context(stranger)) in IN_TLS
        assert door.tells(files) == IN


@pytest.mark.parametrize("sni", ["optional.example", "nobody.example"])
def test_by_another_server_name_nobody_gets_in(house: House, sni: str):
    assert told_anew(house.required, context(NOBODY), sni=sni) in {"403", "404", "421", *IN_TLS}

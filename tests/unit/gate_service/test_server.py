"""The HTTP side: 200 or 403 and nothing else, over real connections, whatever is sent."""

import asyncio
import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from doorward.clock import SystemClock
from doorward.gate_service.knowledge import Answer
from doorward.gate_service.ledger import Client, Serial
from doorward.gate_service.server import PROXIES, Application, serve
from doorward.objects import ledger_entry
from doorward.objects.proxy_requests.question import Question
from doorward.planning.admission import Verdict
from tests.testbed import ports
from tests.unit import given

from .given import GATE, record

SHA1 = "0123456789abcdef0123456789abcdef01234567"
GOOD = f"/ingress-nginx/shop/issuers/partners?verify=SUCCESS&serial=0A&fingerprint={SHA1}"
ALICE = Serial(ledger_entry.read(record()), given.ISSUER, Client("shop", "alice"), 0)


def admitting(question: Question | None) -> Answer:
    """Admits whatever could be read."""
    if question is None or question.certificate is None:
        return Answer(Verdict.NOT_READ)
    return Answer(Verdict.ADMITTED, GATE, ALICE)


@contextlib.contextmanager
def serving(answer: Callable[[Question | None], Answer] = admitting) -> Iterator[int]:
    """The port of a server that runs in a thread."""
    (port,) = leased = ports.lease(1)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    counted: list[Answer] = []
    running = serve(Application(answer, counted.append, PROXIES), "127.0.0.1", port, stop, SystemClock())
    thread = threading.Thread(target=loop.run_until_complete, args=(running,))
    thread.start()
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            threading.Event().wait(0.02)
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
        ports.give_back(leased)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as found:
        yield found


def sent(port: int, *requests: bytes) -> bytes:
    """What came back on one connection."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"".join(requests))
        return b"".join(iter(lambda: connection.recv(65536), b""))


def request(target: str, *headers: str, method: str = "GET", version: str = "1.1", last: bool = True) -> bytes:
    close = ("Connection: close",) if last else ()
    return "\r\n".join((f"{method} {target} HTTP/{version}", "Host: gate", *close, *headers, "", "")).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


TRAEFIK = "/traefik/shop/issuers/partners"
CERTIFICATE = base64.b64encode(b"\x30\x82\x01\x00" + b"a" * 256).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([f"X-Forwarded-Tls-Client-Cert: {CERTIFICATE}"], 200, id="as Traefik sends it"),
        pytest.param([], 403, id="no certificate"),
        pytest.param([f"X-Forwarded-Tls-Client-Cert: {CERTIFICATE}"] * 2, 403, id="two of them"),
        pytest.param([f"X_Forwarded_Tls_Client_Cert: {CERTIFICATE}"], 403, id="the alias of underscores"),
        pytest.param([f"X-Forwarded-Tls-Client-Cert-Info: {CERTIFICATE}"], 403, id="another header"),
        pytest.param([f"X-Forwarded-Tls-Client-Cert: {CERTIFICATE},{CERTIFICATE}"], 403, id="two in one"),
        pytest.param(["X-Forwarded-Tls-Client-Cert: \xff\xfe"], 403, id="no letters"),
    ],
)
def test_of_traefik_one_header_is_read_that_was_sent_once(port, headers, expected):
    assert status(sent(port, request(TRAEFIK, *headers))) == expected


HASH = "Hash=" + "a" * 64


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([f"X-Forwarded-Client-Cert: {HASH}"], 200, id="as Envoy sends it"),
        pytest.param([], 403, id="no certificate"),
        pytest.param([f"X-Forwarded-Client-Cert: {HASH}"] * 2, 403, id="two of them"),
        pytest.param([f"X-Forwarded-Client-Cert: {HASH},{HASH}"], 403, id="two in one"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_envoy_one_header_with_one_hash_is_read_whatever_the_client_asks(port, method, headers, expected):
    target = "/envoy/shop/issuers/partners/a/../b?verify=NONE"
    assert status(sent(port, request(target, "Content-Length: 0", *headers, method=method))) == expected


def test_a_proxy_that_is_not_named_is_not_answered():
    scope = SimpleNamespace(
        method="GET", path=TRAEFIK, query_string="", sent={"x-forwarded-tls-client-cert": [CERTIFICATE]}.get
    )
    assert Application(admitting, lambda _: None, ["traefik"]).respond(scope)[0] == 200
    assert Application(admitting, lambda _: None).respond(scope)[0] == 403


def test_who_is_admitted_gets_200_and_the_identity(port):
    answer = sent(port, request(GOOD))
    assert status(answer) == 200
    assert b"x-doorward-client: shop/alice\r\n" in answer.lower()
    assert answer.endswith(b"\r\n\r\n")


def test_nginx_asks_with_http_1_0_too(port):
    assert status(sent(port, request(GOOD, version="1.0"))) == 200


def test_a_connection_is_kept_for_more_questions(port):
    asked = (request(GOOD, last=False), request("/", last=False), request(GOOD))
    assert [line.split()[1] for line in sent(port, *asked).split(b"\r\n") if line[:5] == b"HTTP/"] == [
        b"200",
        b"403",
        b"200",
    ]


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "DELETE", "BREW"])
def test_nothing_but_get_is_a_question(port, method):
    assert status(sent(port, request(GOOD, "Content-Length: 0", method=method))) == 403


@pytest.mark.parametrize(
    "target", ["/", "/metrics", "/readyz", "/ingress-nginx", "/ingress-nginx/", "/envoy/a/b/c", "*"]
)
def test_any_other_path_is_403(port, target):
    assert status(sent(port, request(target))) == 403


@pytest.mark.parametrize(
    "header",
    [
        f"ssl-client-verify: SUCCESS\r\nssl-client-fingerprint: {SHA1}",
        f"X-Original-URL: {GOOD}",
        f"X-Forwarded-Client-Cert: Hash={'a' * 64}",
        "ssl-client-cert: -----BEGIN%20CERTIFICATE-----",
    ],
)
def test_no_header_is_an_answer(port, header):
    unverified = "/ingress-nginx/shop/issuers/partners?verify=NONE&serial=&fingerprint="
    assert status(sent(port, request(unverified, header))) == 403


@pytest.mark.parametrize("name", ["ssl-client-verify: NONE", "X-Original-Method: POST", "Cookie: " + "a" * 30_000])
def test_headers_that_nginx_passes_on_change_nothing(port, name):
    assert status(sent(port, request(GOOD, name))) == 200


def test_an_upgrade_is_no_way_in(port):
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "a" * 24,
    )
    assert status(sent(port, request("/", *upgrade, last=False))) == 403
    answer = sent(port, request(GOOD, *upgrade, last=False), request(GOOD, last=False))
    assert status(answer) == 200
    assert b"connection: close\r\n" in answer
    assert answer.count(b"HTTP/") == 1  # what follows an upgrade is no request


def test_after_what_is_no_request_nothing_is_answered(port):
    answer = sent(port, request(GOOD, last=False), b"no request\r\n\r\n", request(GOOD))
    assert [line.split()[1] for line in answer.split(b"\r\n") if line[:5] == b"HTTP/"] == [b"200", b"403"]


def test_after_the_last_request_nothing_is_answered(port):
    assert sent(port, request(GOOD), request(GOOD)).count(b"HTTP/") == 1


def test_a_body_is_passed_over_however_long_it_is(port):
    body = b"a" * 300_000
    answer = sent(port, request(GOOD, f"Content-Length: {len(body)}", last=False), body, request(GOOD))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_request_is_answered_whatever_pieces_it_comes_in(port):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(GOOD):
            connection.sendall(bytes([byte]))
        assert status(b"".join(iter(lambda: connection.recv(65536), b""))) == 200


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b"GET\r\n\r\n", id="no target"),
        pytest.param(b"GET " + GOOD.encode() + b"\r\n\r\n", id="no version"),
        pytest.param(b"GET " + GOOD.encode() + b" HTTP/0.9\r\nHost: gate\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET " + GOOD.encode() + b" HTTP/1.1\r\n" + b"a" * 200_000 + b": b\r\n\r\n", id="too long"),
        pytest.param(
            b"GET " + GOOD.encode() + b" HTTP/1.1\r\n" + b"a: b\r\n" * 40_000 + b"\r\n", id="too many headers"
        ),
        pytest.param(b"GET " + GOOD.encode() + b" HTTP/1.1\r\na : b\r\n\r\n", id="a space after a header's name"),
        pytest.param(
            b"GET " + GOOD.encode() + b" HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="lengths"
        ),
        pytest.param(
            b"GET " + GOOD.encode() + b" HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="a length and chunks",
        ),
        pytest.param(
            b"GET http://gate" + GOOD.encode() + b" HTTP/1.1\r\nConnection: close\r\n\r\n", id="as a forward proxy asks"
        ),
        pytest.param(b"CONNECT gate:80 HTTP/1.1\r\nHost: gate\r\n\r\n", id="a tunnel"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    ],
)
def test_what_is_no_request_is_not_admitted(port, garbage):
    with contextlib.suppress(ConnectionError):
        assert b" 200 " not in sent(port, garbage)[:64]
    assert status(sent(port, request(GOOD))) == 200


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.ADMITTED])
def test_every_other_verdict_is_403_and_names_nobody(verdict):
    answering = Application(lambda _: Answer(verdict, GATE, ALICE), lambda _: None)
    assert answering.respond(SimpleNamespace(method="GET", path="/", query_string="")) == (403, b"")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_answer_is_counted(verdict):
    counted: list[Answer] = []
    Application(lambda _: Answer(verdict, GATE, ALICE), counted.append).respond(
        SimpleNamespace(method="GET", path="/", query_string="")
    )
    assert [each.verdict for each in counted] == [verdict]


def test_a_fault_of_its_own_is_403_and_ends_nothing():
    def broken(_: Question | None) -> Answer:
        raise RuntimeError("no")

    with serving(broken) as port:
        assert status(sent(port, request(GOOD))) == 403
        assert status(sent(port, request(GOOD))) == 403


async def test_at_the_end_a_request_that_has_begun_is_answered_and_nothing_is_left():
    (port,) = leased = ports.lease(1)
    stop = asyncio.Event()
    serving_it = serve(Application(admitting, lambda _: None), "127.0.0.1", port, stop, SystemClock())
    running = asyncio.create_task(serving_it)
    await asyncio.sleep(0)  # it listens
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(GOOD, last=False) + request(GOOD)[:9])
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        stop.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not running.done()
        writer.write(request(GOOD)[9:])
        assert status(await reader.read()) == 200
        writer.close()
        await running
        assert asyncio.all_tasks() == {asyncio.current_task()}
    finally:
        running.cancel()
        ports.give_back(leased)

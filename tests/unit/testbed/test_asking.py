"""A connection that breaks is no answer, whatever curl calls it; a status, or an alert about the certificate, is one."""

import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.gate import doors
from tests.gate.doors import CLOSED, IN, NO_CERTIFICATE, REFUSED, Knocks, verdict
from tests.support.openssl import LEAF_EXTENSIONS, Issued, OpenSsl
from tests.testbed import asking
from tests.testbed.asking import Answer, CannotAsk, Hosts, NoAnswer

Behaviour = Callable[[socket.socket], None]
HOST = "shop.example"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8)
RESET_STREAM = b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02"
"""By an internal error: after a refusal (7) curl itself would ask again."""


def says(text: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)
        drain(connection)

    return behave


def drain(connection: socket.socket) -> None:
    """End it, and take in what the client still sends: else that would turn the last words into a reset."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def resets(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def response(status: int, body: bytes = b"") -> Behaviour:
    return says(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body))


IN_WITHOUT_A_WORD = response(200)


@contextmanager
def server(*behaviours: Behaviour) -> Iterator[int]:
    """Its port; each connection is treated as the next one says, all further ones as the last."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for number in itertools.count():
                connection, _ = listening.accept()
                with connection:
                    if leave.is_set():
                        return
                    behaviours[min(number, len(behaviours) - 1)](connection)

        leave = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            leave.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_PAUSE", 0.0)


BREAKS: dict[str, tuple[Behaviour, tuple[str, ...]]] = {
    "before a word": (says(b""), ()),
    "with a reset": (resets, ()),
    "in the middle of an answer": (says(b"HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\nThe SSL certificate error"), ()),
    "by HTTP/2's GOAWAY": (says(SETTINGS + GOAWAY), ("--http2-prior-knowledge",)),
    "by the end of an HTTP/2 stream": (says(SETTINGS + RESET_STREAM), ("--http2-prior-knowledge",)),
    "by no HTTP/2 at all": (says(b"junk" * 9), ("--http2-prior-knowledge",)),
}


@pytest.mark.parametrize(("breaks", "options"), BREAKS.values(), ids=BREAKS)
def test_a_connection_that_ends_is_asked_again_and_counted(breaks: Behaviour, options: tuple[str, ...]) -> None:
    with server(breaks) as port, pytest.raises(NoAnswer, match=HOST):
        Hosts("127.0.0.1", port, port).ask(HOST, scheme="http", options=options)
    with server(breaks, breaks, says(b""), response(200, b"in")) as port:
        hosts = Hosts("127.0.0.1", port, port)
        first = [hosts.try_once(HOST, scheme="http", options=options) for _ in range(2)]
        assert (first, hosts.ask(HOST, scheme="http")) == ([None, None], Answer(200, "in"))
        assert len(hosts.broken) == 3


def test_silence_and_a_closed_port_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert Hosts("127.0.0.1", silent.getsockname()[1]).try_once(HOST) is None
        port = silent.getsockname()[1]
    hosts = Hosts("127.0.0.1", port)
    assert hosts.try_once(HOST) is None
    assert hosts.broken[0].startswith("refused")


def test_a_handshake_that_ends_is_no_answer() -> None:
    with server(resets, says(b"")) as port:
        hosts = Hosts("127.0.0.1", port)
        assert [hosts.try_once(HOST) for _ in range(2)] == [None, None]


def test_what_curl_cannot_even_ask_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with server(response(200)) as port, pytest.raises(CannotAsk):
        Hosts("127.0.0.1", port, port).ask(HOST, scheme="http", options=("--no-such-option",))
    with tls(OpenSsl(tmp_path)) as port, pytest.raises(CannotAsk, match="58"):
        Hosts("127.0.0.1", port).ask(HOST, cert=tmp_path / "none.crt")


def test_who_asks_many_hosts_hears_from_each_of_them(tmp_path: Path) -> None:
    names = ["a.example", "b.example"]
    with tls(OpenSsl(tmp_path)) as port:
        hosts = Hosts("127.0.0.1", port)
        assert dict(hosts.try_all(names)) == dict.fromkeys(names, Answer(200))
        assert hosts.broken == []
    with server(says(b"")) as port:
        hosts = Hosts("127.0.0.1", port)
        assert dict(hosts.try_all(names)) == dict.fromkeys(names)
        assert len(hosts.broken) == 2


HALF = b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\nhalf"


@pytest.mark.parametrize("words", [b"", b"junk\r\n\r\n", HALF], ids=["none", "no HTTP", "half an answer"])
def test_what_is_no_whole_answer_over_tls_is_none_to_those_who_ask_many_hosts(tmp_path: Path, words: bytes) -> None:
    with tls(OpenSsl(tmp_path), behave=says(words)) as port:
        hosts = Hosts("127.0.0.1", port)
        assert list(hosts.try_all([HOST])) == [(HOST, None)]
        assert len(hosts.broken) == 1


def test_silence_and_a_closed_port_are_no_answer_to_those_who_ask_many_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert list(Hosts("127.0.0.1", port).try_all([HOST])) == [(HOST, None)]
    assert list(Hosts("127.0.0.1", port).try_all([HOST])) == [(HOST, None)]


def test_whoever_asks_many_hosts_shows_each_the_certificate_of_now_in_a_new_session(tmp_path: Path) -> None:
    openssl = OpenSsl(tmp_path)
    trusted, stranger = openssl.ca("trusted"), openssl.ca("stranger")
    good, bad = (openssl.issue("alice", each, extensions=LEAF_EXTENSIONS) for each in (trusted, stranger))
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    resumed: list[bool | None] = []

    def behave(secured: socket.socket) -> None:
        assert isinstance(secured, ssl.SSLSocket)
        resumed.append(secured.session_reused)
        response(200)(secured)

    with tls(openssl, trusted, behave=behave) as port:
        hosts, told = Hosts("127.0.0.1", port), []
        for leaf in (good, bad, good):
            cert.write_bytes(leaf.certificate)
            key.write_bytes(leaf.key)
            told += [answer for _, answer in hosts.try_all([HOST, HOST], cert=cert, key=key)]
        told += [answer for _, answer in hosts.try_all([HOST])]
    unknown = Answer(0, alert="unknown ca")
    assert told == [Answer(200)] * 2 + [unknown] * 2 + [Answer(200)] * 2 + [Answer(0, alert="certificate required")]
    assert (hosts.broken, set(resumed)) == ([], {False})


def test_a_file_that_is_missing_is_the_mistake_of_whoever_asks_many_hosts(tmp_path: Path) -> None:
    with tls(OpenSsl(tmp_path)) as port, pytest.raises(CannotAsk, match=r"none\.crt"):
        list(Hosts("127.0.0.1", port).try_all([HOST], cert=tmp_path / "none.crt"))


# Alerts


@contextmanager
def tls(openssl: OpenSsl, trusted: Issued | None = None, behave: Behaviour = IN_WITHOUT_A_WORD) -> Iterator[int]:
    """A server over TLS that wants a certificate of the CA `trusted`, and answers 200 unless told otherwise."""
    own = openssl.ca("server", extensions="basicConstraints=critical,CA:FALSE\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(openssl.file(own.certificate), openssl.file(own.key))
    if trusted:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(openssl.file(trusted.certificate))

    def secure(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
            try:
                secured.do_handshake()
                behave(secured)
            except OSError:
                drain(secured)

    with server(secure) as port:
        yield port


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_an_alert_about_the_certificate_is_an_answer(tmp_path: Path, version: str) -> None:
    openssl = OpenSsl(tmp_path)
    trusted, stranger = openssl.ca("trusted"), openssl.ca("stranger")
    with tls(openssl, trusted) as port:
        hosts = Hosts("127.0.0.1", port)
        told = []
        for authority in (trusted, stranger):
            leaf = openssl.issue("alice", authority, extensions=LEAF_EXTENSIONS)
            files = {"cert": openssl.file(leaf.certificate), "key": openssl.file(leaf.key)}
            told.append(hosts.ask(HOST, **files, options=("--tls-max", version)))
        assert told == [Answer(200), Answer(0, alert="unknown ca")]
        assert hosts.broken == []


def report(code: int, said: str = "", status: int = 0) -> asking.Report:
    return {"exitcode": code, "errormsg": said, "http_code": status}


ALERTS = {
    "sslv3 alert bad certificate": "bad certificate",
    "ssl/tls alert certificate revoked": "certificate revoked",
    "sslv3 alert certificate expired": "certificate expired",
    "tlsv13 alert certificate required": "certificate required",
    "tlsv1 alert unknown ca": "unknown ca",
    "tlsv1 alert internal error": None,
    "sslv3 alert handshake failure": None,
    "unexpected eof while reading": None,
}


@pytest.mark.parametrize(("said", "alert"), ALERTS.items(), ids=ALERTS)
@pytest.mark.parametrize("code", [35, 55, 56])
def test_of_alerts_only_those_about_the_certificate_are_answers(code: int, said: str, alert: str | None) -> None:
    answer = asking.heard(report(code, f"OpenSSL SSL_read: error:0A000000:SSL routines::{said}, errno 0"))
    assert answer == (Answer(0, alert=alert) if alert else None)


@pytest.mark.parametrize("code", [7, 16, 18, 28, 35, 52, 55, 56, 92])
def test_a_connection_that_broke_is_no_answer_by_whichever_of_curls_numbers(code: int) -> None:
    assert asking.heard(report(code, "whatever")) is None


@pytest.mark.parametrize("code", [2, 3, 6, 26, 58])
def test_a_mistake_of_the_test_is_no_broken_connection(code: int) -> None:
    with pytest.raises(CannotAsk, match=f"{code}. whatever"):
        asking.heard(report(code, "whatever"))


def test_success_without_a_status_is_no_answer() -> None:
    assert asking.heard(report(0)) is None


@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_status_whose_connection_broke_is_no_answer(status: int) -> None:
    assert asking.heard(report(16, status=status)) is None
    assert asking.heard(report(0, status=status)) == Answer(status)


# What tests make of answers


VERDICTS = {
    IN: Answer(200, "{}"),
    NO_CERTIFICATE: Answer(400, "<title>400 No required SSL certificate was sent</title>"),
    REFUSED: Answer(400, "<title>400 The SSL certificate error</title>"),
    CLOSED: Answer(403, "Forbidden"),
    "400: Bad Request": Answer(400, "Bad Request"),
    "0: ": Answer(0),
}


@pytest.mark.parametrize(("said", "answer"), VERDICTS.items(), ids=VERDICTS)
def test_an_answer_is_told_as(said: str, answer: Answer) -> None:
    assert verdict(answer) == said


@pytest.mark.parametrize(
    ("alert", "said"),
    [("certificate required", NO_CERTIFICATE), ("certificate revoked", REFUSED), ("unknown ca", REFUSED)],
)
def test_an_alert_is_told_as(alert: str, said: str) -> None:
    assert verdict(Answer(0, alert=alert)) == said


def test_who_knocks_counts_broken_connections_apart_from_what_was_told() -> None:
    knocks = Knocks(["a", "b"], [{"a": None, "b": 400}, {"a": 403, "b": None}])
    assert (knocks.statuses("a", "b"), knocks.broken("a", "b")) == ({400, 403}, 2)


def test_who_knocks_at_a_host_that_never_answers_was_told_nothing() -> None:
    with pytest.raises(AssertionError, match=r"no answer: \['a'\]"):
        Knocks(["a", "b"], [{"a": None, "b": 400}]).statuses("a", "b")


def at_each_round(monkeypatch: pytest.MonkeyPatch, knocks: Knocks, *later: dict[str, int | None]) -> list[bool]:
    """Whether what is waited for is there, looked at after each of these rounds; filled in by the wait."""
    held: list[bool] = []

    def look(holds: Callable[[], object], _what: str) -> None:
        for told in later:
            knocks.rounds.append(told)
            held.append(bool(holds()))

    monkeypatch.setattr(doors, "eventually", look)
    return held


def test_a_round_with_a_broken_connection_is_not_one_in_which_all_hosts_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knocks = Knocks(["a", "b"])
    held = at_each_round(monkeypatch, knocks, {"a": None, "b": 400}, {"a": 403, "b": 400}, {"a": 400, "b": 400})
    knocks.come_to_be_told(400)
    assert held == [False, False, True]


def test_asked_once_more_means_that_every_host_has_answered_a_question_from_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knocks = Knocks(["a", "b"], [{"a": 400, "b": 400}])
    begun_before = {"a": 400, "b": 400}
    held = at_each_round(monkeypatch, knocks, begun_before, {"a": 400, "b": None}, {"a": None, "b": 400})
    knocks.once_more()
    assert held == [False, False, True]

"""No client says to the application who it is, however it spells the headers of the gate service."""

import contextlib
import http.client
import itertools
import json
import re
from collections.abc import Iterator

import pytest

from tests.gate.doors import IN, Door, Files
from tests.support.home import Home
from tests.support.kube import CERTIFICATES

from .connections import connected, context

NAMES = ("Client", "Common-Name", "Serial")
OWN = {f"x-doorward-{name.lower()}" for name in NAMES}
FORGED = "mallory"
TRIES = 5


def spellings() -> Iterator[str]:
    """Names like one of the three: with other signs between the words, in other cases, with signs around."""
    for name in NAMES:
        words = ["X", "Doorward", *name.split("-")]
        for signs in itertools.product("-_.", repeat=len(words) - 1):
            text = "".join(word + sign for word, sign in itertools.zip_longest(words, signs, fillvalue=""))
            yield from (text, text.lower(), text.upper())
        usual = "-".join(words)
        yield from (usual.swapcase(), f"{usual}_", f"_{usual}", f"{usual}-", f"-{usual}", f"{usual}.", f".{usual}")
        yield from (
            usual.replace("-", "--"),
            usual.replace("-", ""),
            usual.replace("-", " "),
            f"{usual} ",
            f"{usual}\t",
        )
        yield from (f"HTTP_{'_'.join(words).upper()}", f"{usual}\0", f"{usual}\u00a0", f"{usual}\u212a")


def requests() -> Iterator[tuple[str, bytes]]:
    """What is tried, and the lines of a request that try it."""
    for name in dict.fromkeys(spellings()):
        yield ascii(name), f"{name}: {FORGED}\r\n".encode()
    usual = "X-Doorward-Client"
    yield "twice", f"{usual}: {FORGED}\r\n{usual}: {FORGED}\r\n".encode() * 2
    yield "a folded line", f"X-Other: a\r\n {usual}: {FORGED}\r\n".encode()
    yield "a folded value", f"{usual}:\r\n {FORGED}\r\n".encode()
    yield "after a bare line feed", f"X-Other: a\n{usual}: {FORGED}\r\n".encode()
    yield "after a bare carriage return", f"X-Other: a\r{usual}: {FORGED}\r\n".encode()
    yield "to be dropped by the next proxy", f"Connection: keep-alive, {usual}, X-Doorward-Serial\r\n".encode()
    yield "in Connection and sent", f"Connection: keep-alive, {usual}\r\n{usual}: {FORGED}\r\n".encode()
    yield "empty", f"{usual}:\r\n".encode()


def asked(door: Door, files: Files, lines: bytes, *, method: str = "GET") -> tuple[int, str]:
    """Status and body of a request with these lines, on a connection of its own; again where nginx ended that for a reload."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(OSError):
            return _asked_once(door, files, lines, method)
    return _asked_once(door, files, lines, method)


def _asked_once(door: Door, files: Files, lines: bytes, method: str) -> tuple[int, str]:
    with connected(door, context(files)) as connection:
        connection.sock.sendall(f"{method} / HTTP/1.1\r\nHost: {door.host}\r\n".encode() + lines + b"\r\n")
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        return answer.status, answer.read().decode()


def identity(body: str) -> list[tuple[str, str]]:
    """What an application takes for the headers of the gate service: many have one name for all signs between the words."""
    sent = [(re.sub("[^a-z0-9]", "-", name.strip().lower()), value) for name, value in json.loads(body)["lines"]]
    return sorted((name, value) for name, value in sent if name in OWN)


@pytest.fixture
def expected(home: Home, shop: Door) -> list[tuple[str, str]]:
    """What the application is to be told of Alice, who gets in."""
    home.partners("alice")
    shop.comes_to_tell(home.files(), IN)
    serial = home.body(CERTIFICATES, "alice")["status"]["serialNumber"]
    return [
        ("x-doorward-client", f"{home.namespace}/alice"),
        ("x-doorward-common-name", "alice.example"),
        ("x-doorward-serial", serial),
    ]


def test_no_spelling_of_an_identity_header_arrives(home: Home, shop: Door, expected):
    files = home.files()
    answers = {how: asked(shop, files, lines) for how, lines in requests()}
    assert {status for status, _ in answers.values()} <= {200, 400}
    arrived = {how: identity(body) for how, (status, body) in answers.items() if status == 200}
    assert {how: found for how, found in arrived.items() if found != expected} == {}
    assert len(answers) > 150
    assert len(arrived) > 100


def test_nor_does_one_over_http_2_or_in_a_trailer(home: Home, shop: Door, expected):
    spelled = [name for name in dict.fromkeys(spellings()) if name.isascii() and name.isprintable() and " " not in name]
    headers = [word for name in spelled for word in ("--header", f"{name}: {FORGED}")]
    for options in (["--http2", *headers], ["--http1.1", *headers]):
        answer = shop.ask(home.files(), *options)
        assert answer.status == 200
        assert identity(answer.body) == expected
    chunked = (
        b"Transfer-Encoding: chunked\r\nTrailer: X-Doorward-Client\r\n\r\n1\r\na\r\n0\r\nX-Doorward-Client: mallory\r\n"
    )
    status, body = asked(shop, home.files(), chunked, method="POST")
    assert status == 200
    assert identity(body) == expected

"""No client says to the application who it is, however it spells the headers of the gate service."""

import http.client
import itertools
import json
import re
from collections.abc import Iterator, Sequence

import pytest

from tests.gate.doors import IN, Door, Files
from tests.support.home import Home
from tests.support.kube import CERTIFICATES

from .asking import undisturbed
from .connections import connected, context

NAMES = ("Client", "Common-Name", "Serial")
OWN = {f"x-doorward-{name.lower()}" for name in NAMES}
FORGED = "mallory"


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


def asked(door: Door, files: Files, lines: Sequence[bytes]) -> list[tuple[int, str]]:
    """Status and body of a request with each of these lines, each on a connection of its own."""
    answers = []
    using = context(files)
    for each in lines:
        with connected(door, using) as connection:
            connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: " + door.host.encode() + b"\r\n" + each + b"\r\n")
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()
            answers.append((answer.status, answer.read().decode()))
    return answers


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
    tried = dict(requests())
    assert len(tried) > 150

    def story() -> None:
        answers = dict(zip(tried, asked(shop, home.files(), list(tried.values())), strict=True))
        assert {status for status, _ in answers.values()} <= {200, 400}
        arrived = {how: identity(body) for how, (status, body) in answers.items() if status == 200}
        assert {how: found for how, found in arrived.items() if found != expected} == {}
        assert len(arrived) > 100

    undisturbed(story)


def test_nor_does_one_over_http_2_or_in_a_trailer(home: Home, shop: Door, expected):
    spelled = [name for name in dict.fromkeys(spellings()) if name.isascii() and name.isprintable() and " " not in name]
    headers = [word for name in spelled for word in ("--header", f"{name}: {FORGED}")]
    for options in (["--http2", *headers], ["--http1.1", *headers]):
        answer = shop.ask(home.files(), *options)
        assert answer.status == 200
        assert identity(answer.body) == expected

    def story() -> None:
        chunked = b"Transfer-Encoding: chunked\r\nTrailer: X-Doorward-Client\r\n\r\n1\r\na\r\n0\r\nX-Doorward-Client: mallory\r\n"
        with connected(shop, context(home.files())) as connection:
            connection.sock.sendall(b"POST / HTTP/1.1\r\nHost: " + shop.host.encode() + b"\r\n" + chunked + b"\r\n")
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()
            assert answer.status == 200
            assert identity(answer.read().decode()) == expected

    undisturbed(story)

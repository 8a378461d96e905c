"""One connection of a probe, to real servers on loopback: what it hears, and that no server can hold it for long."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import pytest

from doorward.objects.endpoints import Replica
from doorward.planning.enforcement import Heard
from doorward.probes import connection, foreign
from doorward.probes.connection import Session, ask, greet
from tests.unit.given import NOW

from .conftest import naming, says, serving, speaking_tls

BAD = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n"
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@VERSIONS
async def test_it_hears_the_status_and_which_ca_is_asked_for(ours, version):
    async with naming(ours, ours, answer=BAD, version=version) as replica:
        assert await ask(replica, "shop.example", "/", tls=True) == Heard(status=400, authorities={ours.subject})


@VERSIONS
async def test_it_hears_every_ca_that_is_asked_for(ours, theirs, version):
    async with naming(ours, ours, theirs, answer=BAD, version=version) as replica:
        heard = await ask(replica, "shop.example", "/", tls=True)
    assert heard.authorities == {ours.subject, theirs.subject}


async def test_it_hears_that_nobody_is_asked_for_a_certificate(ours):
    async with serving(says(BAD), speaking_tls(ours)) as replica:
        assert await ask(replica, "shop.example", "/", tls=True) == Heard(status=400)


@VERSIONS
async def test_it_hears_that_the_handshake_refuses_who_has_no_certificate(ours, version):
    async with naming(ours, ours, answer=BAD, version=version, strict=True) as replica:
        heard = await ask(replica, "shop.example", "/", tls=True)
    assert heard.status == 0
    assert "certificate" in heard.alert or "handshake failure" in heard.alert


@VERSIONS
async def test_a_certificate_of_another_ca_is_really_presented(ours, version):
    client = foreign.made(NOW)
    async with naming(ours, ours, answer=BAD, version=version, strict=True) as replica:
        heard = await ask(replica, "shop.example", "/", tls=True, client=client)
    assert "unknown ca" in heard.alert, "the server verified it"


async def test_a_host_is_asked_for_by_name_and_with_a_head_request_that_says_who_asks(ours):
    seen = []

    async def behave(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(BAD)
        writer.close()

    context = speaking_tls(ours)
    context.sni_callback = lambda _, name, __: seen.append(name)
    async with serving(behave, context) as replica:
        await ask(replica, "shop.example", "/private", tls=True)
    name, request = seen
    assert name == "shop.example"
    assert request.startswith(b"HEAD /private HTTP/1.1\r\n")
    assert b"Host: shop.example\r\n" in request
    assert b"User-Agent: doorward-probe\r\n" in request


async def test_a_redirect_is_not_followed():
    asked = []

    async def behave(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://shop.example/\r\n\r\n")
        writer.close()

    async with serving(behave) as replica:
        heard = await ask(replica, "shop.example", "/", tls=False)
    assert heard == Heard(status=308, location="https://shop.example/")
    assert len(asked) == 1


async def test_an_early_hint_is_not_taken_for_the_answer():
    async with serving(says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")) as replica:
        assert (await ask(replica, "shop.example", "/", tls=False)).status == 200


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "ANSWERS_WITHIN", 0.3)


async def wait(reader, writer):
    try:
        await reader.read(-1)
    finally:
        writer.close()


async def babble(_reader, writer):
    try:
        for _ in range(1000):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)  # drain alone may not give the loop to others
    except ConnectionError:
        writer.close()


async def one_long_line(_reader, writer):
    try:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(1000):
            writer.write(b"x" * 4096)
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        writer.close()


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "TLS"])
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(wait, id="never answers"),
        pytest.param(babble, id="never ends"),
        pytest.param(one_long_line, id="sends a header without an end"),
        pytest.param(says(b"\x00" * 100), id="sends no HTTP"),
        pytest.param(says(b""), id="closes"),
        pytest.param(says(b"HTTP/1.1 1000 Strange\r\n\r\n"), id="sends no status"),
        pytest.param(says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), id="speaks something else"),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_replica_that_gives_no_answer_is_left_soon(behaviour, tls, ours):
    async with serving(behaviour, speaking_tls(ours) if tls else None) as replica:
        async with asyncio.timeout(10):
            heard = await ask(replica, "shop.example", "/", tls=tls)
    assert heard.status == 0
    assert heard.connected
    assert heard.trouble or heard.alert


@pytest.mark.parametrize(
    "behaviour",
    [pytest.param(wait, id="silence"), pytest.param(says(b"\x16\x03\x01" + b"\xff" * 999), id="a record that is none")],
)
@pytest.mark.usefixtures("impatient")
async def test_a_handshake_that_does_not_end_is_left_soon(behaviour):
    async with serving(behaviour) as replica, asyncio.timeout(10):
        heard = await ask(replica, "shop.example", "/", tls=True)
    assert heard.status == 0
    assert heard.connected


async def test_nobody_there_is_told_from_no_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    heard = await ask(Replica("127.0.0.1", port, port), "shop.example", "/", tls=True)
    assert not heard.connected
    assert "refused" in heard.trouble


@pytest.mark.parametrize("host", ["shop.example", "xn--bcher-kva.example", "a" * 63 + ".example", "192.0.2.7"])
async def test_any_host_of_an_ingress_can_be_asked_for(host, ours):
    async with serving(says(BAD), speaking_tls(ours)) as replica:
        assert (await ask(replica, host, "/", tls=True)).status == 400


async def test_a_body_that_is_announced_is_never_sent(ours):
    seen = []

    async def behave(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        seen.append(await reader.read())
        writer.close()

    async with serving(behave, speaking_tls(ours)) as replica:
        heard = await ask(replica, "shop.example", "/", tls=True, promised=2**62)
        assert heard.status == 413
        async with asyncio.timeout(30):
            while len(seen) < 2:
                await asyncio.sleep(0)
    assert b"Content-Length: 4611686018427387904\r\n" in seen[0]
    assert seen[1] == b""


@VERSIONS
async def test_a_session_is_kept_and_resumed_without_the_certificate(ours, version):
    context = speaking_tls(ours)
    context.minimum_version = context.maximum_version = version
    resumed = []

    async def behave(reader, writer):
        resumed.append(writer.get_extra_info("ssl_object").session_reused)
        await says(BAD)(reader, writer)

    session = Session()
    async with serving(behave, context) as replica:
        await ask(replica, "shop.example", "/", tls=True, client=foreign.made(NOW), session=session)
        assert session.kept is not None
        await ask(replica, "shop.example", "/", tls=True, session=session)
        await ask(replica, "shop.example", "/", tls=True, session=Session())
    assert resumed == [False, True, False]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", 100),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n", 403),
    ],
)
async def test_who_waits_to_be_asked_for_the_body_hears_that_and_never_sends_it(ours, answer, status):
    seen = []

    async def behave(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        seen.append(await reader.read())
        writer.close()

    async with serving(behave, speaking_tls(ours)) as replica:
        heard = await ask(replica, "shop.example", "/", tls=True, promised=1, expects=True)
        assert heard.status == status
        async with asyncio.timeout(30):
            while len(seen) < 2:
                await asyncio.sleep(0)
    assert b"Content-Length: 1\r\n" in seen[0]
    assert b"Expect: 100-continue\r\n" in seen[0]
    assert seen[1] == b""


# The name in the handshake


def naming_itself(server, seen, refused=()):
    """A TLS server that remembers what handshakes name, and refuses some of it as nginx does with ssl_reject_handshake."""
    context = speaking_tls(server)

    def named(_connection, name, _context):
        seen.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name in refused else None

    context.sni_callback = named
    return context


@asynccontextmanager
async def refusing(context):
    """A server that takes one connection and no handshake; asyncio's own sends no alert."""

    def take_one(listening):
        plain, _ = listening.accept()
        with plain, suppress(OSError), context.wrap_socket(plain, server_side=True):
            raise AssertionError("it shook hands")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        taking = asyncio.create_task(asyncio.to_thread(take_one, listening))
        port = listening.getsockname()[1]
        yield Replica("127.0.0.1", port, port)
        await taking


@pytest.mark.parametrize(("name", "sent"), [("", None), ("other.example", "other.example"), (None, "shop.example")])
async def test_the_handshake_names_what_it_is_told_to_and_the_request_the_host(ours, name, sent):
    named, requests = [], []

    async def behave(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(BAD)
        writer.close()

    async with serving(behave, naming_itself(ours, named)) as replica:
        assert (await ask(replica, "shop.example", "/", tls=True, name=name)).status == 400
    assert named == [sent]
    assert b"Host: shop.example\r\n" in requests[0]


@pytest.mark.promise(3)
@pytest.mark.parametrize("name", ["", "nobody.example"])
@VERSIONS
async def test_a_greeting_hears_that_the_name_is_refused(ours, name, version):
    context = naming_itself(ours, [], {None, "nobody.example"})
    context.minimum_version = context.maximum_version = version
    async with refusing(context) as replica:
        assert "unrecognized name" in (await greet(replica, name)).alert


@VERSIONS
async def test_a_greeting_hears_which_ca_is_asked_for_and_sends_no_request(ours, theirs, version):
    async with naming(ours, theirs, answer=BAD, version=version) as replica:
        assert await greet(replica, "") == Heard(authorities={theirs.subject})
    got = []

    async def behave(reader, writer):
        try:
            got.append(await reader.read())
        except ConnectionError:
            got.append(b"")
        writer.close()

    async with serving(behave, speaking_tls(ours)) as replica:
        assert await greet(replica, "nobody.example") == Heard()
        async with asyncio.timeout(30):
            while not got:
                await asyncio.sleep(0)
    assert got == [b""]

"""One connection to a replica: a TLS handshake, or none, one HEAD request, and what was heard; bounded in time and in bytes.

The server's own certificate is not verified: a probe sends nothing secret, and a replica that lies harms itself alone.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard, TypeVar

import h11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from doorward.objects.endpoints import Replica
from doorward.planning.enforcement import Heard

CONNECT_WITHIN = 3.0  # seconds
ANSWERS_WITHIN = 5.0
MOST_BYTES = 256 * 1024
"""That are read of one connection, whatever the replica sends."""
AT_ONCE = 16 * 1024
USER_AGENT = "doorward-probe"
T = TypeVar("T")


class Client(Protocol):
    """A client certificate and its key."""

    @property
    def certificate(self) -> x509.Certificate:
        """What is shown to the server."""
        ...

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """Its key."""
        ...


class _Ended(Exception):
    """The replica ended the connection, or sent more than is read."""


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    return context


@dataclass(slots=True)
class Session:
    """A TLS session to be resumed, and then the one that came of the connection; None: there is none."""

    kept: SSL.Session | None = field(default=None, repr=False)
    context: SSL.Context = field(default_factory=_context, repr=False)
    """Of all connections with it. It has no certificate, so that who resumes can come without one."""


async def ask(
    replica: Replica,
    host: str,
    path: str,
    *,
    tls: bool,
    client: Client | None = None,
    promised: int = 0,
    expects: bool = False,
    session: Session | None = None,
    name: str | None = None,
) -> Heard:
    """What one replica answers at a host, over TLS with the certificate of `client` or without one, or over plain HTTP.

    `promised`: bytes of a body that the request announces, and that are never sent; `expects`: it waits for the server to ask for them, which is
    an answer of status 100. `name`: what the TLS handshake names (SNI); empty: nothing, None: the host.
    """
    named = host if name is None else name

    def made(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Plain:
        return _Tls(reader, writer, named, client, session) if tls else _Plain(reader, writer)

    port = replica.https if tls else replica.http
    return await _talk(replica.address, port, made, lambda talk: talk.head(host, path, promised, expects=expects))


async def greet(replica: Replica, name: str) -> Heard:
    """What comes of a TLS handshake that names a host (SNI), or none where `name` is empty; nothing is asked after it."""

    def made(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Plain:
        return _Tls(reader, writer, name, None, None)

    async def begin(talk: _Plain) -> Heard:
        await talk.begin()
        return Heard(authorities=talk.authorities())

    return await _talk(replica.address, replica.https, made, begin)


async def _talk(
    address: str,
    port: int,
    made: Callable[[asyncio.StreamReader, asyncio.StreamWriter], "_Plain"],
    say: Callable[["_Plain"], Awaitable[Heard]],
) -> Heard:
    """One connection, whatever comes of it."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            reader, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError) as error:
        return Heard(trouble=f"cannot be reached on port {port} ({_kind(error)})", connected=False)
    talk = made(reader, writer)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            return await say(talk)
    except TimeoutError:
        return Heard(trouble=f"takes a connection on port {port} and does not answer within {ANSWERS_WITHIN:.0f} s")
    except SSL.Error as error:
        return Heard(alert=_alert(error), authorities=talk.authorities())
    except (OSError, _Ended, h11.ProtocolError):
        return Heard(trouble=f"takes a connection on port {port} and ends it without an answer")
    finally:
        writer.transport.abort()


def _kind(error: OSError | TimeoutError) -> str:
    return (
        "no answer"
        if isinstance(error, TimeoutError)
        else "refused"
        if isinstance(error, ConnectionError)
        else "no route"
    )


def _alert(error: SSL.Error) -> str:
    """As OpenSSL words it, which is short; nothing in it is the replica's own text."""
    reasons = error.args[0] if error.args else ()
    return ", ".join(str(reason[-1]) for reason in reasons)[:200] or "an error"


class _Plain:
    """Over plain HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._left = MOST_BYTES

    def authorities(self) -> frozenset[bytes]:
        """The subjects of the CAs that the replica asked a certificate of."""
        return frozenset()

    async def begin(self) -> None:
        """What comes before HTTP."""

    def answered(self) -> None:
        """What is kept of the connection once it was answered."""

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        data = await self._reader.read(AT_ONCE)
        self._left -= len(data)
        if self._left < 0:
            raise _Ended
        return data

    async def head(self, host: str, path: str, promised: int, *, expects: bool) -> Heard:
        """Ask, and read no more than the head of the answer."""
        await self.begin()
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=AT_ONCE)
        headers = [("Host", host), ("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Connection", "close")]
        if promised:
            headers.append(("Content-Length", str(promised)))
        if expects:
            headers.append(("Expect", "100-continue"))
        request = http.send(h11.Request(method="HEAD", target=path, headers=headers)) or b""
        await self.send(request if promised else request + (http.send(h11.EndOfMessage()) or b""))
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                data = await self.receive()
                http.receive_data(data)
            elif isinstance(event, h11.Response) or (expects and _continues(event)):
                self.answered()
                location = next((value for name, value in event.headers if name == b"location"), b"")
                return Heard(
                    status=event.status_code,
                    location=location[:2048].decode("latin-1"),
                    authorities=self.authorities(),
                )
            elif not isinstance(event, h11.InformationalResponse):
                raise _Ended


class _Tls(_Plain):
    """Over TLS, from memory to memory: the connection stays asyncio's."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        client: Client | None,
        session: Session | None,
    ) -> None:
        super().__init__(reader, writer)
        self._session = session if session is not None else Session()
        self._tls = SSL.Connection(self._session.context, None)
        if client is not None:
            self._tls.use_certificate(client.certificate)
            self._tls.use_privatekey(client.key)
        if self._session.kept is not None:
            self._tls.set_session(self._session.kept)
        if name and not _is_address(name):
            self._tls.set_tlsext_host_name(name.encode("ascii"))
        self._tls.set_connect_state()

    def authorities(self) -> frozenset[bytes]:
        try:
            names = self._tls.get_client_ca_list(as_cryptography=True)
        except ValueError:  # a name that is none: it is not the issuer's
            return frozenset({b""})
        return frozenset(name.public_bytes() for name in names)

    async def begin(self) -> None:
        await self._drive(self._tls.do_handshake)

    def answered(self) -> None:
        """By then the server has sent what a TLS 1.3 session is resumed by. OpenSSL spoils that of a connection that is not shut down."""
        self._session.kept = self._tls.get_session()
        self._tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    async def send(self, data: bytes) -> None:
        await self._drive(lambda: self._tls.sendall(data))

    async def receive(self) -> bytes:
        try:
            return await self._drive(lambda: self._tls.recv(AT_ONCE))
        except SSL.ZeroReturnError:
            return b""

    async def _drive(self, step: Callable[[], T]) -> T:
        """One step of TLS, with the bytes that it needs and makes carried to and fro."""
        while True:
            try:
                done = step()
            except SSL.WantReadError:
                await self._flush()
                data = await super().receive()
                if not data:
                    raise _Ended from None
                self._tls.bio_write(data)
            except SSL.Error:
                await self._flush()
                raise
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(AT_ONCE)
            except SSL.WantReadError:
                return
            await super().send(data)


def _continues(event: object) -> TypeGuard[h11.InformationalResponse]:
    return isinstance(event, h11.InformationalResponse) and event.status_code == 100


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

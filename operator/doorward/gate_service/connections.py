"""HTTP/1 for proxies that ask: httptools, which is llhttp, reads requests, and each is answered once it is complete.

No body is ever sent. What is no request is answered 403, and its connection is closed.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from doorward.clock import Clock

LONGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers: nginx passes on what the client sent, of which it takes 32 KiB itself."""
MOST = 4_096
"""Open connections. Each further one ends the one that was opened first: whoever opens many keeps no proxy from asking."""
PATIENCE = 30.0
"""Seconds after which a request that is not complete, or not even begun on a new connection, ends its connection."""
GRACE = 1.0
"""Seconds that are left to connections at the end for what they are about to ask."""
REFUSED = 403
VERSIONS = frozenset({"1.0", "1.1"})
"""Of HTTP; llhttp reads others too."""
_LINES = {200: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", REFUSED: b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n"}
_LAST = b"connection: close\r\n"
_KEPT = b"connection: keep-alive\r\n"
"""Said because a proxy that asks with HTTP/1.0 takes the connection for closed otherwise."""
_END = b"\r\n"


class Request:
    """One that is complete; text is as it came, a character for each byte."""

    __slots__ = ("_headers", "method", "path", "query_string")

    def __init__(self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.method = method
        self.path, _, self.query_string = target.partition("?")
        self._headers = headers

    def sent(self, header: str) -> list[str]:
        """The values of a header, whose name is given in lower case; one that was sent twice is there twice."""
        wanted = header.encode()
        return [value.decode("latin-1") for name, value in self._headers if name.lower() == wanted]


Respond = Callable[[Request], tuple[int, bytes]]
"""Status, and lines of headers."""


class Dates:
    """The header Date, which each answer of a server with a clock has (RFC 9110, section 6.6.1)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: datetime | None = None
        self._line = b""

    def line(self) -> bytes:
        """That of now; formatted once a second."""
        now = self._clock.now()
        if now != self._at:
            self._at, self._line = now, f"date: {format_datetime(now, usegmt=True)}\r\n".encode("ascii")
        return self._line


class Connections:
    """All open connections of a server."""

    def __init__(self, respond: Respond, clock: Clock) -> None:
        self.respond = respond
        self.dates = Dates(clock)
        self.closing = False
        """Each answer is the last one of its connection."""
        self._open: dict[Connection, None] = {}
        """In the order in which they were opened."""
        self._all_ended = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def new(self) -> asyncio.Protocol:
        """Reads and answers one connection."""
        return Connection(self)

    def opened(self, connection: "Connection") -> None:
        """There is one more."""
        if len(self._open) >= MOST:
            first = next(iter(self._open))
            del self._open[first]  # its end is told later, and more may be opened before
            first.abort()
        self._open[connection] = None

    def ended(self, connection: "Connection") -> None:
        """There is one less."""
        self._open.pop(connection, None)
        if not self._open and self.closing:
            self._all_ended.set()

    async def look_after(self) -> None:
        """End those that are too slow, for ever."""
        while True:
            await asyncio.sleep(PATIENCE)
            self.hurry()

    def hurry(self) -> None:
        """End those that were as far the last time."""
        for connection in list(self._open):
            connection.hurry()

    async def close(self) -> None:
        """Answer what is under way, and end all."""
        self.closing = True
        for connection in list(self._open):
            connection.finish()
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self._all_ended.wait()
        for connection in list(self._open):
            connection.abort()


class Parser(Protocol):
    """What is used of httptools' parser."""

    def feed_data(self, data: bytes) -> None: ...

    def get_method(self) -> bytes: ...

    def get_http_version(self) -> str: ...

    def should_keep_alive(self) -> bool: ...

    def should_upgrade(self) -> bool: ...


class Connection(asyncio.Protocol):
    """One connection: the parser calls the methods `on_...` with what it reads."""

    __slots__ = (
        "_answers",
        "_answers_before",
        "_asking",
        "_connections",
        "_ended",
        "_headers",
        "_parser",
        "_target",
        "_transport",
        "_unread",
    )
    _transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._parser: Parser = HttpRequestParser(self)
        self._ended = False
        """Nothing more is read or answered."""
        self._asking = False
        """A request has begun to come."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._unread = 0
        """Bytes of its line and headers that have come so far."""
        self._answers = 0
        self._answers_before = -1
        """At the last look."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was accepted."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.opened(self)

    def connection_lost(self, _: Exception | None) -> None:
        """It is no more. The parser refers to its connection, and without it all goes at once, without a collection of garbage."""
        self._ended = True
        del self._parser
        self._connections.ended(self)

    def pause_writing(self) -> None:
        """Whoever asks without reading answers is not read either."""
        if not self._ended:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The answers were read."""
        if not self._ended:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes came. Of more than the longest head, a part at a time."""
        if len(data) > LONGEST_HEAD:
            for begin in range(0, len(data), LONGEST_HEAD):
                self._read(data[begin : begin + LONGEST_HEAD])
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        if self._ended:
            return
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:  # it was answered as any other request
            self._end()
        except HttpParserError:
            self._answer(REFUSED, b"", last=True)
        if self._unread >= LONGEST_HEAD:
            self._answer(REFUSED, b"", last=True)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._asking = True

    def on_url(self, part: bytes) -> None:
        """Its target, or a part of it."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._headers.append((name, value))

    def on_body(self, _: bytes) -> None:
        """Nothing of it is kept, however long it is."""
        self._unread = 0

    def on_message_complete(self) -> None:
        """It is complete."""
        if self._ended:
            return
        asked = Request(self._parser.get_method().decode("latin-1"), self._target.decode("latin-1"), self._headers)
        self._target, self._headers, self._unread, self._asking = b"", [], 0, False
        if self._parser.get_http_version() not in VERSIONS:
            self._answer(REFUSED, b"", last=True)
            return
        status, headers = self._connections.respond(asked)
        kept = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._answer(status, headers, last=self._connections.closing or not kept)

    def _answer(self, status: int, headers: bytes, *, last: bool) -> None:
        if self._ended:
            return
        date = self._connections.dates.line()
        self._transport.write(_LINES[status] + date + headers + (_LAST if last else _KEPT) + _END)
        self._answers += 1
        if last:
            self._end()

    def _end(self) -> None:
        """Close it once all answers are sent."""
        self._ended = True
        self._transport.close()

    @property
    def _waits(self) -> bool:
        """Between two requests."""
        return self._answers > 0 and not self._asking and not self._ended

    def hurry(self) -> None:
        """End it if nothing was answered since the last look, unless it waits between two requests."""
        if not self._waits and self._answers == self._answers_before:
            self.abort()
        self._answers_before = self._answers

    def finish(self) -> None:
        """End it, at once or with its next answer if it is about to ask."""
        if self._waits:
            self._end()

    def abort(self) -> None:
        """End it at once."""
        self._ended = True
        self._transport.abort()

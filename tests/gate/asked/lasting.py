"""What lasts longer than one request: HTTP/2 connections, responses that go on, upgraded connections."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events

from tests.gate.doors import Door

from .connections import Connection, connected


class Http2:
    """An HTTP/2 connection to a host."""

    def __init__(self, sock: ssl.SSLSocket, host: str) -> None:
        assert sock.selected_alpn_protocol() == "h2"
        self._sock = sock
        self._host = host
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()

    def ask(self) -> int:
        """The status of one request. Raises ConnectionResetError where the host ends the connection instead."""
        stream = self._http.get_next_available_stream_id()
        names = ((":method", "GET"), (":scheme", "https"), (":authority", self._host), (":path", "/"))
        self._http.send_headers(stream, names, end_stream=True)
        status = 0
        while True:
            self._sock.sendall(self._http.data_to_send())
            if not (data := self._sock.recv(65536)):
                raise ConnectionResetError
            for event in self._http.receive_data(data):
                if isinstance(event, h2.events.ConnectionTerminated | h2.events.StreamReset):
                    raise ConnectionResetError
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                if isinstance(event, h2.events.StreamEnded):
                    self._sock.sendall(self._http.data_to_send())
                    return status


@contextmanager
def http2(door: Door, using: ssl.SSLContext) -> Iterator[Http2]:
    """A connection to the door."""
    using.set_alpn_protocols(["h2"])
    with connected(door, using) as connection:
        yield Http2(connection.sock, door.host)


class Stream:
    """A response that goes on for as long as the client wants."""

    def __init__(self, connection: Connection) -> None:
        self._sock = connection.sock
        status = _begun(connection, "GET /stream HTTP/1.1")
        assert status == 200, status

    def goes_on(self, seconds: float) -> bool:
        """Whether more of it comes for all that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if not self._sock.recv(65536):
                    return False
            except OSError:
                return False
        return True


class Upgraded:
    """A connection that speaks another protocol since an HTTP upgrade, as WebSocket's do."""

    def __init__(self, connection: Connection) -> None:
        self._sock = connection.sock
        self.status = _begun(connection, "GET /echo HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")

    def goes_on(self, seconds: float) -> bool:
        """Whether what is said comes back, for all that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._sock.sendall(b"ping")
                if not self._sock.recv(4):
                    return False
            except OSError:
                return False
            time.sleep(0.05)
        return True


def _begun(connection: Connection, *lines: str) -> int:
    """Send a request; the status of its answer, of which the body is left unread."""
    request, *headers = lines
    connection.sock.sendall("\r\n".join([request, f"Host: {connection.host}", *headers, "", ""]).encode())
    said = b""
    while b"\r\n\r\n" not in said:
        if not (piece := connection.sock.recv(1)):
            raise ConnectionResetError
        said += piece
    return int(said.split(b" ", 2)[1])

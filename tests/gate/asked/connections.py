"""Connections that stay open, and TLS sessions that are resumed: what curl does not show."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.gate.doors import Door, Files

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def context(client: Files, version: ssl.TLSVersion = TLS_1_3) -> ssl.SSLContext:
    """What a client connects with; it believes every server."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default context reads a hundred CAs first
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.minimum_version = made.maximum_version = version
    if client:
        made.load_cert_chain(client["tls.crt"], client["tls.key"])
    return made


@dataclass
class Connection:
    """One TLS connection to a host."""

    sock: ssl.SSLSocket
    host: str

    def ask(self, path: str = "/", **headers: str) -> int:
        """The status of one request, which leaves the connection open."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in headers.items())]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        answer.read()
        return answer.status

    @property
    def session(self) -> ssl.SSLSession:
        """To resume it with."""
        assert self.sock.session is not None
        return self.sock.session


@contextmanager
def connected(
    door: Door,
    using: ssl.SSLContext,
    *,
    session: ssl.SSLSession | None = None,
    sni: bool | str = True,
    host: str | None = None,
) -> Iterator[Connection]:
    """A connection to the door; `sni`: no server name, or another; `host`: what its requests name instead."""
    name = sni if isinstance(sni, str) else door.host if sni else None
    with (
        socket.create_connection((door.ingress.address, door.ingress.https_port), 20) as plain,
        using.wrap_socket(plain, server_hostname=name, session=session) as sock,
    ):
        yield Connection(sock, host or door.host)

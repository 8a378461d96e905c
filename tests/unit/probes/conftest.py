"""TLS servers on loopback, each with a behaviour of its own."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from doorward.objects.endpoints import Replica
from tests.unit.given import NOW

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Ca:
    """A self-signed CA, and its files."""

    certificate: x509.Certificate
    pem: str
    key: str

    @property
    def subject(self) -> bytes:
        return self.certificate.subject.public_bytes()


def ca(folder, name: str) -> Ca:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=9999))
        .not_valid_after(NOW + timedelta(days=9999))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Ca(made, str(pem), str(key_file))


@pytest.fixture(scope="session")
def ours(tmp_path_factory) -> Ca:
    return ca(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture(scope="session")
def theirs(tmp_path_factory) -> Ca:
    return ca(tmp_path_factory.mktemp("ca"), "theirs")


def speaking_tls(server: Ca) -> ssl.SSLContext:
    """A TLS server that asks nobody for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.pem, server.key)
    return context


@asynccontextmanager
async def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Replica]:
    """A server on loopback for the length of a block."""
    server = await asyncio.start_server(behaviour, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Replica("127.0.0.1", port, port)
    finally:
        server.close()


@asynccontextmanager
async def naming(
    server: Ca,
    *cas: Ca,
    answer: bytes,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    strict: bool = False,
) -> AsyncIterator[Replica]:
    """A server that asks for certificates of these CAs by name, takes any, and answers; Python's ssl module names none.
    `strict`: its handshake refuses all that are not of these CAs.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.use_certificate_file(server.pem)
    context.use_privatekey_file(server.key)
    for each in cas:
        context.add_client_ca(each.certificate)
        context.load_verify_locations(each.pem)
    demanded = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if strict else 0
    context.set_verify(SSL.VERIFY_PEER | demanded, lambda *told: bool(told[-1]) or not strict)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serve = asyncio.create_task(asyncio.to_thread(_answer_one, context, listening, answer))
        port = listening.getsockname()[1]
        try:
            yield Replica("127.0.0.1", port, port)
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # nobody may have come
            await serve


def _answer_one(context: SSL.Context, listening: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        taken, _ = listening.accept()
        with taken:
            taken.settimeout(None)
            connection = SSL.Connection(context, taken)
            connection.set_accept_state()
            with suppress(SSL.Error):
                connection.do_handshake()
                connection.recv(4096)
                connection.sendall(answer)
            taken.shutdown(socket.SHUT_WR)
            while taken.recv(4096):
                pass


def says(*parts: bytes) -> Behaviour:
    """Reads the request and answers with these bytes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return behave

"""Who is who in the test cluster: its certificate authorities, the certificates they sign, and kubeconfigs."""

import base64
import ipaddress
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Kubeconfig = dict[str, Any]
_LIFETIME = timedelta(days=30)


class Authority:
    """A CA of the test cluster; its key is on disk, so that whoever finds a running cluster can add users to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.certificate_file = folder / f"{name}.crt"
        self.key_file = folder / f"{name}.key"
        if not self.key_file.exists():
            self._create(name)
        self.certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        key = serialization.load_pem_private_key(self.key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def _create(self, name: str) -> None:
        key = new_key(self.key_file)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"testbed {name}")])
        builder = _builder(subject, subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate_file.write_bytes(_pem(builder.sign(key, hashes.SHA256())))

    def client(self, common_name: str, organizations: Sequence[str] = ()) -> tuple[bytes, bytes]:
        """A client's certificate and key: Kubernetes reads user and groups from it."""
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
        names.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        return self._sign(x509.Name(names), [ExtendedKeyUsageOID.CLIENT_AUTH], [])

    def server(self) -> tuple[bytes, bytes]:
        """A server's certificate and key, good on loopback."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        addresses: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        return self._sign(name, [ExtendedKeyUsageOID.SERVER_AUTH], addresses)

    def _sign(
        self, subject: x509.Name, usages: list[x509.ObjectIdentifier], addresses: list[x509.GeneralName]
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.certificate.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key)


def new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """A new key, written where only we can read it."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(file, _key_pem(key))
    return key


def write_secret(file: Path, content: bytes) -> None:
    """Write what only its owner may read."""
    file.touch(mode=0o600)
    file.write_bytes(content)


def kubeconfig(server: str, ca: bytes, user: dict[str, Any]) -> Kubeconfig:
    """A kubeconfig with one of everything, and nothing in other files: it can be given away."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority-data": encode(ca)}}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    }


def client_user(certificate: bytes, key: bytes) -> dict[str, Any]:
    """The user of a kubeconfig who shows a certificate."""
    return {"client-certificate-data": encode(certificate), "client-key-data": encode(key)}


def write_kubeconfig(file: Path, content: Kubeconfig) -> Path:
    """Write it; JSON is YAML."""
    write_secret(file, json.dumps(content, indent=1).encode())
    return file


def encode(content: bytes) -> str:
    """As Kubernetes writes bytes."""
    return base64.b64encode(content).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)  # noqa: TID251 - not the operator's time: what signs here is no part of it
    return (
        x509.CertificateBuilder(issuer, subject, key)
        .serial_number(x509.random_serial_number())  # noqa: TID251 - as above
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # Not PKCS #8: the API server does not find the public half of a service-account key in it.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )

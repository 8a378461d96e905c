"""A client certificate of a CA that nobody trusts: made for one probe and thrown away."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIVES = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ForeignClient:
    """Certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def made(now: datetime) -> ForeignClient:
    """By a CA of which not even the key is kept."""
    ca, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name("Doorward probe"))
        .issuer_name(_name("Doorward probe CA"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIVES)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return ForeignClient(builder.sign(ca, hashes.SHA256()), key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

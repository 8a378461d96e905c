"""PEM, bounded before it is parsed, and everything that can be wrong with what a person hands in, as a tree.

PkiError
├── PemError
│   ├── TooLarge, NoPemBlock, Malformed
├── KeyProblem
│   ├── KeyEncrypted, KeyUnsupported
├── CaError
│   ├── NotACa, CaExpired, CaNotYetValid, CaLacksCertSign, CaLacksCrlSign, KeyDoesNotFit, CaUnreadable
├── RequestError
│   ├── BadSignature, WeakDigest, WeakKey, OddForm, AsksForCa, UnseenName
└── CrlError
    ├── CrlMalformed, CrlForeign, CrlRefused
"""

import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID

from doorward.pki import certificate_der, unusable

MAX_PEM_BYTES = 64 * 1024
MAX_CRL_BYTES = 1024 * 1024
MAX_CERTIFICATES = 10
_SIGNING_KEYS = frozenset(
    {
        PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5,
        PublicKeyAlgorithmOID.RSASSA_PSS,
        PublicKeyAlgorithmOID.EC_PUBLIC_KEY,
        PublicKeyAlgorithmOID.ED25519,
        PublicKeyAlgorithmOID.ED448,
        PublicKeyAlgorithmOID.DSA,
    }
)
"""Of a certificate, a chain above it included. OpenSSL checks the parameters of a Diffie-Hellman key as it reads it: 150 ms
for large ones that somebody planted (measured)."""


class PkiError(ValueError):
    """Its text says what is wrong and what would be right; it never quotes the input."""


class PemError(PkiError): ...


class TooLarge(PemError): ...


class NoPemBlock(PemError): ...


class Malformed(PemError): ...


class KeyProblem(PkiError): ...


class KeyEncrypted(KeyProblem): ...


class KeyUnsupported(KeyProblem): ...


class CaError(PkiError): ...


class NotACa(CaError): ...


class CaExpired(CaError): ...


class CaNotYetValid(CaError):
    def __init__(self, text: str, begins: datetime) -> None:
        super().__init__(text)
        self.begins = begins


class CaLacksCertSign(CaError): ...


class CaLacksCrlSign(CaError): ...


class KeyDoesNotFit(CaError): ...


class CaUnreadable(CaError): ...


class RequestError(PkiError): ...


class BadSignature(RequestError): ...


class WeakDigest(RequestError): ...


class WeakKey(RequestError): ...


class OddForm(RequestError): ...


class AsksForCa(RequestError): ...


class UnseenName(RequestError): ...


class CrlError(PkiError): ...


class CrlMalformed(CrlError): ...


class CrlForeign(CrlError): ...


class CrlRefused(CrlError): ...


def bounded(data: bytes, limit: int, what: str) -> bytes:
    """The data itself, if it is PEM-like and no longer than `limit` bytes; else TooLarge or NoPemBlock."""
    if len(data) > limit:
        raise TooLarge(f"{what} has {len(data)} bytes, more than the {limit} that are read")
    if b"-----BEGIN " not in data:
        raise NoPemBlock(unusable.not_pem(what, data))
    return data


def readable(data: bytes, thing: str) -> bytes:
    """The data itself, if it is short enough and holds a PEM block of the thing (`unusable.LABELS`) that is whole. Raises PemError."""
    bounded(data, MAX_PEM_BYTES, thing)
    if (other := unusable.other_block(thing, data)) is not None:
        raise NoPemBlock(other)
    if (damage := unusable.damage(thing, data)) is not None:
        raise Malformed(damage)
    return data


def block(data: bytes, *labels: str) -> bytes:
    """What the first PEM block of one of these labels holds (RFC 7468). Raises ValueError where there is none, or no base64."""
    found = {data.find(b"-----BEGIN %b-----" % label.encode()): label.encode() for label in labels}
    found.pop(-1, None)
    if not found:
        raise ValueError("there is no such PEM block")
    at = min(found)
    content, end, _ = data[at + len(b"-----BEGIN -----") + len(found[at]) :].partition(b"-----END %b-----" % found[at])
    if not end:
        raise ValueError("the PEM block has no end")
    return binascii.a2b_base64(b"".join(content.split()), strict_mode=True)


def pem_of(label: str, content: bytes) -> bytes:
    """One PEM block, 64 characters a line."""
    text = binascii.b2a_base64(content, newline=False)
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), lines, label.encode())


@contextmanager
def parsing(
    what: str, *, malformed: type[PkiError] = Malformed, unsupported: type[PkiError] = KeyUnsupported
) -> Iterator[None]:
    """Every way in which cryptography gives up on foreign bytes, as an error of ours; not all of its own are ValueErrors."""
    try:
        yield
    except PkiError:
        raise
    except UnsupportedAlgorithm as error:
        raise unsupported(f"{what} is of a kind that is not supported") from error
    except (
        ValueError,
        TypeError,
        InternalError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise malformed(f"{what} cannot be parsed") from error


def load_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """One to ten certificates, PEM. Raises PemError or KeyUnsupported, which say which part cannot be read."""
    readable(data, unusable.CERTIFICATE)
    try:
        with parsing(unusable.CERTIFICATE):
            found = x509.load_pem_x509_certificates(data)
            for certificate in found[:MAX_CERTIFICATES]:
                _read_through(certificate)
    except PkiError as error:
        raise type(error)(f"{error}{_why(data)}") from error
    if not 1 <= len(found) <= MAX_CERTIFICATES:
        raise Malformed(f"{len(found)} certificates where 1 to {MAX_CERTIFICATES} are read")
    return tuple(found)


def _read_through(certificate: x509.Certificate) -> None:
    """Parse now what cryptography parses when it is asked for, so that nobody meets a broken one later."""
    signing_key(certificate)
    _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key()
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _why(data: bytes) -> str:
    """Of the first certificate in these that cannot be read, the part."""

    def read(content: bytes) -> None:
        _read_through(x509.load_der_x509_certificate(content))

    begun = data.split(b"-----BEGIN CERTIFICATE-----")[1 : MAX_CERTIFICATES + 1]
    for part in begun:
        try:
            content = binascii.a2b_base64(b"".join(part.partition(b"-----END ")[0].split()), strict_mode=True)
        except ValueError:
            return ": its base64 is damaged"
        try:
            read(content)
        except Exception:  # noqa: BLE001 - whatever it is, this is the one
            which = f", {begun.index(part) + 1} of {len(begun)} in the file" if len(begun) > 1 else ""
            return f"{which}: {certificate_der.unreadable(content, read)}"
    return ""


def signing_key(holder: x509.Certificate | x509.CertificateSigningRequest) -> None:
    """Raises cryptography's UnsupportedAlgorithm where the public key is of a kind that signs nothing, before it is read."""
    if holder.public_key_algorithm_oid not in _SIGNING_KEYS:  # type: ignore[union-attr] # its stub lacks it
        raise UnsupportedAlgorithm("a public key that signs nothing")


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """PEM of a certificate."""
    return certificate.public_bytes(Encoding.PEM)


def fingerprint_sha256(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER, lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def fingerprint_sha1(certificate: x509.Certificate) -> str:
    """SHA-1 of the DER, lower-case hex: what nginx gives as $ssl_client_fingerprint."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name for a certificate, not a proof

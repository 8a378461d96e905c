"""Certificates made byte by byte: CAs as no tool makes them any more, and as some once did.

Nothing of the code under test is used here. The key signs, so that a CA is what its bytes say, whoever reads it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE, SET = 1, 2, 3, 4, 5, 6, 0x30, 0x31
UTF8, NUMERIC, PRINTABLE, TELETEX, IA5, VISIBLE, GENERAL, UNIVERSAL, BMP = 12, 18, 19, 20, 22, 26, 27, 28, 30
UTC_TIME, GENERALIZED_TIME = 23, 24

COMMON_NAME, COUNTRY, ORGANIZATION, UNIT = "2.5.4.3", "2.5.4.6", "2.5.4.10", "2.5.4.11"
EMAIL, DOMAIN_COMPONENT = "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25"
SUBJECT_KEY, KEY_USAGE, ALT_NAMES, BASIC = "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19"
NAME_CONSTRAINTS, POLICIES, AUTHORITY_KEY, POLICY_CONSTRAINTS = "2.5.29.30", "2.5.29.32", "2.5.29.35", "2.5.29.36"
EXTENDED_USAGE, INHIBIT_ANY_POLICY = "2.5.29.37", "2.5.29.54"


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element, DER."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + content


def integer(value: int) -> bytes:
    """Any integer, negative ones too."""
    return tlv(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, signed=True))


def oid(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(OID, b"".join(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))


class Attribute(NamedTuple):
    """One attribute of a name: its type, the tag of its value, and the value's bytes."""

    type: str
    tag: int
    value: bytes


def cn(text: str, tag: int = UTF8) -> Attribute:
    """A common name, encoded as its string type says."""
    codec = {BMP: "utf-16-be", UNIVERSAL: "utf-32-be", TELETEX: "latin-1"}.get(tag, "utf-8")
    return Attribute(COMMON_NAME, tag, text.encode(codec))


def name(*attributes: Attribute | tuple[Attribute, ...]) -> bytes:
    """A distinguished name; a tuple is one RDN of several attributes."""
    sets = ((each,) if isinstance(each, Attribute) else each for each in attributes)
    return tlv(SEQUENCE, *(tlv(SET, *sorted(_attribute(one) for one in each)) for each in sets))


def _attribute(attribute: Attribute) -> bytes:
    return tlv(SEQUENCE, oid(attribute.type), tlv(attribute.tag, attribute.value))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """An extension; `value` is DER already."""
    flag = tlv(BOOLEAN, b"\xff") if critical else b""
    return tlv(SEQUENCE, oid(dotted), flag, tlv(OCTET_STRING, value))


IS_CA = extension(BASIC, tlv(SEQUENCE, tlv(BOOLEAN, b"\xff")), critical=True)
MAY_SIGN = extension(KEY_USAGE, tlv(BIT_STRING, b"\x01\x06"), critical=True)


def identifier(value: bytes) -> bytes:
    """A subjectKeyIdentifier."""
    return extension(SUBJECT_KEY, tlv(OCTET_STRING, value))


def time(at: datetime) -> bytes:
    """A time as RFC 5280 §4.1.2.5 writes it."""
    text = f"{at.astimezone(UTC):%Y%m%d%H%M%SZ}".rjust(15, "0").encode()
    return tlv(UTC_TIME, text[2:]) if 1950 <= at.year < 2050 else tlv(GENERALIZED_TIME, text)


def spki(key: Key) -> bytes:
    """The SubjectPublicKeyInfo of a key, as everybody writes it."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def rsa_key(first: int, second: int, *, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """An RSA key of two Mersenne primes, by their exponents, whose sum is its size: large ones take seconds to find."""
    p, q, e = 2**first - 1, 2**second - 1, exponent
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
_SHA256 = tlv(SEQUENCE, oid("2.16.840.1.101.3.4.2.1"), tlv(NULL))
_PSS = tlv(
    SEQUENCE,
    oid("1.2.840.113549.1.1.10"),
    tlv(
        SEQUENCE,
        tlv(0xA0, _SHA256),
        tlv(0xA1, tlv(SEQUENCE, oid("1.2.840.113549.1.1.8"), _SHA256)),
        tlv(0xA2, integer(32)),
    ),
)


def _scheme(key: Key, *, pss: bool) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return tlv(SEQUENCE, oid("1.3.101.112"))
    if isinstance(key, rsa.RSAPrivateKey):
        return _PSS if pss else tlv(SEQUENCE, oid("1.2.840.113549.1.1.11"), tlv(NULL))
    return tlv(SEQUENCE, oid("1.2.840.10045.4.3.2"))


def _sign(key: Key, data: bytes, *, pss: bool) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, PSS if pss else padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def certificate(
    *,
    key: Key,
    subject: bytes,
    not_before: bytes,
    not_after: bytes,
    serial: bytes = integer(7),
    extensions: Iterable[bytes] = (IS_CA, MAY_SIGN),
    public_key: bytes | None = None,
    signer: Key | None = None,
    issuer: bytes | None = None,
    version: int = 2,
    pss: bool = False,
) -> bytes:
    """A certificate, DER, each part as it is given; signed by `signer`, or by its own key."""
    scheme = _scheme(signer or key, pss=pss)
    extended = b"".join(extensions)
    to_be_signed = tlv(
        SEQUENCE,
        tlv(0xA0, integer(version)) if version else b"",
        serial,
        scheme,
        subject if issuer is None else issuer,
        tlv(SEQUENCE, not_before, not_after),
        subject,
        spki(key) if public_key is None else public_key,
        tlv(0xA3, tlv(SEQUENCE, extended)) if extended else b"",
    )
    signature = _sign(signer or key, to_be_signed, pss=pss)
    return tlv(SEQUENCE, to_be_signed, scheme, tlv(BIT_STRING, b"\0", signature))

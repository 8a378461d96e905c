"""CAs as people have them, and worse: what is in the Secret of one, drawn at random, and which of its parts may be refused."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support import odd_ca
from tests.support.odd_ca import (
    BMP,
    GENERAL,
    IA5,
    NUMERIC,
    PRINTABLE,
    SEQUENCE,
    TELETEX,
    UNIVERSAL,
    UTF8,
    VISIBLE,
    Attribute,
    Key,
    extension,
    integer,
    oid,
    tlv,
)

DAY = timedelta(days=1)
MERSENNE = ((521, 2203), (607, 2203), (607, 4423), (1279, 2203), (1279, 2281), (2203, 2281), (2281, 3217), (3217, 4423))
"""Exponents of primes, whose sums are sizes of RSA keys."""
P256 = bytes.fromhex("06082a8648ce3d030107")


@dataclass
class UserCa:
    """The values of a CA Secret."""

    values: dict[str, bytes]
    key: Key
    faults: list[str] = field(default_factory=list)
    """A word for each part that may be why it is refused: the message must have one of them."""
    drawn: list[str] = field(default_factory=list)
    """What it is made of, for people."""

    @property
    def sound(self) -> bool:
        """Whether nothing may be refused."""
        return not self.faults


def draw(random: Random, now: datetime) -> UserCa:
    """One CA, valid at `now` or not; the same one for the same `random`."""
    return _Draw(random, now).ca()


@dataclass
class _Draw:
    random: Random
    now: datetime
    faults: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)

    def ca(self) -> UserCa:
        key = self.key()
        subject = self.name()
        parts = {
            "key": key,
            "subject": subject,
            "public_key": self.public_key(key),
            "serial": self.serial(),
            "extensions": self.extensions(),
            "pss": isinstance(key, rsa.RSAPrivateKey) and self.now_and_then("signed by RSA-PSS"),
            **self.validity(),
        }
        certificates = self.chain(parts)
        files = [_pem(certificate) for certificate in certificates]
        if self.now_and_then("in any order"):
            self.random.shuffle(files)
        split = self.random.randint(1, len(files))
        values = {"tls.crt": b"".join(files[:split]), "tls.key": self.private_key(key)}
        if files[split:]:
            values["ca.crt"] = b"".join(files[split:])
        return UserCa(values, key, self.faults, self.drawn)

    def now_and_then(self, what: str) -> bool:
        return self.one({"": False, what: True})  # type: ignore[return-value]

    def one(self, of: Mapping[str, object]) -> object:
        """One of these, by its description; what stands after a `!` is a part that may be refused for it."""
        what = self.random.choice(list(of))
        text, _, fault = what.partition("!")
        self.drawn += [text] if text else []
        self.faults += [fault] if fault else []
        value = of[what]
        return value() if callable(value) else value

    def usually(self, usual: object, of: Mapping[str, object]) -> object:
        """The usual in five of six."""
        return usual if self.random.random() < 5 / 6 else self.one(of)

    # Its parts

    def key(self) -> Key:
        number = self.random.getrandbits(200) + 2

        def on(curve: ec.EllipticCurve) -> Callable[[], Key]:
            return lambda: ec.derive_private_key(number, curve)

        found = self.usually(
            on(ec.SECP256R1())(),
            {
                "P-384": on(ec.SECP384R1()),
                "P-521": on(ec.SECP521R1()),
                "Ed25519": lambda: ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32)),
                "RSA": lambda: odd_ca.rsa_key(*self.random.choice(MERSENNE)),
                "RSA, again": lambda: odd_ca.rsa_key(*self.random.choice(MERSENNE)),
                "RSA of 1,886 bits!1886 bits": lambda: odd_ca.rsa_key(607, 1279),
                "an exponent of 33 bits": lambda: odd_ca.rsa_key(1279, 2203, exponent=2**32 + 15),
                "an exponent of 65 bits!public exponent": lambda: odd_ca.rsa_key(521, 2203, exponent=2**64 + 13),
                "a larger key with one!does not sign": lambda: odd_ca.rsa_key(1279, 2203, exponent=2**64 + 13),
                "P-224!224 bits": on(ec.SECP224R1()),
                "secp256k1!secp256k1": on(ec.SECP256K1()),
                "brainpoolP384r1!brainpoolP384r1": on(ec.BrainpoolP384R1()),
            },
        )
        assert isinstance(found, Key)
        return found

    def public_key(self, key: Key) -> bytes:
        usual = odd_ca.spki(key)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            return usual
        found = self.usually(usual, {"a compressed point": compressed(key), "an explicit curve": explicit(key)})
        assert isinstance(found, bytes)
        return found

    def private_key(self, key: Key) -> bytes:
        form = PrivateFormat.PKCS8
        if not isinstance(key, ed25519.Ed25519PrivateKey) and self.now_and_then("a traditional key"):
            form = PrivateFormat.TraditionalOpenSSL
        return key.private_bytes(Encoding.PEM, form, NoEncryption())

    def name(self) -> bytes:
        if self.random.random() < 0.03:
            self.drawn.append("no name at all")
            return odd_ca.name()
        attributes = [self.attribute() for _ in range(self.random.randint(1, 4))]
        together = len({each.type for each in attributes[:2]}) == 2 and self.now_and_then("two attributes in one")
        common = Attribute(odd_ca.COMMON_NAME, UTF8, f"Corp CA {self.random.getrandbits(64):x}".encode())
        found = (tuple(attributes[:2]), *attributes[2:]) if together else tuple(attributes)
        return odd_ca.name(*found, common)

    def attribute(self) -> Attribute:
        kind = self.random.choice(
            (odd_ca.ORGANIZATION, odd_ca.UNIT, odd_ca.COUNTRY, odd_ca.EMAIL, "2.5.4.45", "1.2.3.4")
        )
        value = self.usually(
            (UTF8, "Größe ß".encode()),
            {
                "PrintableString": (PRINTABLE, b"Corp 7 (a/b)"),
                "IA5String": (IA5, b"ca_1@example.com"),
                "NumericString": (NUMERIC, b"12 34"),
                "BMPString": (BMP, "Größe".encode("utf-16-be")),
                "TeletexString": (TELETEX, b"Corp"),
                "a NUL": (UTF8, b"a\0b"),
                "a line break": (UTF8, b"a\nb"),
                "a long value": (UTF8, b"x" * 300),
                "UTF-8 as TeletexString": (TELETEX, "Größe".encode()),
                "Latin-1!TeletexString": (TELETEX, "Größe".encode("latin-1")),
                "an underscore!PrintableString": (PRINTABLE, b"ca_1"),
                "UniversalString!UniversalString": (UNIVERSAL, "Größe".encode("utf-32-be")),
                "VisibleString!VisibleString": (VISIBLE, b"Corp"),
                "GeneralString!GeneralString": (GENERAL, b"Corp"),
                "surrogates!BMPString": (BMP, "\N{DOOR}".encode("utf-16-be")),
                "letters in a NumericString!NumericString": (NUMERIC, b"12a"),
                "UTF-8 as IA5String!IA5String": (IA5, "Größe".encode()),
                "no UTF-8!UTF8String": (UTF8, b"\xff\xfe"),
                "a number!no string": (odd_ca.INTEGER, b"\x07"),
            },
        )
        assert isinstance(value, tuple)
        if self.random.random() < 0.02:
            self.faults.append("more than 31 bits")
            kind = f"2.25.{2**90}"
        return Attribute(kind, *value)

    def serial(self) -> bytes:
        number = self.usually(
            self.random.getrandbits(150) + 1,
            {
                "serial 0": 0,
                "serial -1": -1,
                "a negative serial": -self.random.getrandbits(120) - 2,
                "serial 1": 1,
                "a serial of 159 bits": 2**159 - 1,
                "a serial of 160 bits": 2**160 - 1,
                "a serial of 22 octets": int("7f" + "ab" * 21, 16),
                "a serial of 200 octets": 2**1599 - 1,
                "a serial with a zero too many!serial number": None,
            },
        )
        return integer(number) if isinstance(number, int) else tlv(odd_ca.INTEGER, b"\0\0\7")

    def validity(self) -> dict[str, bytes]:
        at = odd_ca.time
        begin = self.usually(
            at(self.now - 100 * DAY),
            {
                "since 1900": at(datetime(1900, 1, 1, tzinfo=UTC)),
                "since 1949": at(datetime(1949, 12, 31, 23, 59, 59, tzinfo=UTC)),
                "since 1950": at(datetime(1950, 1, 1, tzinfo=UTC)),
                "since the year 1": tlv(odd_ca.GENERALIZED_TIME, b"00010101000000Z"),
                "GeneralizedTime for 2020": tlv(odd_ca.GENERALIZED_TIME, b"20200101000000Z"),
                "since an hour ago": at(self.now - timedelta(hours=1)),
                "from tomorrow on!valid only from": at(self.now + DAY),
                "the year 0!validity": tlv(odd_ca.GENERALIZED_TIME, b"00000101000000Z"),
                "no seconds!validity": tlv(odd_ca.UTC_TIME, b"2001010000Z"),
                "a time zone!validity": tlv(odd_ca.UTC_TIME, b"200101000000+0100"),
            },
        )
        end = self.usually(
            at(self.now + 1000 * DAY),
            {
                "until 2049": at(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
                "until 2050": at(datetime(2050, 1, 1, tzinfo=UTC)),
                "until 3000": at(datetime(3000, 1, 1, tzinfo=UTC)),
                "for ever": at(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
                "until in 2 days": at(self.now + 2 * DAY),
                "until yesterday!expired": at(self.now - DAY),
                "a fraction!validity": tlv(odd_ca.GENERALIZED_TIME, b"20600101000000.5Z"),
            },
        )
        assert isinstance(begin, bytes)
        assert isinstance(end, bytes)
        return {"not_before": begin, "not_after": end}

    def extensions(self) -> list[bytes]:
        basic = self.usually(
            odd_ca.IS_CA,
            {
                "pathLen 0": _basic(integer(0)),
                "pathLen 5": _basic(integer(5)),
                "no critical basicConstraints": extension(odd_ca.BASIC, tlv(SEQUENCE, _TRUE)),
                "no CA!basicConstraints": extension(odd_ca.BASIC, tlv(SEQUENCE)),
                "no basicConstraints!basicConstraints": b"",
                "a negative pathLen!basicConstraints": _basic(integer(-1)),
                "basicConstraints twice!basicConstraints": odd_ca.IS_CA * 2,
            },
        )
        usage = self.usually(
            odd_ca.MAY_SIGN,
            {
                "no keyUsage": b"",
                "all key usages": extension(odd_ca.KEY_USAGE, tlv(odd_ca.BIT_STRING, b"\0\xfe"), critical=True),
                "no cRLSign!cRLSign": extension(odd_ca.KEY_USAGE, tlv(odd_ca.BIT_STRING, b"\2\4"), critical=True),
                "no keyCertSign!keyCertSign": extension(
                    odd_ca.KEY_USAGE, tlv(odd_ca.BIT_STRING, b"\1\2"), critical=True
                ),
            },
        )
        identifier = self.usually(
            odd_ca.identifier(self.random.randbytes(20)),
            {
                "no identifier": b"",
                "an identifier of 1 octet": odd_ca.identifier(self.random.randbytes(1)),
                "an identifier of 64 octets": odd_ca.identifier(self.random.randbytes(64)),
                "an empty identifier": odd_ca.identifier(b""),
                "a critical identifier": extension(
                    odd_ca.SUBJECT_KEY, tlv(odd_ca.OCTET_STRING, self.random.randbytes(20)), critical=True
                ),
                "an identifier that is none!subjectKeyIdentifier": extension(odd_ca.SUBJECT_KEY, tlv(odd_ca.NULL)),
            },
        )
        first = self.usually(b"", _MORE)
        others = {
            what: each for what, each in _MORE.items() if not isinstance(first, bytes) or _kind(each) != _kind(first)
        }
        found = [basic, usage, identifier, first, self.usually(b"", others)]
        return [each for each in found if isinstance(each, bytes) and each]

    def chain(self, parts: dict[str, object]) -> list[bytes]:
        """The CA itself, and what is above it."""
        above = self.random.choice((0, 0, 1, 2))
        if not above:
            return [odd_ca.certificate(**parts)]  # type: ignore[arg-type]
        self.drawn.append(f"{above} CAs above it")
        upper, issuer, signer = [], odd_ca.name(odd_ca.cn("Root")), ec.derive_private_key(999, ec.SECP256R1())
        times = {"not_before": odd_ca.time(self.now - 100 * DAY), "not_after": odd_ca.time(self.now + 5000 * DAY)}
        upper.append(odd_ca.certificate(key=signer, subject=issuer, **times))
        if above == 2:
            middle, division = ec.derive_private_key(998, ec.SECP256R1()), odd_ca.name(odd_ca.cn("Division"))
            upper.append(odd_ca.certificate(key=middle, subject=division, signer=signer, issuer=issuer, **times))
            signer, issuer = middle, division
        own = odd_ca.certificate(**(parts | {"signer": signer, "issuer": issuer, "pss": False}))  # type: ignore[arg-type]
        return [own, *reversed(upper)]


_TRUE = tlv(odd_ca.BOOLEAN, b"\xff")


def _basic(length: bytes) -> bytes:
    return extension(odd_ca.BASIC, tlv(SEQUENCE, _TRUE, length), critical=True)


def _kind(extended: bytes) -> bytes:
    """The type of an extension that is shorter than 128 bytes."""
    return extended[2 : 4 + extended[3]] if extended else b""


def _usages(*purposes: str, critical: bool) -> bytes:
    return extension(odd_ca.EXTENDED_USAGE, tlv(SEQUENCE, *map(oid, purposes)), critical=critical)


def _permitted(base: bytes, *, critical: bool = True) -> bytes:
    return extension(odd_ca.NAME_CONSTRAINTS, tlv(SEQUENCE, tlv(0xA0, tlv(SEQUENCE, base))), critical=critical)


_MORE = {
    "for servers": _usages("1.3.6.1.5.5.7.3.1", critical=False),
    "critically for servers": _usages("1.3.6.1.5.5.7.3.1", critical=True),
    "for any use": _usages("2.5.29.37.0", critical=False),
    "for a use that nobody knows": _usages("1.2.3.4", critical=True),
    "permits a domain": _permitted(tlv(0x82, b"corp.example")),
    "permits addresses": _permitted(tlv(0x81, b"corp.example"), critical=False),
    "permits IPv4": _permitted(tlv(0x87, bytes(8))),
    "permits a domain in Latin-1!nameConstraints": _permitted(tlv(0x82, "größe".encode("latin-1"))),
    "permits an X.400 address!nameConstraints": _permitted(tlv(0xA3, tlv(SEQUENCE))),
    "needs a policy": extension(odd_ca.POLICY_CONSTRAINTS, tlv(SEQUENCE, tlv(0x80, b"\0")), critical=True),
    "inhibits any policy": extension(odd_ca.INHIBIT_ANY_POLICY, integer(0), critical=True),
    "a policy": extension(odd_ca.POLICIES, tlv(SEQUENCE, tlv(SEQUENCE, oid("1.2.3.4")))),
    "critical and unknown": extension("1.2.3.4.5", tlv(UTF8, b"?"), critical=True),
    "unknown and no DER": extension("1.2.3.4.6", b"\xff\xff\xff"),
    "an alternative name": extension(odd_ca.ALT_NAMES, tlv(SEQUENCE, tlv(0x82, b"ca.example"))),
    "an alternative name that is none!subjectAltName": extension(odd_ca.ALT_NAMES, tlv(SEQUENCE, tlv(0x87, b"123"))),
    "an authority": extension(odd_ca.AUTHORITY_KEY, tlv(SEQUENCE, tlv(0x80, b"root"))),
    "an authority that is none!authorityKeyIdentifier": extension(odd_ca.AUTHORITY_KEY, tlv(odd_ca.NULL)),
}

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_EXPLICIT_P256 = tlv(
    SEQUENCE,
    integer(1),
    tlv(SEQUENCE, oid("1.2.840.10045.1.1"), integer(_P)),
    tlv(
        SEQUENCE,
        tlv(odd_ca.OCTET_STRING, (_P - 3).to_bytes(32)),
        tlv(odd_ca.OCTET_STRING, bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")),
        tlv(odd_ca.BIT_STRING, b"\0", bytes.fromhex("c49d360886e704936a6678e1139d26b7819f7e90")),
    ),
    tlv(
        odd_ca.OCTET_STRING,
        ec.derive_private_key(1, ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    ),
    integer(int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)),
    integer(1),
)
"""X9.62 ECParameters."""


def explicit(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key with its curve, P-256, described and not named."""
    return _ec_spki(_EXPLICIT_P256, key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def compressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key, on P-256, as a compressed point."""
    return _ec_spki(P256, key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def _ec_spki(parameters: bytes, point: bytes) -> bytes:
    algorithm = tlv(SEQUENCE, oid("1.2.840.10045.2.1"), parameters)
    return tlv(SEQUENCE, algorithm, tlv(odd_ca.BIT_STRING, b"\0", point))


def _pem(certificate: bytes) -> bytes:
    text = base64.encodebytes(certificate)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"

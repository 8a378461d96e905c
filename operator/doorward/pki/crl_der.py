"""CRLs of the form that Doorward writes, to and from DER (RFC 5280 §5.1).

cryptography takes and gives a CRL's entries as objects, 110 ms for 14,000 each way, in steps of up to 20 ms under the
interpreter's lock (measured). Here an entry is a few bytes of Python, and what was read once is not read again. Only this
form is read; a CRL of any other form is for cryptography to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from doorward.pki import der
from doorward.pki.der import NotDer

_MAX_SERIAL = 20
"""Octets (RFC 5280 §4.1.2.2)."""
_CODES = {
    x509.ReasonFlags.unspecified: 0,
    x509.ReasonFlags.key_compromise: 1,
    x509.ReasonFlags.ca_compromise: 2,
    x509.ReasonFlags.affiliation_changed: 3,
    x509.ReasonFlags.superseded: 4,
    x509.ReasonFlags.cessation_of_operation: 5,
    x509.ReasonFlags.certificate_hold: 6,
    x509.ReasonFlags.privilege_withdrawn: 9,
    x509.ReasonFlags.aa_compromise: 10,
}
_REASON_CODE = bytes.fromhex("300c300a0603551d1504030a01")
"""The extensions of an entry, up to the code itself (RFC 5280 §5.3.1): the one extension that there is."""
_SUFFIXES: dict[x509.ReasonFlags | None, bytes] = {None: b""} | {
    flag: _REASON_CODE + bytes((code,)) for flag, code in _CODES.items()
}
_REASONS = {suffix: flag for flag, suffix in _SUFFIXES.items()}
_CRL_NUMBER = bytes.fromhex("0603551d14")
_AUTHORITY_KEY_IDENTIFIER = bytes.fromhex("0603551d23")
_VERSION_2 = bytes.fromhex("020101")
_UTC_TIME, _GENERALIZED_TIME = b"\x17\x0d", b"\x18\x0f"
"""Tag and length."""
_FIRST_YEAR = 1950
_LAST_UTC_YEAR = 2049

Fields = tuple[int, datetime, x509.ReasonFlags | None]
"""Of an entry: serial, revocation date, reason."""


def encode_time(at: datetime) -> bytes:
    """UTCTime, from 2050 on GeneralizedTime (RFC 5280 §5.1.2.4); fractions are cut off. Raises ValueError before 1950."""
    at = at.astimezone(UTC)
    if at.year < _FIRST_YEAR:
        raise ValueError("a CRL says no instant before 1950")
    rest = b"%02d%02d%02d%02d%02dZ" % (at.month, at.day, at.hour, at.minute, at.second)
    if at.year <= _LAST_UTC_YEAR:
        return b"%b%02d%b" % (_UTC_TIME, at.year % 100, rest)
    return b"%b%04d%b" % (_GENERALIZED_TIME, at.year, rest)


def _decode_time(data: bytes) -> datetime:
    if data[:2] == _UTC_TIME:
        digits = (b"19" if data[2:4] >= b"50" else b"20") + data[2:-1]
    elif data[:2] == _GENERALIZED_TIME and data[2:6] >= b"2050":
        digits = data[2:-1]
    else:
        raise NotDer("a time of another form")
    # Some Pythons take hour 24 for the next day.
    if data[-1:] != b"Z" or not digits.isdigit() or digits[8:10] > b"23":
        raise NotDer("a time that is not in whole seconds, UTC")
    text = digits.decode()
    return datetime.fromisoformat(f"{text[:8]}T{text[8:]}+00:00")


def encode_entry(serial: int, revoked_at: datetime, reason: x509.ReasonFlags | None) -> bytes:
    """One entry of revokedCertificates. Raises ValueError for a serial that is not of 1 to 20 octets, and before 1950."""
    size = serial.bit_length() // 8 + 1
    if serial <= 0 or size > _MAX_SERIAL:
        raise ValueError("a serial is a positive number of at most 20 octets")
    rest = encode_time(revoked_at) + _SUFFIXES[reason]
    return bytes((der.SEQUENCE, 2 + size + len(rest), der.INTEGER, size)) + serial.to_bytes(size) + rest


def decode_entry(line: bytes) -> Fields:
    """What an entry of our form says. Raises ValueError for any other: `encode_entry` of the answer gives the same bytes."""
    size = line[3]
    if line[2] != der.INTEGER or not 1 <= size <= _MAX_SERIAL:
        raise NotDer("no serial")
    serial = int.from_bytes(line[4 : 4 + size])
    if serial.bit_length() // 8 + 1 != size or serial == 0:
        raise NotDer("a serial that is not positive, or longer than it need be")
    at = 4 + size
    after = at + 2 + int.from_bytes(line[at + 1 : at + 2])
    if after > len(line):
        raise NotDer("no time")
    if line[after:] not in _REASONS:
        raise NotDer("extensions of another form")
    return serial, _decode_time(line[at:after]), _REASONS[line[after:]]


def split_entries(data: bytes, at: int, stop: int) -> list[bytes]:
    """The entries one after the other, each below 128 bytes. Raises NotDer."""
    lines: list[bytes] = []
    while at < stop:
        if data[at] != der.SEQUENCE or at + 20 > stop or (size := data[at + 1]) > 0x7F or size < 18:
            raise NotDer("no entry")
        lines.append(data[at : (at := at + 2 + size)])
    if at != stop:
        raise NotDer("an entry ends early")
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a CRL is made of: the bytes that were signed, how, the signature, and the entries."""

    signed: bytes
    algorithm: bytes
    signature: bytes
    entries: list[bytes]


def take_apart(crl: bytes) -> Parts:
    """A CRL of our form, DER. Raises NotDer for any other; nothing is verified."""
    signed, algorithm, signature = der.children(crl, der.whole(crl, der.SEQUENCE))
    tags = (signed.tag, algorithm.tag, signature.tag)
    if tags != (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING) or crl[signature.start : signature.start + 1] != b"\0":
        raise NotDer("no CRL")
    version, inner, *rest = der.children(crl, signed)
    if der.raw(crl, version) != _VERSION_2 or der.raw(crl, inner) != der.raw(crl, algorithm):
        raise NotDer("another version, or two algorithms")
    match [each.tag for each in rest]:
        case [der.SEQUENCE, _, der.UTC_TIME | der.GENERALIZED_TIME, der.SEQUENCE, der.EXTENSIONS]:
            entries = split_entries(crl, rest[3].start, rest[3].stop)
        case [der.SEQUENCE, _, der.UTC_TIME | der.GENERALIZED_TIME, der.EXTENSIONS]:
            entries = []
        case _:
            raise NotDer("other parts")
    return Parts(
        signed=der.raw(crl, signed),
        algorithm=der.raw(crl, algorithm),
        signature=crl[signature.start + 1 : signature.stop],
        entries=entries,
    )


def to_be_signed(
    *,
    algorithm: bytes,
    issuer: x509.Name,
    this_update: datetime,
    next_update: datetime,
    entries: Iterable[bytes],
    number: x509.CRLNumber,
    authority: x509.AuthorityKeyIdentifier,
) -> bytes:
    """The part of a CRL that is signed (RFC 5280 §5.1.2), version 2; no extension is critical, no entries: no list of them."""
    listed = b"".join(entries)
    extensions = (
        der.encode(der.SEQUENCE, name, der.encode(der.OCTET_STRING, value.public_bytes()))
        for name, value in ((_CRL_NUMBER, number), (_AUTHORITY_KEY_IDENTIFIER, authority))
    )
    return der.encode(
        der.SEQUENCE,
        _VERSION_2,
        algorithm,
        issuer.public_bytes(),
        encode_time(this_update),
        encode_time(next_update),
        der.encode(der.SEQUENCE, listed) if listed else b"",
        der.encode(der.EXTENSIONS, der.encode(der.SEQUENCE, *extensions)),
    )


def put_together(signed: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """The CRL, DER."""
    return der.encode(der.SEQUENCE, signed, algorithm, der.encode(der.BIT_STRING, b"\0", signature))

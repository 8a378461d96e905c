"""What another CA tool wrote of the certificates that it revoked: an `index.txt` of openssl or easy-rsa, or a CRL.

Both come from a person and are bounded before they are read. Raises PkiError, which never quotes them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from doorward.pki.ca_identity import same_name
from doorward.pki.pem import CrlForeign, CrlMalformed, PkiError, TooLarge, block, parsing

MAX_BYTES = 16 * 1024 * 1024
"""Of a file: an index.txt has some 150 bytes for a certificate."""
_LABEL = "X509 CRL"
_FIELDS = 6
_INSTANT = re.compile(rb"([0-9]{2}|[0-9]{4})([0-9]{10})Z")
_PIVOT = 50
"""A year of two digits from here on is of the last century (RFC 5280 §4.1.2.5.1)."""
_INDEX_REASONS = {
    "holdinstruction": "certificateHold",
    "certificatehold": "certificateHold",
    "keycompromise": "keyCompromise",
    "keytime": "keyCompromise",
    "cacompromise": "keyCompromise",
    "cakeytime": "keyCompromise",
    "affiliationchanged": "affiliationChanged",
    "superseded": "superseded",
    "cessationofoperation": "cessationOfOperation",
    "privilegewithdrawn": "privilegeWithdrawn",
}
"""As openssl writes them, in lower case, and what a ledger record says for it; any other is unspecified."""
_BROUGHT_BACK = "removefromcrl"


class IndexMalformed(PkiError): ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A certificate that another tool revoked."""

    serial: int
    at: datetime
    reason: str
    subject: str = ""
    """Empty: it is not known."""
    expires: datetime | None = None
    """None: it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLedger:
    """All that was read."""

    revoked: tuple[Revoked, ...]
    good: int
    """Certificates that are not revoked."""


def is_crl(data: bytes) -> bool:
    """Whether it is a CRL, PEM or DER, and no index: DER begins with a sequence, an index with a letter."""
    return b"-----BEGIN " in data or data[:1] == b"\x30"


def read_index(data: bytes) -> ForeignLedger:
    """An index.txt. Raises PkiError with the line that is wrong."""
    _bounded(data)
    revoked: dict[int, Revoked] = {}
    good = 0
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = _line(line)
        except ValueError as error:
            raise IndexMalformed(f"line {number}: {error}") from None
        if found is None:
            good += 1
        elif revoked.setdefault(found.serial, found) is not found:
            raise IndexMalformed(f"line {number}: its serial number is there twice")
    return ForeignLedger(revoked=tuple(revoked.values()), good=good)


def _line(line: bytes) -> Revoked | None:
    """What a line says; None: a certificate that is not revoked."""
    fields = line.split(b"\t")
    if len(fields) != _FIELDS:
        raise ValueError(f"it has {len(fields)} fields and not {_FIELDS}, with tabs between them")
    state, expires, revocation, serial, _, subject = fields
    if state not in (b"V", b"R", b"E"):
        raise ValueError("it does not begin with V, R or E")
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,64}", serial):
        raise ValueError("its serial number is not hexadecimal")
    if not revocation:
        if state == b"R":
            raise ValueError("it is revoked, and has no time of that")
        return None
    at, _, reason = revocation.partition(b",")
    named = reason.partition(b",")[0].decode("ascii", "replace").lower()
    if named == _BROUGHT_BACK:
        return None
    return Revoked(
        serial=int(serial, 16),
        at=_instant(at),
        reason=_INDEX_REASONS.get(named, "unspecified"),
        subject=subject.decode("utf-8", "replace").strip(),
        expires=_instant(expires),
    )


def _instant(text: bytes) -> datetime:
    """UTCTime or GeneralizedTime, as openssl writes them."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("a time in it is none, such as 260131120000Z")
    year = int(match[1])
    if len(match[1]) == 2:
        year += 1900 if year >= _PIVOT else 2000
    try:
        return datetime.strptime(f"{year:04d}{match[2].decode()}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("a time in it is not in the calendar") from None


def read_foreign_crl(data: bytes, cas: Iterable[x509.Certificate]) -> tuple[ForeignLedger, x509.Certificate]:
    """A CRL, PEM or DER, that one of these CAs signed, and which. Raises PkiError."""
    _bounded(data)
    if b"-----BEGIN " in data and data.count(b"-----BEGIN ") != 1:
        raise CrlMalformed("more than one PEM block where one CRL belongs")
    with parsing("the CRL", malformed=CrlMalformed, unsupported=CrlMalformed):
        crl = x509.load_der_x509_crl(block(data, _LABEL) if b"-----BEGIN " in data else data)
        _check_kind(crl)
        signer = next((ca for ca in cas if _is_signed(crl, ca)), None)
        if signer is None:
            raise CrlForeign("it was signed by none of the issuer's CAs")
        return ForeignLedger(revoked=tuple(_entries(crl)), good=0), signer


def _is_signed(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    return same_name(crl.issuer, ca.subject) and crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]


def _check_kind(crl: x509.CertificateRevocationList) -> None:
    for extension in crl.extensions:
        if isinstance(extension.value, x509.DeltaCRLIndicator):
            raise CrlMalformed("it is a delta CRL: give the full one")
        if isinstance(extension.value, x509.IssuingDistributionPoint) and extension.value.indirect_crl:
            raise CrlMalformed("it is an indirect CRL, which also lists certificates of other CAs")


def _entries(crl: x509.CertificateRevocationList) -> Iterator[Revoked]:
    for entry in crl:
        try:
            flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            flag = x509.ReasonFlags.unspecified
        if flag is x509.ReasonFlags.remove_from_crl:
            continue
        reason = _INDEX_REASONS.get(flag.value.lower(), "unspecified")
        yield Revoked(serial=entry.serial_number, at=entry.revocation_date_utc, reason=reason)


def _bounded(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise TooLarge(f"the file has {len(data)} bytes, more than the {MAX_BYTES} that are read")

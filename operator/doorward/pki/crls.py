"""Certificate revocation lists: building, reading back as a stranger would, and what makes one lawful.

RFC 5280 §5: version 2, CRLNumber, authority key identifier, full and direct: no issuing distribution point, which nginx
would refuse (measured), no delta, no removeFromCRL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from doorward.pki.certificates import CertificateAuthority, authority_key_identifier, deterministic, hash_for
from doorward.pki.pem import MAX_CRL_BYTES, CrlForeign, CrlMalformed, CrlRefused, bounded, parsing


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CrlEntry:
    """One refused serial; `reason` None is RFC 5280's `unspecified`, which is left out (§5.3.1)."""

    serial: int
    revoked_at: datetime
    reason: x509.ReasonFlags | None

    @property
    def is_hold(self) -> bool:
        return self.reason is x509.ReasonFlags.certificate_hold


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCrl:
    """A CRL whose signature its CA made; instants UTC-aware."""

    number: int
    this_update: datetime
    next_update: datetime
    entries: Mapping[int, CrlEntry]
    pem: bytes

    @property
    def size(self) -> int:
        """Bytes, PEM."""
        return len(self.pem)


def next_number(previous: int | None, now: datetime) -> int:
    """The next CRL number: milliseconds since 1970, so that none need be stored, and always above `previous`."""
    return max(int(now.astimezone(UTC).timestamp() * 1000), (previous or 0) + 1)


def _revoked(entry: CrlEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial_number=entry.serial, revocation_date=entry.revoked_at)
    if entry.reason is not None:
        builder = builder.add_extension(x509.CRLReason(entry.reason), critical=False)
    return builder.build()


def build_crl(
    *,
    ca: CertificateAuthority,
    entries: Iterable[CrlEntry],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """A CRL, PEM, entries by serial. Raises CrlRefused for a serial that stands twice or a removeFromCRL entry."""
    ordered = sorted(entries, key=lambda entry: entry.serial)
    if len({entry.serial for entry in ordered}) != len(ordered):
        raise CrlRefused("a serial stands twice")
    if any(entry.reason is x509.ReasonFlags.remove_from_crl for entry in ordered):
        raise CrlRefused("removeFromCRL belongs into a delta CRL; nginx would let the client in")
    # The list given to the constructor: one add_revoked_certificate after the other is quadratic (measured).
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=ca.certificate.subject,
        last_update=this_update,
        next_update=next_update,
        revoked_certificates=[_revoked(entry) for entry in ordered],
    )
    crl = (
        builder.add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
        .sign(ca.private_key, hash_for(ca.private_key), ecdsa_deterministic=deterministic(ca.private_key))
    )
    return crl.public_bytes(Encoding.PEM)


def read_crl(pem: bytes, ca_certificate: x509.Certificate) -> PublishedCrl:
    """One CRL of that CA, PEM. Raises PemError, CrlMalformed, or CrlForeign where another CA signed it."""
    bounded(pem, MAX_CRL_BYTES, "the CRL")
    if pem.count(b"-----BEGIN ") != 1:
        raise CrlMalformed("more than one PEM block where one CRL belongs")
    with parsing("the CRL", malformed=CrlMalformed, unsupported=CrlMalformed):
        crl = x509.load_pem_x509_crl(pem)
        key = ca_certificate.public_key()
        if crl.issuer != ca_certificate.subject or not crl.is_signature_valid(key):  # type: ignore[arg-type]
            raise CrlForeign("the CRL was not signed by this CA")
        number = _number(crl)
        next_update = crl.next_update_utc
        entries = {revoked.serial_number: _entry(revoked) for revoked in crl}
    if next_update is None:
        raise CrlMalformed("the CRL has no nextUpdate")
    return PublishedCrl(
        number=number, this_update=crl.last_update_utc, next_update=next_update, entries=entries, pem=pem
    )


def split_crls(pem: bytes) -> tuple[bytes, ...]:
    """The CRLs in a PEM text, each by itself. Raises PemError where it is too large."""
    bounded(pem, MAX_CRL_BYTES, "the CRL")
    end = b"-----END X509 CRL-----"
    parts = [part.strip() for part in pem.split(end)]
    return tuple(part + b"\n" + end + b"\n" for part in parts if part)


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound as error:
        raise CrlMalformed("the CRL has no number") from error


def _entry(revoked: x509.RevokedCertificate) -> CrlEntry:
    try:
        reason = revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        reason = None
    return CrlEntry(serial=revoked.serial_number, revoked_at=revoked.revocation_date_utc, reason=reason)


def check_published(
    pem: bytes,
    *,
    ca_certificate: x509.Certificate,
    previous: PublishedCrl | None,
    expected: Iterable[CrlEntry],
    leaving: frozenset[int],
) -> PublishedCrl:
    """Read a CRL back as a stranger: signed by the CA, numbered above the last, complete, every removal explained.

    Raises CrlError.
    """
    crl = read_crl(pem, ca_certificate)
    if previous is not None and crl.number <= previous.number:
        raise CrlRefused(f"number {crl.number} is not above {previous.number}")
    if crl.entries != {entry.serial: entry for entry in expected}:
        raise CrlRefused("it does not list what it was made from")
    if previous is not None and (lost := previous.entries.keys() - crl.entries.keys() - leaving):
        raise CrlRefused(f"{len(lost)} serials would be let in again without a reason")
    return crl

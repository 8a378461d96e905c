"""Canaries: client certificates that nobody gets. They live for minutes, and their keys are in this process's memory alone.

Their serial numbers say what they are and until when they are valid. So no record is needed for a CRL to drop one that has expired,
and the serial of a client, of which 159 bits are random, is none of them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from doorward.pki.certificates import CertificateAuthority, LeafTemplate, build_leaf
from doorward.pki.subjects import AltNames, Subject

LIVES = timedelta(minutes=10)
SUBJECT = Subject(common_name="doorward-canary", organizations=("doorward.io",))
_MARK = b"doorward"
"""The first of the 20 octets; then 5 of the instant at which the certificate expires, in seconds, and 7 that are random."""
_SIZE, _TIME, NONCE = 20, 5, 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = int((datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryClient:
    """Certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def serial(self) -> int:
        """Of the certificate."""
        return self.certificate.serial_number

    @property
    def not_after(self) -> datetime:
        """When it expires."""
        return self.certificate.not_valid_after_utc


def made(ca: CertificateAuthority, now: datetime, backdate: timedelta, nonce: bytes) -> CanaryClient:
    """A new one, signed by the CA; `nonce`: `NONCE` random octets. Raises ValueError where the CA has no time left."""
    key = ec.generate_private_key(ec.SECP256R1())
    not_after = min(now + LIVES, ca.certificate.not_valid_after_utc)
    template = LeafTemplate(
        subject=SUBJECT,
        alt_names=AltNames(),
        public_key=key.public_key(),
        serial=_serial(not_after, nonce),
        not_before=max(now - backdate, ca.certificate.not_valid_before_utc),
        not_after=not_after,
    )
    return CanaryClient(certificate=build_leaf(template, ca), key=key)


def _serial(not_after: datetime, nonce: bytes) -> int:
    seconds = int((not_after - _EPOCH).total_seconds())
    return int.from_bytes(_MARK + seconds.to_bytes(_TIME) + nonce)


def expiry(serial: int) -> datetime | None:
    """When the canary of that serial number expires; None: it is no canary's."""
    if serial.bit_length() > 8 * _SIZE:
        return None
    octets = serial.to_bytes(_SIZE)
    seconds = int.from_bytes(octets[len(_MARK) : len(_MARK) + _TIME])
    return _EPOCH + timedelta(seconds=seconds) if octets.startswith(_MARK) and seconds <= _LATEST else None

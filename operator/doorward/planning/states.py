"""Which state a certificate is in, as counts and metrics have it."""

from collections.abc import Container
from datetime import datetime
from enum import StrEnum

from doorward.objects.ledger_record import Record
from doorward.planning.revocation import HOLD


class CertificateState(StrEnum):
    """A certificate has exactly one."""

    LIVE = "live"
    """It admits its client."""
    HELD = "held"
    """On hold: suspended, or deleted within the undo window. The hold can be lifted."""
    REVOKED = "revoked"
    """Revoked for good, or signed by a CA generation that the gates no longer trust."""
    EXPIRED = "expired"
    """Expired without a revocation."""


def state_of(record: Record, trusted: Container[int] | None, now: datetime) -> CertificateState:
    """The state at `now`; `trusted` are the CA generations that are published, None where that is not known."""
    if record.refused:
        is_hold = record.revocation is not None and record.revocation.reason == HOLD
        return CertificateState.HELD if is_hold else CertificateState.REVOKED
    if now >= record.not_after:
        return CertificateState.EXPIRED
    # A generation that the gates do not trust takes its certificates with it.
    if trusted is not None and record.generation not in trusted:
        return CertificateState.REVOKED
    return CertificateState.LIVE

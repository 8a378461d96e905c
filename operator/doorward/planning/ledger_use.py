"""What the records, and the archive's index, say of the CA generations."""

from dataclasses import dataclass
from datetime import datetime

from doorward.objects.ledger_record import Record


@dataclass(frozen=True, slots=True)
class LedgerUse:
    """What the records, and the archive's index, say of the generations."""

    used: frozenset[int]
    """Those that signed anything, archived records included."""
    alive: dict[int, datetime]
    """Until when a certificate of a generation could get in, or be let in again."""
    unexpired: dict[int, int]
    """By generation, how many certificates have not expired, revoked ones too."""


def read(records: tuple[Record, ...], archived: frozenset[int], now: datetime) -> LedgerUse:
    """One walk over a whole ledger: 24,000 records take some milliseconds, so no property is called for most of them."""
    alive: dict[int, datetime] = {}
    unexpired: dict[int, int] = {}
    for record in records:
        if now < record.not_after:
            unexpired[record.generation] = unexpired.get(record.generation, 0) + 1
        revocation = record.revocation
        if revocation is None or revocation.lifted or revocation.is_hold:  # a hold may be lifted
            ends, generation = record.not_after, record.generation
            if alive.get(generation, now) < ends:
                alive[generation] = ends
    return LedgerUse(archived | {record.generation for record in records}, alive, unexpired)

"""Which of the certificates that another CA tool revoked become ledger records, and why the others do not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.pki.foreign_ledgers import Revoked
from doorward.planning.room import CRL_ENTRIES

THERE = "revoked in the ledger already"
EXPIRED = "left: expired"
LIFTED = "left: a person ended the hold in the ledger"
NO_SERIAL = "left: no ledger record can have such a serial number"
MOST = CRL_ENTRIES * 7 // 10
"""Serial numbers in the CRL of a CA generation: the rest is room for what is revoked later, and beyond all of it the CA is closed."""
TOO_MANY = "the CRL would list {count} serial numbers, and more than {most} leave too little room for later revocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What is to be done."""

    new: tuple[Revoked, ...]
    again: Mapping[ObjectKey, Revoked]
    """Records of certificates that are good by the ledger, and are to be revoked there."""
    left: Mapping[str, int]
    """How many are left as they are, by reason."""
    too_many: str
    """Why nothing is done; empty: it is."""


def sort_out(revoked: Iterable[Revoked], known: Mapping[int, Record], generation: int, now: datetime) -> Sorted:
    """Each once; `known`: the ledger, by serial number."""
    new: list[Revoked] = []
    again: dict[ObjectKey, Revoked] = {}
    left: Counter[str] = Counter()
    for each in revoked:
        record = known.get(each.serial)
        if not 0 < each.serial < 1 << 159:
            left[NO_SERIAL] += 1
        elif each.expires is not None and each.expires <= now:
            left[EXPIRED] += 1
        elif record is None:
            new.append(each)
        elif record.refused:
            left[THERE] += 1
        elif record.is_lifted:
            left[LIFTED] += 1
        else:
            again[record.key] = each
    listed = sum(r.refused and r.generation == generation and now < r.not_after for r in known.values())
    count = len(new) + len(again) + listed
    too_many = TOO_MANY.format(count=count, most=MOST) if count > MOST and (new or again) else ""
    return Sorted(new=tuple(new), again=again, left=left, too_many=too_many)

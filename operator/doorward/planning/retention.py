"""The rules of retention: which ledger records are archived and deleted, how many at a time, and when.

A record goes when nothing can depend on it any more: its certificate expired longer ago than the CRL validity plus
`spec.ledger.retention`, the published CRL does not name it, it is not the last record of a ClientCertificate that exists, and
it does not show that a key was another's before a later record's client had it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.api.kinds import MTLSIssuerSpec
from doorward.objects import archive
from doorward.objects.archive_index import MOST_BARRED, ArchiveIndex, is_compromised
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning import key_owner, timing
from doorward.planning.observed import Unseen
from doorward.planning.plan import Action, ArchiveRecords, DeleteRecord, EmptyArchive, Plan, earliest

MOST_AT_ONCE = 1000
"""Records in one plan: each is a DELETE, and all of them are one write of an archive."""
MOST_TEXT = 768 * 1024
"""Bytes of their lines, uncompressed: they fit into an archive of their own whatever they are."""
PATIENCE = timedelta(days=1)
"""Fewer records than fill a plan wait so long for others: each write of an archive writes all of it."""
LOOK_AGAIN = timedelta(seconds=15)
MOST_ARCHIVED = 64 * 1024 * 1024
"""Bytes of one issuer's archives, compressed, some 750,000 records; beyond it the oldest month is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerObserved:
    """The ledger of one issuer, for retention to look at."""

    key: ObjectKey
    spec: MTLSIssuerSpec | str
    records: tuple[Record, ...] | Unseen
    named: frozenset[int] | Unseen
    """Serials that the published CRLs name; unknown where none is published and verified."""
    last: frozenset[ObjectKey] | Unseen
    """Records that are the newest of a ClientCertificate that exists: its status and its Secret show them."""
    index: ArchiveIndex | Unseen
    """Of the archive; absent: nothing was archived yet."""
    skew: timedelta


def named_by(published: object) -> frozenset[int] | Unseen:
    """The serials that published CRLs name; unknown unless they are there and verified."""
    return frozenset(published.entries) if isinstance(published, PublishedTrust) else Unseen.UNKNOWN


def last_of(records: Iterable[Record]) -> Record | None:
    """The newest record of one ClientCertificate."""
    return max(records, key=lambda record: (record.not_before, record.not_after, record.serial), default=None)


def keep_for(spec: MTLSIssuerSpec) -> timedelta:
    """How long after its certificate's expiry a record stays."""
    return timing.duration(spec.crl.validity) + timing.duration(spec.ledger.retention)


def horizon(spec: MTLSIssuerSpec, now: datetime) -> datetime:
    """The time of records is over whose certificates expired by then."""
    return now - keep_for(spec)


def is_over(record: Record, spec: MTLSIssuerSpec, now: datetime) -> bool:
    """Whether the record's time is over: then it is not written again where it is missing."""
    return record.not_after <= horizon(spec, now)


def plan(o: LedgerObserved, now: datetime) -> Plan:
    """Archive and delete what is due at `now`, a plan's worth; or nothing, and when to look again."""
    if isinstance(o.spec, str) or timing.skewed(o.skew):
        return Plan(due=now + LOOK_AGAIN)
    index = ArchiveIndex() if o.index is Unseen.ABSENT else o.index
    if isinstance(index, Unseen) or not index.readable:
        return Plan(due=now + LOOK_AGAIN)
    if index.size > MOST_ARCHIVED and len(index.months) > 1:
        return Plan(actions=(EmptyArchive(month=min(index.months)),))
    due = _first_of_key_stay(o, _due(o, o.spec, index, now))
    found = sorted(due, key=lambda record: (record.not_after, record.generation, record.serial))
    if not found:
        return Plan(due=now + PATIENCE)
    overdue = found[0].not_after + keep_for(o.spec) + PATIENCE
    if len(found) < MOST_AT_ONCE and now < overdue:
        return Plan(due=earliest(overdue, now + PATIENCE))
    month = archive.month_of(found[0].not_after)
    batch = tuple(_batch(record for record in found if archive.month_of(record.not_after) == month))
    actions: list[Action] = [ArchiveRecords(month=month, records=batch, spared=_spared(o.records, batch))]
    actions += [DeleteRecord(record=record) for record in batch]
    return Plan(actions=tuple(actions))


def _due(o: LedgerObserved, spec: MTLSIssuerSpec, index: ArchiveIndex, now: datetime) -> Iterator[Record]:
    if isinstance(o.records, Unseen) or isinstance(o.named, Unseen) or isinstance(o.last, Unseen):
        return
    over = horizon(spec, now)
    room = MOST_BARRED - len(index.barred)
    for record in o.records:
        if record.not_after > over or record.serial in o.named or record.key in o.last:
            continue
        if record.revocation is not None and not record.revocation.dated:
            continue  # the issuer's own rules are about to write since when
        if is_compromised(record) and record.public_key_sha256 not in index.barred:
            if room <= 0:
                continue
            room -= 1
        yield record


def _first_of_key_stay(o: LedgerObserved, due: Iterable[Record]) -> list[Record]:
    """What of it may go: a record that says whose a key is stays as long as another one depends on it."""
    found = list(due)
    keys = {record.public_key_sha256 for record in found}
    records = () if isinstance(o.records, Unseen) else o.records
    kept = key_owner.kept(r for r in records if r.public_key_sha256 in keys) if keys else frozenset()
    return [record for record in found if record.key not in kept]


def _spared(records: tuple[Record, ...] | Unseen, batch: tuple[Record, ...]) -> frozenset[str]:
    """Keys that their first owner did not call compromised: they are not barred when these records are archived."""
    reported = {record.public_key_sha256 for record in batch if is_compromised(record)}
    if not reported or isinstance(records, Unseen):
        return frozenset()
    same: dict[str, list[Record]] = {key: [] for key in reported}
    for record in records:
        if record.public_key_sha256 in same:
            same[record.public_key_sha256].append(record)
    return frozenset(key for key, found in same.items() if not key_owner.is_barred_for_all(found))


def _batch(records: Iterable[Record]) -> Iterator[Record]:
    """So many of them as one plan takes, at least one."""
    size = 0
    for count, record in enumerate(records):
        size += archive.text_size(archive.archived(record))
        if count >= MOST_AT_ONCE or (count and size > MOST_TEXT):
            return
        yield record

"""Who is cut off, since when, and why: from the ClientCertificate's will to the revocation of each of its serials."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from doorward.api.issued_certificate import HoldSource
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.crls import CrlEntry
from doorward.planning.plan import Revoke

HOLD = "certificateHold"
KEY_COMPROMISE = "keyCompromise"
AFTER_DELETION = "cessationOfOperation"
"""What a deletion's hold becomes."""


def final(records: tuple[Record, ...], reason: str, now: datetime) -> Iterator[Revoke]:
    """Revoke every serial for good; one that is only held becomes final since when it was held.

    What is final keeps its reason, but for keyCompromise: that is learnt late, and bars the key.
    """
    for record in records:
        before = record.revocation
        learnt = before is not None and reason == KEY_COMPROMISE != before.reason
        if now >= record.not_after or (before is not None and not before.is_hold and not learnt):
            continue
        since = before.time if before is not None and before.dated and not before.lifted else now
        yield Revoke(record=record, revocation=Revocation(reason=reason, time=since))


def held(records: tuple[Record, ...], window: timedelta | None, now: datetime) -> Iterator[Revoke]:
    """A deletion: hold every serial that is not refused yet, and take over a suspension's holds.

    The hold becomes final after `window`; None: it is not known yet, and follows.
    """
    final_at = now + window if window is not None else None
    for record in records:
        before = record.revocation if record.refused else None
        if now >= record.not_after or (before is not None and not before.is_hold):
            continue
        grows = before is not None and before.held_by == "Deletion" and before.final_at is None and final_at is not None
        if before is None or before.held_by == "Suspension" or grows:
            since = before.time if before is not None else now
            hold = Revocation(reason=HOLD, time=since, final_at=final_at, held_by="Deletion")
            yield Revoke(record=record, revocation=hold)


def suspended(records: tuple[Record, ...], now: datetime) -> Iterator[Revoke]:
    """A suspension: hold every serial that is not refused yet, until the suspension is taken back."""
    for record in records:
        if record.live(now):
            yield Revoke(record=record, revocation=Revocation(reason=HOLD, time=now, held_by="Suspension"))


def by_suspension(record: Record) -> bool:
    """Whether a suspension holds the serial."""
    revocation = record.revocation
    return record.refused and revocation is not None and revocation.is_hold and revocation.held_by == "Suspension"


def lifted(record: Record, *, restored: bool) -> Revoke:
    """End a suspension's hold: the serial is good again, as one that came back from a deletion where it was that before.

    Otherwise what put the hold is forgotten with it, or a person's next one would look like it.
    """
    assert record.revocation is not None
    before: HoldSource | None = "Deletion" if restored else None
    since = record.revocation.time
    return Revoke(record=record, revocation=Revocation(reason=HOLD, time=since, held_by=before, lifted=True))


def restored(record: Record) -> bool:
    """Whether the serial came back from a deletion, by an explicit act: only another one ends it before it expires."""
    revocation = record.revocation
    return revocation is not None and revocation.lifted and revocation.held_by == "Deletion"


def restorable(record: Record, now: datetime) -> bool:
    """Whether a deletion holds the serial, and can still be undone: the hold is not final, the certificate not expired."""
    revocation = record.revocation
    if revocation is None or not record.refused or not revocation.is_hold or revocation.held_by != "Deletion":
        return False
    return now < record.not_after and (revocation.final_at is None or now < revocation.final_at)


def ended(record: Record, reason: str) -> Revoke:
    """Make a hold final, since when it was put."""
    assert record.revocation is not None
    return Revoke(record=record, revocation=Revocation(reason=reason, time=record.revocation.time))


def repairs(
    records: tuple[Record, ...], published: PublishedTrust | None, pending_again: frozenset[int], now: datetime
) -> Iterator[Revoke]:
    """What is to be put right in records whose revocation is not as it should be. Nobody is refused or admitted by it, so
    cut-offs go before.
    """
    entries = published.entries if published is not None else {}
    for record in records:
        revocation = record.revocation
        if revocation is None:
            if record.serial not in pending_again and record.serial in entries and now < record.not_after:
                yield _again(record, entries[record.serial])
        elif not revocation.dated:
            entry = entries.get(record.serial)
            time = entry.revoked_at if entry is not None else now
            yield Revoke(record=record, revocation=replace(revocation, time=time, dated=True))
        elif revocation.final_at is None or not revocation.is_hold:
            continue
        elif revocation.lifted:
            # Or a person's next hold would be final at once.
            yield Revoke(record=record, revocation=replace(revocation, final_at=None))
        elif revocation.final_at <= now:
            yield ended(record, AFTER_DELETION)


def _again(record: Record, entry: CrlEntry) -> Revoke:
    """The revocation that a record lost and the published CRL still says, as a person's."""
    reason = entry.reason.value if entry.reason is not None else "unspecified"
    return Revoke(record=record, revocation=Revocation(reason=reason, time=entry.revoked_at))


def next_end_of_hold(records: tuple[Record, ...]) -> datetime | None:
    """When the next hold becomes final."""
    return min(
        (v.final_at for r in records if (v := r.revocation) and v.final_at and v.is_hold and not v.lifted), default=None
    )


def unpublished(records: tuple[Record, ...], published: PublishedTrust | None, now: datetime) -> tuple[Record, ...]:
    """Refused serials that are still valid, that the published CRL does not name, and whose CA generation is trusted."""
    refused = (record for record in records if record.refused and now < record.not_after)
    if published is None:
        return tuple(refused)
    return tuple(r for r in refused if r.serial not in published.entries and r.generation in published.anchors)

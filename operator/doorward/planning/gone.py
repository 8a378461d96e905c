"""The rules of what is left alone: the gates of an issuer that is gone are closed, the live serials of a client that is gone are held.

Gone is only what the API server itself, asked by name, says is not there, in a namespace that is served. A list that failed, a
kind that is not served and a new UID are none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import closing, revocation, timing
from doorward.planning.observed import Gate
from doorward.planning.plan import MarkMissing, Plan, Revoke, earliest

GRACE = timedelta(minutes=10)
"""How long a ClientCertificate may be missing while its serials are live: a restore or an undo is under way. It counts from when an
operator first found it missing, which is written into the record: a process that starts again does not begin to count again.
"""
ASK_AGAIN = timedelta(minutes=1)
"""When the API server is asked again whether a ClientCertificate is there that is not known, and that it did not call absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerGone:
    """An issuer that is not known, and the gates that bear its name."""

    sure: bool
    """The API server says that it is not there."""
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """Live or suspended records that no known ClientCertificate stands behind."""

    records: tuple[Record, ...]
    back: tuple[Record, ...]
    """Records that are marked as missing, and whose ClientCertificate is known again."""
    gone: bool
    """The API server says that there is none."""
    undo_windows: Mapping[ObjectKey, timedelta]
    """By issuer, as far as they are known."""
    skew: timedelta


def close(o: IssuerGone, now: datetime) -> Plan:
    """With its issuer gone a gate gets no CRL any more, so nobody is let in: a client could not be cut off there."""
    if not o.gates:
        return Plan()
    if not o.sure:
        return Plan(due=now + timing.LOOK_AGAIN)
    actions = tuple(closing.actions(o.gates, now))
    again = now + timing.LOOK_AGAIN
    return Plan(actions=actions) if actions else Plan(due=closing.due(o.gates, now) or again)


def hold(o: Strays, now: datetime) -> Plan:
    """Access is a live ClientCertificate, and nothing else: without one, what is live or suspended is held as at a deletion."""
    if timing.skewed(o.skew):
        return Plan(due=now + timing.LOOK_AGAIN)
    actions: list[Revoke | MarkMissing] = [MarkMissing(record=record, since=None) for record in o.back]
    due = None
    for record in o.records if o.gone else ():
        ends = min(record.missing_since or now, now) + GRACE
        if record.missing_since is None:
            actions.append(MarkMissing(record=record, since=now))
        elif ends <= now:
            window = o.undo_windows.get(record.issuer, timing.DEFAULT_UNDO)
            actions += revocation.held((record,), window, now)
        due = earliest(due, ends)
    if o.records and not o.gone:
        due = now + ASK_AGAIN
    return Plan(actions=tuple(actions), due=due)

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
from doorward.planning.plan import Plan, Revoke

GRACE = timedelta(minutes=10)
"""How long a ClientCertificate may be missing while its serials are live: a start, a restore, or an undo is under way."""


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
    missing_since: datetime
    """Since when this process sees them without one."""
    gone: bool
    """The API server says that there is none; asked only when the grace is over."""
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
    if not o.gone:
        ends = o.missing_since + GRACE
        return Plan(due=ends if now < ends else now + GRACE)
    held: list[Revoke] = []
    for record in o.records:
        window = o.undo_windows.get(record.issuer, timing.DEFAULT_UNDO)
        held += revocation.held((record,), window, now)
    return Plan(actions=tuple(held))

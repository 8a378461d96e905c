"""Every sum over instants and durations; all instants UTC-aware, in whole seconds."""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from doorward.api.fields import DURATION_PATTERN
from doorward.api.limits import BETWEEN_RENEWALS, SHORTEST_LIFETIME
from doorward.objects.ledger_record import Record

BACKDATE = timedelta(hours=1)
"""thisUpdate and notBefore lie this far back, for clients whose clocks are behind."""
MAX_SKEW = timedelta(minutes=5)
"""More than this between the local clock and the API server's: nothing is signed or pruned."""
GATE_PATIENCE = timedelta(seconds=30)
"""How long a deletion waits for gates once the CRL is published."""
IDLE_GATE = timedelta(minutes=10)
"""A gate that no target names is closed after so long: an Ingress that is deleted and created again finds it as it was."""
LOOK_AGAIN = timedelta(seconds=5)
"""When what is unknown, or passes by itself, is looked at again."""
DEFAULT_UNDO = timedelta(hours=24)
"""How long a deletion can be undone where the issuer is gone that would say so."""
COUNTS_EVERY = timedelta(seconds=10)
"""An issuer's counts are written no more often."""
CLUSTER_CA_AGAIN = timedelta(minutes=10)
"""A cluster's own client CA may be renewed, and is not watched."""
UNMANAGED_AGAIN = timedelta(minutes=1)
"""What is not Doorward's is not watched: so long after it was in the way it is asked for again."""
BUDGET_WINDOW = timedelta(days=1)
FREE_ISSUES = 8
"""So many certificates a day and client are issued without waiting; then each waits twice as long."""
OWN_RENEWALS = timedelta(days=2)
"""Divided by the lifetime: so many more are free, since a short-lived certificate is renewed at half of its lifetime."""
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
LAST_CALL = timedelta(hours=1)
"""So long before its expiry, or a sixth of its lifetime if that is less, a certificate is renewed whatever was issued."""


@lru_cache(maxsize=1024)
def duration(text: str) -> timedelta:
    """A Go-style duration of hours, minutes and seconds; ValueError on anything else."""
    if not (match := re.fullmatch(DURATION_PATTERN, text)) or not text:
        raise ValueError(f"{text!r} is no duration: write hours, minutes and seconds, such as 2160h or 1h30m")
    hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def skewed(skew: timedelta) -> bool:
    """Whether the clocks are too far apart to sign or prune."""
    return abs(skew) > MAX_SKEW


def certain(now: datetime, skew: timedelta) -> datetime:
    """The latest instant that is past by both clocks, where they disagree too much: either may be the wrong one."""
    return min(now, now - skew) if skewed(skew) else now


def at_least(text: str, shortest: str) -> timedelta:
    """A duration of a spec, within its limit of `api/limits.py`: an object may be older than that limit."""
    return max(duration(text), duration(shortest))


def renewal_time(begin: datetime, not_after: datetime, renew_before: timedelta | None, between: timedelta) -> datetime:
    """When the successor is due: `renew_before` the end, else at two thirds of the lifetime, at half below ten days.

    A `renew_before` that leaves less than `between` of the lifetime counts for nothing: it would renew again and again.
    """
    lifetime = not_after - begin
    if renew_before is not None and renew_before + between <= lifetime:
        return not_after - renew_before
    return begin + (lifetime / 2 if lifetime < timedelta(days=10) else lifetime * 2 / 3)


def begin_of(not_before: datetime, not_after: datetime) -> datetime:
    """When a client certificate was signed, by its own dates.

    It is backdated, but never before its CA begins; and none is signed for less than the shortest lifetime.
    """
    return min(not_before + BACKDATE, not_after - duration(SHORTEST_LIFETIME))


def client_renewal(not_before: datetime, not_after: datetime, renew_before: timedelta | None) -> datetime:
    """When the successor of a client certificate is due; never within five minutes of its signing."""
    return renewal_time(begin_of(not_before, not_after), not_after, renew_before, duration(BETWEEN_RENEWALS))


def last_call(not_before: datetime, not_after: datetime) -> datetime:
    """From when on a client certificate is renewed whatever was issued before: it must not expire over a limit."""
    return not_after - min(LAST_CALL, (not_after - begin_of(not_before, not_after)) / 6)


def issued_at(record: Record) -> datetime:
    """When the serial was signed: a record that came out of a backup is younger than that."""
    return min(record.issued_at, record.not_before + BACKDATE)


def next_issue(records: tuple[Record, ...], now: datetime, lifetime: timedelta) -> tuple[datetime, int]:
    """When the next certificate, of that lifetime, may be issued, and how many were in the last day.

    All of them count, since each is a ledger record for months; a short lifetime has its own renewals free. The revoked
    ones count once more by themselves, since each is a CRL entry: a Secret that is deleted in a loop must not fill it.
    """
    recent = [(at, record.refused) for record in records if (at := issued_at(record)) > now - BUDGET_WINDOW]
    if not recent:
        return now, 0
    beyond = max(
        len(recent) - FREE_ISSUES - OWN_RENEWALS // lifetime, sum(refused for _, refused in recent) - FREE_ISSUES
    )
    if beyond < 0:
        return now, len(recent)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(beyond, 20))
    return max(at for at, _ in recent) + wait, len(recent)

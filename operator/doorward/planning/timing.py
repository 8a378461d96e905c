"""Every sum over instants and durations; all instants UTC-aware, in whole seconds."""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from doorward.api.fields import DURATION_PATTERN
from doorward.objects.ledger_record import Record

BACKDATE = timedelta(hours=1)
"""thisUpdate and notBefore lie this far back, for clients whose clocks are behind."""
MAX_SKEW = timedelta(minutes=5)
"""More than this between the local clock and the API server's: nothing is signed or pruned."""
GATE_PATIENCE = timedelta(seconds=30)
"""How long a deletion waits for gates once the CRL is published."""
LOOK_AGAIN = timedelta(seconds=5)
"""When what is unknown, or passes by itself, is looked at again."""
DEFAULT_UNDO = timedelta(hours=24)
"""How long a deletion can be undone where the issuer is gone that would say so."""
COUNTS_EVERY = timedelta(seconds=10)
"""An issuer's counts are written no more often."""
BUDGET_WINDOW = timedelta(days=1)
FREE_ISSUES = 8
"""So many certificates a day and client are issued without waiting; then each waits twice as long."""
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


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


def renewal_time(not_before: datetime, not_after: datetime, renew_before: timedelta | None) -> datetime:
    """When the successor is due: `renew_before` the end, else at two thirds of the lifetime, at half below ten days.

    A `renew_before` that is no shorter than the lifetime counts for nothing: it would renew for ever.
    """
    lifetime = not_after - not_before
    if renew_before is not None and renew_before < lifetime:
        return not_after - renew_before
    return not_before + (lifetime / 2 if lifetime < timedelta(days=10) else lifetime * 2 / 3)


def issued_at(record: Record) -> datetime:
    """When the serial was signed: a record that came out of a backup is younger than that."""
    return min(record.issued_at, record.not_before + BACKDATE)


def next_issue(records: tuple[Record, ...], now: datetime) -> tuple[datetime, int]:
    """When the next certificate may be issued, and how many were in the last day.

    A client whose Secret is deleted in a loop must not fill the CRL.
    """
    recent = sorted(at for record in records if (at := issued_at(record)) > now - BUDGET_WINDOW)
    beyond = len(recent) - FREE_ISSUES
    if beyond < 0:
        return now, len(recent)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(beyond, 20))
    return recent[-1] + wait, len(recent)

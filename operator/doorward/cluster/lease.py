"""The rules of our Lease: who may take it and when, and what is written into it.

No other host's clock is trusted: the times in a Lease are for people. It has expired when it did not change for as long
as it says, by this process's own monotonic clock, since this process first saw it as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doorward.objects.meta import ObjectKey

Object = dict[str, Any]

DURATION = 10
"""Seconds without a change until others may take the Lease."""
LONGEST_DURATION = 60
"""Seconds; a Lease that says more (anybody may have edited it) is not waited for longer."""
DEADLINE = 6.0
"""Seconds after the last renewal began from which its holder writes nothing: what it sent has ended before others begin."""
RENEW_EVERY = 2.0
LOOK_EVERY = 0.5
"""Seconds; also how long others do not notice that it was released."""
MOST_CHANGES = 2**31 - 1
"""What the API takes as leaseTransitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A Lease as it was last read, and since when (monotonic seconds) it has been seen like that."""

    holder: str
    """Empty: nobody's, or released."""
    duration: float
    version: str
    """Empty: it is not there."""
    since: float


def look(body: Mapping[str, Any] | None, before: Seen | None, now: float) -> Seen:
    """What was read at `now` (monotonic seconds), with what is known from the look `before`; None: there is no Lease.

    One that was deleted stays its last holder's until it would have expired: that one may not know of it yet.
    """
    if body is None:
        holder, duration, version = (before.holder, before.duration, "") if before else ("", float(DURATION), "")
    else:
        spec = body.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        stated = float(spec.get("leaseDurationSeconds") or DURATION)
        duration = min(max(stated, float(DURATION)), float(LONGEST_DURATION))
        version = f"{body['metadata'].get('uid')}/{body['metadata'].get('resourceVersion')}"
    unchanged = before is not None and before.version == version
    return Seen(holder=holder, duration=duration, version=version, since=before.since if before and unchanged else now)


def may_take(seen: Seen, me: str, now: float) -> bool:
    """Whether `me` may write itself into the Lease: it is nobody's, its own, or has expired."""
    return seen.holder in ("", me) or now >= seen.since + seen.duration


def next_look(seen: Seen, now: float) -> float:
    """Seconds until one who does not hold the Lease looks again: at its end, if that comes first."""
    return min(LOOK_EVERY, max(0.0, seen.since + seen.duration - now))


def claimed(at: ObjectKey, before: Mapping[str, Any] | None, me: str, now: datetime) -> Object:
    """The Lease as `me` writes it, taken or renewed, onto the version that was read."""
    spec = dict((before or {}).get("spec") or {})
    if spec.get("holderIdentity") != me:
        changes = min(int(spec.get("leaseTransitions") or 0) + (before is not None), MOST_CHANGES)
        spec |= {"holderIdentity": me, "acquireTime": _micro(now), "leaseTransitions": changes}
    spec |= {"leaseDurationSeconds": DURATION, "renewTime": _micro(now)}
    return _written(at, before, spec)


def released(at: ObjectKey, before: Mapping[str, Any], now: datetime) -> Object:
    """The Lease as its holder lets go of it."""
    return _written(at, before, dict(before["spec"]) | {"holderIdentity": "", "renewTime": _micro(now)})


def _written(at: ObjectKey, before: Mapping[str, Any] | None, spec: Object) -> Object:
    metadata = dict(before["metadata"]) if before else {"namespace": at.namespace, "name": at.name}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _micro(now: datetime) -> str:
    """An instant as the API's MicroTime."""
    return now.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

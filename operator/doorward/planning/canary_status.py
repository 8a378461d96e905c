"""What an MTLSIssuer says of cut-offs: the condition CutOffHolds, and what its canaries found."""

from datetime import datetime, timedelta
from math import ceil

from doorward.api.conditions import Condition, instant, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.planning.canary import LOADS_WITHIN, Access, Canaries, Flown, Place, Seen, where

MOST_REPLICAS = 32
NO_CRL_YET = "no CRL with a canary was published yet. The next CRL has one"
KEEPS_BEFORE = timedelta(seconds=60)
"""So long after a CRL what was said before stays, while its canary is asking."""


def condition(spec: MTLSIssuerSpec, canaries: Canaries, before: Condition | None, now: datetime) -> Condition | None:
    """The condition CutOffHolds; None: nothing is said. `before`: what the status says already."""
    by_choice = said("HandshakeOnly") if spec.enforcement.mode == "Handshake" else None
    if not spec.enforcement.canary:
        return by_choice
    flown = canaries.flown
    if flown is not None and (deaf := flown.deaf(now)):
        seconds = int(LOADS_WITHIN.total_seconds())
        return said("RevokedCanaryAdmitted", number=flown.number, seconds=seconds, places=where(deaf)).until(
            flown.until
        )
    found = by_choice if by_choice is not None else _measured(canaries, before, now)
    ends = _deadline(flown, now) if flown is not None else None
    return found.until(ends) if ends is not None else found


def _measured(canaries: Canaries, before: Condition | None, now: datetime) -> Condition:
    flown = canaries.flown
    if canaries.unprobed:
        return said("CutOffNotVerified", detail=canaries.unprobed)
    if flown is None:
        return before if before is not None and before.reason.name != "HandshakeOnly" else _not_yet()
    if resumed := tuple(flown.having(resumed=Access.ADMITTED, **unasked(canaries))):
        return said("SessionsResumed", places=where(resumed))
    left = [place for place in flown.places if not _is_shown(flown.seen.get(place), canaries)]
    if not left and flown.places:
        seconds = max(flown.seconds(place.replica) or 0.0 for place in flown.places)
        replicas = len({place.replica for place in flown.places})
        return said("CanaryRefused", number=flown.number, seconds=ceil(seconds), replicas=replicas)
    if now < flown.published + KEEPS_BEFORE and before is not None and before.reason.name != "RevokedCanaryAdmitted":
        return before
    detail = f"the canary of CRL {flown.number} was not tried" if not left else f"{where(left)}: {_why(flown, left[0])}"
    return said("CutOffNotVerified", detail=detail)


def unasked(canaries: Canaries) -> dict[str, Access]:
    """What a canary shows where no gate service decides: anything where none is installed, else that it was not asked."""
    return {"waiting": Access.ADMITTED} if canaries.gate_service else {}


def _is_shown(seen: Seen | None, canaries: Canaries) -> bool:
    """Whether the revoked one was refused there, on a resumed session too, if nobody else decides about that."""
    if seen is None or seen.refused_at is None:
        return False
    return canaries.gate_service or seen.resumed is not Access.UNCLEAR


def _not_yet() -> Condition:
    return said("CutOffNotVerified", detail=NO_CRL_YET)


def _why(flown: Flown, place: Place) -> str:
    if place not in flown.seen:
        return "not tried yet"
    seen = flown.seen[place]
    return (
        "the revoked canary is still admitted"
        if seen.revoked is Access.ADMITTED
        else seen.detail or "not tried to its end"
    )


def _deadline(flown: Flown, now: datetime) -> datetime | None:
    """When what is said may change though nothing new is found."""
    return next((end for end in (flown.published + LOADS_WITHIN, flown.published + KEEPS_BEFORE) if now < end), None)


def listed(spec: MTLSIssuerSpec, canaries: Canaries, before: object) -> object:
    """What the status says of the newest canary that was refused somewhere; `before`: what it says already."""
    flown = canaries.flown
    if not spec.enforcement.canary:
        return None
    if flown is None:
        return before
    replicas = sorted({place.replica for place in flown.places})[:MOST_REPLICAS]
    times = ((replica, flown.seconds(replica)) for replica in replicas)
    found = [{"replica": replica, "seconds": ceil(seconds)} for replica, seconds in times if seconds is not None]
    if not found:
        return before
    return {
        "crlNumber": flown.number,
        "publishedAt": instant(flown.published.replace(microsecond=0)),
        "replicas": found,
    }


def must_repeat(spec: MTLSIssuerSpec, canaries: Canaries, now: datetime, *, next_ca_waits: bool) -> bool:
    """Whether a CRL is to be published for its canary alone: the last one was admitted for its whole life. Without another nobody
    would see that revoked clients are refused again. `next_ca_waits`: a CA generation is to sign as soon as the gates have loaded it; then
    also where the live canary of that generation was refused.
    """
    flown = canaries.flown
    if not spec.enforcement.canary or flown is None or now < flown.until:
        return False
    return bool(flown.deaf(now)) or (next_ca_waits and any(True for _ in flown.having(live=Access.REFUSED)))

"""What canaries show of an issuer's gates: whether a replica refuses a client from the CRL on that revokes it.

A canary is a pair of client certificates that nobody gets: one that a CRL revokes, and one that is live. Of each gate, one host is asked at each
replica. The request promises a body that is larger than any that nginx takes: nginx answers 413 whom it admits, before it asks the gate
service or the application. So no canary has access to anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from doorward.planning.enforcement import REDIRECTS, Asked, Heard

LOADS_WITHIN = timedelta(seconds=30)
"""Ten times what ingress-nginx takes by default (measured: 3 s): who is admitted for so long after the CRL is published stays in."""
OFTEN, OFTEN_FOR = timedelta(seconds=0.5), timedelta(seconds=10)
"""So often, for so long, a revoked canary asks at first: that is how exact the seconds until its refusal are."""
SELDOM = timedelta(seconds=5)
TURN_EVERY = timedelta(seconds=15)
"""No CRL has a new canary so soon after the last: a hundred revocations one by one are not a hundred canaries."""


class Access(Enum):
    """What a canary was answered."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNCLEAR = "unclear"


class Asker(Enum):
    """Who asks."""

    REVOKED = "the revoked one"
    LIVE = "the live one"
    RESUMED = "one that resumes its TLS session, without a certificate"
    UNNAMED = "one that resumes its TLS session, without the name of its host in the handshake"

    WAITING = "the live one, which waits for the application"
    """Only where the gate service is to be asked: there nobody waits, since it refuses canaries."""


RESUMING = frozenset({Asker.RESUMED, Asker.UNNAMED})
"""Who is asked for no certificate."""


class Place(NamedTuple):
    """A gate at a replica."""

    namespace: str
    replica: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found at one place, of the newest canary."""

    first: datetime
    """When it was asked first."""
    at: datetime
    """When it was asked last."""
    revoked: Access = Access.UNCLEAR
    live: Access = Access.UNCLEAR
    resumed: Access = Access.UNCLEAR
    unnamed: Access = Access.UNCLEAR
    """The live one, where the handshake names no host of the replica."""
    waiting: Access = Access.UNCLEAR
    """The live one, after the gate service was to be asked; unclear where it is not to be."""
    detail: str = ""
    """Why something is unclear."""
    refused_at: datetime | None = None
    """When the revoked one was refused first, and the live one admitted."""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to find."""
        return self.refused_at is not None and Access.UNCLEAR not in (self.resumed, self.unnamed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flown:
    """The newest canary of an issuer, and what it found."""

    generation: int
    """The CA generation that signed it."""
    number: int
    """Of the CRL that revokes it."""
    published: datetime
    """When that CRL was committed."""
    until: datetime
    """When its certificates expire."""
    places: Sequence[Place] = ()
    """All that it has to ask at."""
    seen: Mapping[Place, Seen]

    def seconds(self, replica: str) -> float | None:
        """From the publication to the refusal at all gates of a replica; None: it was not refused at all of them."""
        times = [self._refused(place) for place in self.places if place.replica == replica and self._in_time(place)]
        known = [time for time in times if time is not None]
        if not known or len(known) < len(times):
            return None
        return max((time - self.published).total_seconds() for time in known)

    def _in_time(self, place: Place) -> bool:
        """Whether it was asked there soon after the CRL: of a gate that came later nothing shows when it could load the CRL."""
        return place not in self.seen or self.seen[place].first <= self.published + OFTEN_FOR

    def _refused(self, place: Place) -> datetime | None:
        return self.seen[place].refused_at if place in self.seen else None

    def having(self, **what: Access) -> Iterator[Place]:
        """The places where that was found."""
        for place in self.places:
            if place in self.seen and all(getattr(self.seen[place], name) is access for name, access in what.items()):
                yield place

    def loaded(self, namespace: str, now: datetime) -> bool | None:
        """Whether the gate of a namespace has loaded the CRL, and the CA of the canary, at all replicas; None: nothing shows it."""
        found = [self._shown(place, now) for place in self.places if place.namespace == namespace]
        return False if False in found else None if None in found or not found else True

    def _shown(self, place: Place, now: datetime) -> bool | None:
        seen = self.seen.get(place)
        if seen is None:
            return False if now < self.until else None
        if seen.revoked is Access.ADMITTED or seen.live is Access.REFUSED:
            return False
        return True if seen.refused_at is not None else None

    def deaf(self, now: datetime) -> tuple[Place, ...]:
        """The places where the revoked one is still admitted when it should not be."""
        return tuple(self.having(revoked=Access.ADMITTED)) if now >= self.published + LOADS_WITHIN else ()


def judge(asked: Asked, asker: Asker, heard: Heard) -> tuple[Access, str]:
    """What one answer shows, and why it shows nothing.

    nginx refuses a certificate, or that there is none, with 400. 403 comes from what it asks after that: only who was verified gets there.
    """
    if heard.trouble:
        return Access.UNCLEAR, heard.trouble
    if heard.alert:
        words = ("certificate", "unknown ca", *(("unrecognized name",) if asker is Asker.UNNAMED else ()))
        refused = any(word in heard.alert for word in words)
        return (Access.REFUSED, "") if refused else (Access.UNCLEAR, f"the TLS handshake ends with {heard.alert}")
    if asker not in RESUMING and not (heard.authorities and heard.authorities <= asked.anchors):
        return Access.UNCLEAR, "the host does not ask for certificates of the issuer alone"
    if asker is Asker.WAITING:
        return _waited(heard)
    if heard.status in (413, 403):
        return Access.ADMITTED, ""
    if asker is Asker.UNNAMED and heard.status == 421:
        return Access.REFUSED, ""  # the name in the handshake is another host's
    if heard.status == 400 or (heard.status in REDIRECTS and heard.location == asked.error_page):
        return Access.REFUSED, ""
    return Access.UNCLEAR, f"{asker.value} is answered {heard.status}"


def _waited(heard: Heard) -> tuple[Access, str]:
    """The status 100 asks for the body: nginx is about to let the application answer."""
    if heard.status == 100 or 200 <= heard.status < 300:
        return Access.ADMITTED, ""
    if heard.status == 403:
        return Access.REFUSED, ""
    return Access.UNCLEAR, f"{Asker.WAITING.value} is answered {heard.status}"


def found(answers: Mapping[Asker, tuple[Access, str]], before: Seen | None, now: datetime) -> Seen:
    """What one round at a place shows. A refusal counts where the live canary is admitted: a gate that is closed refuses all."""
    unclear = (Access.UNCLEAR, "")
    revoked, live, resumed, unnamed, waiting = (answers.get(asker, unclear) for asker in Asker)
    first = before.first if before is not None else now
    seen = Seen(first=first, at=now, revoked=revoked[0], live=live[0], resumed=resumed[0])
    seen = replace(seen, unnamed=unnamed[0], waiting=waiting[0])
    seen = replace(seen, detail=next((why for _, why in (revoked, live, resumed, unnamed, waiting) if why), ""))
    if before is not None and before.refused_at is not None and revoked[0] is not Access.ADMITTED:
        return replace(seen, refused_at=before.refused_at)
    if revoked[0] is Access.REFUSED and live[0] is Access.ADMITTED:
        return replace(seen, refused_at=now)
    if revoked[0] is Access.REFUSED and live[0] is Access.REFUSED:
        return replace(seen, detail="the live one is refused as well")
    return seen


def due(seen: Seen | None, published: datetime) -> datetime:
    """When a place is to be asked next."""
    if seen is None:
        return published
    return seen.at + (OFTEN if seen.at < published + OFTEN_FOR else SELDOM)


def may_fly(last: datetime | None, now: datetime) -> bool:
    """Whether a CRL that is published now has a canary; `last`: when the last was published."""
    return last is None or now >= last + TURN_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """What an issuer's rules know of them."""

    flown: Flown | None = None
    """None: no CRL with one was published since this process began."""
    gate_service: bool = False
    """It is installed, and so decides about resumed sessions where the issuer does not say otherwise."""
    unprobed: str = ""
    """Why nothing can be asked; empty: it can."""


NONE = Canaries()


def where(places: Sequence[Place], most: int = 3) -> str:
    """Some places, in words."""
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(f"gate {place.namespace} at replica {place.replica}" for place in places[:most]) + more


def taken(flown: Flown, gate: str, assumed: datetime, newest: int, now: datetime) -> datetime:
    """When the gate of a namespace has taken all anchors that are published: as the canary of the newest CA generation shows, and only where
    it shows nothing as it is `assumed`.
    """
    if flown.generation != newest or (loaded := flown.loaded(gate, now)) is None:
        return assumed
    return min(assumed, now) if loaded else max(assumed, now + SELDOM)

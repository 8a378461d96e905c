"""The canaries that are out: for each issuer the newest pair, and what it found. All of it, keys too, is in memory only."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from doorward.objects.meta import ObjectKey
from doorward.pki import canaries
from doorward.pki.canaries import CanaryClient
from doorward.pki.certificates import CertificateAuthority
from doorward.planning.canary import Flown, Place, Seen, due, may_fly
from doorward.planning.timing import BACKDATE
from doorward.probes.connection import Session

ENOUGH = timedelta(minutes=2)
"""A live canary that is valid for so long is the one that the next CRL revokes: it has TLS sessions to resume."""


class Pair(NamedTuple):
    """Two canaries of one CA generation: one that a CRL revokes, and one that it does not."""

    generation: int
    revoked: CanaryClient
    live: CanaryClient


def pair(generation: int, ca: CertificateAuthority, revoked: CanaryClient | None, now: datetime) -> Pair | None:
    """For the next CRL, and for a thread; `revoked`: the one that it revokes, if that is there already. None: the CA has no time left."""
    try:
        live = canaries.made(ca, now, BACKDATE, secrets.token_bytes(canaries.NONCE))
        return Pair(generation, revoked or canaries.made(ca, now, BACKDATE, secrets.token_bytes(canaries.NONCE)), live)
    except ValueError:
        return None


@dataclass(slots=True, kw_only=True)
class _Out:
    number: int
    published: datetime
    pair: Pair
    seen: dict[Place, Seen] = field(default_factory=dict)
    sessions: dict[Place, Session] = field(default_factory=dict)
    """Of the live one; until a place is settled, of the one that is revoked now, while it was live."""

    @property
    def until(self) -> datetime:
        """Until when both are valid."""
        return min(self.pair.revoked.not_after, self.pair.live.not_after)


class CanaryBook:
    """Used from the operator's own event loop only."""

    def __init__(self) -> None:
        self._out: dict[ObjectKey, _Out] = {}

    # What the publisher tells

    def wanted(self, issuer: ObjectKey, generation: int, now: datetime) -> bool:
        """Whether a CRL that is published now has a canary, of that CA generation."""
        out = self._out.get(issuer)
        return out is None or out.pair.generation != generation or may_fly(out.published, now)

    def next_revoked(self, issuer: ObjectKey, generation: int, now: datetime) -> CanaryClient | None:
        """The live one, where it can be the next that is revoked."""
        out = self._out.get(issuer)
        if out is None or out.pair.generation != generation or now + ENOUGH > out.pair.live.not_after:
            return None
        return out.pair.live

    def published(self, issuer: ObjectKey, number: int, made: Pair, now: datetime) -> None:
        """A CRL of that number revokes the one, and not the other."""
        before = self._out.get(issuer)
        kept = before.sessions if before is not None and before.pair.live.serial == made.revoked.serial else {}
        self._out[issuer] = _Out(number=number, published=now, pair=made, sessions=kept)

    def drop(self, issuer: ObjectKey) -> None:
        """The issuer is deleted, or wants none any more."""
        self._out.pop(issuer, None)

    # What the driver does

    def issuers(self) -> tuple[ObjectKey, ...]:
        """Those with a canary that is out."""
        return tuple(self._out)

    def pair(self, issuer: ObjectKey) -> Pair | None:
        """What is out; None: the issuer has none."""
        out = self._out.get(issuer)
        return out.pair if out is not None else None

    def is_due(self, issuer: ObjectKey, place: Place, now: datetime) -> bool:
        """Whether it is to ask there now."""
        out = self._out.get(issuer)
        if out is None or now >= out.until:
            return False
        seen = out.seen.get(place)
        return not (seen is not None and seen.settled) and due(seen, out.published) <= now

    def session(self, issuer: ObjectKey, place: Place) -> Session:
        """What is resumed there."""
        return self._out[issuer].sessions.setdefault(place, Session())

    def record(self, issuer: ObjectKey, serial: int, place: Place, seen: Seen) -> None:
        """What was found, with the revoked canary of that serial: another may be out by now."""
        out = self._out.get(issuer)
        if out is not None and out.pair.revoked.serial == serial:
            out.seen[place] = seen

    def seen(self, issuer: ObjectKey, place: Place) -> Seen | None:
        """What was found there last."""
        out = self._out.get(issuer)
        return out.seen.get(place) if out is not None else None

    def flown(self, issuer: ObjectKey, places: Iterable[Place]) -> Flown | None:
        """What the newest canary found so far; `places`: where it has to ask."""
        out = self._out.get(issuer)
        if out is None:
            return None
        return Flown(
            generation=out.pair.generation,
            number=out.number,
            published=out.published,
            until=out.until,
            places=tuple(places),
            seen=dict(out.seen),
        )

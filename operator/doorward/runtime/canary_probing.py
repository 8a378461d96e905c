"""Lets canaries ask: of each issuer that has one, one host of each gate at each replica, until the replica has loaded the CRL."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doorward.api.kinds import MTLSIssuerSpec
from doorward.clock import Clock
from doorward.logged import about
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning.canary import Canaries, Flown, Place, Seen, found, taken
from doorward.planning.enforcement import Asked
from doorward.planning.observed import Gate, IssuerObserved
from doorward.probes.book import ProbeBook
from doorward.probes.canary_asking import CanaryProber
from doorward.probes.canary_book import CanaryBook
from doorward.view.keys import issuer_key
from doorward.view.routing import Routing

logger = logging.getLogger(__name__)
PACE = 0.25
"""Seconds between two looks for what is due; a replica is asked by one canary at a time."""
PLACES_KEPT = timedelta(seconds=5)
"""So long the hosts that are asked stay the same: to look for them costs more than to ask."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class CanaryProbing:
    """What canaries find goes to the issuers concerned."""

    def __init__(
        self,
        book: CanaryBook,
        gates: ProbeBook,
        prober: CanaryProber,
        clock: Clock,
        routing: Routing,
        *,
        gate_service: bool,
    ) -> None:
        self.book = book
        self._gates = gates
        self._prober = prober
        self._clock = clock
        self._routing = routing
        self._gate_service = gate_service
        self._warned: dict[ObjectKey, int] = {}
        """By issuer, the serial of the canary of which it was told that it is still admitted."""
        self._hosts: dict[tuple[ObjectKey, Replica], tuple[datetime, dict[str, Asked]]] = {}

    def observed(self, seen: IssuerObserved) -> IssuerObserved:
        """With what canaries found of the issuer."""
        if not isinstance(seen.spec, MTLSIssuerSpec) or not seen.spec.enforcement.canary:
            self.book.drop(seen.key)
            return replace(seen, canaries=Canaries(gate_service=self._gate_service))
        known = self.of(seen.key)
        return replace(seen, canaries=known, gates=self._gates_as_shown(seen, known.flown))

    def _gates_as_shown(self, seen: IssuerObserved, flown: Flown | None) -> tuple[Gate, ...]:
        """A gate has taken the anchors when a canary shows it, and after the time that is assumed only where none does."""
        if flown is None or self._gates.left_out or not isinstance(seen.published, PublishedTrust):
            return seen.gates
        newest, now = max(seen.published.anchors, default=0), self._clock.now()
        return tuple(
            replace(gate, anchors_taken=taken(flown, gate.namespace, gate.anchors_taken, newest, now))
            if gate.anchors_taken is not None
            else gate
            for gate in seen.gates
        )

    def of(self, issuer: ObjectKey) -> Canaries:
        """What is known of an issuer's canaries."""
        places = self._places(issuer) if self.book.pair(issuer) is not None else ()
        flown = self.book.flown(issuer, places)
        return Canaries(flown=flown, gate_service=self._gate_service, unprobed=self._gates.unprobed)

    def _places(self, issuer: ObjectKey) -> tuple[Place, ...]:
        at = self._gates.replicas
        return tuple(Place(namespace, str(each)) for each in at for namespace in self._asked(issuer, each))

    def _asked(self, issuer: ObjectKey, replica: Replica) -> dict[str, Asked]:
        now = self._clock.now()
        known = self._hosts.get((issuer, replica))
        if known is None or now >= known[0] + PLACES_KEPT:
            known = now, self._gates.a_host_of_each_gate(issuer, replica, now)
            self._hosts[issuer, replica] = known
        return known[1]

    async def keep(self) -> None:
        """Let them ask, for ever."""
        async with asyncio.TaskGroup() as group:
            busy: dict[Replica, asyncio.Task[None]] = {}
            while True:
                busy = {replica: task for replica, task in busy.items() if not task.done()}
                for replica in self._gates.replicas:
                    if replica not in busy and (due := self._due(replica)) is not None:
                        busy[replica] = group.create_task(self._ask(replica, *due), name=f"canary at {replica}")
                self._forget()
                await asyncio.sleep(PACE)

    def _forget(self) -> None:
        there, issuers = frozenset(self._gates.replicas), frozenset(self.book.issuers())
        for issuer, replica in tuple(self._hosts):
            if replica not in there or issuer not in issuers:
                del self._hosts[issuer, replica]
        for issuer in self._warned.keys() - issuers:
            del self._warned[issuer]

    def _due(self, replica: Replica) -> tuple[ObjectKey, Place, Asked] | None:
        """What is due at a replica; of several, what was asked the longest ago."""
        now = self._clock.now_precise()
        waiting: list[tuple[datetime, ObjectKey, Place, Asked]] = []
        for issuer in self.book.issuers():
            for namespace, asked in self._asked(issuer, replica).items():
                place = Place(namespace, str(replica))
                if self.book.is_due(issuer, place, now):
                    seen = self.book.seen(issuer, place)
                    waiting.append((seen.at if seen is not None else _NEVER, issuer, place, asked))
        return min(waiting, key=lambda each: each[:3])[1:] if waiting else None

    async def _ask(self, replica: Replica, issuer: ObjectKey, place: Place, asked: Asked) -> None:
        pair = self.book.pair(issuer)
        if pair is None:
            return
        _, revoked, live = pair
        try:
            answers = await self._prober.canary(replica, asked, revoked, live, self.book.session(issuer, place))
        except Exception:  # a bug here ends one round, not the process
            logger.exception(
                "canary failed", extra=about(f"MTLSIssuer {issuer}", host=asked.host, replica=str(replica))
            )
            answers = {}
        before = self.book.seen(issuer, place)
        now = self._clock.now_precise()
        seen = found(answers, before, now)
        self.book.record(issuer, revoked.serial, place, seen)
        if before is None or _news(before) != _news(seen):
            self._tell(issuer, place, asked, seen)
        flown = self.of(issuer).flown
        if flown is not None and flown.deaf(now) and self._warned.get(issuer) != revoked.serial:
            self._warned[issuer] = revoked.serial
            self._routing.wake(issuer_key(issuer))

    def _tell(self, issuer: ObjectKey, place: Place, asked: Asked, seen: Seen) -> None:
        fields = {"revoked": seen.revoked.value, "live": seen.live.value, "resumed": seen.resumed.value}
        fields |= {"unnamed": seen.unnamed.value, "waiting": seen.waiting.value}
        told = about(
            f"MTLSIssuer {issuer}", host=asked.host, replica=place.replica, detail=seen.detail or None, **fields
        )
        logger.info("canary answered", extra=told)
        self._routing.wake(issuer_key(issuer))


def _news(seen: Seen) -> Seen:
    """What is new when it differs."""
    return replace(seen, at=seen.refused_at or _NEVER)

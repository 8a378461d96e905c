"""Drives the probes: for each replica of the ingress controller workers of its own, so that one that hangs delays no other."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from doorward.clock import Clock
from doorward.cluster.gateway import Gateway
from doorward.gates.interface import Target
from doorward.logged import about
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.pem import load_certificates
from doorward.planning.enforcement import Asked, Finding, Verdict
from doorward.planning.enforcement_status import FIRST_ROUND
from doorward.planning.gate import Decision, GateObserved
from doorward.planning.observed import IssuerObserved, Unseen
from doorward.probes.book import GateKey, ProbeBook, Wanted
from doorward.probes.prober import Prober
from doorward.probes.replicas import Replicas
from doorward.runtime.unnamed_probing import UnnamedProbing
from doorward.view.keys import Key, issuer_key
from doorward.view.routing import Routing

logger = logging.getLogger(__name__)
WORKERS = 4
"""Probes of one replica at once."""
PACE = 0.1
"""Seconds between two probes of one worker: a replica gets at most 40 probes a second."""
IDLE = 1.0
"""Seconds between two looks for what is due."""
LONGEST_NAME = 253
MOST_HOSTS = 100
"""Of one target that are probed."""
OFF = "probes are switched off: name the Service of the ingress controller with --controller"


@dataclass(frozen=True, slots=True)
class Controller:
    """Where the replicas of the ingress controller are: by its Service, or as they are given."""

    service: ObjectKey
    replicas: tuple[Replica, ...] = ()


class Probing:
    """What looks tell of gates goes into the book; what probes find goes to the objects concerned."""

    def __init__(
        self,
        controller: Controller | None,
        prober: Prober,
        clock: Clock,
        routing: Routing,
        counted: Callable[[Verdict], None],
    ) -> None:
        self.book = ProbeBook()
        if controller is None:
            self.book.unprobed = OFF
        else:
            self.book.since = clock.now()
        self._prober = prober
        self._clock = clock
        self._routing = routing
        self._counted = counted
        self._changed: set[ObjectKey] = set()
        """Issuers with a gate of which something else was found, and that were not told yet."""
        self._workers: dict[Replica, list[asyncio.Task[None]]] = {}
        self._unnamed = UnnamedProbing(self.book, prober, clock, self._changed.add)

    # What looks tell

    def looked(self, key: Key, target: Target, seen: GateObserved, decision: Decision) -> None:
        """A target that opted in, and what it is to be told."""
        protection = decision.protection
        if protection is None or isinstance(seen.issuer, Unseen) or seen.allowed is False:
            self.gone(key)
            return
        paths = {h: path for h, path in zip(target.hosts, target.host_paths, strict=True) if _can_be_asked(h)}
        hosts = dict(islice(paths.items(), MOST_HOSTS))
        others = len(target.hosts) - len(hosts)
        wanted = Wanted(
            issuer=protection.issuer,
            hosts=hosts,
            unprobed=f"{others} more hosts of the target cannot be probed" if others else "",
            optional=protection.optional,
            error_page=protection.settings.error_page,
            every_request=protection.every_request and seen.asks,
            seen=(target, replace(seen, found_open="")),
        )
        if self.book.target(key, wanted, self._clock.now()):
            self._routing.wake(issuer_key(protection.issuer))

    def was_open(self, key: Key, said: str) -> bool:
        """Whether a process before found a target open, as its annotation says, and this one was just started and has not asked yet."""
        since, now = self.book.since, self._clock.now()
        starting = since is not None and now < since + FIRST_ROUND
        return starting and said.startswith("FoundOpen: ") and not self.book.is_asked(key)

    def gone(self, key: Key) -> None:
        """A target of which nothing is to be probed."""
        self.book.target(key, None, self._clock.now())

    def observed(self, seen: IssuerObserved) -> IssuerObserved:
        """What an issuer publishes, for the probes; what they found, for the issuer."""
        now, published = self._clock.now(), seen.published
        if isinstance(published, PublishedTrust):
            bundle = tuple(anchor.pem for anchor in published.anchors.values()), published.number
            if self.book.bundle_of(seen.key) != bundle:
                subjects = [c.subject.public_bytes() for pem in bundle[0] for c in load_certificates(pem)]
                self.book.published(seen.key, subjects, bundle, now)
        return replace(seen, probed=self.book.probed(seen.key), unnamed=self._unnamed.of(seen.key))

    # The replicas

    def listed(self, replicas: tuple[Replica, ...], why: str) -> None:
        """The replicas that are there now, or why there are none."""
        before = self.book.replicas, self.book.left_out, self.book.unprobed
        self.book.listed(replicas, self._clock.now())
        self.book.unprobed = why
        if before != (self.book.replicas, self.book.left_out, why):
            logger.info("replicas of the controller", extra=about("probes", replicas=len(replicas), why=why or None))
            for issuer in self.book.issuers():
                self._routing.wake(issuer_key(issuer))

    async def keep(self, controller: Controller, gateway: Gateway, account: str) -> None:
        """Probe the replicas of the controller, for ever."""
        self.book.since = self._clock.now()
        async with asyncio.TaskGroup() as group:
            if controller.replicas:
                self.listed(controller.replicas, "")
            else:
                group.create_task(Replicas(gateway, controller.service, account, self.listed).keep())
            while True:
                there = frozenset(self.book.replicas)
                for replica in self._workers.keys() - there:
                    for task in self._workers.pop(replica):
                        task.cancel()
                for replica in there - self._workers.keys():
                    tasks = [
                        group.create_task(self._work(replica), name=f"probes of {replica}") for _ in range(WORKERS)
                    ]
                    unnamed = self._unnamed.keep(replica)
                    tasks.append(group.create_task(unnamed, name=f"unnamed probes of {replica}"))
                    self._workers[replica] = tasks
                self._tell_issuers()
                await asyncio.sleep(IDLE)

    def _tell_issuers(self) -> None:
        """What is no alarm is told once a second: the first probes of many hosts are not as many writes."""
        changed = tuple(self._changed)
        self._changed.clear()
        for issuer in changed:
            self._routing.wake(issuer_key(issuer))

    async def _work(self, replica: Replica) -> None:
        while True:
            taken = self.book.take(replica, self._clock.now())
            if taken is None:
                await asyncio.sleep(IDLE)
                continue
            await self._probe(replica, *taken)
            await asyncio.sleep(PACE)

    async def _probe(self, replica: Replica, gate: GateKey, asked: Asked) -> None:
        try:
            shown = await self._prober.probe(replica, asked)
        except Exception:  # a bug here ends one probe, not the process
            logger.exception("probe failed", extra=about(gate.target, host=gate.host, replica=str(replica)))
            self.book.leave(replica, gate, self._clock.now())
            return
        recorded = self.book.record(replica, gate, shown, self._clock.now(), asked)
        if recorded is not None:
            await self._tell(replica, gate, asked, *recorded)

    async def _tell(self, replica: Replica, gate: GateKey, asked: Asked, before: Finding | None, now: Finding) -> None:
        self._counted(now.verdict)
        if before is not None and (before.verdict, before.detail) == (now.verdict, now.detail):
            return
        fields = {"issuer": str(asked.issuer), "host": gate.host, "replica": str(replica), "detail": now.detail or None}
        logger.info("gate probed", extra=about(gate.target, verdict=now.verdict.name.lower(), **fields))
        was_open = before is not None and before.verdict is Verdict.OPEN
        if not was_open and now.verdict is not Verdict.OPEN:
            self._changed.add(asked.issuer)
            return
        # At once: their Events are of what is written onto them then.
        self._routing.wake(issuer_key(asked.issuer))
        self._routing.wake(gate.target)


def _can_be_asked(host: str) -> bool:
    """Whether a client can name it: one without a name is asked by nobody in particular."""
    return bool(host) and host.isascii() and len(host) <= LONGEST_NAME

"""observe → plan → apply, until nothing is left to do; for each kind of key. What a look learned is stored here."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from doorward.certificates.apply import CertificateApplier
from doorward.certificates.memory import CertificateMemories, CertificateMemory
from doorward.certificates.observe import CertificateObserver
from doorward.certificates.orphaned import OrphanObserver
from doorward.clock import Clock
from doorward.gates.apply import TargetApplier
from doorward.gates.observe import TargetObserver
from doorward.issuers.apply import IssuerApplier
from doorward.issuers.conflicts import concerned
from doorward.issuers.memory import IssuerMemories, IssuerMemory
from doorward.issuers.observe import IssuerObserver
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning import certificate, gate, gone, issuer, issuer_status, timing
from doorward.planning.observed import IssuerObserved, Unseen
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    ApplyTarget,
    CloseGate,
    CreateCa,
    Deliver,
    Issue,
    Plan,
    PublishCrl,
    RecordAgain,
    ReleaseTarget,
    RemoveFinalizer,
    Revoke,
    RewriteSecret,
    WriteGate,
    WriteStatus,
    earliest,
)
from doorward.view.apply import SharedWrites
from doorward.view.keys import Key, issuer_key
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomain, TrustDomains

logger = logging.getLogger(__name__)
MOST_PASSES = 12
UNFINISHED = timedelta(seconds=1)
MOST_GATES_AT_ONCE = 32


class Issuers:
    """Plans for MTLSIssuers, and what their ClientCertificates are told."""

    def __init__(
        self,
        view: View,
        observer: IssuerObserver,
        memories: IssuerMemories,
        domains: TrustDomains,
        routing: Routing,
        clock: Clock,
    ) -> None:
        self._view = view
        self._observer = observer
        self._memories = memories
        self._domains = domains
        self._routing = routing
        self._clock = clock
        self.rolled_back_at: datetime | None = None
        """When a list first showed that the cluster was rolled back to an older state."""

    async def plan(self, key: ObjectKey) -> Plan:
        """The clock is read after the look, with the skew that the look found last: it may be set in between."""
        memories = self._memories
        before, era = memories.get(key), memories.era
        look = await self._observer.observe(key, before, self.rolled_back_at)
        if look is None:
            return await self._gone(key, before)
        seen, memory = look
        memories.keep(key, memory, era)
        self._tell_conflicting(key, before, memory)
        now = self._clock.now()
        plan = issuer.plan(seen, now)
        self._tell_certificates(key, seen, memory, now)
        return plan

    async def _gone(self, key: ObjectKey, before: IssuerMemory) -> Plan:
        """Of an issuer that is not there only its gates are remembered, until they are closed."""
        left = IssuerMemory(gates=before.gates)
        self._domains.drop(key)
        self._memories.keep(key, left)
        self._tell_conflicting(key, before, left)
        plan = gone.close(await self._observer.gone(key, left), self._clock.now())
        if not plan.actions and plan.due is None:
            self._memories.drop(key)
        return plan

    def _tell_conflicting(self, key: ObjectKey, before: IssuerMemory, now: IssuerMemory) -> None:
        waiting = frozenset(other for other in self._memories if self._domains.get(other) is None)
        for other in concerned(self._memories, key, before, now, waiting=waiting):
            self._routing.wake(issuer_key(other))

    def _tell_certificates(self, key: ObjectKey, seen: IssuerObserved, memory: IssuerMemory, now: datetime) -> None:
        """Keep what the issuer's certificates are planned with; wake those whom a change concerns."""
        if Unseen.UNKNOWN in (seen.authority, seen.published, seen.records):
            return
        authority, problem = issuer.signing(seen, now)
        domain = TrustDomain(
            authority=authority,
            problem="" if problem is None else problem.message,
            published=seen.published if isinstance(seen.published, PublishedTrust) else None,
            near_capacity=issuer_status.crowded(seen),
            gates_behind=any(not gate.shut for gate in issuer_status.gates_behind(seen.gates)),
            held=memory.held,
        )
        before = self._domains.get(key)
        self._domains.keep(key, domain)
        self._routing.trust_domain(key, before, domain)

    def status_written(self, key: ObjectKey) -> None:
        """The counts rest for a while."""
        if self._view.issuers.get(key) is not None:
            due = self._clock.now() + timing.COUNTS_EVERY
            self._memories.keep(key, replace(self._memories.get(key), counts_due=due))


class Certificates:
    """Plans for ClientCertificates, and for the records of those that are gone."""

    def __init__(
        self,
        observer: CertificateObserver,
        orphans: OrphanObserver,
        memories: CertificateMemories,
        clock: Clock,
    ) -> None:
        self._observer = observer
        self._orphans = orphans
        self._memories = memories
        self._clock = clock

    async def plan(self, key: ObjectKey) -> Plan:
        """The clock is read after the look."""
        memories, era = self._memories, self._memories.era
        known = memories.get(key)
        look = await self._observer.observe(key, known)
        memory = look[1] if look is not None else CertificateMemory(missing_since=known.missing_since)
        plan = certificate.plan(look[0], self._clock.now()) if look is not None else Plan()
        orphans, memory = await self._orphans.observe(key, memory, self._clock.now())
        memories.keep(key, memory, era)
        if orphans is None:
            return plan
        held = gone.hold(orphans, self._clock.now())
        return Plan(actions=(*held.actions, *plan.actions), due=earliest(held.due, plan.due))


class Targets:
    """Plans for the objects of data planes."""

    def __init__(self, observer: TargetObserver, clock: Clock) -> None:
        self._observer = observer
        self._clock = clock

    def plan(self, key: Key) -> Plan:
        """Protect what opted in, release what opted out."""
        seen = self._observer.observe(key)
        if seen is None:
            return Plan()
        body, observed = seen
        if observed.reference is not None and observed.issuer is Unseen.UNKNOWN:
            return Plan(due=self._clock.now() + UNFINISHED)
        plane = self._observer.plane(key)
        decision = gate.decide(observed, self._clock.now())
        if not decision.opted_in:
            patch = plane.leftovers(body)
            return Plan(actions=(ReleaseTarget(patch=patch),) if patch is not None else ())
        fields = plane.wanted(body, decision)
        actions = (ApplyTarget(fields=fields),) if fields is not None else ()
        return Plan(actions=actions, due=decision.due)


class Appliers:
    """Carries plans out: ledger before Secret, ledger before CRL, CRL before gates, gates before the finalizer."""

    def __init__(
        self, certificates: CertificateApplier, issuers: IssuerApplier, targets: TargetApplier, shared: SharedWrites
    ) -> None:
        self._certificates = certificates
        self._issuers = issuers
        self._targets = targets
        self._shared = shared

    async def apply(self, key: Key, actions: tuple[Action, ...]) -> None:
        """Carry out the actions of one plan; gates of one issuer are written side by side, some at a time."""
        gates = [action for action in actions if isinstance(action, WriteGate | CloseGate)]
        for action in actions:
            if not isinstance(action, WriteGate | CloseGate):
                await self._one(key, action)
        for begin in range(0, len(gates), MOST_GATES_AT_ONCE):
            await asyncio.gather(*(self._one(key, action) for action in gates[begin : begin + MOST_GATES_AT_ONCE]))

    def _one(self, key: Key, action: Action) -> Awaitable[None]:
        match action:
            case AddFinalizer() | RemoveFinalizer():
                return self._certificates.finalizer(key.at, action)
            case Issue():
                return self._certificates.issue(key.at, action)
            case Deliver():
                return self._certificates.deliver(key.at, action)
            case RewriteSecret():
                return self._certificates.rewrite(key.at, action)
            case RecordAgain():
                return self._certificates.record_again(key.at, action)
            case Revoke():
                return self._shared.revoke(key, action)
            case CreateCa():
                return self._issuers.create_ca(key.at, action)
            case PublishCrl():
                return self._issuers.publish(key.at, action)
            case WriteGate() | CloseGate():
                return self._issuers.gate(key.at, action)
            case ApplyTarget():
                return self._targets.apply(key, action.fields)
            case ReleaseTarget():
                return self._targets.release(key, action.patch)
            case WriteStatus():
                return self._shared.status(key, action)
            case _:
                assert_never(action)


class Reconciler:
    """Brings one key after the other to where its rules want it."""

    def __init__(
        self, issuers: Issuers, certificates: Certificates, targets: Targets, appliers: Appliers, clock: Clock
    ) -> None:
        self._issuers = issuers
        self._certificates = certificates
        self._targets = targets
        self._appliers = appliers
        self._clock = clock

    async def reconcile(self, key: Key) -> datetime | None:
        """When the key is due again; None: at its next event."""
        for _ in range(MOST_PASSES):
            plan = await self._plan(key)
            if not plan.actions:
                return self._due(plan)
            await self._appliers.apply(key, plan.actions)
            if all(isinstance(action, WriteStatus) for action in plan.actions):
                if key.kind == "issuer":
                    self._issuers.status_written(key.at)
                return self._due(plan)
        logger.warning("still not settled after %d passes", MOST_PASSES, extra={"object": str(key)})
        return self._clock.now() + UNFINISHED

    def _due(self, plan: Plan) -> datetime | None:
        """No earlier than in a moment: a wait that is over and changed nothing must not turn the loop."""
        return None if plan.due is None else max(plan.due, self._clock.now() + UNFINISHED)

    async def _plan(self, key: Key) -> Plan:
        match key.kind:
            case "certificate":
                return await self._certificates.plan(key.at)
            case "issuer":
                return await self._issuers.plan(key.at)
            case "target":
                return self._targets.plan(key)

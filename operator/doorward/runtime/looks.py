"""One look at a key: observe and plan, for each kind of key. What was learned is stored here, and nothing is written."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from doorward.api.conditions import Condition
from doorward.certificates.memory import CertificateMemories, CertificateMemory
from doorward.certificates.observe import CertificateObserver
from doorward.certificates.orphaned import OrphanObserver
from doorward.clock import Clock
from doorward.gates.observe import TargetObserver
from doorward.issuers.conflicts import concerned
from doorward.issuers.memory import IssuerMemories, IssuerMemory
from doorward.issuers.observe import IssuerObserver
from doorward.issuers.retention import LedgerObserver
from doorward.objects.meta import GATE_ANNOTATION, ObjectKey, key_of
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning import certificate, cut_off, gate, gone, issuer, issuer_status, retention, timing
from doorward.planning.notices import gates_named
from doorward.planning.observed import Authority, CertificateObserved, IssuerObserved, Unseen
from doorward.planning.plan import (
    ApplyTarget,
    PatchTarget,
    Plan,
    earliest,
)
from doorward.planning.trouble import Trouble
from doorward.runtime.canary_probing import CanaryProbing
from doorward.runtime.cut_offs import CutOffRecorder
from doorward.runtime.guarded import GuardedServices
from doorward.runtime.probing import Probing
from doorward.runtime.told import ToldTargets
from doorward.runtime.troubles import Troubles
from doorward.view.keys import Key, issuer_key, ledger_key, target_key
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomain, TrustDomains

UNFINISHED = timedelta(seconds=1)
"""When a key that could not be planned to its end is looked at again."""
LONG_LEDGER = 2_000
"""Records: with more, an issuer is planned in a thread. 24,000 take 20 ms, in which no Lease is renewed (measured)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a key gave."""

    plan: Plan
    report: Callable[[Trouble], Plan] = lambda _: Plan()
    """The plan that says on the object which write is refused, or does not last."""
    uid: str = ""
    """Of the object that was looked at; empty: there was none."""


class Issuers:
    """Plans for MTLSIssuers, and what their ClientCertificates are told."""

    def __init__(
        self,
        view: View,
        observer: IssuerObserver,
        memories: IssuerMemories,
        domains: TrustDomains,
        routing: Routing,
        troubles: Troubles,
        probing: Probing,
        canaries: CanaryProbing,
        guarded: GuardedServices,
        told: ToldTargets,
        clock: Clock,
    ) -> None:
        self._troubles = troubles
        self._told = told
        self._probing = probing
        self._canaries = canaries
        self._guarded = guarded
        self._view = view
        self._observer = observer
        self._memories = memories
        self._domains = domains
        self._routing = routing
        self._clock = clock
        self.rolled_back_at: datetime | None = None
        """When a list first showed that the cluster was rolled back to an older state."""

    async def look(self, key: ObjectKey) -> Look:
        """The clock is read after the look, with the skew that the look found last: it may be set in between."""
        memories = self._memories
        before, era = memories.get(key), memories.era
        archiving = self._troubles.of(ledger_key(key))
        found = await self._observer.observe(
            key, before, self.rolled_back_at, self._troubled_targets(key), archiving.detail if archiving else ""
        )
        if found is None:
            return Look(await self._gone(key, before))
        seen, memory = found
        seen = self._canaries.observed(self._guarded.told(self._probing.observed(seen)))
        seen = replace(seen, told=self._told.of(key))
        memories.keep(key, memory, era)
        self._tell_conflicting(key, before, memory)
        now = self._clock.now()
        long = not isinstance(seen.records, Unseen) and len(seen.records) > LONG_LEDGER
        decision = await asyncio.to_thread(issuer.decide, seen, now) if long else issuer.decide(seen, now)
        if not isinstance(decision.signing, Unseen):
            self._tell_certificates(key, seen, memory, decision)
        return Look(decision.plan, lambda trouble: issuer.report(seen, trouble, self._clock.now()))

    def _troubled_targets(self, key: ObjectKey) -> tuple[str, ...]:
        """Its targets that cannot be configured, each with why."""
        if not self._troubles.any_target:
            return ()
        keys = (target_key(kind, key_of(body)) for kind, body in self._view.targets_of(key))
        found = ((target, self._troubles.of(target)) for target in keys)
        return tuple(f"{target}: {trouble.detail}" for target, trouble in found if trouble is not None)

    async def _gone(self, key: ObjectKey, before: IssuerMemory) -> Plan:
        """Of an issuer that is not there only its gates are remembered, until they are closed."""
        left = IssuerMemory(gates=before.gates)
        self._probing.book.drop(key)
        self._canaries.book.drop(key)
        self._domains.drop(key)
        self._memories.keep(key, left)
        self._tell_conflicting(key, before, left)
        found, left = await self._observer.gone(key, left)
        self._memories.keep(key, left)
        plan = gone.close(found, self._clock.now())
        if not plan.actions and plan.due is None:
            self._memories.drop(key)
        return plan

    def _tell_conflicting(self, key: ObjectKey, before: IssuerMemory, now: IssuerMemory) -> None:
        waiting = frozenset(other for other in self._memories if self._domains.get(other) is None)
        for other in concerned(self._memories, key, before, now, waiting=waiting):
            self._routing.wake(issuer_key(other))

    def _tell_certificates(
        self, key: ObjectKey, seen: IssuerObserved, memory: IssuerMemory, decision: issuer.Decision
    ) -> None:
        """Keep what the issuer's certificates are planned with; wake those whom a change concerns."""
        signing = decision.signing
        behind = [gate.namespace for gate in issuer_status.gates_behind(seen.gates) if not gate.shut]
        domain = TrustDomain(
            authority=signing if isinstance(signing, Authority) else None,
            staying=decision.staying,
            none_trusted=decision.none_trusted,
            problem=signing.message if isinstance(signing, Condition) else "",
            published=seen.published if isinstance(seen.published, PublishedTrust) else None,
            near_capacity=issuer_status.crowded(seen),
            gates_behind=not seen.gates_known or bool(behind),
            behind=gates_named(behind),
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


class Ledgers:
    """Plans for the ledgers of MTLSIssuers: what of them is archived."""

    def __init__(self, observer: LedgerObserver, clock: Clock) -> None:
        self._observer = observer
        self._clock = clock

    async def look(self, key: ObjectKey) -> Look:
        """Nothing where the issuer was deleted: without its spec nothing says how long its records are kept."""
        now = self._clock.now()
        seen = self._observer.observe(key, now)
        # In a thread: all records of years are walked through, and nobody waits for it.
        return Look(await asyncio.to_thread(retention.plan, seen, now) if seen is not None else Plan())


class Certificates:
    """Plans for ClientCertificates, and for the records of those that are gone."""

    def __init__(
        self,
        observer: CertificateObserver,
        orphans: OrphanObserver,
        memories: CertificateMemories,
        clock: Clock,
        cut_offs: CutOffRecorder,
    ) -> None:
        self._observer = observer
        self._orphans = orphans
        self._memories = memories
        self._clock = clock
        self._cut_offs = cut_offs

    async def look(self, key: ObjectKey) -> Look:
        """The clock is read after the look."""
        memories, era = self._memories, self._memories.era
        known = memories.get(key)
        found = await self._observer.observe(key, known)
        self._cut_offs.looked(key, found[0] if found is not None else None)
        memory = found[1] if found is not None else CertificateMemory()
        look = Look(Plan()) if found is None else self._planned(found[0])
        memories.keep(key, memory, era)
        orphans = await self._orphans.observe(key, self._clock.now())
        if orphans is None:
            return look
        held = gone.hold(orphans, self._clock.now())
        plan = Plan(actions=(*held.actions, *look.plan.actions), due=earliest(held.due, look.plan.due))
        return replace(look, plan=plan)

    def _planned(self, seen: CertificateObserved) -> Look:
        now = self._clock.now()
        return Look(certificate.plan(seen, now), lambda trouble: cut_off.report(seen, trouble, self._clock.now()))


class Targets:
    """Plans for the objects of data planes."""

    def __init__(self, observer: TargetObserver, probing: Probing, told: ToldTargets, clock: Clock) -> None:
        self._observer = observer
        self._told = told
        self._probing = probing
        self._clock = clock

    def look(self, key: Key) -> Look:
        """Protect what opted in, release what opted out."""
        seen = self._observer.observe(key)
        if seen is None:
            self._probing.gone(key)
            self._told.gone(key)
            return Look(Plan())
        body, observed = seen
        annotations = body["metadata"].get("annotations") or {}
        observed = replace(
            observed,
            found_open=self._probing.book.found_open(key),
            was_open=self._probing.was_open(key, str(annotations.get(GATE_ANNOTATION, ""))),
        )
        if observed.reference is not None and observed.issuer is Unseen.UNKNOWN:
            return Look(Plan(due=self._clock.now() + UNFINISHED))
        plane = self._observer.plane(key)
        decision = gate.decide(observed, self._clock.now())
        self._probing.looked(key, plane.read(body), observed, decision)
        self._tell(key, observed.reference, decision)
        if not decision.opted_in:
            patch = plane.leftovers(body)
            return Look(Plan(actions=(PatchTarget(patch=patch),) if patch is not None else ()))
        fields = plane.wanted(body, decision)
        actions = (ApplyTarget(fields=fields),) if fields is not None else ()
        return Look(Plan(actions=actions, due=decision.due), lambda trouble: self._report(key, trouble))

    def _tell(self, key: Key, reference: str | None, decision: gate.Decision) -> None:
        issuer = gate.parse_reference(reference, key.at.namespace) if reference is not None else None
        if issuer is None:
            self._told.gone(key)
        elif decision.said is not None:
            self._told.told(key, issuer, decision.said.reason.name)

    def _report(self, key: Key, trouble: Trouble) -> Plan:
        """Said on the target itself, where the trouble is not that it cannot be written at all."""
        seen = self._observer.observe(key)
        if seen is None or not trouble.repeats:
            return Plan()
        patch = self._observer.plane(key).told(seen[0], trouble.of_target())
        return Plan(actions=(PatchTarget(patch=patch),) if patch is not None else ())

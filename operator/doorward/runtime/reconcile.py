"""observe → plan → apply, until nothing is left to do; for each kind of key. What a look learned is stored here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from doorward.api.conditions import Condition
from doorward.certificates.apply import CertificateApplier
from doorward.certificates.memory import CertificateMemories, CertificateMemory
from doorward.certificates.observe import CertificateObserver
from doorward.certificates.orphaned import OrphanObserver
from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, ApiError, Conflict, Gone, NotFound, NotLeading
from doorward.gates.apply import TargetApplier
from doorward.gates.observe import TargetObserver
from doorward.issuers.apply import IssuerApplier
from doorward.issuers.archive import ArchiveApplier
from doorward.issuers.conflicts import concerned
from doorward.issuers.memory import IssuerMemories, IssuerMemory
from doorward.issuers.observe import IssuerObserver
from doorward.issuers.retention import LedgerObserver
from doorward.objects.meta import ObjectKey, key_of
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning import certificate, cut_off, gate, gone, issuer, issuer_status, retention, timing
from doorward.planning.observed import Authority, CertificateObserved, IssuerObserved, Unseen
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    ApplyTarget,
    ArchiveRecords,
    CloseGate,
    CreateCa,
    DeleteRecord,
    Deliver,
    EmptyArchive,
    Issue,
    PatchTarget,
    Plan,
    PublishCrl,
    RecordAgain,
    RemoveFinalizer,
    Revoke,
    RewriteSecret,
    WriteGate,
    WriteStatus,
    earliest,
)
from doorward.planning.trouble import Trouble
from doorward.runtime.cut_offs import CutOffRecorder
from doorward.runtime.describe import describe
from doorward.runtime.metrics import Metrics
from doorward.runtime.troubles import Troubles
from doorward.view.apply import SharedWrites
from doorward.view.keys import Key, issuer_key, ledger_key, target_key
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomain, TrustDomains
from doorward.workqueue.priority import Priority
from doorward.workqueue.workers import NotSettled

logger = logging.getLogger(__name__)
_PASSING = (AlreadyExists, Conflict, NotFound, Gone, NotLeading)
"""What happens between two who write at once: planned again, and nothing to tell anybody."""
MOST_PASSES = 12
UNFINISHED = timedelta(seconds=1)
MOST_AT_ONCE = 32
"""Writes for one key, side by side."""
LONG_LEDGER = 2_000
"""Records: with more, an issuer is planned in a thread. 24,000 take 20 ms, in which no Lease is renewed (measured)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a key gave."""

    plan: Plan
    report: Callable[[Trouble], Plan] = lambda _: Plan()
    """The plan that says on the object which write is refused, or does not last."""


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
        clock: Clock,
    ) -> None:
        self._troubles = troubles
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
        memories.keep(key, memory, era)
        self._tell_conflicting(key, before, memory)
        now = self._clock.now()
        long = not isinstance(seen.records, Unseen) and len(seen.records) > LONG_LEDGER
        decision = await asyncio.to_thread(issuer.decide, seen, now) if long else issuer.decide(seen, now)
        if not isinstance(decision.signing, Unseen):
            self._tell_certificates(key, seen, memory, decision.signing)
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

    def _tell_certificates(
        self, key: ObjectKey, seen: IssuerObserved, memory: IssuerMemory, signing: Authority | Condition
    ) -> None:
        """Keep what the issuer's certificates are planned with; wake those whom a change concerns."""
        domain = TrustDomain(
            authority=signing if isinstance(signing, Authority) else None,
            problem=signing.message if isinstance(signing, Condition) else "",
            published=seen.published if isinstance(seen.published, PublishedTrust) else None,
            near_capacity=issuer_status.crowded(seen),
            gates_behind=not seen.gates_known or any(not gate.shut for gate in issuer_status.gates_behind(seen.gates)),
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
        memory = found[1] if found is not None else CertificateMemory(missing_since=known.missing_since)
        look = Look(Plan()) if found is None else self._planned(found[0])
        orphans, memory = await self._orphans.observe(key, memory, self._clock.now())
        memories.keep(key, memory, era)
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

    def __init__(self, observer: TargetObserver, clock: Clock) -> None:
        self._observer = observer
        self._clock = clock

    def look(self, key: Key) -> Look:
        """Protect what opted in, release what opted out."""
        seen = self._observer.observe(key)
        if seen is None:
            return Look(Plan())
        body, observed = seen
        if observed.reference is not None and observed.issuer is Unseen.UNKNOWN:
            return Look(Plan(due=self._clock.now() + UNFINISHED))
        plane = self._observer.plane(key)
        decision = gate.decide(observed, self._clock.now())
        if not decision.opted_in:
            patch = plane.leftovers(body)
            return Look(Plan(actions=(PatchTarget(patch=patch),) if patch is not None else ()))
        fields = plane.wanted(body, decision)
        actions = (ApplyTarget(fields=fields),) if fields is not None else ()
        return Look(Plan(actions=actions, due=decision.due), lambda trouble: self._report(key, trouble))

    def _report(self, key: Key, trouble: Trouble) -> Plan:
        """Said on the target itself, where the trouble is not that it cannot be written at all."""
        seen = self._observer.observe(key)
        if seen is None or not trouble.repeats:
            return Plan()
        patch = self._observer.plane(key).told(seen[0], trouble.of_target())
        return Plan(actions=(PatchTarget(patch=patch),) if patch is not None else ())


class Appliers:
    """Carries plans out: ledger before Secret, ledger before CRL, CRL before gates, gates before the finalizer."""

    def __init__(
        self,
        certificates: CertificateApplier,
        issuers: IssuerApplier,
        archives: ArchiveApplier,
        targets: TargetApplier,
        shared: SharedWrites,
    ) -> None:
        self._certificates = certificates
        self._issuers = issuers
        self._archives = archives
        self._targets = targets
        self._shared = shared

    def apply(self, key: Key, action: Action) -> Awaitable[str | None]:
        """Carry out one action. Which field of the answer is not as it was asked for; empty or None: none."""
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
            case ArchiveRecords():
                return self._archives.archive(key.at, action)
            case DeleteRecord():
                return self._archives.delete(action)
            case EmptyArchive():
                return self._archives.empty(key.at, action)
            case ApplyTarget():
                return self._targets.apply(key, action.fields)
            case PatchTarget():
                return self._targets.patch(key, action.patch)
            case WriteStatus():
                return self._shared.status(key, action)
            case _:
                assert_never(action)


class Reconciler:
    """Brings one key after the other to where its rules want it."""

    def __init__(
        self,
        issuers: Issuers,
        ledgers: Ledgers,
        certificates: Certificates,
        targets: Targets,
        appliers: Appliers,
        shared: SharedWrites,
        troubles: Troubles,
        routing: Routing,
        clock: Clock,
        meter: Metrics,
    ) -> None:
        self._issuers = issuers
        self._ledgers = ledgers
        self._certificates = certificates
        self._targets = targets
        self._appliers = appliers
        self._shared = shared
        self._troubles = troubles
        self._routing = routing
        self._clock = clock
        self._meter = meter

    async def reconcile(self, key: Key) -> datetime | None:
        """When the key is due again; None: at its next event. Raises ApiError, after telling the object of one that lasts, and
        NotSettled.
        """
        passes = 0
        try:
            while passes < MOST_PASSES:
                passes += 1
                over, due = await self._pass(key)
                if over:
                    return due
        finally:
            self._meter.passes(key.kind, passes)
        self._meter.not_settled(key.kind)
        raise NotSettled(f"still not settled after {MOST_PASSES} passes")

    async def _pass(self, key: Key) -> tuple[bool, datetime | None]:
        """One look, and its plan carried out: whether that was the last one for now, and when the key is due again."""
        look = await self._look(key)
        plan = look.plan
        if any(isinstance(action, CreateCa) for action in plan.actions) and self._routing.postpone(
            key, Priority.CA_CREATION
        ):
            return True, None
        nearly = all(isinstance(action, WriteStatus) for action in plan.actions)
        if nearly and plan.later:
            if not self._routing.postpone(key, Priority.BACKGROUND):
                # The first one alone: what refuses them all is asked once, and told once.
                await self._side_by_side(key, plan.later[:1], look)
                await self._side_by_side(key, plan.later[1:], look)
                return True, self._clock.now()  # its next turn
            if self._troubles.of(key) is not None:
                return True, self._due(plan)  # what is told stays told until then
        trouble = await self._carry_out(key, look)
        if trouble is not None:
            if trouble.repeats:
                self._meter.not_settled(key.kind)
            return True, self._due(replace(plan, due=earliest(plan.due, trouble.again_at)))
        if nearly:
            if not plan.later:
                self._settled(key)
            return True, self._due(plan)
        if key.kind == "ledger":  # a long backlog is many plans, each behind what people wait for
            self._settled(key)
            return True, self._clock.now() + UNFINISHED
        return False, None

    def _due(self, plan: Plan) -> datetime | None:
        """No earlier than in a moment: a wait that is over and changed nothing must not turn the loop."""
        return None if plan.due is None else max(plan.due, self._clock.now() + UNFINISHED)

    async def _look(self, key: Key) -> Look:
        match key.kind:
            case "certificate":
                return await self._certificates.look(key.at)
            case "issuer":
                return await self._issuers.look(key.at)
            case "ledger":
                return await self._ledgers.look(key.at)
            case "target":
                return self._targets.look(key)

    def _settled(self, key: Key) -> None:
        before = self._troubles.of(key)
        self._troubles.settled(key)
        if before is not None:
            self._tell_others(key)

    def _tell_others(self, key: Key) -> None:
        """Trouble of a target or of a ledger is said by its issuer, too."""
        if key.kind == "target":
            self._routing.target_trouble(key)
        elif key.kind == "ledger":
            self._routing.wake(issuer_key(key.at))

    async def _carry_out(self, key: Key, look: Look) -> Trouble | None:
        """The actions of one plan in their order, gates side by side; up to the first that cannot be done, or is in vain."""
        gates = [action for action in look.plan.actions if isinstance(action, WriteGate | CloseGate)]
        for action in look.plan.actions:
            if not isinstance(action, WriteGate | CloseGate):
                trouble = await self._one(key, action, look)
                if trouble is not None:
                    return trouble
        await self._side_by_side(key, gates, look)
        return None

    async def _side_by_side(self, key: Key, actions: Sequence[Action], look: Look) -> None:
        """Actions of which none waits for another, some at a time; one that fails holds up no other. Raises the first error."""
        failed: BaseException | None = None
        for begin in range(0, len(actions), MOST_AT_ONCE):
            some = actions[begin : begin + MOST_AT_ONCE]
            answers = await asyncio.gather(*(self._one(key, action, look) for action in some), return_exceptions=True)
            failed = failed or next((answer for answer in answers if isinstance(answer, BaseException)), None)
        if failed is not None:
            raise failed

    async def _one(self, key: Key, action: Action, look: Look) -> Trouble | None:
        what = describe(key, action)
        trouble = self._troubles.blocked(key, action, what)
        if trouble is None:
            try:
                changed = await self._appliers.apply(key, action)
            except _PASSING:
                raise
            except ApiError as error:
                trouble = self._troubles.failed(key, action, what, error)
                if trouble is not None:
                    await self._report(key, action, look, trouble)
                raise
            if isinstance(action, WriteStatus) and key.kind == "issuer":
                self._issuers.status_written(key.at)
            trouble = self._troubles.carried_out(key, action, what, changed or "")
        if trouble is not None:
            await self._report(key, action, look, trouble)
        return trouble

    async def _report(self, key: Key, action: Action, look: Look, trouble: Trouble) -> None:
        """Told on the object, as far as that can be written; where its status cannot, by an Event."""
        self._tell_others(key)
        if key.kind == "ledger":
            return
        try:
            if not isinstance(action, WriteStatus):
                for said in look.report(trouble).actions:
                    await self._appliers.apply(key, said)
                return
        except _PASSING:
            return  # it is told at the next try
        except ApiError as error:
            logger.warning("what is wrong cannot be told: %s", error, extra={"object": str(key)})
        if key.kind != "target" and self._troubles.worth_an_event(key):
            with suppress(ApiError):
                await self._shared.event(key, trouble.condition().reason.name, trouble.condition().message)

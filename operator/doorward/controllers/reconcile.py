"""observe → plan → apply, until nothing is left to do; for each kind of key."""

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from doorward.clock import Clock
from doorward.controllers import rivals
from doorward.controllers.apply import Applier
from doorward.controllers.observe import Observer
from doorward.controllers.world import IssuerState, Key, World
from doorward.gates import ingress_nginx
from doorward.gates.interface import GateAdapter
from doorward.objects.meta import ObjectKey
from doorward.planning import certificate, gate, gone, issuer, issuer_status
from doorward.planning.observed import IssuerObserved, Unseen
from doorward.planning.plan import Annotate, ClearAnnotations, Plan, WriteStatus, earliest
from doorward.planning.trust import PublishedTrust

logger = logging.getLogger(__name__)
DATA_PLANE: GateAdapter = ingress_nginx
MOST_PASSES = 12
UNFINISHED = timedelta(seconds=1)


class Reconciler:
    """Brings one key after the other to where its rules want it."""

    def __init__(
        self,
        world: World,
        observer: Observer,
        applier: Applier,
        clock: Clock,
        wake: Callable[[Key], None],
        move: Callable[[Key], None],
    ) -> None:
        self._world = world
        self._observer = observer
        self._applier = applier
        self._clock = clock
        self._wake = wake
        self._move = move

    async def reconcile(self, key: Key) -> datetime | None:
        """When the key is due again; None: at its next event."""
        for _ in range(MOST_PASSES):
            plan = await self._plan(key)
            if not plan.actions:
                return self._due(plan)
            await self._applier.apply(key, plan.actions)
            if all(isinstance(action, WriteStatus) for action in plan.actions):
                return self._due(plan)
        logger.warning("still not settled after %d passes", MOST_PASSES, extra={"object": str(key)})
        return self._clock.now() + UNFINISHED

    def _due(self, plan: Plan) -> datetime | None:
        """No earlier than in a moment: a wait that is over and changed nothing must not turn the loop."""
        return None if plan.due is None else max(plan.due, self._clock.now() + UNFINISHED)

    async def _plan(self, key: Key) -> Plan:
        """The clock is read after the look, with the skew that the look found last: it may be set in between."""
        match key.kind:
            case "certificate":
                return await self._plan_certificate(key.at)
            case "issuer":
                return await self._plan_issuer(key.at)
            case "ingress":
                return self._plan_ingress(key.at)

    async def _plan_certificate(self, key: ObjectKey) -> Plan:
        seen = await self._observer.certificates.observe(key)
        if seen is None:
            self._world.signed.pop(key, None)
        plan = certificate.plan(seen, self._clock.now()) if seen is not None else Plan()
        strays = await self._observer.gone.strays(key, self._clock.now())
        if strays is None:
            return plan
        held = gone.hold(strays, self._clock.now())
        return Plan(actions=(*held.actions, *plan.actions), due=earliest(held.due, plan.due))

    async def _plan_issuer(self, key: ObjectKey) -> Plan:
        world = self._world
        before, first_look = rivals.ca_keys(world, key), key not in world.looked_at
        seen = await self._observer.issuers.observe(key)
        if seen is None:
            for known in (world.issuer_states, world.authorities):
                known.pop(key, None)
            world.looked_at.discard(key)
        for other in rivals.concerned(world, key, before=before, first_look=first_look):
            self._wake(Key("issuer", other))
        now = self._clock.now()
        if seen is None:
            return gone.close(await self._observer.gone.issuer(key, now), now)
        plan = issuer.plan(seen, now)
        self._tell_certificates(key, seen, now)
        return plan

    def _tell_certificates(self, key: ObjectKey, seen: IssuerObserved, now: datetime) -> None:
        """Keep what the issuer's certificates are planned with; wake those whom a change concerns."""
        if Unseen.UNKNOWN in (seen.authority, seen.published, seen.records):
            return
        authority, problem = issuer.signing(seen, now)
        state = IssuerState(
            authority=authority,
            problem="" if problem is None else problem.message,
            published=seen.published if isinstance(seen.published, PublishedTrust) else None,
            crowded=issuer_status.crowded(seen),
            gates_behind=any(not gate.shut for gate in issuer_status.gates_behind(seen.gates)),
        )
        before = self._world.issuer_states.get(key)
        self._world.issuer_states[key] = state
        if before is None or (before.authority, before.problem) != (state.authority, state.problem):
            tell = self._wake if before is None or before.authority is None else self._move
            for found in self._world.certificates.lookup("issuer", key):
                tell(Key("certificate", ObjectKey(found.secret.namespace, found.body["metadata"]["name"])))
        elif before.published is not state.published or before.gates_behind != state.gates_behind:
            for found in self._world.certificates.lookup("deleting", key):
                self._wake(Key("certificate", ObjectKey(found.secret.namespace, found.body["metadata"]["name"])))
            for serial in _entries(before) ^ _entries(state):
                for record in self._world.records.lookup("serial", (key, serial)):
                    self._wake(Key("certificate", record.holder))
            self._tell_of_trust(key, before, state)

    def _tell_of_trust(self, key: ObjectKey, before: IssuerState, state: IssuerState) -> None:
        """Wake those whose CA generation is trusted now, or no longer, or was not when the first bundle was seen."""
        known = self._world.recorded(key) if before.published is None else _trusted(before)
        if changed := known ^ _trusted(state):
            for record in self._world.records.lookup("issuer", key):
                if record.generation in changed:
                    self._move(Key("certificate", record.holder))

    def _plan_ingress(self, key: ObjectKey) -> Plan:
        seen = self._observer.ingress(key)
        if seen is None:
            return Plan()
        body, observed = seen
        if observed.reference is not None and observed.issuer is Unseen.UNKNOWN:
            return Plan(due=self._clock.now() + UNFINISHED)
        decision = gate.decide(observed, self._clock.now())
        if not decision.opted_in:
            names = DATA_PLANE.leftovers(body)
            return Plan(actions=(ClearAnnotations(names=names),) if names else ())
        changes = DATA_PLANE.changes(body, decision)
        actions = (Annotate(annotations=tuple(sorted(changes.items()))),) if changes is not None else ()
        return Plan(actions=actions, due=decision.due)


def _entries(state: IssuerState) -> AbstractSet[int]:
    """The serials that the published CRL names."""
    return state.published.entries.keys() if state.published is not None else frozenset()


def _trusted(state: IssuerState) -> AbstractSet[int]:
    """The CA generations that are published."""
    return state.published.anchors.keys() if state.published is not None else frozenset()

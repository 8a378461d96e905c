"""observe → plan → apply, until nothing is left to do; and what cannot be done is told on the object."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, ApiError, Conflict, Gone, NotFound, NotLeading
from doorward.logged import Once, about
from doorward.planning.notices import Notice
from doorward.planning.plan import (
    Action,
    CreateCa,
    GateAction,
    Plan,
    WriteStatus,
    earliest,
)
from doorward.planning.trouble import Trouble, failed
from doorward.runtime.appliers import Appliers
from doorward.runtime.describe import describe
from doorward.runtime.guarded import GuardedServices
from doorward.runtime.looks import UNFINISHED, Certificates, Issuers, Ledgers, Look, Targets
from doorward.runtime.metrics import Metrics
from doorward.runtime.troubles import Troubles
from doorward.view.apply import SharedWrites
from doorward.view.keys import Key, issuer_key
from doorward.view.routing import Routing
from doorward.workqueue.priority import Priority
from doorward.workqueue.workers import NotSettled

logger = logging.getLogger(__name__)
_PASSING = (AlreadyExists, Conflict, NotFound, Gone, NotLeading)
"""What happens between two who write at once: planned again, and nothing to tell anybody."""
MOST_PASSES = 12
MOST_AT_ONCE = 32
"""Writes for one key, side by side."""


class Reconciler:
    """Brings one key after the other to where its rules want it."""

    def __init__(
        self,
        issuers: Issuers,
        ledgers: Ledgers,
        certificates: Certificates,
        targets: Targets,
        guarded: GuardedServices,
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
        self._guarded = guarded
        self._appliers = appliers
        self._shared = shared
        self._troubles = troubles
        self._routing = routing
        self._clock = clock
        self._meter = meter
        self._untold: Once[Key] = Once()

    async def reconcile(self, key: Key) -> datetime | None:
        """When the key is due again; None: at its next event. Raises ApiError, after telling the object of one that lasts, and
        NotSettled.
        """
        try:
            return await self._passes(key)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, NotLeading):
            raise
        except BaseException as error:  # a panic in cryptography's Rust is no Exception
            await self._tell_failure(key, error)
            raise

    async def _passes(self, key: Key) -> datetime | None:
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

    async def _tell_failure(self, key: Key, error: BaseException) -> None:
        """Whatever ends the work on a key is told on its object, too, unless it passes: see `Troubles.lasts`. Of an error of our
        own only the kind is told: its text may be anybody's.
        """
        known = self._shared.known_status(key)
        if known is None or not self._troubles.lasts(key, error, race=isinstance(error, _PASSING)):
            return
        ours = isinstance(error, ApiError | NotSettled)
        detail = str(error) if ours else f"internal error {type(error).__name__}"
        with suppress(ApiError):  # it is told at the next try
            for action in failed(*known, detail, self._clock.now()).actions:
                await self._appliers.apply(key, action)

    async def _pass(self, key: Key) -> tuple[bool, datetime | None]:
        """One look, and its plan carried out: whether that was the last one for now, and when the key is due again."""
        uid = self._shared.uid(key)
        look = replace(await self._look(key), uid=uid)
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
            case "guarded":
                return Look(await self._guarded.look(key))

    def _settled(self, key: Key) -> None:
        before = self._troubles.of(key)
        self._troubles.settled(key)
        self._untold.over(key)
        if before is not None:
            self._tell_others(key)

    def _tell_others(self, key: Key) -> None:
        """Trouble of a target, of a ledger or of guarded Services is said by the issuers concerned, too."""
        if key.kind == "target":
            self._routing.target_trouble(key)
        elif key.kind == "guarded":
            self._routing.guarded_trouble(key.at.namespace)
        elif key.kind == "ledger":
            self._routing.wake(issuer_key(key.at))

    async def _carry_out(self, key: Key, look: Look) -> Trouble | None:
        """The actions of one plan in their order, gates side by side; up to the first that cannot be done, or is in vain."""
        gates = [action for action in look.plan.actions if isinstance(action, GateAction)]
        for action in look.plan.actions:
            if not isinstance(action, GateAction):
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
        self._same(key, look)
        what = describe(key, action)
        trouble = self._troubles.blocked(key, action, what, uid=look.uid)
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
            trouble = self._troubles.carried_out(key, action, what, changed or "", uid=look.uid)
        if trouble is not None:
            await self._report(key, action, look, trouble)
        return trouble

    def _same(self, key: Key, look: Look) -> None:
        """Raises Conflict where the object was created again since the look: what was planned is not for that one."""
        now = self._shared.uid(key)
        if now and now != look.uid:
            raise Conflict(f"{key} was created again in the meantime")

    async def _report(self, key: Key, action: Action, look: Look, trouble: Trouble) -> None:
        """Told on the object, as far as that can be written; where its status cannot, by an Event."""
        self._tell_others(key)
        if key.kind in ("ledger", "guarded"):
            return
        try:
            if not isinstance(action, WriteStatus):
                self._same(key, look)
                for said in look.report(trouble).actions:
                    await self._appliers.apply(key, said)
                return
        except _PASSING:
            return  # it is told at the next try
        except ApiError as error:
            if self._untold.is_new(key, error):
                logger.warning("trouble not told", extra=about(key, error=str(error)))
            if error.retry_after:
                return  # the server is to be left alone: it is told at the next try
        if key.kind != "target" and self._troubles.worth_an_event(key):
            condition = trouble.condition()
            told = Notice(reason=condition.reason.name, message=condition.message, warning=True)
            self._shared.teller.tell(key, (told,))

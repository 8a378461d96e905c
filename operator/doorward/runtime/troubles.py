"""What cannot be written, and what is written in vain: noticed here, and told by the object itself."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from doorward.clock import Clock
from doorward.cluster.errors import ApiError, Forbidden, Invalid
from doorward.logged import about
from doorward.planning.plan import Action, GateAction, PublishCrl
from doorward.planning.trouble import CALM, RACES_TOLD_AFTER, TOLD_AFTER, Trouble, free_repetitions, identity, wait
from doorward.view.keys import Key

logger = logging.getLogger(__name__)
MOST_REMEMBERED = 20_000
"""Actions; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class _Done:
    """An action that was carried out, and how often the same had been before, in a row."""

    identity: object
    at: datetime
    repetitions: int
    changed: str
    """Which field of the answer was not as asked."""

    def until(self, free: int) -> datetime:
        """From when on the same action may be carried out again."""
        return self.at + wait(self.repetitions + 1, free)


class Troubles:
    """By key; used by the reconciler alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._done: OrderedDict[tuple[Key, type], _Done] = OrderedDict()
        self._known: dict[Key, Trouble] = {}
        self._failing_since: dict[Key, datetime] = {}
        self._told_at: dict[Key, datetime] = {}

    def of(self, key: Key) -> Trouble | None:
        """The trouble that a key is in, as far as it was told; None: none."""
        return self._known.get(key)

    @property
    def any_target(self) -> bool:
        """Whether some target is in trouble."""
        return any(key.kind == "target" for key in self._known)

    @property
    def any_guarded(self) -> bool:
        """Whether the guarded Services of some namespace are in trouble."""
        return any(key.kind == "guarded" for key in self._known)

    def worth_an_event(self, key: Key) -> bool:
        """Whether no Event told of the key's trouble within `CALM`."""
        now, last = self._clock.now(), self._told_at.get(key)
        if last is not None and now < last + CALM:
            return False
        self._told_at[key] = now
        return True

    def blocked(self, key: Key, action: Action, what: str, *, uid: str) -> Trouble | None:
        """The trouble for which an action is not carried out now: the same was, for the object with that UID, and did not last."""
        same, known = identity(action), self._done.get((key, type(action)))
        if same is None or known is None or known.identity != hash((uid, same)):
            return None
        until = known.until(free_repetitions(action))
        if self._clock.now() >= until:
            return None
        detail = known.changed or "it was done a moment ago, and is not as it was left"
        return self._keep(key, Trouble(what=what, detail=detail, repeats=True, again_at=until))

    def carried_out(self, key: Key, action: Action, what: str, changed: str, *, uid: str) -> Trouble | None:
        """An action was done for the object with that UID: one that is created again needs it again, and nobody changed anything.
        `changed`: which field of the answer is not as asked, which is trouble at once.
        """
        same, now = identity(action), self._clock.now()
        if same is None:
            return None
        free = free_repetitions(action)
        known = self._done.pop((key, type(action)), None)
        repetitions = 0
        if known is not None and known.identity == hash((uid, same)) and now < known.until(free) + CALM:
            repetitions = known.repetitions + 1
        done = _Done(hash((uid, same)), now, max(repetitions, free) if changed else repetitions, changed)
        self._done[key, type(action)] = done
        if len(self._done) > MOST_REMEMBERED:
            self._done.popitem(last=False)
        if not changed:
            return None
        return self._keep(key, Trouble(what=what, detail=changed, repeats=True, again_at=done.until(free)))

    def failed(self, key: Key, action: Action, what: str, error: ApiError) -> Trouble | None:
        """A write failed; None: it may pass, and is not worth telling yet."""
        since = self._failing_since.setdefault(key, self._clock.now())
        waits = timedelta(seconds=error.retry_after)  # it is not tried again before
        lasts = isinstance(error, Forbidden | Invalid) or self._clock.now() + waits >= since + TOLD_AFTER
        if not lasts:
            return None
        gate = action.namespace if isinstance(action, GateAction) else ""
        publication = isinstance(action, PublishCrl)
        return self._keep(key, Trouble(what=what, detail=str(error), publication=publication, gate=gate))

    def lasts(self, key: Key, error: BaseException, *, race: bool) -> bool:
        """Whether a failure of the work on a key is worth telling, beside what was told of its writes; `race`: it is what happens
        between two who write at once.
        """
        now = self._clock.now()
        since = self._failing_since.setdefault(key, now)
        if self.of(key) is not None:
            return False
        if race:
            return now >= since + RACES_TOLD_AFTER
        return not isinstance(error, ApiError) or isinstance(error, Forbidden | Invalid) or now >= since + TOLD_AFTER

    def _keep(self, key: Key, trouble: Trouble) -> Trouble:
        before = self._known.get(key)
        if before is None or replace(before, again_at=None) != replace(trouble, again_at=None):
            told = about(key, what=trouble.what, error=trouble.detail[:300], repeats=trouble.repeats)
            logger.warning("cannot be done", extra=told)
        self._known[key] = trouble
        return trouble

    def settled(self, key: Key) -> None:
        """Nothing is left to do for a key."""
        for known in (self._known, self._failing_since, self._told_at):
            known.pop(key, None)

"""Events that wait to be written: a bounded number, behind one another, and never in the way of anything else.

What tells of a loss or a gain of access goes before what is routine, and namespaces take turns. What does not fit, or waits for
too long, is left out and counted. Kubernetes keeps an Event for an hour: it is no record, and the log has each of these steps.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from doorward.clock import Clock
from doorward.objects.meta import Object
from doorward.planning.notices import Notice
from doorward.workqueue.turns import Turns

MOST_OF_A_NAMESPACE, MOST = 200, 1_000
"""Events that wait: of one namespace and in all, counted for routine and for all else by themselves."""
LONGEST_WAIT = 60.0
"""Seconds."""
BURST, EVERY = 25, 60.0
"""Events about one object at once, and seconds until it may have one more: as client-go limits them, which has 300 s."""
REPEATED_AFTER = timedelta(minutes=5)
"""So long nothing is said again of an object that may go back and forth by itself."""
MOST_REMEMBERED = 10_000
"""Objects, and reasons of objects."""


class Outcome(StrEnum):
    """What became of an Event."""

    WRITTEN = "written"
    REFUSED = "refused"
    """The API server did not take it."""
    LEFT_OUT = "left_out"


class EventMeter(Protocol):
    """Told of each Event: it must neither wait nor raise."""

    def event(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """An Event that waits."""

    about: Object
    """The reference to its object."""
    notice: Notice
    at: datetime
    since: float
    """Monotonic seconds."""


class Outbox:
    """Used from the operator's own event loop only."""

    def __init__(self, clock: Clock, meter: EventMeter) -> None:
        self._clock = clock
        self._meter = meter
        self._turns: tuple[Turns[int], Turns[int]] = (Turns(), Turns())
        """What is not routine, and what is: numbers of Events by namespace."""
        self._waiting: dict[int, Waiting] = {}
        self._counts: Counter[tuple[bool, str]] = Counter()
        self._in_all: Counter[bool] = Counter()
        self._number = 0
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By UID, how many Events an object has had that count still, and when that was."""
        self._repeated: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._some = asyncio.Event()
        self.left_out = 0
        """Events that were left out since this was last set to 0."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, about: Object, notice: Notice) -> None:
        """To be written when its turn comes; or left out."""
        uid, namespace = about["uid"], about["namespace"]
        if notice.repeats and self._is_repeated(uid, notice.reason):
            return
        count = self._counts[notice.routine, namespace]
        if self._in_all[notice.routine] >= MOST or count >= MOST_OF_A_NAMESPACE or not self._may_have_another(uid):
            self._leave_out()
            return
        self._number += 1
        self._waiting[self._number] = Waiting(about, notice, self._clock.now(), self._clock.monotonic())
        self._counts[notice.routine, namespace] += 1
        self._in_all[notice.routine] += 1
        self._turns[notice.routine].add(namespace, self._number)
        self._some.set()

    async def get(self) -> Waiting:
        """The next one, as soon as there is one."""
        while True:
            for turns in self._turns:
                if (number := turns.take(lambda _: True)) is not None:
                    break
            else:
                self._some.clear()
                await self._some.wait()
                continue
            waiting = self._waiting.pop(number)
            self._uncount(waiting)
            if self._clock.monotonic() - waiting.since <= LONGEST_WAIT:
                return waiting
            self._leave_out()

    def done(self, outcome: Outcome) -> None:
        """What became of one that was taken."""
        self._meter.event(outcome)

    def _uncount(self, waiting: Waiting) -> None:
        place = waiting.notice.routine, waiting.about["namespace"]
        self._counts[place] -= 1
        self._in_all[waiting.notice.routine] -= 1
        if not self._counts[place]:
            del self._counts[place]

    def _leave_out(self) -> None:
        self.left_out += 1
        self._meter.event(Outcome.LEFT_OUT)

    def _is_repeated(self, uid: str, reason: str) -> bool:
        now, last = self._clock.now(), self._repeated.get((uid, reason))
        if last is not None and last <= now < last + REPEATED_AFTER:
            return True
        self._repeated.pop((uid, reason), None)
        self._repeated[uid, reason] = now
        if len(self._repeated) > MOST_REMEMBERED:
            self._repeated.popitem(last=False)
        return False

    def _may_have_another(self, uid: str) -> bool:
        now = self._clock.monotonic()
        spent, at = self._spent.pop(uid, (0.0, now))
        spent = max(0.0, spent - (now - at) / EVERY)
        allowed = spent + 1 <= BURST
        self._spent[uid] = (spent + allowed, now)
        if len(self._spent) > MOST_REMEMBERED:
            self._spent.popitem(last=False)
        return allowed

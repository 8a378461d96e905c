"""Which key is worked on next: ready, dirty and processing sets, due times and rests, in one class.

A key that becomes dirty while it is worked on runs once more afterwards; a key never runs twice at once. Of the keys
that are ready the highest priority goes first; within a priority the shares take turns, so that a share with thousands
of keys delays another one by a turn and no more. A plan gives at most one due time, which replaces the last one; an
event makes the key ready at once, unless the key rests. What falls due comes back with the priority that the key was
worked on with: the retry of a cut-off goes before a storm, as its first try did. Due times and rests are instants of the
wall clock: when it is set back, everything that waits is ready at once, and plans again.
"""

import asyncio
import heapq
import sys
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

from doorward.clock import Clock
from doorward.workqueue.crew import Crew
from doorward.workqueue.meter import Meter, NoMeter
from doorward.workqueue.priority import AT_ONCE, Priority
from doorward.workqueue.turns import Turns

K = TypeVar("K", bound=Hashable)
LONGEST_SLEEP = 10.0  # seconds: due times are wall-clock instants, and wall clocks are set
SET_BACK = timedelta(minutes=1)  # a smaller step only delays what waits by as much
STEP = 0.005
"""Seconds for which keys that fall due are made ready at a time; one more may begin just before."""
SLACK = 1_000  # heap entries that were replaced, before they are cleared out
ANYONE = Crew.general(1_000_000)
"""A crew without limits."""


@dataclass(frozen=True, slots=True)
class _Dirty:
    priority: Priority
    share: Hashable
    since: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Working:
    priority: Priority
    share: Hashable
    crew: Crew


@dataclass(slots=True)
class _Rest:
    until: datetime
    cut_off_from: datetime
    held: Priority | None = None
    """The highest priority with which the key was made ready while it rested."""

    @property
    def ends(self) -> datetime:
        """When the key is let go, for what it was made ready with so far."""
        return self.cut_off_from if self.held is Priority.CUT_OFF else self.until


class WorkQueue(Generic[K]):
    """Keys by priority and share, and a heap of instants.

    `share` says on whose account a key is worked on. It is asked when the key becomes ready.
    """

    def __init__(
        self, clock: Clock, *, share: Callable[[K], Hashable] = lambda _: None, meter: Meter | None = None
    ) -> None:
        self._clock = clock
        self._share = share
        self.meter = meter or NoMeter()
        self._ready: dict[Priority, Turns[K]] = {priority: Turns() for priority in Priority}
        self._dirty: dict[K, _Dirty] = {}
        self._depth: Counter[Priority] = Counter()
        self._processing: dict[K, _Working] = {}
        self._at_once: Counter[Priority] = Counter()
        self._held: Counter[tuple[Crew, Hashable]] = Counter()
        self._due: dict[K, tuple[datetime, Priority]] = {}
        self._rests: dict[K, _Rest] = {}
        self._heap: list[tuple[datetime, int, K]] = []
        self._sequence = 0
        self._all_due: deque[K] = deque()
        """What waited when the wall clock was set back."""
        self._wake = asyncio.Event()
        self._booted = self._boot_time()

    def __len__(self) -> int:
        return len(self._dirty)

    @property
    def idle(self) -> bool:
        """Nothing is ready and nothing is being worked on."""
        return not self._dirty and not self._processing

    def working_priority(self, key: K) -> Priority | None:
        """What the key is being worked on for; None: it is not."""
        working = self._processing.get(key)
        return None if working is None else working.priority

    def add(self, key: K, priority: Priority = Priority.INTERACTIVE) -> None:
        """Make the key ready now, or at the end of its rest; its due time, if it has one, stays as insurance."""
        if (rest := self._rests.get(key)) is not None:
            self._hold(key, rest, priority)
            return
        known = self._dirty.get(key)
        if known is not None and known.priority <= priority:
            return
        if known is not None:
            self._take_out(key, known)
        self._dirty[key] = dirty = _Dirty(priority, self._share(key), self._clock.monotonic())
        self._count(priority, 1)
        if key not in self._processing:
            self._make_ready(key, dirty)

    def add_at(self, key: K, due: datetime | None) -> None:
        """Make the key ready at that instant (UTC) in place of any earlier due time; None: at none.

        A key that rests at that instant is ready at the end of its rest.
        """
        if due is None:
            self._due.pop(key, None)
            return
        working = self._processing.get(key)
        self._due[key] = (due, Priority.ISSUANCE if working is None else working.priority)
        self._remind(due, key)

    def rest(self, key: K, seconds: float, *, cut_off_after: float = 0.0) -> None:
        """Let the key rest: what makes it ready from now on makes it ready at the end of the rest.

        That is so for events too, above all for those of the key's own writes: a plan that does not settle would be carried
        out again and again. A cut-off that needs the key ends the rest, after `cut_off_after` seconds at the earliest. A rest
        alone makes nothing ready: what neither falls due nor is added stays where it is. A new rest replaces the last one.
        """
        now = self._clock.now_precise()
        until = now + timedelta(seconds=seconds)
        before = self._rests.get(key)
        cut_off_from = min(until, now + timedelta(seconds=cut_off_after))
        rest = self._rests[key] = _Rest(until, cut_off_from, None if before is None else before.held)
        self._remind(rest.ends, key)
        if (dirty := self._dirty.get(key)) is not None:
            self._take_out(key, dirty)
            self.add(key, dirty.priority)

    async def get(self, crew: Crew = ANYONE) -> K:
        """The next key for a worker of that crew; it is being worked on until `done`."""
        while True:
            if not self._move_due():
                await asyncio.sleep(0)
                continue
            if (key := self._next(crew)) is not None:
                return key
            self._wake.clear()
            try:
                async with asyncio.timeout(self._sleep()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The work on the key ended, well or badly."""
        if (working := self._processing.pop(key, None)) is not None:
            self._at_once[working.priority] -= 1
            self._held[working.crew, working.share] -= 1
            if not self._held[working.crew, working.share]:
                del self._held[working.crew, working.share]
            self._wake.set()
        if (dirty := self._dirty.get(key)) is not None:
            self._make_ready(key, dirty)

    def _make_ready(self, key: K, dirty: _Dirty) -> None:
        self._ready[dirty.priority].add(dirty.share, key)
        self._wake.set()

    def _take_out(self, key: K, dirty: _Dirty) -> None:
        """The key is not dirty any more."""
        del self._dirty[key]
        self._count(dirty.priority, -1)
        if key not in self._processing:
            self._ready[dirty.priority].remove(dirty.share, key)

    def _count(self, priority: Priority, more: int) -> None:
        self._depth[priority] += more
        self.meter.depth(priority, self._depth[priority])

    def _next(self, crew: Crew) -> K | None:
        room = partial(self._has_room, crew, crew.beside_cut_offs if self._revoking else crew.most)
        for priority in Priority:
            if priority > crew.lowest or self._at_once[priority] >= AT_ONCE.get(priority, sys.maxsize):
                continue
            if (key := self._ready[priority].take(room)) is not None:
                return self._begin(key, crew)
        return None

    @property
    def _revoking(self) -> bool:
        """Whether a cut-off is ready or worked on."""
        return bool(self._depth[Priority.CUT_OFF] or self._at_once[Priority.CUT_OFF])

    def _has_room(self, crew: Crew, limit: int, share: Hashable) -> bool:
        return self._held[crew, share] < limit

    def _begin(self, key: K, crew: Crew) -> K:
        dirty = self._dirty.pop(key)
        self._count(dirty.priority, -1)
        self.meter.waited(dirty.priority, self._clock.monotonic() - dirty.since)
        self._processing[key] = _Working(dirty.priority, dirty.share, crew)
        self._at_once[dirty.priority] += 1
        self._held[crew, dirty.share] += 1
        return key

    def _remind(self, at: datetime, key: K) -> None:
        """Look at the key at that instant."""
        self._sequence += 1
        heapq.heappush(self._heap, (at, self._sequence, key))
        if len(self._heap) > 2 * (len(self._due) + len(self._rests)) + SLACK:
            instants = [(key, at) for key, (at, _) in self._due.items()]
            instants += [(key, rest.ends) for key, rest in self._rests.items()]
            self._heap = [(at, number, key) for number, (key, at) in enumerate(instants)]
            heapq.heapify(self._heap)
        self._wake.set()

    def _boot_time(self) -> datetime:
        """When the monotonic clock began, as the wall clock has it: it moves back with the wall clock only."""
        return self._clock.now_precise() - timedelta(seconds=self._clock.monotonic())

    def _move_due(self) -> bool:
        """Make ready what is due, for a few milliseconds; False: some of it is left. Ten thousand keys may be due at once."""
        now, booted = self._clock.now_precise(), self._boot_time()
        if booted < self._booted - SET_BACK:
            self._all_due.extend(dict.fromkeys((*self._rests, *self._due)))
        self._booted = booted
        ends = self._clock.monotonic() + STEP
        while self._all_due or (self._heap and self._heap[0][0] <= now):
            at: datetime | None = None
            if self._all_due:
                key = self._all_due.popleft()
            else:
                at, _, key = heapq.heappop(self._heap)
            if (rest := self._rests.get(key)) is not None and at in (None, rest.ends):
                self._end_rest(key)
            if (due := self._due.get(key)) is not None and at in (None, due[0]):
                self._fall_due(key)
            if self._clock.monotonic() >= ends:
                return False
        return True

    def _hold(self, key: K, rest: _Rest, priority: Priority) -> None:
        if rest.held is None or priority < rest.held:
            rest.held = priority
            self._remind(rest.ends, key)
        if rest.ends <= self._clock.now_precise():
            self._end_rest(key)

    def _end_rest(self, key: K) -> None:
        if (held := self._rests.pop(key).held) is not None:
            self.add(key, held)

    def _fall_due(self, key: K) -> None:
        _, priority = self._due.pop(key)
        self.add(key, priority)

    def _sleep(self) -> float:
        if not self._heap:
            return LONGEST_SLEEP
        seconds = (self._heap[0][0] - self._clock.now_precise()).total_seconds()
        return min(LONGEST_SLEEP, max(0.001, seconds))

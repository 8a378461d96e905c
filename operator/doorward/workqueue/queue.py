"""Which key is worked on next: ready, dirty and processing sets and the due times, in one class.

A key that becomes dirty while it is worked on runs once more afterwards; a key never runs twice at once. A plan gives
at most one due time, which replaces the last one; an event makes the key ready at once. What falls due comes back with
the priority that the key was worked on with: the retry of a cut-off goes before a storm, as its first try did. Due
times are instants of the wall clock: when it is set back, everything that waits is ready at once, and plans anew.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Generic, TypeVar

from doorward.clock import Clock

K = TypeVar("K", bound=Hashable)
LONGEST_SLEEP = 10.0  # seconds: due times are wall-clock instants, and wall clocks are set
SET_BACK = timedelta(minutes=1)  # a smaller step only delays what waits by as much
MOST_MOVES = 8
"""At once: however many there are, who asks for something finds workers free."""
SLACK = 1_000  # heap entries that were replaced, before they are cleared out


class Priority(IntEnum):
    """What people wait for goes before what can wait."""

    PEOPLE = 0
    STORM = 1
    MOVE = 2
    """What nobody asked for now: clients that move to the next CA."""


class WorkQueue(Generic[K]):
    """Keys by priority, and a heap of due times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: dict[Priority, deque[K]] = {priority: deque() for priority in Priority}
        self._dirty: dict[K, Priority] = {}
        self._processing: dict[K, Priority] = {}
        self._moves = 0
        self._due: dict[K, tuple[datetime, Priority]] = {}
        self._heap: list[tuple[datetime, int, K]] = []
        self._sequence = 0
        self._wake = asyncio.Event()
        self._booted = self._boot_time()

    def __len__(self) -> int:
        return len(self._dirty)

    @property
    def idle(self) -> bool:
        """Nothing is ready and nothing is being worked on."""
        return not self._dirty and not self._processing

    def add(self, key: K, priority: Priority = Priority.PEOPLE) -> None:
        """Make the key ready now; its due time, if it has one, stays as insurance."""
        known = self._dirty.get(key)
        if known is not None and known <= priority:
            return
        self._dirty[key] = priority
        if key not in self._processing:
            self._ready[priority].append(key)
            self._wake.set()

    def add_at(self, key: K, due: datetime | None) -> None:
        """Make the key ready at that instant (UTC) in place of any earlier due time; None: at none."""
        if due is None:
            self._due.pop(key, None)
            return
        self._due[key] = (due, self._processing.get(key, Priority.STORM))
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = [(at, number, known) for number, (known, (at, _)) in enumerate(self._due.items())]
            heapq.heapify(self._heap)
        self._wake.set()

    async def get(self) -> K:
        """The next key; it is being worked on until `done`."""
        while True:
            self._move_due()
            for priority, ready in self._ready.items():
                while ready and (priority is not Priority.MOVE or self._moves < MOST_MOVES):
                    key = ready.popleft()
                    if self._dirty.get(key) != priority or key in self._processing:
                        continue  # it went up in priority, or was taken since
                    del self._dirty[key]
                    self._processing[key] = priority
                    self._moves += priority is Priority.MOVE
                    if any(self._ready.values()):
                        self._wake.set()
                    return key
            self._wake.clear()
            try:
                async with asyncio.timeout(self._sleep()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The work on the key ended, well or badly."""
        if self._processing.pop(key, None) is Priority.MOVE:
            self._moves -= 1
            self._wake.set()
        if key in self._dirty:
            self._ready[self._dirty[key]].append(key)
            self._wake.set()

    def _boot_time(self) -> datetime:
        """When the monotonic clock began, as the wall clock has it: it moves back with the wall clock only."""
        return self._clock.now_precise() - timedelta(seconds=self._clock.monotonic())

    def _move_due(self) -> None:
        now, booted = self._clock.now_precise(), self._boot_time()
        if booted < self._booted - SET_BACK:
            for key, (_, priority) in self._due.items():
                self.add(key, priority)
            self._due.clear()
        self._booted = booted
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            current, priority = self._due.get(key, (None, Priority.STORM))
            if current == due:
                del self._due[key]
                self.add(key, priority)

    def _sleep(self) -> float:
        if not self._heap:
            return LONGEST_SLEEP
        seconds = (self._heap[0][0] - self._clock.now_precise()).total_seconds()
        return min(LONGEST_SLEEP, max(0.001, seconds))

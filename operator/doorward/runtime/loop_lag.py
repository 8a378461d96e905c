"""How late the event loop runs what is due: a task that sleeps, and sees how long it slept."""

import asyncio
from collections import deque
from collections.abc import Callable

from doorward.clock import Clock

EVERY = 0.05
"""Seconds."""
WINDOW = 300.0
SLOT = 10.0
"""Seconds: the window moves on by so much."""


class Longest:
    """The highest value of the last WINDOW seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: deque[tuple[int, float]] = deque()

    def add(self, seconds: float) -> None:
        """One value, of now."""
        slot = int(self._clock.monotonic() // SLOT)
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = (slot, max(seconds, self._slots[-1][1]))
        else:
            self._slots.append((slot, seconds))
            self._expire()

    def _expire(self) -> None:
        first = int((self._clock.monotonic() - WINDOW) // SLOT)
        while self._slots and self._slots[0][0] <= first:
            self._slots.popleft()

    @property
    def seconds(self) -> float:
        """0 where there was none."""
        self._expire()
        return max((value for _, value in self._slots), default=0.0)


async def measure(lag: Callable[[float], None]) -> None:
    """For ever: tell `lag` by how many seconds each timer was late."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + EVERY
        await asyncio.sleep(EVERY)
        lag(max(0.0, loop.time() - due))

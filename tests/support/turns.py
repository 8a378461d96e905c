"""How much is done in one turn of the event loop, in virtual time: what is handled takes a while, and another task waits beside."""

import asyncio
from collections.abc import Awaitable

from tests.support import virtual_loop
from tests.support.clock import FakeClock


class Turns:
    """Counts what is handled between two turns of another task; each takes `seconds`."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.handled = 0
        self.most = 0

    def handle(self, *_: object) -> None:
        """One more."""
        self._clock.advance(seconds=self._seconds)
        self.handled += 1

    def beside(self, walk: Awaitable[object], count: int) -> int:
        """The most that were handled in one turn, until there were so many."""
        with virtual_loop.runner(self._clock) as runner:
            runner.run(self._run(walk, count))
        return self.most

    async def _run(self, walk: Awaitable[object], count: int) -> None:
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        await walk
        while self.handled < count:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        watching.cancel()

    async def _watch(self) -> None:
        seen = 0
        while True:
            self.most, seen = max(self.most, self.handled - seen), self.handled
            await asyncio.sleep(0)

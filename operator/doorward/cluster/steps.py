"""Long walks in short steps: the event loop turns in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
STEP = 0.005
"""Seconds for which items are handled at a time; one more may begin just before."""


class Pace:
    """Walks one after the other in the same steps: where one walk ends, the next one goes on with what is left of the step."""

    def __init__(self) -> None:
        self._ends = asyncio.get_running_loop().time()
        """Now: what this task did before the first walk may have been a step."""

    async def over(self, items: Iterable[T]) -> AsyncIterator[T]:
        """The items, one after the other; whoever waits for the event loop has its turn every few milliseconds."""
        loop = asyncio.get_running_loop()
        for item in items:
            yield item
            if loop.time() >= self._ends:
                await asyncio.sleep(0)
                self._ends = loop.time() + STEP


async def in_steps(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, one after the other; whoever waits for the event loop has its turn every few milliseconds."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + STEP
    for item in items:
        yield item
        if loop.time() >= ends:
            await asyncio.sleep(0)
            ends = loop.time() + STEP

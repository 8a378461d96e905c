"""Long walks in short steps: the event loop turns in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
STEP = 0.005
"""Seconds for which items are handled at a time; one more may begin just before."""


class Pace:
    """Walks one after the other in the same steps: where one walk ends, the next one goes on with what is left of the step."""

    def __init__(self, first: float = 0.0) -> None:
        """`first`: seconds of the first step; none, since what this task did before the first walk may have been a step."""
        self._ends = asyncio.get_running_loop().time() + first

    async def over(self, items: Iterable[T]) -> AsyncIterator[T]:
        """The items, one after the other; whoever waits for the event loop has its turn every few milliseconds."""
        loop = asyncio.get_running_loop()
        for item in items:
            yield item
            if loop.time() >= self._ends:
                await asyncio.sleep(0)
                self._ends = loop.time() + STEP


def in_steps(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, one after the other; whoever waits for the event loop has its turn every few milliseconds."""
    return Pace(STEP).over(items)

"""Long walks in short steps: the event loop turns in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
STEP = 0.005
"""Seconds for which items are handled at a time; one more may begin just before."""


async def in_steps(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, one after the other; whoever waits for the event loop has its turn every few milliseconds."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + STEP
    for item in items:
        yield item
        if loop.time() >= ends:
            await asyncio.sleep(0)
            ends = loop.time() + STEP

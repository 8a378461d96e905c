"""Python's garbage collection, in short steps: it walks through the containers that it looks after, and everything waits for it.

What is known of the cluster is most of what it looks after, and is no garbage: reference counts free it when it is dropped.
"""

import asyncio
import gc
from collections.abc import Callable

THRESHOLDS = (5_000, 2, 4_000)
"""A collection of the young walks through 15,000 containers at most. While the operator started on three years of 10,000 clients, one
took up to 36 ms of CPU with 55,000, as with 10 in the middle, and up to 14 ms with 15,000; together they took as long (measured). The
last number keeps full collections rare.
"""
MUCH = 5_000
"""So much more is known, and it is set aside: of each a few containers are left, or a few dozen of a new client."""
EVERY = 1.0
"""Seconds; in the first lists some thousand objects become known in each."""


def configure() -> None:
    """Set when Python collects."""
    gc.set_threshold(*THRESHOLDS)


async def keep_aside(known: Callable[[], int]) -> None:
    """For ever: set aside what became known, so that no collection walks through it. `known`: how much is known now.

    After that start a full collection took 456 ms with all, and 12 to 21 ms without what is set aside (measured).
    What is set aside is freed as before, cycles apart. That happens only when more is known than ever before: objects that come
    and go for years set nothing aside, so what is kept of cycles is bounded by the size of the cluster.
    """
    most = 0
    while True:
        await asyncio.sleep(EVERY)
        now = known()
        if now >= most + MUCH:
            gc.collect(1)  # what is garbage already is not set aside
            gc.freeze()
            most = now

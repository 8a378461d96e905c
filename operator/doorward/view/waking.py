"""One change may concern ten thousand keys: they are made ready a few milliseconds at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from doorward.cluster.steps import STEP
from doorward.view.keys import Key

FEW = 100
"""Keys that are made ready at once."""


def wake_all(keys: Iterable[Key], wake: Callable[[Key], None]) -> None:
    """Wake each of the keys; of more than a few, the last ones some turns of the event loop later."""
    waiting = deque(dict.fromkeys(keys))
    if len(waiting) > FEW:
        _some(waiting, wake)
        return
    for key in waiting:
        wake(key)


def _some(waiting: deque[Key], wake: Callable[[Key], None]) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + STEP
    while waiting:
        wake(waiting.popleft())
        if loop.time() >= ends:
            loop.call_soon(_some, waiting, wake)
            return

"""One change may concern ten thousand keys: they are found and made ready a few milliseconds at a time."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from doorward.cluster.steps import STEP
from doorward.view.keys import Key

FEW = 50
"""Keys that are made ready at once."""


def wake_all(keys: Iterable[Key], wake: Callable[[Key], None]) -> None:
    """Wake each of the keys; of more than a few, the last ones are found and woken some turns of the event loop later."""
    waiting = _each_once(keys)
    for key in islice(waiting, FEW):
        wake(key)
    for key in waiting:
        _later(chain((key,), waiting), wake)
        return


def _each_once(keys: Iterable[Key]) -> Iterator[Key]:
    seen: set[Key] = set()
    for key in keys:
        if key not in seen:
            seen.add(key)
            yield key


def _later(waiting: Iterator[Key], wake: Callable[[Key], None]) -> None:
    asyncio.get_running_loop().call_soon(_some, waiting, wake)


def _some(waiting: Iterator[Key], wake: Callable[[Key], None]) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + STEP
    for key in waiting:
        wake(key)
        if loop.time() >= ends:
            _later(waiting, wake)
            return

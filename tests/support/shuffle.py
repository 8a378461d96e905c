"""The tests in another order, which a seed decides: a test that leans on another one shows itself."""

import random
from collections.abc import Callable, Hashable
from typing import TypeVar

import pytest

T = TypeVar("T")


def shuffled(items: list[pytest.Item], seed: str) -> list[pytest.Item]:
    """Modules in random order, in each its classes and functions, in each class its tests.

    What a fixture of a module or class set up serves all that needs it, as in the usual order.
    """
    dice = random.Random(seed)
    return [
        item
        for module in _groups(items, lambda item: item.path, dice)
        for group in _groups(module, lambda item: getattr(item, "cls", None) or item.nodeid, dice)
        for item in dice.sample(group, len(group))
    ]


def _groups(items: list[T], key: Callable[[T], Hashable], dice: random.Random) -> list[list[T]]:
    found: dict[Hashable, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return dice.sample(list(found.values()), len(found))

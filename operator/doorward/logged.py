"""How an event is logged: words that never change, with fields; and how a fault that lasts is told once.

`grep` for a client gives its story: see docs/logs.md.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
MOST_REMEMBERED = 10_000
"""Faults; the oldest are forgotten first, and may be told again."""


def about(thing: object, **fields: object) -> dict[str, object]:
    """The `extra` of a log record: the object that the event is about, and its fields; those that are None are left out."""
    return {"object": str(thing), "fields": {name: value for name, value in fields.items() if value is not None}}


class Once(Generic[K]):
    """What was told last of each thing that fails: the same is told again only after it was over."""

    def __init__(self) -> None:
        self._told: OrderedDict[K, str] = OrderedDict()

    def is_new(self, thing: K, fault: object) -> bool:
        """Whether this fault of the thing is another one than was told last; it is taken as told."""
        text = str(fault)
        if self._told.get(thing) == text:
            return False
        self._told[thing] = text
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)
        return True

    def over(self, thing: K) -> bool:
        """The thing works; whether a fault of it was told."""
        return self._told.pop(thing, None) is not None

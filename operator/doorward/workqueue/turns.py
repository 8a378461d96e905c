"""The ready keys of one priority: shares take turns, and within a share the key that came first goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Turns(Generic[K]):
    """Each operation takes the same time however many keys there are, `take` aside: it passes over refused shares."""

    def __init__(self) -> None:
        self._shares: OrderedDict[Hashable, OrderedDict[K, None]] = OrderedDict()

    def add(self, share: Hashable, key: K) -> None:
        """Behind the other keys of its share; a share that had none comes behind the other shares."""
        self._shares.setdefault(share, OrderedDict())[key] = None

    def remove(self, share: Hashable, key: K) -> None:
        """Take out a key that is in there."""
        keys = self._shares[share]
        del keys[key]
        if not keys:
            del self._shares[share]

    def take(self, allowed: Callable[[Hashable], bool]) -> K | None:
        """The first key of the next share that is allowed, which then goes behind the others; None: no share is."""
        for share, keys in self._shares.items():
            if allowed(share):
                key, _ = keys.popitem(last=False)
                if keys:
                    self._shares.move_to_end(share)
                else:
                    del self._shares[share]
                return key
        return None

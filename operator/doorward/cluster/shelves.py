"""One index of a store: which keys are filed under an entry, in the order in which they came.

Most entries have one key or a few, and a dict for each would take four times the memory of what it holds.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from doorward.objects.meta import ObjectKey

V = TypeVar("V")
FEW = 12
"""Keys of an entry up to which a tuple of them takes less memory than a dict, and is as quick."""


class Shelves(Generic[V]):
    """`get` gives the object of a key that is filed here."""

    def __init__(self, get: Callable[[ObjectKey], V]) -> None:
        self._get = get
        self._shelves: dict[Hashable, ObjectKey | tuple[ObjectKey, ...] | dict[ObjectKey, V]] = {}
        """One key as it is, a few as a tuple, many with their objects: of those all are asked for at once, again and again."""
        self._ordered: dict[Hashable, tuple[ObjectKey, ...]] = {}
        """Of entries that were asked for in order since they changed last."""

    def __len__(self) -> int:
        return len(self._shelves)

    def find(self, entry: Hashable) -> tuple[V, ...]:
        """The objects that are filed under the entry."""
        shelf = self._shelves.get(entry)
        if shelf is None:
            return ()
        if isinstance(shelf, dict):
            return tuple(shelf.values())
        return (self._get(shelf),) if isinstance(shelf, ObjectKey) else tuple([self._get(key) for key in shelf])

    def ordered(self, entry: Hashable) -> tuple[ObjectKey, ...]:
        """The keys that are filed under the entry, in their order; asked for again, it costs nothing until the entry changes."""
        found = self._ordered.get(entry)
        if found is None:
            shelf = self._shelves.get(entry, ())
            found = (shelf,) if isinstance(shelf, ObjectKey) else tuple(sorted(shelf))
            self._ordered[entry] = found
        return found

    def entries(self) -> tuple[Hashable, ...]:
        """Those under which something is filed."""
        return tuple(self._shelves)

    def file(self, entry: Hashable, key: ObjectKey, value: V) -> None:
        """Put an object under an entry; it is not there yet."""
        self._ordered.pop(entry, None)
        shelf = self._shelves.get(entry)
        if shelf is None:
            self._shelves[entry] = key
        elif isinstance(shelf, dict):
            shelf[key] = value
        else:
            keys = (shelf, key) if isinstance(shelf, ObjectKey) else (*shelf, key)
            self._shelves[entry] = keys if len(keys) <= FEW else {k: value if k == key else self._get(k) for k in keys}

    def take(self, entry: Hashable, key: ObjectKey) -> None:
        """Take an object off an entry; an entry without any is dropped."""
        self._ordered.pop(entry, None)
        shelf = self._shelves[entry]
        if isinstance(shelf, dict):
            del shelf[key]
        elif isinstance(shelf, ObjectKey):
            shelf = ()
        else:
            shelf = tuple(other for other in shelf if other != key)
            self._shelves[entry] = shelf[0] if len(shelf) == 1 else shelf
        if not shelf:
            del self._shelves[entry]

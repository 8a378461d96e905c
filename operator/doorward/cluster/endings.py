"""How many members of a group have not ended yet: a sorted list of instants for each group, so that asking costs a bisection."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable
from datetime import datetime


class Endings:
    """By group, when each of its members ends; members that end together are told apart by nothing, and need not be."""

    def __init__(self) -> None:
        self._ends: dict[Hashable, list[datetime]] = {}

    def add(self, group: Hashable, ends: datetime) -> None:
        """Count a member of the group that ends then."""
        insort(self._ends.setdefault(group, []), ends)

    def remove(self, group: Hashable, ends: datetime) -> None:
        """Count one member less of those that end then; KeyError where there is none."""
        instants = self._ends[group]
        at = bisect_left(instants, ends)
        if at == len(instants) or instants[at] != ends:
            raise KeyError((group, ends))
        del instants[at]
        if not instants:
            del self._ends[group]

    def after(self, group: Hashable, now: datetime) -> int:
        """How many members of the group end later than `now`."""
        instants = self._ends.get(group, [])
        return len(instants) - bisect_right(instants, now)

"""How many members of a group have not ended yet: sorted instants in short lists, so that every step is quick with any number."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterable
from datetime import datetime

LONGEST_LIST = 1000
"""An insertion moves all that comes after it: in one list the first list of a ledger would be quadratic."""


def _last(instants: list[datetime]) -> datetime:
    return instants[-1]


class Endings:
    """By group, when each of its members ends; members that end together are told apart by nothing, and need not be."""

    def __init__(self) -> None:
        self._ends: dict[Hashable, list[list[datetime]]] = {}
        """In order within each list and from list to list; none is empty."""

    def add(self, group: Hashable, ends: datetime) -> None:
        """Count a member of the group that ends then."""
        lists = self._ends.get(group)
        if lists is None:
            self._ends[group] = [[ends]]
            return
        at = min(bisect_left(lists, ends, key=_last), len(lists) - 1)
        insort(lists[at], ends)
        if len(lists[at]) > LONGEST_LIST:
            half = LONGEST_LIST // 2
            lists[at : at + 1] = [lists[at][:half], lists[at][half:]]

    def remove(self, group: Hashable, ends: datetime) -> None:
        """Count one member less of those that end then; KeyError where there is none."""
        lists = self._ends[group]
        at = bisect_left(lists, ends, key=_last)
        place = bisect_left(lists[at], ends) if at < len(lists) else 0
        if at == len(lists) or lists[at][place] != ends:
            raise KeyError((group, ends))
        del lists[at][place]
        if not lists[at]:
            del lists[at]
        if not lists:
            del self._ends[group]

    def groups(self) -> Iterable[Hashable]:
        """Those with members."""
        return self._ends.keys()

    def after(self, group: Hashable, now: datetime) -> int:
        """How many members of the group end later than `now`."""
        lists = self._ends.get(group, [])
        at = bisect_right(lists, now, key=_last)
        return sum(map(len, lists[at:])) - (bisect_right(lists[at], now) if at < len(lists) else 0)

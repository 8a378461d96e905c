"""How long a key that failed rests: exponential, bounded, forgotten at the first success.

A key that is in here is due again: its object may be gone by then, and then its work succeeds. So nothing stays for ever.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

from doorward.workqueue.priority import Priority

K = TypeVar("K", bound=Hashable)
LONGEST = 300.0  # seconds
LONGEST_CUT_OFF = 15.0
"""Seconds: however often the writes of a cut-off failed, it is tried again within that time."""


def longest(priority: Priority) -> float:
    """The seconds that a key rests at most, when it was worked on with that priority."""
    return LONGEST_CUT_OFF if priority is Priority.CUT_OFF else LONGEST


class Backoff(Generic[K]):
    """Failures in a row by key."""

    def __init__(self, *, first: float = 0.2) -> None:
        self._first = first
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, key: K, priority: Priority) -> float:
        """Count one more failure, at that priority; the seconds to rest before the next try."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return min(longest(priority), self._first * 2.0 ** min(count - 1, 30))

    def succeeded(self, key: K) -> None:
        """Begin again at the first step."""
        self._failures.pop(key, None)

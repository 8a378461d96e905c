"""How long a key that failed rests: exponential, bounded, forgotten at the first success."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Backoff(Generic[K]):
    """Failures in a row by key."""

    def __init__(self, *, first: float = 0.2, longest: float = 300.0) -> None:
        self._first = first
        self._longest = longest
        self._failures: dict[K, int] = {}

    def failed(self, key: K) -> float:
        """Count one more failure; the seconds to rest before the next try."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return min(self._longest, self._first * 2.0 ** min(count - 1, 30))

    def succeeded(self, key: K) -> None:
        """Begin again at the first step."""
        self._failures.pop(key, None)

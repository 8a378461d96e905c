"""What each target was told last: for the status of the issuer that it names, and for metrics."""

import asyncio
from collections import Counter
from collections.abc import Callable
from heapq import nsmallest

from doorward.objects.meta import ObjectKey
from doorward.planning.targets_told import CLOSED_OR_PROTECTED, MOST_NAMED, NOTHING, Told
from doorward.view.keys import Key

SOON = 2.0
"""Seconds after which an issuer looks at what its targets were told: ten thousand may change at once."""


class ToldTargets:
    """By issuer. `wake`: makes an issuer look again."""

    def __init__(self, wake: Callable[[ObjectKey], None]) -> None:
        self._wake = wake
        self._last: dict[Key, tuple[ObjectKey, str]] = {}
        self._counts: dict[ObjectKey, Counter[str]] = {}
        self._open: dict[ObjectKey, dict[Key, str]] = {}
        self._waiting: set[ObjectKey] = set()

    def told(self, target: Key, issuer: ObjectKey, reason: str) -> None:
        """A target that names the issuer was told a reason."""
        if self._last.get(target) == (issuer, reason):
            return
        self.gone(target)
        self._last[target] = issuer, reason
        self._counts.setdefault(issuer, Counter())[reason] += 1
        if reason not in CLOSED_OR_PROTECTED:
            self._open.setdefault(issuer, {})[target] = reason
        self._soon(issuer)

    def gone(self, target: Key) -> None:
        """A target is not there, or names no issuer."""
        if (last := self._last.pop(target, None)) is None:
            return
        issuer, reason = last
        counts = self._counts[issuer]
        counts[reason] -= 1
        if not counts[reason]:
            del counts[reason]
        if not counts:
            del self._counts[issuer]
        if issuer in self._open and self._open[issuer].pop(target, None) is not None and not self._open[issuer]:
            del self._open[issuer]
        self._soon(issuer)

    def of(self, issuer: ObjectKey) -> Told:
        """What its targets were told."""
        counts = self._counts.get(issuer)
        if counts is None:
            return NOTHING
        found = self._open.get(issuer, {})
        named = nsmallest(MOST_NAMED, found)
        return Told(counts=dict(counts), open=tuple(f"{target.at}: {found[target]}" for target in named))

    def _soon(self, issuer: ObjectKey) -> None:
        if issuer not in self._waiting:
            self._waiting.add(issuer)
            asyncio.get_running_loop().call_later(SOON, self._now, issuer)

    def _now(self, issuer: ObjectKey) -> None:
        self._waiting.discard(issuer)
        self._wake(issuer)

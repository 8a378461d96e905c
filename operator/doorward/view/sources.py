"""Which lists the view of the cluster is made from, and which of them are not synced: since when, and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from doorward.clock import Clock

PATIENCE = timedelta(minutes=2)
"""A source that failed for so long is reported on the objects concerned: API servers restart, and lists take a while."""
Changed = Callable[[str], None]
"""Told that a source of the namespace ("": of the whole cluster) is to be reported now, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsynced:
    """One source whose objects are not known as they are."""

    plural: str
    """Of its kind."""
    namespace: str
    """Empty: the whole cluster."""
    since: datetime
    error: str = ""
    """What the API server answered last; empty: nothing yet."""
    reported: bool = False
    """Whether it failed for so long that the objects concerned say so."""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.plural}{where}: {self.error or 'not listed yet'}"


class Sources:
    """By kind and namespace. Only subscriptions and resync write."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unsynced: dict[tuple[str, str], Unsynced] = {}
        self.on_change: Changed = lambda _namespace: None

    def expect(self, plural: str, namespace: str | None) -> None:
        """A source that is to be listed; one that failed already keeps its time."""
        at = plural, namespace or ""
        self._unsynced.setdefault(at, Unsynced(plural=plural, namespace=at[1], since=self._clock.now()))

    def synced(self, plural: str, namespace: str | None) -> None:
        """It was listed, or its namespace is known to have not opted in."""
        found = self._unsynced.pop((plural, namespace or ""), None)
        if found is not None and (found.reported or not namespace):
            self.on_change(found.namespace)  # what waited for a list of the whole cluster can be decided now

    def failed(self, plural: str, namespace: str | None, error: Exception) -> None:
        """It could not be listed or watched."""
        self.expect(plural, namespace)
        at = plural, namespace or ""
        found = self._unsynced[at]
        due = self._clock.now() >= found.since + PATIENCE
        self._unsynced[at] = replace(found, error=str(error)[:300], reported=due)
        if due and not found.reported:
            self.on_change(found.namespace)

    def drop(self, namespace: str, plurals: Iterable[str]) -> None:
        """Sources that are not followed any more."""
        for plural in plurals:
            self._unsynced.pop((plural, namespace), None)

    def unsynced(self) -> tuple[Unsynced, ...]:
        """Those that are not synced, by kind and namespace."""
        return tuple(self._unsynced[at] for at in sorted(self._unsynced))

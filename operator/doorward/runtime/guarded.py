"""The guarded Services of a namespace: one look at them, and what the issuers with a gate there say of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from doorward.clock import Clock
from doorward.gates.guarded.observe import GuardedObserver
from doorward.objects.meta import ObjectKey
from doorward.planning import guarded
from doorward.planning.observed import IssuerObserved, Unseen
from doorward.planning.plan import Plan
from doorward.runtime.troubles import Troubles
from doorward.view.keys import Key, guarded_key
from doorward.view.stores import View

UNHEARD = timedelta(seconds=5)
"""When it is looked again whether all targets were heard of; nothing else wakes the key then."""


class GuardedServices:
    """Plans for the ConfigMaps that name them; `written`: when that of a namespace was written last."""

    def __init__(
        self,
        view: View,
        observer: GuardedObserver,
        troubles: Troubles,
        clock: Clock,
        written: Mapping[str, datetime],
    ) -> None:
        self._written = written
        self._view = view
        self._observer = observer
        self._troubles = troubles
        self._clock = clock

    async def look(self, key: Key) -> Plan:
        """Of one namespace."""
        now = self._clock.now()
        written_at = self._written.get(key.at.namespace)
        if written_at is not None and now < written_at + guarded.PAUSE and self._troubles.of(key) is None:
            return Plan(due=written_at + guarded.PAUSE)
        seen = await self._observer.observe(key.at)
        if isinstance(seen.guarded, Unseen):
            return Plan(due=now + UNHEARD)
        return guarded.plan(seen)

    def told(self, seen: IssuerObserved) -> IssuerObserved:
        """What an issuer says, with what is to be said of the Services behind its gates."""
        return replace(seen, unguarded=self._unguarded(seen.key), exempt=self._observer.exempt(seen.key))

    def _unguarded(self, issuer: ObjectKey) -> tuple[str, ...]:
        if not self._troubles.any_guarded:
            return ()
        namespaces = sorted({target["metadata"]["namespace"] for _, target in self._view.targets_of(issuer)})
        found = ((namespace, self._troubles.of(guarded_key(namespace))) for namespace in namespaces)
        return tuple(f"namespace {namespace}: {trouble.detail}" for namespace, trouble in found if trouble is not None)

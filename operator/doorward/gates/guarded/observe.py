"""Looks at the Services of a namespace behind targets that opted in, and at the exceptions that users made."""

import asyncio
from collections.abc import Sequence
from heapq import nsmallest

from doorward.cluster.gateway import Object
from doorward.gates.interface import DataPlane
from doorward.objects import guarded_services
from doorward.objects.meta import ObjectKey, is_deleting, key_of
from doorward.planning.guarded import MOST_NAMED, Found, GuardedObserved
from doorward.planning.observed import Exempt, Unseen
from doorward.view.stores import View

AT_ONCE = 250
"""Targets that are looked at before the event loop turns."""


class GuardedObserver:
    """Over the stores alone: no look asks the API server."""

    def __init__(self, view: View, planes: Sequence[DataPlane]) -> None:
        self._view = view
        self._planes = {plane.kind.plural: plane for plane in planes}

    async def observe(self, at: ObjectKey) -> GuardedObserved:
        """The guarded Services of a namespace, and the ConfigMap that names them; `at` is the ConfigMap's place."""
        guarded = await self._guarded(at.namespace) if self._view.targets_synced() else Unseen.UNKNOWN
        return GuardedObserved(namespace=at.namespace, guarded=guarded, found=self._found(at))

    async def _guarded(self, namespace: str) -> dict[str, list[str]]:
        """The event loop turns in between: a namespace may have thousands of targets. One that changes wakes the key again."""
        found: dict[str, list[str]] = {}
        for plural, store in self._view.targets.items():
            guards = self._view.target_kinds[plural].guards
            for number, body in enumerate(store.lookup("takes part", namespace)):
                if number % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
                for service in guards(body):
                    found.setdefault(service.name, []).append(key_of(body).name)
        return found

    def _found(self, at: ObjectKey) -> Found | Unseen:
        opted_in = self._view.opted_in.get(at.namespace)
        if self._view.namespace_ends(at.namespace) or not opted_in:
            return Unseen.DENIED if opted_in is False else Unseen.UNKNOWN
        body = self._view.configmaps.get(at)
        return Unseen.ABSENT if body is None else found_in(body)

    def exempt(self, issuer: ObjectKey) -> tuple[Exempt, ...]:
        """The targets that serve a Service behind one of the issuer's targets without a certificate, since they say so: the first of
        each Service.
        """
        found: dict[ObjectKey, Exempt] = {}
        for plural, store in self._view.targets.items():
            plane = self._planes[plural]
            at = (each for each in store.entries("exempt") if store.lookup("guards of", (issuer, each)))
            for service in nsmallest(MOST_NAMED + 1, (each for each in at if isinstance(each, ObjectKey))):
                for body in nsmallest(MOST_NAMED + 1, store.lookup("exempt", service), key=key_of):
                    key = key_of(body)
                    found.setdefault(key, Exempt(key=key, service=service.name, reason=plane.read(body).exempt))
        return tuple(found[key] for key in sorted(found))


def found_in(body: Object) -> Found:
    """The ConfigMap as it is."""
    return Found(
        version=body["metadata"]["resourceVersion"],
        data=guarded_services.parse(body),
        immutable=bool(body.get("immutable")),
        deleting=is_deleting(body),
    )

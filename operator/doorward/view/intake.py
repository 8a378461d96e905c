"""What comes in, from watches beside ours, full lists and the answers to our own writes: into its store, and on to the routing."""

from collections.abc import Callable
from typing import Any

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET, Kind, Object
from doorward.cluster.store import Store, version_of
from doorward.objects.meta import ObjectKey, key_of
from doorward.view.keys import Key
from doorward.view.routing import Routing
from doorward.view.stores import View

DELETED = "DELETED"


class Intake:
    """`takes_part`: told of each namespace in which something of ours is, or is to be."""

    def __init__(self, view: View, routing: Routing, takes_part: Callable[[str], None]) -> None:
        self._view = view
        self._routing = routing
        self._takes_part = takes_part
        targets = {target.kind.plural: target.kind for target in view.target_kinds.values()}
        self._people = {kind.plural: kind for kind in (ISSUER, CLIENT_CERTIFICATE)} | targets

    def event(self, plural: str, event: str, body: Object) -> None:
        """One event of a kind that people write; `event` is the watch's word for it."""
        kind = self._people[plural]
        self._take_in(kind, event, body, by=None)

    def written(self, kind: Kind, body: Object, *, by: Key) -> None:
        """The answer to a write of ours for that key, onto the version that was known: nobody else's change is in it.

        A target alone is applied to whatever it has become, and what others changed is news to its own key, too.
        """
        self._take_in(kind, "MODIFIED", body, by=None if kind.plural in self._view.target_kinds else by)

    def removed(self, kind: Kind, key: ObjectKey, known: int, *, by: Key) -> None:
        """A call of ours was answered that the object is not there, or is not any more.

        `known`: the version of it that its store held when the call was made. What came since is not what went: somebody
        may have created it again before the answer arrived.
        """
        store = self.store_of(kind)
        before = store.get(key)
        if store.remove(key, known):
            self._routing.changed(kind, key, before, None, by=by)

    def store_of(self, kind: Kind) -> Store[Any]:
        """The store of a kind; KeyError where none is kept."""
        view = self._view
        known: dict[str, Store[Any]] = {
            ISSUER.plural: view.issuers,
            CLIENT_CERTIFICATE.plural: view.certificates,
            ISSUED_CERTIFICATE.plural: view.ledger.store,
            SECRET.plural: view.secrets,
            CONFIG_MAP.plural: view.configmaps,
        }
        return known[kind.plural] if kind.plural in known else view.targets[kind.plural]

    def _take_in(self, kind: Kind, event: str, body: Object, *, by: Key | None) -> None:
        store, key = self.store_of(kind), key_of(body)
        before = store.get(key)
        if store.remove(key, version_of(body)) if event == DELETED else store.put(body):
            self.changed(kind, key, before, store.get(key), by=by)

    def changed(self, kind: Kind, key: ObjectKey, before: Any, now: Any, *, by: Key | None = None) -> None:
        """An object in a store is another one than before (either may be None); `by`: the key whose own write this was."""
        if self._has_part(kind, before, now):
            self._takes_part(key.namespace)
        for namespace in now.gates_in if kind == ISSUER and now is not None else ():
            self._takes_part(namespace)
        self._routing.changed(kind, key, before, now, by=by)

    def _has_part(self, kind: Kind, before: Any, now: Any) -> bool:
        if kind.plural not in self._view.target_kinds:
            return kind in (ISSUER, CLIENT_CERTIFICATE)
        issuer_of = self._view.target_kinds[kind.plural].issuer_of
        return any(True for body in (before, now) if body is not None for _ in issuer_of(body))

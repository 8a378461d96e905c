"""What all observers ask: a namespace's labels, and Secrets by name; *unknown* and *denied* are answers."""

from collections.abc import Mapping

from doorward.cluster.errors import Forbidden, NoSuchKind, NotFound
from doorward.cluster.gateway import SECRET, Gateway, Kind, Object
from doorward.objects.meta import ObjectKey
from doorward.planning.observed import Unseen
from doorward.view.stores import View


class Reads:
    """Over the stores, and the API server where they hold too little."""

    def __init__(self, view: View, gateway: Gateway) -> None:
        self._view = view
        self._gateway = gateway

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """None: unknown."""
        found = self._view.namespaces.get(ObjectKey("", namespace))
        return None if found is None else found["metadata"].get("labels") or {}

    def secret_metadata(self, key: ObjectKey) -> Object | Unseen:
        """As the watch told it."""
        consent = self._view.opted_in.get(key.namespace)
        if consent is None:
            return Unseen.UNKNOWN
        if consent is False:
            return Unseen.DENIED
        return self._view.secrets.get(key) or Unseen.ABSENT

    async def secret(self, key: ObjectKey) -> Object | Unseen:
        """As it is now, with its data: whoever asks keeps nothing of it that is secret."""
        return await self.by_name(SECRET, key)

    async def by_name(self, kind: Kind, key: ObjectKey) -> Object | Unseen:
        """As the API server has it now; ABSENT only where it says so of this very object."""
        try:
            return await self._gateway.get(kind, key.namespace, key.name)
        except NoSuchKind:
            return Unseen.UNKNOWN
        except NotFound:
            return Unseen.ABSENT
        except Forbidden:
            return Unseen.DENIED

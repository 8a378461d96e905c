"""The full lists: a watch may lose a deletion during a relist, and an event may be lost; a list every few minutes is the truth."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER, Gateway, Kind, Object
from doorward.cluster.reflector import Notice
from doorward.cluster.store import Store, version_of
from doorward.objects.meta import key_of
from doorward.view.stores import View

logger = logging.getLogger(__name__)
EVERY = 300.0
FIRST_TRIES = 2.0
RELIST_TAKES = 2.0
Handle = Callable[[str, str, Object], None]
"""Takes one event in, in the operator's own loop: plural of the kind, type of the event ("": Kopf's first listing), object."""


class Resync:
    """Full lists of what people write. `unheard`: told where a list failed: what cannot be listed may be there."""

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        handle: Handle,
        namespaces: Sequence[str],
        rolled_back: Notice,
        unheard: Callable[[], None],
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._handle = handle
        self._namespaces = namespaces
        self._rolled_back = rolled_back
        self._unheard = unheard
        self.relisted = asyncio.Event()
        """Set where Kopf lists again, which tells of no deletion."""

    async def keep(self) -> None:
        """List at the start, every five minutes, and when Kopf has listed again; for ever."""
        while True:
            if await self.list_all():
                await asyncio.sleep(FIRST_TRIES)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self.relisted.wait()
                    await asyncio.sleep(RELIST_TAKES)
            self.relisted.clear()

    async def catch_up(self) -> None:
        """List until it was heard; a kind that this process may not list, or that is not there, is left out."""
        while True:
            failed = await self.list_all()
            if all(isinstance(error, Forbidden | NotFound) for error in failed):
                return
            await asyncio.sleep(FIRST_TRIES)

    async def list_all(self) -> list[ApiError]:
        """One list of each kind that people write; what is gone is told as deleted. What failed."""
        view = self._view
        kinds: tuple[tuple[Kind, Store[Any]], ...] = (
            (ISSUER, view.issuers),
            (CLIENT_CERTIFICATE, view.certificates),
            *((target.kind, view.targets[plural]) for plural, target in view.target_kinds.items()),
        )
        failed: list[ApiError] = []
        for kind, store in kinds:
            failures = len(failed)
            for namespace in self._namespaces or (None,):
                asked = store.mark()
                try:
                    items, version = await self._gateway.list(kind, namespace)
                except ApiError as error:
                    logger.warning("cannot list %s: %s", kind.plural, error)
                    self._unheard()
                    failed.append(error)
                    continue
                listed = {key_of(body): version_of(body) for body in items}
                if store.was_put_back(listed, int(version), asked, namespace):
                    self._rolled_back(kind, {})
                tell(kind, store, items, int(version), namespace, self._handle)
            if len(failed) == failures:
                store.synced = True
        return failed


def tell(
    kind: Kind,
    store: Store[Any],
    items: list[Object],
    version: int,
    namespace: str | None,
    handle: Handle,
) -> None:
    """Hand a full list of one kind on, and as deleted what is not in it."""
    listed = {key_of(body) for body in items}
    for body in items:
        try:
            handle(kind.plural, "MODIFIED", body)
        except Exception:  # one object ends no resync: that would end the operator, for everybody
            logger.exception("cannot take in %s %s", kind.name, key_of(body))
    for key in store.keys():  # noqa: SIM118 - a Store is no dict
        if key not in listed and (namespace is None or key.namespace == namespace) and store.version(key) <= version:
            gone = {"metadata": {"namespace": key.namespace, "name": key.name, "resourceVersion": str(version)}}
            handle(kind.plural, "DELETED", gone)

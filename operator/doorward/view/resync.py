"""The full lists: a watch may lose a deletion during a relist, and an event may be lost; a list every few minutes is the truth."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from doorward.cluster import reflector
from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER, Gateway, Kind
from doorward.cluster.reflector import Notice
from doorward.cluster.store import Store
from doorward.logged import Once, about
from doorward.objects.meta import ObjectKey
from doorward.view.stores import View

logger = logging.getLogger(__name__)
EVERY = 300.0
FIRST_REST = 2.0
LONGEST_REST = 60.0
RELIST_TAKES = 2.0
CATCH_UP = 30.0
"""Seconds that all other work waits for a list that fails."""

Changed = Callable[[Kind, ObjectKey, Any, Any], None]
"""Told of an object that a list showed to be another one than before: its kind and key, and both; either may be None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """One kind that people write, in one namespace or (None) in all."""

    kind: Kind
    store: Store[Any]
    namespace: str | None
    relisted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where Kopf lists again, which tells of no deletion."""

    def __str__(self) -> str:
        return self.kind.plural + (f" in {self.namespace}" if self.namespace else "")


class Resync:
    """Full lists of what people write. Each source rests by itself where it fails, and holds up no other."""

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        changed: Changed,
        namespaces: Sequence[str],
        rolled_back: Notice,
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._changed = changed
        self._rolled_back = rolled_back
        self._faults: Once[str] = Once()
        """By source."""
        self._sources = tuple(self._all(namespaces or (None,)))
        for source in self._sources:
            source.store.listed(source.namespace, heard=False)
            view.sources.expect(source.kind.plural, source.namespace)

    def _all(self, namespaces: Sequence[str | None]) -> Iterator[_Source]:
        view = self._view
        kinds: tuple[tuple[Kind, Store[Any]], ...] = (
            (ISSUER, view.issuers),
            (CLIENT_CERTIFICATE, view.certificates),
            *((target.kind, view.targets[plural]) for plural, target in view.target_kinds.items()),
        )
        for kind, store in kinds:
            for namespace in namespaces:
                yield _Source(kind=kind, store=store, namespace=namespace)

    def relisted(self, plural: str) -> None:
        """Kopf has listed a kind again."""
        for source in self._sources:
            if source.kind.plural == plural:
                source.relisted.set()

    async def keep(self) -> None:
        """List each at the start, every five minutes, and when Kopf has listed it again; for ever."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._keep(source), name=f"list {source}")

    async def _keep(self, source: _Source) -> None:
        rest = FIRST_REST
        while True:
            if await self._list(source) is not None:
                await asyncio.sleep(rest)
                rest = min(rest * 2, LONGEST_REST)
                continue
            rest = FIRST_REST
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await source.relisted.wait()
                    await asyncio.sleep(RELIST_TAKES)
            source.relisted.clear()

    async def catch_up(self) -> None:
        """List until it was heard.

        A kind that this process may not list, or that is not there, is left out. One that fails for half a minute is
        called unknown, and listed again by and by: a new leader works with the rest.
        """
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._catch_up(source), name=f"catch up with {source}")

    async def _catch_up(self, source: _Source) -> None:
        loop = asyncio.get_running_loop()
        rest, last = FIRST_REST, loop.time() + CATCH_UP
        while (error := await self._list(source)) is not None and not isinstance(error, Forbidden | NotFound):
            if loop.time() >= last:
                source.store.listed(source.namespace, heard=False)
                source.relisted.set()
                return
            await asyncio.sleep(rest)
            rest = min(rest * 2, LONGEST_REST)

    async def _list(self, source: _Source) -> Exception | None:
        """One full list; what is gone is told as deleted. What went wrong; None: nothing."""
        kind, store, namespace = source.kind, source.store, source.namespace
        listed = reflector.Source(
            kind=kind,
            namespace=namespace,
            store=store,
            changed=partial(self._changed, kind),
            rolled_back=self._rolled_back,
        )
        try:
            await reflector.take_list(self._gateway, listed)
        except ApiError as error:
            if self._faults.is_new(str(source), error):
                logger.warning("list failed", extra=_about(source, error=str(error)))
            return self._failed(source, error)
        except Exception as error:  # a bug here holds up one source, and ends no process
            if self._faults.is_new(str(source), error):
                logger.exception("list failed", extra=_about(source))
            return self._failed(source, error)
        if self._faults.over(str(source)):
            logger.info("list works again", extra=_about(source))
        store.listed(namespace, heard=True)
        self._view.sources.synced(kind.plural, namespace)
        return None

    def _failed(self, source: _Source, error: Exception) -> Exception:
        self._view.sources.failed(source.kind.plural, source.namespace, error)
        return error


def _about(source: _Source, **fields: object) -> dict[str, object]:
    return about(source, kind=source.kind.name, namespace=source.namespace, **fields)

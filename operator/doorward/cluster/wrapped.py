"""A gateway around another one: reads pass, and each write is done within something that a subclass says."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Literal, TypeVar

from doorward.cluster.gateway import MERGE_PATCH, Gateway, Kind, Object, WatchEvent

T = TypeVar("T")
Verb = Literal["create", "replace", "patch", "delete"]


class WrappedGateway(ABC):
    """See `Gateway`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @abstractmethod
    def _around(self, kind: Kind, verb: Verb, subresource: str = "") -> AbstractAsyncContextManager[None]:
        """Entered before a write, and left with what came of it."""

    def skew(self) -> timedelta:
        return self._gateway.skew()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return await self._gateway.get(kind, namespace, name)

    async def list(
        self, kind: Kind, namespace: str | None, *, selector: str = "", metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        return await self._gateway.list(kind, namespace, selector=selector, metadata_only=metadata_only)

    async def collect(
        self,
        take: Callable[[Object], T],
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> tuple[Sequence[T], str]:
        return await self._gateway.collect(take, kind, namespace, selector=selector, metadata_only=metadata_only)

    def watch(
        self, kind: Kind, namespace: str | None, version: str, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[WatchEvent]:
        return self._gateway.watch(kind, namespace, version, selector=selector, metadata_only=metadata_only)

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        async with self._around(kind, "create"):
            return await self._gateway.create(kind, namespace, body, dry_run=dry_run)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        async with self._around(kind, "replace"):
            return await self._gateway.replace(kind, namespace, name, body)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        async with self._around(kind, "patch", subresource):
            return await self._gateway.patch(
                kind, namespace, name, body, content_type=content_type, subresource=subresource, query=query
            )

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        async with self._around(kind, "delete"):
            await self._gateway.delete(kind, namespace, name, version=version, uid=uid)

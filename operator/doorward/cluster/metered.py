"""The gateway that counts: each write by kind, verb and what came of it. Reads pass."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal, Protocol, TypeVar

from doorward.cluster.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Ending,
    Forbidden,
    Invalid,
    NotFound,
    NotLeading,
)
from doorward.cluster.gateway import MERGE_PATCH, Gateway, Kind, Object, WatchEvent

T = TypeVar("T")
Verb = Literal["create", "replace", "patch", "delete"]
ABANDONED = "abandoned"
"""Nobody waited for the answer any more."""
_RESULTS: tuple[tuple[type[ApiError], str, int], ...] = (
    (NotFound, "not_found", 404),
    (AlreadyExists, "already_exists", 409),
    (Conflict, "conflict", 409),
    (Forbidden, "forbidden", 403),
    (Ending, "forbidden", 403),
    (Invalid, "invalid", 422),
    (NotLeading, "not_leading", 0),
    (ApiError, "failed", 0),
)
"""By error, a subclass before its base: the result, and the HTTP status where the error does not say it."""
NO_REFUSALS = frozenset({401, 404, 408, 410, 429})
"""Of 4xx: nothing is wrong with the write. It can be tried again, or its object is gone."""
RESULTS = ("ok", *dict.fromkeys(result for _, result, _ in _RESULTS), ABANDONED)


class WriteMeter(Protocol):
    """Told of each write when it has ended: it must neither wait nor raise."""

    def wrote(self, kind: Kind, subresource: str, verb: Verb, result: str) -> None:
        """`result` is one of RESULTS."""
        ...

    def refused(self, kind: Kind, subresource: str, code: int) -> None:
        """The API server, or a policy, webhook or quota, refused a write with that HTTP status."""
        ...


class MeteredGateway:
    """See `Gateway`."""

    def __init__(self, gateway: Gateway, meter: WriteMeter) -> None:
        self._gateway = gateway
        self._meter = meter

    @contextmanager
    def _metered(self, kind: Kind, verb: Verb, subresource: str = "") -> Iterator[None]:
        result = ABANDONED
        try:
            yield
            result = "ok"
        except ApiError as error:
            result, usual = next((name, code) for of, name, code in _RESULTS if isinstance(error, of))
            code = error.status or usual
            if 400 <= code < 500 and code not in NO_REFUSALS:
                self._meter.refused(kind, subresource, code)
            raise
        finally:
            self._meter.wrote(kind, subresource, verb, result)

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

    async def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        with self._metered(kind, "create"):
            return await self._gateway.create(kind, namespace, body)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        with self._metered(kind, "replace"):
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
        with self._metered(kind, "patch", subresource):
            return await self._gateway.patch(
                kind, namespace, name, body, content_type=content_type, subresource=subresource, query=query
            )

    async def delete(self, kind: Kind, namespace: str, name: str, *, version: str | None = None) -> None:
        with self._metered(kind, "delete"):
            await self._gateway.delete(kind, namespace, name, version=version)

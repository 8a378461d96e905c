"""The gateway that counts: each write by kind, verb and what came of it. Reads pass."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

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
from doorward.cluster.gateway import Gateway, Kind
from doorward.cluster.wrapped import Verb, WrappedGateway

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


class MeteredGateway(WrappedGateway):
    """See `Gateway`."""

    def __init__(self, gateway: Gateway, meter: WriteMeter) -> None:
        super().__init__(gateway)
        self._meter = meter

    @asynccontextmanager
    async def _around(self, kind: Kind, verb: Verb, subresource: str = "") -> AsyncIterator[None]:
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

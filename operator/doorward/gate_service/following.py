"""One list and watch of a kind, for ever. What was taken in stays while the API server is away."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from doorward.clock import Clock
from doorward.cluster.errors import ApiError, Gone
from doorward.cluster.gateway import ISSUER, Gateway, Kind
from doorward.cluster.store import number_of
from doorward.objects.meta import Object

logger = logging.getLogger(__name__)
FIRST_REST = 0.2
LONGEST_REST = 5.0
"""Seconds between two tries: what was revoked meanwhile is to be known soon after the API server is back."""


EARLY = 1.0
"""Seconds: a watch that ended sooner is no watch, and the next one waits."""


class Table(Protocol):
    """What is kept of one kind."""

    def begin(self) -> None:
        """A full list begins."""
        ...

    def take(self, body: Object) -> None:
        """An object as the API server has it."""
        ...

    def remove(self, body: Object) -> None:
        """It was deleted."""
        ...

    async def end(self) -> None:
        """The list is complete: what it did not have is not there. Requests are answered in between."""
        ...


class Follower:
    """Keeps one table as the API server has it, and knows since when it does not."""

    def __init__(
        self, gateway: Gateway, clock: Clock, kind: Kind, table: Table, *, metadata_only: bool = False
    ) -> None:
        """`metadata_only`: nothing else of an object is asked for."""
        self.kind = kind
        self._metadata_only = metadata_only
        self._gateway = gateway
        self._clock = clock
        self._table = table
        self.heard_at: float | None = None
        """When it was last heard of, by the monotonic clock; None: not yet."""
        self.version = 0
        """The newest resourceVersion that was heard of; everything before it was taken in."""
        self.trouble = ""
        """Why the last try failed; empty: it did not."""

    @property
    def synced(self) -> bool:
        """Whether a full list was taken in."""
        return self.heard_at is not None

    def silence(self) -> timedelta:
        """Since when nothing was heard; zero before the first list, when nothing is known at all."""
        return timedelta(0) if self.heard_at is None else timedelta(seconds=self._clock.monotonic() - self.heard_at)

    async def follow(self) -> None:
        """List and watch for ever."""
        rests = _rests()
        while True:
            try:
                version = await self._list()
                rests, self.trouble = _rests(), ""
                while True:
                    begun = self._clock.monotonic()
                    version = await self._watch(version)
                    if self._clock.monotonic() < begun + EARLY:
                        await asyncio.sleep(next(rests))
                    await self._refuse_rollback()
            except Gone:
                logger.info("listing again: kind=%s", self.kind.plural)
            except ApiError as error:
                self._failed(error)
            except Exception as error:  # a bug here must not end the process: the others are followed on
                self._failed(error)
                logger.exception("following failed: kind=%s", self.kind.plural)
            await asyncio.sleep(next(rests))

    def _failed(self, error: Exception) -> None:
        before, self.trouble = self.trouble, f"{type(error).__name__}: {error}"[:300]
        if self.trouble != before:  # an hour without an API server is not a thousand lines
            logger.warning("api server not followed: kind=%s error=%s", self.kind.plural, self.trouble)

    async def _list(self) -> str:
        self._table.begin()
        _, version = await self._gateway.collect(self._table.take, self.kind, None, metadata_only=self._metadata_only)
        await self._table.end()
        self.version = number_of(version)
        self._heard()
        return version

    async def _watch(self, version: str) -> str:
        """Until the server ends the stream; the version to go on from."""
        async for event in self._gateway.watch(self.kind, None, version, metadata_only=self._metadata_only):
            version = event.object["metadata"]["resourceVersion"]
            if event.type == "DELETED":
                self._table.remove(event.object)
            elif event.type != "BOOKMARK":
                self._table.take(event.object)
            self.version = max(self.version, number_of(version))
            self._heard()
        return version

    async def _refuse_rollback(self) -> None:
        """Raise Gone where the cluster was rolled back to before what was heard: a watch from there would hear nothing, and
        would not say so (measured).
        """
        _, version = await self._gateway.list(ISSUER, None)
        if number_of(version) < self.version:
            raise Gone("the cluster was rolled back")

    def _heard(self) -> None:
        self.heard_at = self._clock.monotonic()


def _rests() -> Iterator[float]:
    rest = FIRST_REST
    while True:
        yield rest
        rest = min(rest * 2, LONGEST_REST)

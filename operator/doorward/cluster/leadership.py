"""One of several processes leads: it takes our Lease, keeps it, and knows by its monotonic clock until when it may write.

A leader that cannot renew in time writes nothing until it can; one that finds another's name in the Lease has lost it
for good (`Lost`), and its process must end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from doorward.clock import Clock
from doorward.cluster import lease
from doorward.cluster.errors import AlreadyExists, ApiError, Conflict, NotFound, NotLeading
from doorward.cluster.gateway import LAST_LOOK, LEASE, Gateway, Object, get_if_there
from doorward.objects.meta import ObjectKey

logger = logging.getLogger(__name__)
REQUEST = 3.0
"""Seconds: the longest that one answer is waited for."""


class Lost(Exception):
    """Another process leads."""


class Leadership:
    """The claim of this process to one Lease. `me` is its identity: no other process, before or after, has the same."""

    def __init__(self, gateway: Gateway, clock: Clock, at: ObjectKey, me: str) -> None:
        self._gateway = gateway
        self._clock = clock
        self._at = at
        self._me = me
        self._body: Object | None = None
        self._seen: lease.Seen | None = None
        self._renewed: float | None = None
        self._writing: set[asyncio.Timeout] = set()
        self._led = False
        self._news = asyncio.Event()

    @property
    def holder(self) -> str:
        """Who leads, as far as was seen; empty: nobody."""
        return self._seen.holder if self._seen is not None else ""

    @property
    def renewed_ago(self) -> float | None:
        """Seconds since this process last renewed the Lease; None: it does not hold it."""
        return None if self._renewed is None else self._clock.monotonic() - self._renewed

    def leads(self) -> bool:
        """Whether this process may write now."""
        return self._renewed is not None and self._clock.monotonic() < self._renewed + lease.DEADLINE

    async def led(self) -> None:
        """Wait until this process leads: for the first time, or again."""
        while not self.leads():
            self._news.clear()
            await self._news.wait()

    def must_lead(self) -> None:
        """Raises NotLeading where this process may not write now."""
        if not self.leads():
            raise NotLeading(f"{self._me} may not write: {self.holder or 'nobody'} was seen to lead")

    @asynccontextmanager
    async def while_leading(self) -> AsyncIterator[None]:
        """For one write: NotLeading where this process may not, or no longer before the write has ended."""
        self.must_lead()
        token = LAST_LOOK.set(self.must_lead)
        try:
            async with asyncio.timeout(self._left()) as limit:
                self._writing.add(limit)
                try:
                    yield
                finally:
                    self._writing.discard(limit)
        except TimeoutError as error:
            raise NotLeading(f"{self._me} could not renew its Lease before the answer came") from error
        finally:
            LAST_LOOK.reset(token)

    def _left(self) -> float:
        return (self._renewed or 0.0) + lease.DEADLINE - self._clock.monotonic()

    async def keep(self) -> None:
        """Take the Lease when it may be taken, and renew it for ever. Raises Lost when another took it."""
        rest = 0.0
        while True:
            await asyncio.sleep(rest)
            rest = await self._step()

    async def _step(self) -> float:
        """One try; the seconds to rest before the next."""
        try:
            async with asyncio.timeout(REQUEST):
                return await self._claim()
        except (ApiError, TimeoutError) as error:
            self._body = None
            logger.warning("Lease %s: %s: %s", self._at, type(error).__name__, error)
            return lease.LOOK_EVERY

    async def _claim(self) -> float:
        if self._body is None or not self._led:
            self._body = await get_if_there(self._gateway, LEASE, self._at)
        now = self._clock.monotonic()
        self._seen = lease.look(self._body, self._seen, now)
        if self._led and self._seen.holder not in ("", self._me):
            self._renewed = None
            raise Lost(f"{self._seen.holder} has taken the Lease {self._at}")
        if not lease.may_take(self._seen, self._me, now):
            return lease.next_look(self._seen, now)
        try:
            self._take_in(
                await self._write(lease.claimed(self._at, self._body, self._me, self._clock.now_precise())), now
            )
        except (AlreadyExists, Conflict, NotFound):
            self._body = None
            return 0.0
        return lease.RENEW_EVERY

    async def _write(self, body: Object) -> Object:
        if "resourceVersion" not in body["metadata"]:
            return await self._gateway.create(LEASE, self._at.namespace, body)
        return await self._gateway.replace(LEASE, self._at.namespace, self._at.name, body)

    def _take_in(self, body: Object, begun: float) -> None:
        """A renewal counts from when it was begun: others count from when they saw it, which is later."""
        self._body, self._renewed = body, begun
        self._seen = lease.look(body, self._seen, begun)
        self._news.set()
        for limit in self._writing:
            limit.reschedule(asyncio.get_running_loop().time() + self._left())
        if not self._led:
            self._led = True
            logger.info("%s leads: it has the Lease %s", self._me, self._at)

    async def release(self) -> None:
        """Let another lead at once; nothing is written any more. If it fails, the Lease expires by itself."""
        held, self._renewed = self._renewed is not None, None
        try:
            async with asyncio.timeout(REQUEST):
                while held:
                    held = not await self._released()
        except (ApiError, TimeoutError) as error:
            logger.warning("Lease %s not released: %s: %s", self._at, type(error).__name__, error)

    async def _released(self) -> bool:
        """Whether it is not ours any more; a renewal whose answer nobody waited for may have come in between."""
        body = await get_if_there(self._gateway, LEASE, self._at)
        if body is None or body["spec"].get("holderIdentity") != self._me:
            return True
        try:
            await self._write(lease.released(self._at, body, self._clock.now_precise()))
        except (Conflict, NotFound):
            return False
        logger.info("%s has released the Lease %s", self._me, self._at)
        return True

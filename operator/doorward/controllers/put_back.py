"""The cluster was put back to an older state while this process ran: everything is listed anew, and what only this
process still knows of the ledger is written again. What is published needs no help: a CRL is made from the newest seen.

A watch that goes on from a resourceVersion of the lost future is answered 200 and hears nothing (measured), so all of
them are opened anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, ApiError, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import ISSUED_CERTIFICATE, Gateway, Kind
from doorward.controllers.world import Key, World
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey

logger = logging.getLogger(__name__)
SAME = 60.0  # seconds in which other lists tell of the same
REST = 1.0


class PutBack:
    """Hears of it from every list, and acts on it once."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock, wake: Callable[[Key], None]) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock
        self._wake = wake
        self._noticed = asyncio.Event()
        self._lost: dict[ObjectKey, Record] = {}

    def notice(self, kind: Kind, before: Mapping[ObjectKey, Any]) -> None:
        """A list of that kind showed less than was known, which was this."""
        if kind == ISSUED_CERTIFICATE:
            self._lost |= before
        self._noticed.set()

    async def mend(self, start_over: Callable[[], Awaitable[None]]) -> None:
        """For ever; `start_over` lists everything and opens every watch anew."""
        quiet = 0.0
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            now = asyncio.get_running_loop().time()
            if now >= quiet:
                logger.error("the cluster was put back to an older state: see docs/runbooks/etcd-restore.md")
                quiet = now + SAME
                self._world.put_back_at = self._clock.now()
                self._world.forget_views()
                await start_over()
                for issuer in self._world.issuers.keys():  # noqa: SIM118 - a Store is no dict
                    self._wake(Key("issuer", issuer))
            if not await self._write_again():
                await asyncio.sleep(REST)
                self._noticed.set()

    async def _write_again(self) -> bool:
        """Put lost lines of the ledger back; False: some are left."""
        for key, record in tuple(self._lost.items()):
            try:
                await self._restore(record)
            except (Forbidden, Invalid, NotFound) as error:
                logger.error("ledger record %s is lost: %s", key, error)  # noqa: TRY400 - the API server's word says it all
            except ApiError as error:
                logger.warning("ledger record %s is not written again yet: %s", key, error)
                return False
            del self._lost[key]
        return True

    async def _restore(self, record: Record) -> None:
        at, now = record.key, self._world.records.get(record.key)
        if now is None:
            with suppress(AlreadyExists):
                body = ledger_record.render_again(record)
                self._world.records.put(await self._gateway.create(ISSUED_CERTIFICATE, at.namespace, body))
                logger.warning("ledger record %s was lost and is back", at)
        elif record.refused and record.revocation is not None and _says_less(now, record):
            patch = {"spec": {"revocation": ledger_record.render_revocation(record.revocation)}}
            self._world.records.put(await self._gateway.patch(ISSUED_CERTIFICATE, at.namespace, at.name, patch))
            logger.warning("the revocation in ledger record %s was lost and is back", at)
        self._wake(Key("issuer", record.issuer))
        self._wake(Key("certificate", record.holder))


def _says_less(now: Record, known: Record) -> bool:
    """Whether a record is live, or held for another reason or time than was known; final is final."""
    return now.revocation is None or (now.revocation.is_hold and now.revocation != known.revocation)

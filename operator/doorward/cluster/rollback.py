"""The cluster was rolled back to an older state while this process ran: everything is listed again, and what only this
process still knows of the ledger is written again. What is published needs no help: a CRL is made from the newest seen.

A watch that goes on from a resourceVersion of the lost future is answered 200 and hears nothing (measured), so all of
them are opened again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from doorward.cluster.errors import AlreadyExists, ApiError, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import ISSUED_CERTIFICATE, Gateway, Kind
from doorward.cluster.store import Store
from doorward.logged import Once, about
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey

logger = logging.getLogger(__name__)
SAME = 60.0  # seconds in which other lists tell of the same
REST = 1.0


class Rollback:
    """Hears of it from every list, and acts on it once."""

    def __init__(
        self,
        gateway: Gateway,
        records: Store[Record],
        *,
        noticed: Callable[[], None],
        restored: Callable[[Record], None],
        is_over: Callable[[Record], bool],
    ) -> None:
        self._gateway = gateway
        self._records = records
        self._tell_noticed = noticed
        """Told at once; what was read at a resourceVersion is worth nothing any more."""
        self._tell_restored = restored
        """Told of each record that is as it was again, or cannot be restored."""
        self._is_over = is_over
        """Whether the record's time is over: it may have been archived, and is not restored."""
        self._noticed = asyncio.Event()
        self._lost: dict[ObjectKey, Record] = {}
        self._faults: Once[ObjectKey] = Once()

    def notice(self, kind: Kind, before: Mapping[ObjectKey, Any]) -> None:
        """A list of that kind showed less than was known, which was this."""
        if kind == ISSUED_CERTIFICATE:
            self._lost |= before
        self._noticed.set()

    async def keep(self, start_over: Callable[[], Awaitable[None]], and_then: Callable[[], None]) -> None:
        """For ever. `start_over` lists everything and opens every watch again; `and_then` is told when that is done."""
        quiet = 0.0
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            now = asyncio.get_running_loop().time()
            if now >= quiet:
                logger.error("cluster rolled back", extra=about("cluster", runbook="docs/runbooks/etcd-restore.md"))
                quiet = now + SAME
                self._tell_noticed()
                await start_over()
                and_then()
            if not await self._write_again():
                await asyncio.sleep(REST)
                self._noticed.set()

    async def _write_again(self) -> bool:
        """Restore lost lines of the ledger; False: some are left."""
        for key, record in tuple(self._lost.items()):
            try:
                await self._restore(record)
            except (Forbidden, Invalid, NotFound) as error:
                told = _about(record, error=str(error))
                logger.error("record not restored", extra=told)  # noqa: TRY400 - the API server's word says it all
            except ApiError as error:
                if self._faults.is_new(key, error):
                    logger.warning("record not restored yet", extra=_about(record, error=str(error)))
                return False
            del self._lost[key]
        return True

    async def _restore(self, record: Record) -> None:
        at, now = record.key, self._records.get(record.key)
        if self._is_over(record):
            return
        if now is None:
            with suppress(AlreadyExists):
                # A lifted hold is left out: no CRL names it, and the operator may write none (fence-operator-writes.yaml).
                body = ledger_record.render_again(replace(record, revocation=None) if record.is_lifted else record)
                self._records.put(await self._gateway.create(ISSUED_CERTIFICATE, at.namespace, body))
                logger.warning("record restored", extra=_about(record, because="the cluster was rolled back"))
        elif record.refused and record.revocation is not None and _says_less(now, record):
            patch = {"spec": {"revocation": ledger_record.render_revocation(record.revocation)}}
            self._records.put(await self._gateway.patch(ISSUED_CERTIFICATE, at.namespace, at.name, patch))
            told = _about(record, reason=record.revocation.reason, because="the cluster was rolled back")
            logger.warning("revocation restored", extra=told)
        self._tell_restored(record)


def _about(record: Record, **fields: object) -> dict[str, object]:
    client, issuer = str(record.holder), str(record.issuer)
    return about(f"ClientCertificate {client}", client=client, issuer=issuer, serial=f"{record.serial:x}", **fields)


def _says_less(now: Record, known: Record) -> bool:
    """Whether a record is live, or held for another reason or time than was known; final is final."""
    return now.revocation is None or (now.revocation.is_hold and now.revocation != known.revocation)

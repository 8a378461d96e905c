"""Ledger records into their archive, and out of the ledger: archive and index are checked as the API server answers them, then
each record is deleted in the version that was archived. The process may be killed at any of these writes.
"""

import asyncio
import logging
from collections.abc import Iterable

from doorward.cluster.errors import AlreadyExists, Conflict, Invalid, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, Gateway, Object, get_if_there
from doorward.logged import about
from doorward.objects import archive, archive_index
from doorward.objects.archive import ARCHIVE_ROLE, ArchivedRecord, ArchiveMalformed
from doorward.objects.archive_index import INDEX_ROLE, ArchiveIndex, Part, index_name
from doorward.objects.meta import ObjectKey, is_ours
from doorward.planning.plan import ArchiveRecords, DeleteRecord, EmptyArchive
from doorward.view.intake import Intake
from doorward.view.keys import ledger_key
from doorward.view.stores import View

logger = logging.getLogger(__name__)
MOST_PARTS = 999
"""Of a month: some 10 million records."""


class ArchiveApplier:
    """For the ledger that is worked on."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake

    async def archive(self, issuer: ObjectKey, action: ArchiveRecords) -> None:
        """Into the archive of their month, then into the index. Raises Invalid where the API server stored something else."""
        index = self._view.archives.index(issuer)
        records = tuple(archive.archived(record) for record in action.records)
        first = max(len(index.months.get(action.month, ())), 1)
        number, part = await self._write_part(issuer, action.month, first, records)
        indexed = archive_index.with_records(index, action.records, action.spared)
        known = archive_index.with_part(indexed, action.month, number, part)
        if known != index:
            await self._write_index(issuer, known)
        told = about(f"MTLSIssuer {issuer}", issuer=str(issuer), month=action.month, count=len(records), part=number)
        logger.info("records archived", extra=told)

    async def _write_part(
        self, issuer: ObjectKey, month: str, first: int, records: tuple[ArchivedRecord, ...]
    ) -> tuple[int, Part]:
        """Into the last part that there is, or the next one; which one it is, and how large it is now."""
        number, body = await self._last_part(issuer, month, first)
        while number <= MOST_PARTS:
            known = await self._read(body) if body is not None else ()
            if known is not None:
                together = archive.merged(known, records)
                packed = await asyncio.to_thread(archive.pack, together)
                if packed is not None:
                    if together != known:
                        version = body["metadata"]["resourceVersion"] if body is not None else None
                        rendered = archive.render(issuer, month, number, packed, version=version)
                        await self._verified(await self._write(issuer, rendered), records)
                    return number, Part(records=len(together), size=len(packed))
                if body is None:
                    raise Invalid(f"{len(records)} records do not fit into an archive")
                there = frozenset(known)
                records = tuple(record for record in records if record not in there)
            number += 1
            body = await get_if_there(self._gateway, CONFIG_MAP, _at(issuer, month, number))
        raise Conflict(f"the archive of {month} has {MOST_PARTS} parts")

    async def _last_part(self, issuer: ObjectKey, month: str, first: int) -> tuple[int, Object | None]:
        """From the first that may be the last on: a part is written before the index says so."""
        number, body = first, await get_if_there(self._gateway, CONFIG_MAP, _at(issuer, month, first))
        while body is not None and number < MOST_PARTS:
            following = await get_if_there(self._gateway, CONFIG_MAP, _at(issuer, month, number + 1))
            if following is None:
                break
            number, body = number + 1, following
        return number, body

    async def _read(self, body: Object) -> tuple[ArchivedRecord, ...] | None:
        """None: it is not ours, or cannot be read; it is not written over."""
        if is_ours(body, ARCHIVE_ROLE):
            try:
                return await asyncio.to_thread(archive.parse, body)
            except ArchiveMalformed as error:
                why = str(error)
        else:
            why = "it is not Doorward's"
        logger.error("archive passed over", extra=about(f"ConfigMap {body['metadata']['name']}", error=str(why)))
        return None

    async def _verified(self, written: Object, records: Iterable[ArchivedRecord]) -> None:
        """Raises Invalid unless what the API server stored holds all of these records, and says no less of them."""
        try:
            found = await asyncio.to_thread(archive.parse, written)
        except ArchiveMalformed as error:
            raise Invalid(f"ConfigMap {written['metadata']['name']} was changed as it was written: {error}") from error
        if archive.merged(found, records) != found:
            raise Invalid(f"ConfigMap {written['metadata']['name']} was changed as it was written")

    async def _write_index(self, issuer: ObjectKey, index: ArchiveIndex) -> None:
        at = ObjectKey(issuer.namespace, index_name(issuer.name))
        known = self._view.configmaps.get(at)
        version = known["metadata"]["resourceVersion"] if known is not None else None
        try:
            written = await self._write(issuer, archive_index.render(issuer, index, version=version))
        except Conflict:
            await self._look_again(at)
            raise
        try:
            same = archive_index.parse(written) == index
        except ArchiveMalformed:
            same = False
        if not same:
            raise Invalid(f"ConfigMap {at} was changed as it was written")
        self._intake.written(CONFIG_MAP, written, by=ledger_key(issuer))

    async def _look_again(self, at: ObjectKey) -> None:
        """At an index that is another one than was known. Raises Invalid where the name is taken."""
        body = await get_if_there(self._gateway, CONFIG_MAP, at)
        if body is not None and not is_ours(body, INDEX_ROLE):
            raise Invalid(f"ConfigMap {at} is not Doorward's: delete or rename it")
        if body is not None:
            self._intake.written(
                CONFIG_MAP, body, by=ledger_key(ObjectKey(at.namespace, at.name.removesuffix("-archive")))
            )

    async def _write(self, issuer: ObjectKey, body: Object) -> Object:
        """Raises Conflict where it was created or changed in the meantime; then all of it is planned again."""
        name = body["metadata"]["name"]
        if "resourceVersion" in body["metadata"]:
            return await self._gateway.replace(CONFIG_MAP, issuer.namespace, name, body)
        try:
            return await self._gateway.create(CONFIG_MAP, issuer.namespace, body)
        except AlreadyExists as error:
            raise Conflict(f"ConfigMap {name} was created in the meantime") from error

    async def delete(self, action: DeleteRecord) -> None:
        """In the version that was archived: what changed since then stays, and is planned again."""
        at, ledger = action.record.key, self._view.ledger
        if ledger.get(at) != action.record:
            return
        version = ledger.version(at)
        try:
            await self._gateway.delete(ISSUED_CERTIFICATE, at.namespace, at.name, version=str(version))
        except Conflict:
            return
        except NotFound:
            pass
        ledger.archived(at, version)

    async def empty(self, issuer: ObjectKey, action: EmptyArchive) -> None:
        """The ConfigMaps stay: the operator may not delete them."""
        index = self._view.archives.index(issuer)
        for number in range(1, len(index.months.get(action.month, ())) + 1):
            body = await get_if_there(self._gateway, CONFIG_MAP, _at(issuer, action.month, number))
            if body is not None and is_ours(body, ARCHIVE_ROLE) and body.get("binaryData"):
                version = body["metadata"]["resourceVersion"]
                rendered = archive.render(issuer, action.month, number, None, version=version)
                await self._write(issuer, rendered)
        left = archive_index.without_month(index, action.month)
        await self._write_index(issuer, left)
        count = left.dropped - index.dropped
        told = about(f"MTLSIssuer {issuer}", issuer=str(issuer), month=action.month, count=count)
        logger.warning("archive emptied", extra=told)


def _at(issuer: ObjectKey, month: str, number: int) -> ObjectKey:
    return ObjectKey(issuer.namespace, archive.archive_name(issuer.name, month, number))

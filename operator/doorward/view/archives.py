"""The indexes of the ledgers' archives, as they were last seen; the archives themselves are read only when they are written."""

import logging

from doorward.cluster.gateway import Object
from doorward.cluster.store import Store
from doorward.objects import archive_index
from doorward.objects.archive import ArchiveMalformed
from doorward.objects.archive_index import INDEX_ROLE, NO_ARCHIVE, UNREADABLE, ArchiveIndex, index_name
from doorward.objects.meta import ObjectKey, is_ours

logger = logging.getLogger(__name__)


class Archives:
    """By issuer; each version of an index is parsed once."""

    def __init__(self, configmaps: Store[Object]) -> None:
        self._configmaps = configmaps
        self._parsed: dict[ObjectKey, tuple[Object, ArchiveIndex]] = {}

    def index(self, issuer: ObjectKey) -> ArchiveIndex:
        """What rules need of the issuer's archived records; empty where nothing was archived, or is known yet."""
        at = ObjectKey(issuer.namespace, index_name(issuer.name))
        body = self._configmaps.get(at)
        if body is None or not is_ours(body, INDEX_ROLE):
            self._parsed.pop(at, None)
            return NO_ARCHIVE
        known = self._parsed.get(at)
        if known is None or known[0] is not body:
            known = self._parsed[at] = (body, self._read(at, body))
        return known[1]

    @staticmethod
    def _read(at: ObjectKey, body: Object) -> ArchiveIndex:
        try:
            return archive_index.parse(body)
        except ArchiveMalformed as error:
            logger.error("archive index cannot be read: %s", error, extra={"object": f"ConfigMap {at}"})  # noqa: TRY400 - the message says it all
            return UNREADABLE

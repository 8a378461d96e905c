"""Live records that no ClientCertificate stands behind; whether it is gone is asked of the API server itself, by name."""

from datetime import datetime, timedelta

from doorward.cluster.gateway import CLIENT_CERTIFICATE, Gateway
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import revocation, timing
from doorward.planning.entitlement import stands_behind
from doorward.planning.gone import Strays
from doorward.planning.observed import Unseen
from doorward.view.parsed import IssuerObject
from doorward.view.reads import Reads
from doorward.view.stores import View


class OrphanObserver:
    """Looks at what outlived a ClientCertificate."""

    def __init__(self, view: View, gateway: Gateway, reads: Reads) -> None:
        self._view = view
        self._gateway = gateway
        self._reads = reads

    async def observe(self, key: ObjectKey, now: datetime) -> Strays | None:
        """Live or suspended records of a ClientCertificate that is not in its store, or that names another issuer now, and
        records of one that is back; None: there are none.
        """
        view = self._view
        found = view.certificates.get(key)
        known = view.ledger.of_client(key)
        records = tuple(
            record
            for record in known
            if (record.live(now) or _is_suspended(record, now))
            and (found is None or not stands_behind(found.issuer, record.issuer))
        )
        back = tuple(r for r in known if r.missing_since is not None and found is not None and r.issuer == found.issuer)
        if not (records or back) or not view.serves(key.namespace):
            return None
        synced = view.certificates.synced_in(key.namespace)
        named = await self._named(key) if back or (records and synced) else Unseen.UNKNOWN
        return Strays(
            records=records,
            # By the API server's word as well: another process may have missed it since our watch told of it.
            back=tuple(record for record in back if record.issuer == named),
            gone=synced and bool(records) and _is_gone(named, records),
            undo_windows=self._undo_windows(records),
            skew=self._gateway.skew(),
        )

    async def _named(self, key: ObjectKey) -> ObjectKey | Unseen:
        """The issuer that the ClientCertificate of that name names, as the API server has it now."""
        body = await self._reads.by_name(CLIENT_CERTIFICATE, key)
        if isinstance(body, Unseen):
            return body
        named = body["spec"]["issuerRef"]
        return ObjectKey(named.get("namespace") or key.namespace, named["name"])

    def _undo_windows(self, records: tuple[Record, ...]) -> dict[ObjectKey, timedelta]:
        windows = {}
        for issuer in {record.issuer for record in records}:
            found = self._view.issuers.get(issuer)
            if isinstance(found, IssuerObject) and not isinstance(found.spec, str):
                windows[issuer] = timing.duration(found.spec.revocation.undo_window)
        return windows


def _is_gone(named: ObjectKey | Unseen, records: tuple[Record, ...]) -> bool:
    """Whether there is no ClientCertificate, or one of another issuer."""
    return named is Unseen.ABSENT or (
        not isinstance(named, Unseen) and not any(stands_behind(named, record.issuer) for record in records)
    )


def _is_suspended(record: Record, now: datetime) -> bool:
    return now < record.not_after and revocation.by_suspension(record)

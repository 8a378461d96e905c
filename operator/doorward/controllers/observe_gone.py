"""What is left of issuers and clients that are not there; whether they are gone is asked of the API server itself, by name."""

from datetime import datetime, timedelta

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER, Gateway
from doorward.controllers.reads import Reads
from doorward.controllers.seen import IssuerObject
from doorward.controllers.world import World
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, gate_secret_name
from doorward.planning import gone, revocation, timing
from doorward.planning.gone import IssuerGone, Strays
from doorward.planning.observed import Gate, GateState, Unseen


class GoneObserver:
    """Looks at what outlived its owner."""

    def __init__(self, world: World, gateway: Gateway, reads: Reads) -> None:
        self._world = world
        self._gateway = gateway
        self._reads = reads

    async def issuer(self, key: ObjectKey, now: datetime) -> IssuerGone:
        """An issuer that is not in its store, and its gates."""
        world = self._world
        if not world.serves(key.namespace):
            return IssuerGone(sure=False, gates=())
        names = sorted(secret["metadata"]["namespace"] for secret in world.secrets.lookup("gate", key))
        gates = tuple(self._gate(namespace, key, now) for namespace in names)
        sure = bool(gates) and world.issuers.synced and await self._reads.by_name(ISSUER, key) is Unseen.ABSENT
        return IssuerGone(sure=sure, gates=gates)

    def _gate(self, namespace: str, issuer: ObjectKey, now: datetime) -> Gate:
        at = ObjectKey(namespace, gate_secret_name(issuer))
        refusal = self._world.gate_refusals.get(at)
        refused = refusal is not None and now < refusal.retry_at
        denied = isinstance(self._reads.secret_metadata(at), Unseen)
        state = GateState.REFUSED if refused else GateState.DENIED if denied else GateState.STALE
        return Gate(namespace=namespace, targets=(), allowed=False, state=state)

    async def strays(self, key: ObjectKey, now: datetime) -> Strays | None:
        """Live or suspended records of a ClientCertificate that is not in its store, or that names another issuer now; None:
        there are none.
        """
        world = self._world
        found = world.certificates.get(key)
        records = tuple(
            record
            for record in world.records.lookup("holder", key)
            if (record.live(now) or _is_suspended(record, now)) and (found is None or record.issuer != found.issuer)
        )
        if not records or not world.serves(key.namespace):
            world.missing_since.pop(key, None)
            return None
        since = world.missing_since.setdefault(key, now)
        return Strays(
            records=records,
            missing_since=since,
            gone=now >= since + gone.GRACE and await self._is_gone(key, records),
            undo_windows=self._undo_windows(records),
            skew=self._gateway.skew(),
        )

    async def _is_gone(self, key: ObjectKey, records: tuple[Record, ...]) -> bool:
        """Whether there is no ClientCertificate of that name, or one of another issuer."""
        body = await self._reads.by_name(CLIENT_CERTIFICATE, key)
        if isinstance(body, Unseen):
            return body is Unseen.ABSENT
        named = body["spec"]["issuerRef"]
        issuer = ObjectKey(named.get("namespace") or key.namespace, named["name"])
        return all(record.issuer != issuer for record in records)

    def _undo_windows(self, records: tuple[Record, ...]) -> dict[ObjectKey, timedelta]:
        windows = {}
        for issuer in {record.issuer for record in records}:
            found = self._world.issuers.get(issuer)
            if isinstance(found, IssuerObject) and not isinstance(found.spec, str):
                windows[issuer] = timing.duration(found.spec.revocation.undo_window)
        return windows


def _is_suspended(record: Record, now: datetime) -> bool:
    return now < record.not_after and revocation.by_suspension(record)

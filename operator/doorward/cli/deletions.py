"""Deletions of ClientCertificates that are in the ledger: which of them are meant, and which may be undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from doorward.cli import outcome
from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, NAMESPACE, Gateway, Object
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of
from doorward.planning import revocation, undo

MISSING, UNKNOWN = "missing", "unknown"
REVOKED = "left alone: spec.revoked of its ClientCertificate is true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose deletions are to be undone; empty: everybody's."""

    issuer: ObjectKey
    namespace: str = ""
    names: frozenset[str] = frozenset()
    serials: frozenset[int] = frozenset()
    since: datetime | None = None

    def takes(self, record: Record, now: datetime) -> bool:
        """Whether this record is meant, and its deletion can be undone."""
        return (
            revocation.restorable(record, now)
            and record.issuer == self.issuer
            and self.namespace in ("", record.holder.namespace)
            and (not (self.names or self.serials) or record.holder.name in self.names or record.serial in self.serials)
            and (self.since is None or (record.revocation is not None and record.revocation.time >= self.since))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record that is meant."""

    record: Record
    version: str
    client: str
    """UID of its ClientCertificate; or that it is missing, or unknown since whoever asks may not see it."""
    why_not: str | None
    """Why it stays held; None: it is restored."""
    suspended: bool = False
    """Whether its ClientCertificate holds it for another reason, which stays."""
    others: tuple[Record, ...] = ()
    """Certificates of the client that are revoked for good, and have not expired."""

    @property
    def state(self) -> str:
        """Whether its ClientCertificate is there, in a word."""
        return self.client if self.client in (MISSING, UNKNOWN) else "there"


async def find(gateway: Gateway, wanted: Wanted, now: datetime) -> list[Found]:
    """The records that are meant, by client and time."""
    items, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.issuer.namespace)
    ledger = [(record, str(body["metadata"]["resourceVersion"])) for body in items if (record := record_of(body))]
    meant = [(record, version) for record, version in ledger if wanted.takes(record, now)]
    there = await _clients(gateway, {record.holder.namespace for record, _ in meant})
    by_client: dict[ObjectKey, list[Record]] = {}
    for record, _ in ledger:
        by_client.setdefault(record.holder, []).append(record)
    meant.sort(key=lambda pair: (pair[0].holder, pair[0].not_before))
    return [_found(r, v, wanted, there[r.holder.namespace], by_client[r.holder], now) for r, v in meant]


def record_of(body: Object) -> Record | None:
    try:
        return ledger_record.parse(body)
    except (ValueError, KeyError, TypeError):
        return None


def _found(
    record: Record,
    version: str,
    wanted: Wanted,
    there: dict[ObjectKey, Object] | None,
    of_client: Sequence[Record],
    now: datetime,
) -> Found:
    body = None if there is None else _of_issuer(there.get(record.holder), record.issuer)
    client = UNKNOWN if there is None else MISSING if body is None else str(body["metadata"]["uid"])
    spec = body["spec"] if body is not None else {}
    why_not = None
    if record.serial not in wanted.serials:
        why_not = undo.why_not(
            tuple(undo.newer(record, of_client)),
            created_again=client not in (MISSING, UNKNOWN, record.holder_uid),
            named=record.holder.name in wanted.names,
        )
    return Found(
        record=record,
        version=version,
        client=client,
        why_not=REVOKED if spec.get("revoked") else why_not,
        suspended=bool(spec.get("suspended")),
        others=tuple(r for r in of_client if r.issuer == record.issuer and outcome.is_final(r, now)),
    )


def _of_issuer(body: Object | None, issuer: ObjectKey) -> Object | None:
    """The ClientCertificate, where it is one of that issuer: a serial of another issuer has none."""
    if body is None:
        return None
    named = body["spec"]["issuerRef"]
    at = ObjectKey(named.get("namespace") or body["metadata"]["namespace"], named["name"])
    return body if at == issuer else None


async def _clients(gateway: Gateway, namespaces: set[str]) -> dict[str, dict[ObjectKey, Object] | None]:
    """The ClientCertificates of each namespace; None: whoever asks may not see them."""
    found: dict[str, dict[ObjectKey, Object] | None] = {}
    for namespace in sorted(namespaces):
        try:
            items, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
        except Forbidden:
            found[namespace] = None
        else:
            ends = await _ends(gateway, namespace)
            alive = (body for body in items if not ends and "deletionTimestamp" not in body["metadata"])
            found[namespace] = {key_of(body): body for body in alive}
    return found


async def client_of(gateway: Gateway, at: ObjectKey, issuer: ObjectKey) -> str:
    """As `Found.client`, of one that is asked for by name."""
    try:
        body = await gateway.get(CLIENT_CERTIFICATE, at.namespace, at.name)
    except NotFound:
        return MISSING
    except Forbidden:
        return UNKNOWN
    alive = "deletionTimestamp" not in body["metadata"] and _of_issuer(body, issuer) is not None
    return str(body["metadata"]["uid"]) if alive and not await _ends(gateway, at.namespace) else MISSING


async def _ends(gateway: Gateway, namespace: str) -> bool:
    """Whether the namespace is being deleted, and every ClientCertificate in it with it; as far as whoever asks may see that."""
    try:
        return "deletionTimestamp" in (await gateway.get(NAMESPACE, None, namespace))["metadata"]
    except ApiError:
        return False

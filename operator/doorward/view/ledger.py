"""The ledger as it was last seen: the only reader of IssuedCertificates."""

import asyncio
from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from doorward.cluster.gateway import ISSUED_CERTIFICATE, Gateway, Object, get_if_there
from doorward.cluster.steps import in_steps
from doorward.cluster.store import Store, version_of
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of
from doorward.planning.observed import Unseen

SHELF = 3
"""Digits of a key's digest: of 24,000 records six share a shelf, since a shelf for each would take more memory."""
AT_ONCE = 32
MOST_BY_NAME = 512


@dataclass(frozen=True, slots=True)
class Listed:
    """One record as the API server had it."""

    version: int
    record: Record | None
    """None: it cannot be read."""


class Ledger:
    """All records that were seen, by client, issuer and serial number."""

    def __init__(self) -> None:
        self.store: Store[Record] = Store(
            ledger_record.parse,
            {
                "holder": lambda r: (r.holder,),
                "issuer": lambda r: (r.issuer,),
                "revocation": lambda r: (r.issuer,) if r.revocation is not None else (),
                "serial": lambda r: (r.serial,),
                "key": lambda r: (r.public_key_sha256[:SHELF],),
            },
            ends={
                "issuer": lambda r: (r.issuer, r.not_after),
                "generation": lambda r: ((r.issuer, r.generation), r.not_after),
                "tenant": lambda r: ((r.issuer, r.holder.namespace), r.not_after),
                "namespace": lambda r: (r.holder.namespace, r.not_after),
            },
            own_key=lambda r: r.key,
        )
        """For watches and lists alone."""

    @property
    def synced(self) -> bool:
        """Whether full lists were heard; before that, nothing can be called absent."""
        return self.store.synced

    def synced_in(self, namespace: str) -> bool:
        """Whether a full list of the ledgers in that namespace was heard."""
        return self.store.synced_in(namespace)

    def get(self, key: ObjectKey) -> Record | None:
        """The record of that name; None where it is not there (or not yet)."""
        return self.store.get(key)

    def version(self, key: ObjectKey) -> int:
        """The resourceVersion of the record that is held; 0: none."""
        return self.store.version(key)

    def put(self, body: Object) -> bool:
        """Take in a record, as an answer to a write gives it; False where a newer one is known."""
        return self.store.put(body)

    def archived(self, key: ObjectKey, version: int) -> None:
        """The record was archived, and deleted in that version, which concerns nobody else: no rule depended on it any more."""
        self.store.remove(key, version)

    def of_client(self, client: ObjectKey) -> tuple[Record, ...]:
        """All records of the ClientCertificates that ever had this name, of whichever issuer."""
        return self.store.lookup("holder", client)

    def of_issuer(self, issuer: ObjectKey) -> tuple[Record, ...] | Unseen:
        """The whole ledger of an issuer; UNKNOWN before it was listed."""
        return self.store.lookup("issuer", issuer) if self.synced_in(issuer.namespace) else Unseen.UNKNOWN

    def heard_of(self, issuer: ObjectKey) -> tuple[Record, ...]:
        """The records of an issuer that were seen so far."""
        return self.store.lookup("issuer", issuer)

    def lifted(self, issuer: ObjectKey, serials: Container[int]) -> tuple[Record, ...]:
        """Of these serials, the records that a person let in again."""
        marked = self.store.lookup("revocation", issuer)
        return tuple(record for record in marked if record.is_lifted and record.serial in serials)

    def concerning(self, issuer: ObjectKey, serials: AbstractSet[int]) -> tuple[Record, ...]:
        """The records that say of a serial that it is or was refused, and all of these serials; without a walk through the ledger,
        which is long.
        """
        named = (record for serial in serials for record in self.with_serial(serial))
        live = [record for record in named if record.revocation is None and record.issuer == issuer]
        return (*live, *self.store.lookup("revocation", issuer))

    def of_serial(self, issuer: ObjectKey, serial: int) -> tuple[Record, ...]:
        """The records of a serial number: one, unless a CA's key signs in several generations."""
        return tuple(record for record in self.with_serial(serial) if record.issuer == issuer)

    def with_serial(self, serial: int) -> tuple[Record, ...]:
        """The same of all issuers."""
        return self.store.lookup("serial", serial)

    def of_key(self, issuer: ObjectKey, public_key_sha256: str) -> tuple[Record, ...]:
        """The issuer's records of certificates for that public key."""
        shelf = self.store.lookup("key", public_key_sha256[:SHELF])
        return tuple(r for r in shelf if r.public_key_sha256 == public_key_sha256 and r.issuer == issuer)

    def oldest(self, issuer: ObjectKey, generation: int, now: datetime) -> datetime | None:
        """When the first certificate of that CA generation that has not expired became valid; None: there is none. It walks through
        all records of the issuer.
        """
        found = (r for r in self.heard_of(issuer) if r.generation == generation and now < r.not_after)
        return min((record.not_before for record in found), default=None)

    def unexpired_of_issuer(self, issuer: ObjectKey, now: datetime) -> int:
        """How many serials of an issuer have not expired, revoked ones too; at the price of a bisection."""
        return self.store.unended("issuer", issuer, now)

    def unexpired_of_generation(self, issuer: ObjectKey, generation: int, now: datetime) -> int:
        """The same of one CA generation."""
        return self.store.unended("generation", (issuer, generation), now)

    def unexpired_of_tenant(self, issuer: ObjectKey, namespace: str, now: datetime) -> int:
        """The same of the issuer's clients in one namespace."""
        return self.store.unended("tenant", (issuer, namespace), now)

    def unexpired_in_namespace(self, namespace: str, now: datetime) -> int:
        """The same of the clients in a namespace, whichever issuer signed."""
        return self.store.unended("namespace", namespace, now)

    async def is_behind(self, listed: Mapping[ObjectKey, Listed]) -> bool:
        """Whether a list has records that the watch has not told yet; what cannot be read is never known.

        In short steps: what was told once stays told.
        """
        async for key, each in in_steps(listed.items()):
            if each.record is not None and each.version > self.version(key):
                return True
        return False

    def generations(self, issuer: ObjectKey) -> frozenset[int]:
        """The CA generations that have signed."""
        return frozenset(generation for of, generation in self.store.groups("generation") if of == issuer)


async def listed(gateway: Gateway, issuer: ObjectKey) -> dict[ObjectKey, Listed]:
    """The ledger of the issuer's namespace as the API server has it now; raises ApiError."""
    found: dict[ObjectKey, Listed] = {}

    def take(body: Object) -> None:
        found[key_of(body)] = Listed(version_of(body), _record(body))

    await gateway.collect(take, ISSUED_CERTIFICATE, issuer.namespace)
    return found


async def asked(gateway: Gateway, issuer: ObjectKey, names: Sequence[ObjectKey]) -> dict[ObjectKey, Listed]:
    """Of these records, those that the API server has now; raises ApiError.

    By name, some at a time: a ledger of 24,000 records is a list of 35 MB. Of very many, the whole list is less.
    """
    if len(names) > MOST_BY_NAME:
        return await listed(gateway, issuer)
    found: dict[ObjectKey, Listed] = {}
    for begin in range(0, len(names), AT_ONCE):
        bodies = await asyncio.gather(
            *(get_if_there(gateway, ISSUED_CERTIFICATE, name) for name in names[begin : begin + AT_ONCE])
        )
        found |= {key_of(body): Listed(version_of(body), _record(body)) for body in bodies if body is not None}
    return found


def _record(body: Object) -> Record | None:
    try:
        return ledger_record.parse(body)
    except (ValueError, KeyError, TypeError):
        return None

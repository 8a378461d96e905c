"""To whom a public key belongs within one issuer: to the first who got a certificate for it, as long as one of theirs is unexpired.

A CSR is public, and its signature proves only that somebody had the private key once. So whoever sends another client's CSR must
get nothing by it: no certificate, and no say in whether the key is compromised. Keys belong to a namespace, and within it to one
client: a client that is deleted and created under another name there keeps its key, and in another namespace it needs a new one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from doorward.objects.archive_index import is_compromised
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import timing

LOOK_AGAIN = timedelta(hours=1)
Age = tuple[str, str]
"""Creation time and UID of a ClientCertificate: the older one comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What the ledger says of one key."""

    namespace: str | None
    """The last namespace that it belonged to; None: nobody was certified for it."""
    until: datetime | None
    """When the last certificate of that namespace expires."""
    rightful: tuple[Record, ...]
    """The records of those to whom it belonged at the time, oldest first; the others are strangers'."""


def _signed(record: Record) -> tuple[datetime, datetime, int]:
    return timing.issued_at(record), record.not_before, record.serial


def ownership(records: Iterable[Record]) -> Ownership:
    """From all records of one issuer with that key. It passes on when all certificates of its namespace have expired."""
    namespace: str | None = None
    until: datetime | None = None
    rightful: list[Record] = []
    for record in sorted(records, key=_signed):
        if until is None or timing.issued_at(record) >= until:
            namespace, until = record.holder.namespace, record.not_after
        elif record.holder.namespace != namespace:
            continue
        until = max(until, record.not_after)
        rightful.append(record)
    return Ownership(namespace=namespace, until=until, rightful=tuple(rightful))


def is_barred(records: Iterable[Record], claimant: ObjectKey) -> bool:
    """Whether the claimant, or somebody who owned the key before it, said that it is compromised.

    A stranger's word does not count; nor does that of a later client of the namespace, which may have taken the key in a moment when
    the claimant did not exist.
    """
    records = tuple(records)
    if not any(map(is_compromised, records)):
        return False
    rightful = ownership(records).rightful
    for record in rightful:
        if is_compromised(record):
            return True
        if record.holder == claimant:
            return any(is_compromised(other) for other in rightful if other.holder == claimant)
    return False


def is_barred_for_all(records: Iterable[Record]) -> bool:
    """Whether its first owner said so."""
    rightful = ownership(records).rightful
    return bool(rightful) and is_barred(rightful, rightful[0].holder)


def taken_until(
    records: Iterable[Record],
    claimant: ObjectKey,
    *,
    asking: Iterable[ObjectKey],
    there: Iterable[ObjectKey],
    age: Callable[[ObjectKey], Age],
    now: datetime,
) -> datetime | None:
    """When to look again whether the key is free for the claimant; None: it is.

    `asking`: the ClientCertificates whose request has this key. `there`: those that have records with it. A key that was never
    certified belongs to the oldest ClientCertificate that asks: `age` is asked for no more of them than it takes, since somebody
    may let thousands ask for one key.
    """
    owned = ownership(records)
    namespace = owned.namespace if owned.until is not None and now < owned.until else None
    if namespace not in (None, claimant.namespace):
        return owned.until
    first: dict[ObjectKey, tuple[datetime, datetime, int]] = {}
    for record in owned.rightful:
        first.setdefault(record.holder, _signed(record))
    holding = {record.holder for record in owned.rightful if now < record.not_after}
    for client in chain((client for client in there if client in holding), asking):
        if client == claimant or namespace not in (None, client.namespace):
            continue
        if claimant in first:
            before = client in first and first[client] < first[claimant]
        else:
            before = client in first or age(client) < age(claimant)
        if before:
            return now + LOOK_AGAIN
    return None


def kept(records: Iterable[Record]) -> frozenset[ObjectKey]:
    """Records that the ledger keeps, since they say whose a key is, or what one of its owners said of it.

    Without the one a later record, of another namespace, would seem to be the first with its key. The other is the word of an owner
    who was not the first: the archive's index would bar the first one, too.
    """
    by_key: dict[str, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.public_key_sha256, []).append(record)
    found: set[ObjectKey] = set()
    for same in by_key.values():
        if len({record.holder.namespace for record in same}) > 1:
            ordered = sorted(same, key=_signed)
            found |= {
                record.key
                for number, record in enumerate(ordered)
                if any(later.holder.namespace != record.holder.namespace for later in ordered[number + 1 :])
            }
        if any(map(is_compromised, same)):
            rightful = ownership(same).rightful
            found |= {r.key for r in rightful if is_compromised(r) and r.holder != rightful[0].holder}
    return frozenset(found)

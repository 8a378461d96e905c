"""Serials and clients as they were last seen, in few bytes: a hundred thousand of each have to fit into 150 MB with all else.

Used from one event loop. A full list is taken in place: what it does not have is dropped at its end.
"""

import logging
import re
import sys
from collections.abc import Iterator

from doorward.cluster.steps import in_steps
from doorward.cluster.store import number_of
from doorward.gate_service.identity import common_name_of
from doorward.objects import ledger_entry
from doorward.objects.ledger_entry import SHA256_SIZE, Entry
from doorward.objects.ledger_record import record_name
from doorward.objects.meta import Object, ObjectKey, key_of
from doorward.planning.entitlement import CutOff, cut_off_by

logger = logging.getLogger(__name__)
_SHA1 = re.compile("[0-9a-f]{40}")
FOR_GOOD = (CutOff.DELETED, CutOff.REVOKED)
"""What a ClientCertificate of that name gets nothing back from."""
MOST_LABELS = 64
"""Of a ClientCertificate that an access list may select by one."""
NOWHERE = ObjectKey("", "")
"""The issuer of a ClientCertificate that names none: no issuer has that name."""


class Client:
    """A ClientCertificate of that name, there or not; all serials that were signed for it refer to it."""

    __slots__ = ("_issuer", "cut_off", "labels", "listed", "name", "namespace", "serials", "since")

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = sys.intern(namespace)
        self.name = name
        self._issuer: ObjectKey | None = None
        self.cut_off: CutOff | None = None
        self.labels: tuple[str, ...] = ()
        """As `<key>=<value>`; none where it has too many, and so no access list selects it by label."""
        self.listed = 0
        """The number of the last list that had it."""
        self.serials = 0
        """How many records name it."""
        self.since = 0
        """The resourceVersion at which it was last known to be deleted, or no more revoked. A ledger that is known as of an earlier
        one may lack what was refused then; 0: it was neither."""

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.namespace, self.name)

    @property
    def there(self) -> bool:
        """Whether there is such a ClientCertificate."""
        return self._issuer is not None

    @property
    def issuer(self) -> ObjectKey:
        """The issuer that it names. One that is not there names none, so no serial is admitted by it."""
        return self._issuer if self._issuer is not None else NOWHERE

    def says(self, issuer: ObjectKey | None, cut_off: CutOff | None, labels: tuple[str, ...] = ()) -> None:
        """What it says now; no issuer: it is not there."""
        self._issuer = issuer
        self.cut_off = cut_off
        self.labels = labels


class Clients:
    """All ClientCertificates."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, dict[str, Client]] = {}
        self._issuers: dict[ObjectKey, ObjectKey] = {}
        """One of all keys that are equal."""
        self._list = 0
        self._there = 0

    def __len__(self) -> int:
        """How many are there."""
        return self._there

    def _all(self) -> Iterator[Client]:
        for clients in self._by_namespace.values():
            yield from clients.values()

    def named(self, key: ObjectKey) -> Client:
        """The client of that name, whether it is there or not."""
        clients = self._by_namespace.setdefault(key.namespace, {})
        found = clients.get(key.name)
        if found is None:
            found = clients[key.name] = Client(key.namespace, key.name)
        return found

    def begin(self) -> None:
        """A full list begins."""
        self._list += 1

    def take(self, body: Object) -> None:
        """A ClientCertificate as the API server has it. One that cannot be read gives no access."""
        client = self.named(key_of(body))
        client.listed = self._list
        issuer, cut_off = _read_client(body)
        if client.cut_off in FOR_GOOD and cut_off not in FOR_GOOD:
            client.since = _version_of(body)
        elif client.since:  # of a list that lacked it, or of a history that was rolled back
            client.since = min(client.since, _version_of(body))
        self._there += not client.there
        client.says(self._issuers.setdefault(issuer, issuer), cut_off, _labels_of(body))

    def remove(self, body: Object) -> None:
        """It was deleted."""
        self._gone(self.named(key_of(body)), _version_of(body))

    async def end(self) -> None:
        """The list is complete: what it did not have is not there."""
        async for client in in_steps([*self._all()]):
            if client.listed != self._list and client.there:
                self._gone(client, sys.maxsize)
            self.release(client)

    def _gone(self, client: Client, version: int) -> None:
        self._there -= client.there
        client.since = version
        client.says(None, None)
        self.release(client)

    def release(self, client: Client) -> None:
        """Forget a name that is not there and that no record has."""
        clients = self._by_namespace.get(client.namespace, {})
        if client.there or client.serials or clients.get(client.name) is not client:
            return
        del clients[client.name]
        if not clients:
            del self._by_namespace[client.namespace]


def _version_of(body: Object) -> int:
    return number_of(body["metadata"].get("resourceVersion", "0"))


def _labels_of(body: Object) -> tuple[str, ...]:
    """Each text once in memory: thousands of clients say the same."""
    labels = body["metadata"].get("labels") or {}
    return tuple(sys.intern(f"{name}={labels[name]}") for name in labels) if len(labels) <= MOST_LABELS else ()


def _read_client(body: Object) -> tuple[ObjectKey, CutOff | None]:
    """Its issuer, and why it gives no access."""
    spec = body.get("spec") or {}
    reference = spec.get("issuerRef") or {}
    issuer = ObjectKey(str(reference.get("namespace") or key_of(body).namespace), str(reference.get("name", "")))
    deleting = "deletionTimestamp" in body["metadata"]
    return issuer, cut_off_by(
        deleting=deleting, revoked=bool(spec.get("revoked")), suspended=bool(spec.get("suspended"))
    )


class Serial:
    """A ledger record, as far as the rule reads it: see `SerialKnown`. It is replaced when the record changes."""

    __slots__ = (
        "_unusual_name",
        "client",
        "common_name",
        "generation",
        "is_hold",
        "issuer",
        "listed",
        "not_after",
        "number",
        "refused",
    )

    def __init__(self, entry: Entry, issuer: ObjectKey, client: Client, listed: int) -> None:
        self.issuer = issuer
        self.client = client
        self.common_name = common_name_of(entry.subject)
        self.listed = listed
        """The number of the last list that had it."""
        self.number = entry.serial
        """The serial number."""
        self.generation = entry.generation
        self.not_after = entry.not_after
        self.refused = entry.refused
        self.is_hold = entry.is_hold
        usual = record_name(issuer.name, entry.generation, entry.serial)
        self._unusual_name = None if entry.key.name == usual else entry.key.name

    @property
    def key(self) -> ObjectKey:
        """Of the record."""
        name = self._unusual_name or record_name(self.issuer.name, self.generation, self.number)
        return ObjectKey(self.issuer.namespace, name)


class Serials:
    """All ledger records, by the SHA-1 of their certificate."""

    def __init__(self, clients: Clients, *, sha256: bool = False) -> None:
        """`sha256`: certificates are found by their SHA-256 too, which takes another 150 bytes for each."""
        self._clients = clients
        self._sha1_of: dict[bytes, bytes] | None = {} if sha256 else None
        """By SHA-256; what is not in the ledger any more goes with the next full list."""
        self._by_sha1: dict[bytes, Serial | tuple[Serial, ...]] = {}
        """More than one only where somebody restored a record under another name."""
        self._issuers: dict[ObjectKey, ObjectKey] = {}
        """One of all keys that are equal."""
        self._list = 0

    def __len__(self) -> int:
        return len(self._by_sha1)

    def find(self, digest: bytes, issuer: ObjectKey) -> tuple[Serial, ...]:
        """The records of the certificate with that SHA-1 or SHA-256 in the issuer's ledger."""
        if self._sha1_of is not None and len(digest) == SHA256_SIZE:
            digest = self._sha1_of.get(digest, b"")
        found = self._by_sha1.get(digest)
        if found is None:
            return ()
        if isinstance(found, Serial):
            return (found,) if found.issuer == issuer else ()
        return tuple([each for each in found if each.issuer == issuer])

    def begin(self) -> None:
        """A full list begins."""
        self._list += 1

    def take(self, body: Object) -> None:
        """A record as the API server has it. One that cannot be read admits nobody."""
        key, sha1 = key_of(body), _sha1_of(body)
        try:
            entry = ledger_entry.read(body)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            logger.exception("cannot read IssuedCertificate %s", key, extra={"object": str(key)})
            entry = None
        if sha1 is None:
            return
        if entry is None:
            self._drop(sha1, key)
            return
        client = self._clients.named(entry.holder)
        client.serials += 1  # before the record of before is dropped, or what is known of the client may go with it
        self._drop(sha1, key)
        added = Serial(entry, self._issuers.setdefault(entry.issuer, entry.issuer), client, self._list)
        others = self._by_sha1.get(sha1)
        self._by_sha1[sha1] = added if others is None else (*_several(others), added)
        if self._sha1_of is not None:
            self._sha1_of[entry.sha256] = sha1

    def remove(self, body: Object) -> None:
        """It was deleted: archived long after its certificate expired."""
        if (sha1 := _sha1_of(body)) is not None:
            self._drop(sha1, key_of(body))

    async def end(self) -> None:
        """The list is complete: what it did not have is not there."""
        async for sha1 in in_steps([*self._by_sha1]):
            for serial in _several(self._by_sha1[sha1]):
                if serial.listed != self._list:
                    self._drop(sha1, serial.key)
        async for sha256 in in_steps([*(self._sha1_of or ())]):
            if self._sha1_of is not None and self._sha1_of[sha256] not in self._by_sha1:
                del self._sha1_of[sha256]

    def _drop(self, sha1: bytes, key: ObjectKey) -> None:
        held = self._by_sha1.get(sha1)
        if held is None:
            return
        found = _several(held)
        left = tuple(each for each in found if each.key != key)
        if len(left) == len(found):
            return
        if left:
            self._by_sha1[sha1] = left[0] if len(left) == 1 else left
        else:
            del self._by_sha1[sha1]
        for each in found:
            if each not in left:
                each.client.serials -= 1
                self._clients.release(each.client)


def _several(found: Serial | tuple[Serial, ...]) -> tuple[Serial, ...]:
    return found if isinstance(found, tuple) else (found,)


def _sha1_of(body: Object) -> bytes | None:
    """Of the certificate that a record is about; None: it cannot be read."""
    try:
        text = body["spec"]["fingerprints"]["sha1"]
    except (KeyError, TypeError):
        return None
    return bytes.fromhex(text) if isinstance(text, str) and _SHA1.fullmatch(text) else None

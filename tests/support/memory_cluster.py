"""What an API server and its etcd do, in memory: versions, conflicts, finalizers, patches, field managers, history.

No server-side rule of a kind is known here: those are given as `admit`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from doorward.api.conditions import instant
from doorward.api.status import NOT_SEEN
from doorward.cluster.errors import AlreadyExists, Conflict, Ending, Gone, Invalid, NotFound
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    EVENT,
    INGRESS,
    INGRESS_CLASS,
    ISSUED_CERTIFICATE,
    ISSUER,
    LEASE,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
    Kind,
    Object,
)
from doorward.objects.meta import ObjectKey
from tests.support import field_managers
from tests.support.clock import FakeClock

KINDS = (
    SECRET,
    CONFIG_MAP,
    NAMESPACE,
    EVENT,
    ROLE_BINDING,
    INGRESS,
    INGRESS_CLASS,
    ISSUER,
    CLIENT_CERTIFICATE,
    ISSUED_CERTIFICATE,
    LEASE,
)
WITH_STATUS = (ISSUER, CLIENT_CERTIFICATE, INGRESS)
WITHOUT_GENERATION = (SECRET, INGRESS_CLASS, CONFIG_MAP, EVENT, NAMESPACE, ROLE_BINDING, LEASE)
SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion")
Admit = Callable[[Kind, Object | None, Object], None]
"""Kind, what was there before, and what is to be there; raises Invalid or Forbidden."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history: what an object was and became, as JSON; `before` None: it is new, `after` None: it went."""

    version: int
    kind: Kind
    at: ObjectKey
    before: str | None
    after: str | None
    time: datetime
    by: str
    """The field manager."""

    @property
    def was(self) -> Object | None:
        """The object before, at the version of its change, as a watch shows what went."""
        body = None if self.before is None else json.loads(self.before)
        if body is not None:
            body["metadata"]["resourceVersion"] = str(self.version)
        return body

    @property
    def becomes(self) -> Object | None:
        """The object after."""
        return None if self.after is None else json.loads(self.after)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@dataclass
class MemoryCluster:
    """Objects by kind, namespace and name, kept as JSON so that nobody shares a dict with the server."""

    clock: FakeClock
    admit: Admit = lambda _kind, _before, _after: None
    history: list[Change] = field(default_factory=list)
    compacted: int = 0
    """Watches from before this version are Gone."""
    kinds: Sequence[Kind] = KINDS

    def __post_init__(self) -> None:
        self._started = self.clock.now_precise() - timedelta(seconds=self.clock.monotonic())
        self._objects: dict[Kind, dict[ObjectKey, str]] = {kind: {} for kind in self.kinds}
        self._count = 0
        self.version = 1000
        self._tidy = 0
        """The version at which there was no garbage."""
        self.listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The server's own clock: only time moves it, whatever is done to the operator's."""
        return self._started + timedelta(seconds=self.clock.monotonic())

    def set_clock(self, by: timedelta) -> None:
        """Somebody sets the server's clock."""
        self._started += by

    # Reads

    def find(self, kind: Kind, at: ObjectKey) -> Object | None:
        text = self._objects[kind].get(at)
        return None if text is None else json.loads(text)

    def get(self, kind: Kind, at: ObjectKey) -> Object:
        body = self.find(kind, at)
        if body is None:
            raise NotFound(f'{kind.plural} "{at.name}" not found', status=404)
        return body

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """By namespace and name."""
        found = self._objects[kind]
        return [json.loads(found[at]) for at in sorted(found) if namespace is None or at.namespace == namespace]

    def since(self, version: int) -> Iterator[Change]:
        """The history after `version`; Gone where it was compacted away."""
        if version < self.compacted:
            raise Gone("too old resource version", status=410)
        first = len(self.history)
        while first and self.history[first - 1].version > version:
            first -= 1
        return iter(self.history[first:])

    # Writes

    def create(self, kind: Kind, namespace: str, body: Object, manager: str, *, dry_run: bool = False) -> Object:
        metadata = {k: v for k, v in body["metadata"].items() if k not in SERVERS_OWN}
        if kind.namespaced:
            space = self.find(NAMESPACE, ObjectKey("", namespace))
            if space is None:
                raise NotFound(f'namespaces "{namespace}" not found', status=404)
            if "deletionTimestamp" in space["metadata"]:
                raise Ending(
                    f"unable to create new content in namespace {namespace}: it is being terminated", status=403
                )
            metadata["namespace"] = namespace
        self._count += 1
        if "name" not in metadata:
            if metadata["generateName"].endswith("."):
                raise Invalid("metadata.generateName must end with a letter, a digit or '-'", status=422)
            metadata["name"] = f"{metadata['generateName']}{self._count:05x}"
        at = ObjectKey(metadata.get("namespace", ""), metadata["name"])
        if at in self._objects[kind]:
            raise AlreadyExists(f'{kind.plural} "{at.name}" already exists', status=409)
        # As real ones, it tells nothing of who was first.
        metadata["uid"] = f"00000000-0000-4000-8000-{hashlib.sha256(b'%d' % self._count).hexdigest()[:12]}"
        metadata["creationTimestamp"] = instant(self.now())
        if kind not in WITHOUT_GENERATION:
            metadata["generation"] = 1
        made = {"apiVersion": kind.api_version, "kind": kind.name} | body | {"metadata": metadata}
        if kind in WITH_STATUS:
            made.pop("status", None)
        if kind in (ISSUER, CLIENT_CERTIFICATE):
            made["status"] = {"observedGeneration": NOT_SEEN}  # the default of the CRD
        return made if dry_run else self._store(kind, at, None, made, manager)

    def replace(self, kind: Kind, at: ObjectKey, body: Object, manager: str) -> Object:
        before = self.get(kind, at)
        wanted = {"apiVersion": kind.api_version, "kind": kind.name} | body
        return self._update(kind, at, before, wanted, manager, subresource="")

    def merge_patch(self, kind: Kind, at: ObjectKey, patch: Object, manager: str, subresource: str) -> Object:
        before = self.get(kind, at)
        return self._update(kind, at, before, merged(before, patch), manager, subresource=subresource)

    def would_patch(self, kind: Kind, at: ObjectKey, patch: Object) -> Object:
        """What a dry run of a merge patch answers."""
        before = self.get(kind, at)
        after = merged(before, patch)
        self.admit(kind, before, after)
        return after

    def apply_patch(self, kind: Kind, at: ObjectKey, body: Object, manager: str, *, force: bool) -> Object:
        """Server-side apply of annotations: the only fields that the operator applies."""
        if set(body) - {"apiVersion", "kind", "metadata"} or set(body["metadata"]) - {
            "namespace",
            "name",
            "uid",
            "annotations",
        }:
            raise NotImplementedError("only annotations are applied")
        before, uid = self.find(kind, at), body["metadata"].get("uid")
        if before is None and uid is not None:
            raise Conflict(
                f"uid mismatch: the provided object specified uid {uid}, and no existing object was found", status=409
            )
        if before is None:
            raise Invalid(f"{kind.name} {at.name} is invalid: spec: Required value", status=422)
        if uid not in (None, before["metadata"]["uid"]):
            raise Invalid(
                f"{kind.name} {at.name} is invalid: metadata.uid: Invalid value: {uid}: field is immutable", status=422
            )
        after = field_managers.apply(before, body["metadata"].get("annotations") or {}, manager, force=force)
        return self._commit(kind, at, before, after, manager)

    def delete(
        self, kind: Kind, at: ObjectKey, manager: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        before = self.get(kind, at)
        if uid is not None and uid != before["metadata"]["uid"]:
            raise Conflict(f"Precondition failed: UID in precondition: {uid}", status=409)
        if version is not None and version != before["metadata"]["resourceVersion"]:
            raise Conflict(f"Precondition failed: ResourceVersion in precondition: {version}", status=409)
        if not before["metadata"].get("finalizers"):
            self._remove(kind, at, before, manager)
        elif "deletionTimestamp" not in before["metadata"]:
            metadata = before["metadata"] | {
                "deletionTimestamp": instant(self.now()),
                "deletionGracePeriodSeconds": 0,
                "generation": before["metadata"].get("generation", 0) + 1,
            }
            self._commit(kind, at, before, before | {"metadata": metadata}, manager)

    def collect_garbage(self) -> None:
        """What the controller manager does: what belonged to an object that is gone, or of another namespace, goes too."""
        if self._tidy == self.version:
            return
        uids = {(b["metadata"].get("namespace"), b["metadata"]["uid"]) for kind in KINDS for b in self.all(kind)}
        for kind in (SECRET, CONFIG_MAP):
            for body in self.all(kind):
                owners = body["metadata"].get("ownerReferences") or ()
                namespace = body["metadata"]["namespace"]
                if owners and not any((namespace, owner["uid"]) in uids for owner in owners):
                    self.delete(kind, ObjectKey(namespace, body["metadata"]["name"]), "garbage")
        self._tidy = self.version

    def compact(self) -> None:
        """Forget the history for watches; `history` itself stays, for those who check it."""
        self.compacted = self.version

    def _update(
        self, kind: Kind, at: ObjectKey, before: Object, wanted: Object, manager: str, *, subresource: str
    ) -> Object:
        based_on = wanted["metadata"].get("resourceVersion")
        if based_on and based_on != before["metadata"]["resourceVersion"]:
            raise Conflict(f'"{at.name}": the object has been modified; please apply your changes', status=409)
        kept = {k: v for k, v in before["metadata"].items() if k in (*SERVERS_OWN, "namespace", "name")}
        if subresource == "status":
            after = {k: v for k, v in before.items() if k != "status"}
            if "status" in wanted:
                after["status"] = wanted["status"]
            return self._store(kind, at, before, after, manager)
        metadata = {k: v for k, v in wanted["metadata"].items() if k not in SERVERS_OWN} | kept
        after = wanted | {"metadata": metadata}
        if kind in WITH_STATUS:
            after = {k: v for k, v in after.items() if k != "status"}
            if "status" in before:
                after["status"] = before["status"]
        _check_finalizers(kind, at, before, after)
        _check_secret_type(kind, at, before, after)
        _check_immutable(kind, at, before, after)
        return self._store(kind, at, before, after, manager)

    def _store(self, kind: Kind, at: ObjectKey, before: Object | None, after: Object, manager: str) -> Object:
        after = field_managers.updated(before, after, manager)
        if kind == SECRET and after.get("type") == "kubernetes.io/tls":
            missing = [name for name in ("tls.crt", "tls.key") if name not in (after.get("data") or {})]
            if missing:
                raise Invalid(f"Secret {at.name} is invalid: data[{missing[0]}]: Required value", status=422)
        if before is not None and kind not in WITHOUT_GENERATION and _content(before) != _content(after):
            generation = before["metadata"].get("generation", 0) + 1
            after = after | {"metadata": after["metadata"] | {"generation": generation}}
        return self._commit(kind, at, before, after, manager)

    def _commit(self, kind: Kind, at: ObjectKey, before: Object | None, after: Object, manager: str) -> Object:
        self.admit(kind, before, after)
        if before is not None and before == after:
            return before
        if "deletionTimestamp" in after["metadata"] and not after["metadata"].get("finalizers"):
            self._remove(kind, at, after, manager)
            return after
        self.version += 1
        after["metadata"]["resourceVersion"] = str(self.version)
        self._tell(kind, at, before, after, manager)
        self._objects[kind][at] = json.dumps(after)
        return self.get(kind, at)

    def _remove(self, kind: Kind, at: ObjectKey, last: Object, manager: str) -> None:
        self.version += 1
        del self._objects[kind][at]
        self._tell(kind, at, last, None, manager)

    def _tell(self, kind: Kind, at: ObjectKey, before: Object | None, after: Object | None, manager: str) -> None:
        texts = (None if body is None else json.dumps(body) for body in (before, after))
        self.history.append(Change(self.version, kind, at, *texts, time=self.now(), by=manager))
        for listener in self.listeners:
            listener()


def _content(body: Object) -> Mapping[str, Any]:
    """What a generation counts the changes of."""
    return {k: v for k, v in body.items() if k not in ("metadata", "status")}


def _check_finalizers(kind: Kind, at: ObjectKey, before: Object, after: Object) -> None:
    if "deletionTimestamp" in before["metadata"]:
        new = set(after["metadata"].get("finalizers") or ()) - set(before["metadata"].get("finalizers") or ())
        if new:
            raise Invalid(
                f"{kind.name} {at.name} is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if"
                f" the object is being deleted, found new finalizers {sorted(new)}",
                status=422,
            )


def _check_immutable(kind: Kind, at: ObjectKey, before: Object, after: Object) -> None:
    if before.get("immutable") and (not after.get("immutable") or before.get("data") != after.get("data")):
        raise Invalid(
            f"{kind.name} {at.name} is invalid: data: Forbidden: field is immutable when `immutable` is set", status=422
        )


def _check_secret_type(kind: Kind, at: ObjectKey, before: Object, after: Object) -> None:
    if kind == SECRET and after.setdefault("type", before["type"]) != before["type"]:
        raise Invalid(f"Secret {at.name} is invalid: type: Invalid value: field is immutable", status=422)

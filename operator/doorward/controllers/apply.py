"""Actions to writes, in their order: ledger before Secret, ledger before CRL, CRL before gates, gates before the finalizer.

What a write answers goes into the stores, so that the next look needs no read.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

from doorward.api.conditions import instant
from doorward.api.fields import API_VERSION
from doorward.clock import Clock
from doorward.cluster.errors import Conflict, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import (
    APPLY_PATCH,
    CLIENT_CERTIFICATE,
    EVENT,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    Gateway,
    Kind,
    Object,
)
from doorward.controllers.apply_certificate import CertificateApplier
from doorward.controllers.apply_issuer import IssuerApplier
from doorward.controllers.follow import Handle
from doorward.controllers.observe import Observer
from doorward.controllers.signing import KeySource
from doorward.controllers.world import Key, World
from doorward.gates import ingress_nginx
from doorward.objects import ledger_record
from doorward.objects.meta import FINALIZER, ObjectKey
from doorward.planning import timing
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    Annotate,
    ClearAnnotations,
    CloseGate,
    CreateCa,
    Deliver,
    Issue,
    PublishCrl,
    RecordAgain,
    RemoveFinalizer,
    Revoke,
    RewriteSecret,
    WriteGate,
    WriteStatus,
)

logger = logging.getLogger(__name__)
MOST_GATES_AT_ONCE = 32


class Applier:
    """Carries plans out. `wake` makes another key ready; `handle` takes an object in as a watch's event would."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        observer: Observer,
        source: KeySource,
        clock: Clock,
        wake: Callable[[Key], None],
        handle: Handle,
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock
        self._wake = wake
        self._handle = handle
        self._certificates = CertificateApplier(world, gateway, observer.certificates, source, clock, wake)
        self._issuers = IssuerApplier(world, gateway, source, clock, wake)

    async def apply(self, key: Key, actions: tuple[Action, ...]) -> None:
        """Carry out the actions of one plan; gates of one issuer are written side by side, some at a time."""
        gates = [action for action in actions if isinstance(action, WriteGate | CloseGate)]
        for action in actions:
            if not isinstance(action, WriteGate | CloseGate):
                await self._one(key, action)
        for begin in range(0, len(gates), MOST_GATES_AT_ONCE):
            await asyncio.gather(*(self._one(key, action) for action in gates[begin : begin + MOST_GATES_AT_ONCE]))

    def _one(self, key: Key, action: Action) -> Awaitable[None]:
        match action:
            case AddFinalizer() | RemoveFinalizer():
                return self._finalizer(key.at, action)
            case Issue():
                return self._certificates.issue(key.at, action)
            case Deliver():
                return self._certificates.deliver(key.at)
            case RewriteSecret():
                return self._certificates.rewrite(key.at, action)
            case RecordAgain():
                return self._certificates.record_again(key.at)
            case Revoke():
                return self._revoke(action)
            case CreateCa():
                return self._issuers.create_ca(key.at, action)
            case PublishCrl():
                return self._issuers.publish(key.at, action)
            case WriteGate():
                return self._issuers.write_gate(key.at, action.namespace)
            case CloseGate():
                return self._issuers.close_gate(key.at, action.namespace)
            case Annotate():
                return self._annotate(key.at, action)
            case ClearAnnotations():
                return self._clear(key.at, action)
            case WriteStatus():
                return self._status(key, action)
            case _:
                assert_never(action)

    async def _finalizer(self, key: ObjectKey, action: AddFinalizer | RemoveFinalizer) -> None:
        metadata = self._world.certificate(key).body["metadata"]
        finalizers = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        if isinstance(action, AddFinalizer):
            finalizers.append(FINALIZER)
        elif action.unreached:
            await self._tell(
                key,
                "CutOffIncomplete",
                f"the client is in the ledger as revoked, but {action.unreached} could not be written",
            )
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        try:
            body = await self._gateway.patch(CLIENT_CERTIFICATE, key.namespace, key.name, patch)
        except NotFound:
            self._world.certificates.remove(key)
            return
        if finalizers:
            self._keep(CLIENT_CERTIFICATE, self._world.certificates.put, metadata, body)
        else:
            self._world.certificates.remove(key)
        logger.info(
            "finalizer %s",
            "added" if isinstance(action, AddFinalizer) else "removed: cut off",
            extra={"object": f"ClientCertificate {key}"},
        )

    async def _tell(self, key: ObjectKey, reason: str, message: str) -> None:
        """An Event about a ClientCertificate; that it cannot be written stops nothing."""
        metadata = self._world.certificate(key).body["metadata"]
        now = instant(self._clock.now())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": key.namespace, "generateName": "doorward-"},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": "ClientCertificate",
                "namespace": key.namespace,
                "name": key.name,
                "uid": metadata["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "doorward"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._gateway.create(EVENT, key.namespace, event)
        except (Forbidden, Invalid, NotFound) as error:
            logger.warning("event not written: %s", error)

    async def _revoke(self, action: Revoke) -> None:
        """Onto the record that the plan was made from: what a person wrote into it meanwhile is not written over."""
        record = action.record
        if self._world.records.get(record.key) != record:
            raise Conflict(f"record {record.key} changed meanwhile")
        patch = {
            "metadata": {"resourceVersion": str(self._world.records.version(record.key))},
            "spec": {"revocation": ledger_record.render_revocation(action.revocation)},
        }
        body = await self._gateway.patch(ISSUED_CERTIFICATE, record.key.namespace, record.key.name, patch)
        self._world.records.put(body)
        self._wake(Key("issuer", record.issuer))
        logger.info(
            "serial %x: %s",
            record.serial,
            action.revocation.reason,
            extra={"object": f"ClientCertificate {record.holder}"},
        )

    async def _annotate(self, key: ObjectKey, action: Annotate) -> None:
        body = {
            "apiVersion": INGRESS.api_version,
            "kind": INGRESS.name,
            "metadata": {"namespace": key.namespace, "name": key.name, "annotations": dict(action.annotations)},
        }
        written = await self._gateway.patch(
            INGRESS,
            key.namespace,
            key.name,
            body,
            content_type=APPLY_PATCH,
            query={"fieldManager": ingress_nginx.FIELD_MANAGER, "force": "true"},
        )
        self._handle(INGRESS.plural, "MODIFIED", written)
        logger.info("annotations written", extra={"object": f"Ingress {key}"})

    async def _clear(self, key: ObjectKey, action: ClearAnnotations) -> None:
        found = self._world.ingresses.get(key)
        if found is None:
            return
        patch = {
            "metadata": {
                "resourceVersion": found["metadata"]["resourceVersion"],
                "annotations": dict.fromkeys(action.names),
            }
        }
        self._handle(INGRESS.plural, "MODIFIED", await self._gateway.patch(INGRESS, key.namespace, key.name, patch))
        logger.info("opted out: annotations taken off", extra={"object": f"Ingress {key}"})

    async def _status(self, key: Key, action: WriteStatus) -> None:
        kind = ISSUER if key.kind == "issuer" else CLIENT_CERTIFICATE
        store = self._world.issuers if key.kind == "issuer" else self._world.certificates
        found = store.get(key.at)
        if found is None:
            return
        before = found.body.get("status") or {}
        patch = {"status": dict.fromkeys(before.keys() - action.status.keys()) | action.status}
        body = await self._gateway.patch(kind, key.at.namespace, key.at.name, patch, subresource="status")
        self._keep(kind, store.put, found.body["metadata"], body)
        if key.kind == "issuer":
            self._world.counts_due[key.at] = self._clock.now() + timing.COUNTS_EVERY

    def _keep(self, kind: Kind, put: Callable[[Object], bool], before: Object, body: Object) -> None:
        """The answer to a write of ours: what others changed meanwhile is news, which the watch will not bring again."""
        names = ("generation", "deletionTimestamp")
        if any(body["metadata"].get(name) != before.get(name) for name in names):
            self._handle(kind.plural, "MODIFIED", body)
        else:
            put(body)

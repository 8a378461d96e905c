"""Actions to writes, in their order: ledger before Secret, ledger before CRL, CRL before gates, gates before the finalizer.

What a write answers goes into the stores, so that the next look needs no read.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import assert_never

from doorward.api.conditions import instant
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import (
    APPLY_PATCH,
    CLIENT_CERTIFICATE,
    EVENT,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    SECRET,
    Gateway,
    Kind,
)
from doorward.controllers import publish, signing
from doorward.controllers.observe import Observer, spec_of
from doorward.controllers.signing import KeySource
from doorward.controllers.world import (
    CertificateObject,
    Key,
    LoadedCa,
    Object,
    Refusal,
    Signed,
    World,
    digest,
)
from doorward.gates import ingress_nginx
from doorward.objects import ca_secret, client_secret, crl_configmap, ledger_record
from doorward.objects.client_secret import ClientSecret, Contents
from doorward.objects.meta import FINALIZER, ObjectKey, gate_secret_name, key_of
from doorward.pki.certificates import Leaf
from doorward.pki.keys import SecretBytes
from doorward.pki.requests import ClientRequest
from doorward.pki.subjects import display
from doorward.planning import timing
from doorward.planning.observed import Pending
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
GATE_RETRY = timedelta(seconds=15)


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
        handle: Callable[[str, str, Object], None],
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._observer = observer
        self._source = source
        self._clock = clock
        self._wake = wake
        self._handle = handle

    async def apply(self, key: Key, actions: tuple[Action, ...]) -> None:
        """Carry out the actions of one plan; gates of one issuer are written side by side."""
        gates = [action for action in actions if isinstance(action, WriteGate | CloseGate)]
        for action in actions:
            if not isinstance(action, WriteGate | CloseGate):
                await self._one(key, action)
        if gates:
            await asyncio.gather(*(self._one(key, action) for action in gates))

    def _one(self, key: Key, action: Action) -> Awaitable[None]:
        match action:
            case AddFinalizer() | RemoveFinalizer():
                return self._finalizer(key.at, action)
            case Issue():
                return self._issue(key.at, action)
            case Deliver():
                return self._deliver(key.at)
            case RewriteSecret():
                return self._rewrite(key.at, action)
            case RecordAgain():
                return self._record_again(key.at)
            case Revoke():
                return self._revoke(action)
            case CreateCa():
                return self._create_ca(key.at, action)
            case PublishCrl():
                return self._publish(key.at, action)
            case WriteGate():
                return self._write_gate(key.at, action.namespace)
            case CloseGate():
                return self._close_gate(key.at, action.namespace)
            case Annotate():
                return self._annotate(key.at, action)
            case ClearAnnotations():
                return self._clear(key.at, action)
            case WriteStatus():
                return self._status(key, action)
            case _:
                assert_never(action)

    # Certificates

    def _certificate(self, key: ObjectKey) -> CertificateObject:
        found = self._world.certificates.get(key)
        if found is None:
            raise NotFound(f"ClientCertificate {key} went while it was worked on")
        return found

    def _signer(self, issuer: ObjectKey) -> LoadedCa:
        loaded = self._world.authorities.get(issuer)
        if not isinstance(loaded, LoadedCa):
            raise Conflict(f"the CA of {issuer} went while it was worked on")
        return loaded

    async def _finalizer(self, key: ObjectKey, action: AddFinalizer | RemoveFinalizer) -> None:
        metadata = self._certificate(key).body["metadata"]
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
        metadata = self._certificate(key).body["metadata"]
        now = instant(self._clock.now())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": key.namespace, "generateName": "doorward."},
            "involvedObject": {
                "apiVersion": "doorward.io/v1alpha1",
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

    async def _issue(self, key: ObjectKey, action: Issue) -> None:
        found = self._certificate(key)
        spec = spec_of(found)
        loaded = self._signer(found.issuer)
        password = await self._observer.password(found)
        kept = await self._held_key(found) if action.keep_key else None
        leaf, contents = await signing.sign(
            self._source,
            action,
            spec,
            request=found.request if isinstance(found.request, ClientRequest) else None,
            kept_key=kept,
            signer=loaded.signer,
            ca_pem=loaded.authority.chain_pem,
            password=SecretBytes(password) if isinstance(password, bytes) else None,
        )
        record = self._record_of(found, key, leaf, loaded.authority.generation)
        pending = Pending(serial=leaf.serial, wanted=action.wanted)
        self._world.signed[key] = Signed(pending=pending, leaf=leaf, record=record, recorded=False, contents=contents)
        self._world.signatures[found.secret] = ((leaf.sha256, loaded.authority.sha256), True)
        logger.info("signed serial %x: %s", leaf.serial, action.because, extra={"object": f"ClientCertificate {key}"})
        await self._deliver(key)

    def _record_of(self, found: CertificateObject, key: ObjectKey, leaf: Leaf, generation: int) -> Object:
        return ledger_record.render(
            leaf,
            issuer=found.issuer,
            generation=generation,
            holder=key,
            holder_uid=found.body["metadata"]["uid"],
            subject=display(leaf.certificate.subject),
        )

    async def _record(self, record: Object) -> None:
        namespace = record["metadata"]["namespace"]
        try:
            self._world.records.put(await self._gateway.create(ISSUED_CERTIFICATE, namespace, record))
        except AlreadyExists:
            name = record["metadata"]["name"]
            self._world.records.put(await self._gateway.get(ISSUED_CERTIFICATE, namespace, name))
        issuer = ObjectKey(namespace, record["spec"]["issuerName"])
        due = self._world.counts_due.get(issuer)
        if due is None or due <= self._clock.now():  # else the issuer counts again when it is due
            self._wake(Key("issuer", issuer))

    async def _deliver(self, key: ObjectKey) -> None:
        """Ledger record first, then the Secret; what is signed stays in memory until both are written."""
        found, signed = self._certificate(key), self._world.signed[key]
        if not signed.recorded:
            await self._record(signed.record)
            signed.recorded = True
        try:
            await self._write_secret(found, signed.contents, signed.leaf)
        except (Forbidden, Invalid) as error:
            signed.failures += 1
            wait = min(300.0, 2.0 ** min(signed.failures, 10))
            signed.pending = Pending(
                serial=signed.pending.serial,
                wanted=signed.pending.wanted,
                refusal=str(error)[:500],
                retry_at=self._clock.now() + timedelta(seconds=wait),
            )
            return
        del self._world.signed[key]

    async def _write_secret(self, found: CertificateObject, contents: Contents, leaf: Leaf) -> None:
        """POST where there is none, PUT onto the version that was seen; never over something foreign."""
        spec = spec_of(found)
        body = client_secret.render(
            found.body,
            name=found.secret.name,
            contents=contents,
            extra_labels=spec.secret_template.labels,
            extra_annotations=spec.secret_template.annotations,
        )
        known = self._world.secrets.get(found.secret)
        if known is None:
            try:
                written = await self._gateway.create(SECRET, found.secret.namespace, body)
            except AlreadyExists as error:
                current = await self._gateway.get(SECRET, found.secret.namespace, found.secret.name)
                self._world.secrets.put(_metadata_only(current))
                raise Conflict(f"Secret {found.secret} was created meanwhile") from error
        else:
            body["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"]
            body["type"] = known.get("type", body["type"])
            written = await self._replace_secret(found.secret, body)
        self._world.secrets.put(_metadata_only(written))
        metadata = written["metadata"]
        view = ClientSecret(
            leaf=leaf,
            ca=contents.ca,
            has_key=contents.key is not None,
            any_key=contents.key is not None,
            keystore_profile=contents.profile,
            own_password=contents.own_password is not None,
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            version=metadata["resourceVersion"],
        )
        password = self._observer.password_version(found)
        self._world.secret_views[found.secret] = ((version_of(written), password), view)

    async def _replace_secret(self, at: ObjectKey, body: Object) -> Object:
        """PUT; a type that does not fit (it is immutable) takes a new Secret."""
        try:
            return await self._gateway.replace(SECRET, at.namespace, at.name, body)
        except NotFound:
            self._world.secrets.remove(at)
            raise Conflict(f"Secret {at} went meanwhile") from None

    async def _held(self, found: CertificateObject) -> Object:
        return await self._gateway.get(SECRET, found.secret.namespace, found.secret.name)

    async def _held_key(self, found: CertificateObject) -> SecretBytes | None:
        value = ((await self._held(found)).get("data") or {}).get("tls.key")
        return SecretBytes(base64.b64decode(value)) if value else None

    async def _rewrite(self, key: ObjectKey, action: RewriteSecret) -> None:
        found = self._certificate(key)
        loaded = self._signer(found.issuer)
        view = self._world.secret_views[found.secret][1]
        if not isinstance(view, ClientSecret):
            raise Conflict(f"Secret {found.secret} changed meanwhile")
        password = await self._observer.password(found)
        key_held = None if isinstance(found.request, ClientRequest) else await self._held_key(found)
        contents = await signing.wrap_again(
            self._source,
            spec_of(found),
            leaf=view.leaf,
            key=key_held,
            signer=loaded.signer,
            ca_pem=loaded.authority.chain_pem,
            password=SecretBytes(password) if isinstance(password, bytes) else None,
        )
        await self._write_secret(found, contents, view.leaf)
        logger.info("Secret written anew: %s", action.because, extra={"object": f"ClientCertificate {key}"})

    async def _record_again(self, key: ObjectKey) -> None:
        found = self._certificate(key)
        view = self._world.secret_views[found.secret][1]
        if isinstance(view, ClientSecret):
            generation = self._signer(found.issuer).authority.generation
            await self._record(self._record_of(found, key, view.leaf, generation))
            logger.warning(
                "the ledger record of serial %x was gone and is back",
                view.leaf.serial,
                extra={"object": f"ClientCertificate {key}"},
            )

    async def _revoke(self, action: Revoke) -> None:
        record = action.record
        patch = {"spec": {"revocation": ledger_record.render_revocation(action.revocation)}}
        body = await self._gateway.patch(ISSUED_CERTIFICATE, record.key.namespace, record.key.name, patch)
        self._world.records.put(body)
        self._wake(Key("issuer", record.issuer))
        logger.info(
            "serial %x: %s",
            record.serial,
            action.revocation.reason,
            extra={"object": f"ClientCertificate {record.holder}"},
        )

    # Issuers

    async def _create_ca(self, key: ObjectKey, action: CreateCa) -> None:
        now = self._clock.now()
        certificate, private_key = await signing.make_ca(
            self._source, action, not_before=now - timing.BACKDATE, not_after=now + action.lifetime
        )
        body = ca_secret.render(key, action.generation, certificate, private_key)
        try:
            written = await self._gateway.create(SECRET, key.namespace, body)
        except AlreadyExists:
            written = await self._gateway.get(SECRET, key.namespace, body["metadata"]["name"])
        self._world.secrets.put(_metadata_only(written))
        logger.info("CA generation %d made", action.generation, extra={"object": f"MTLSIssuer {key}"})

    async def _publish(self, key: ObjectKey, action: PublishCrl) -> None:
        await publish.commit(self._world, self._gateway, self._clock, key, self._signer(key), action)

    async def _write_gate(self, issuer: ObjectKey, namespace: str) -> None:
        world = self._world
        committed = world.committed.get(issuer)
        if committed is None:
            return
        at = ObjectKey(namespace, gate_secret_name(issuer))
        known = world.secrets.get(at)
        version = known["metadata"]["resourceVersion"] if known else None
        body = crl_configmap.render_gate(issuer, namespace, committed.bundle, version=version)
        try:
            if known is None:
                written = await self._gateway.create(SECRET, namespace, body)
            else:
                written = await self._gateway.replace(SECRET, namespace, at.name, body)
        except (AlreadyExists, Conflict, NotFound):
            await self._look_again(SECRET, at)
            return
        except (Forbidden, Invalid) as error:
            world.gate_refusals[at] = Refusal(str(error)[:300], self._clock.now() + GATE_RETRY)
            return
        world.gate_refusals.pop(at, None)
        world.secrets.put(_metadata_only(written))
        world.gate_views[at] = (version_of(written), digest(committed.bundle))
        if known is None:
            for ingress in world.ingresses.lookup("issuer", issuer):
                if ingress["metadata"]["namespace"] == namespace:
                    self._wake(Key("ingress", key_of(ingress)))

    async def _look_again(self, kind: Kind, at: ObjectKey) -> None:
        """What is there after all: the next look plans with it."""
        try:
            self._world.secrets.put(_metadata_only(await self._gateway.get(kind, at.namespace, at.name)))
        except NotFound:
            self._world.secrets.remove(at)

    async def _close_gate(self, issuer: ObjectKey, namespace: str) -> None:
        at = ObjectKey(namespace, gate_secret_name(issuer))
        try:
            await self._gateway.delete(SECRET, namespace, at.name)
        except NotFound:
            pass
        except (Forbidden, Invalid) as error:
            self._world.gate_refusals[at] = Refusal(str(error)[:300], self._clock.now() + GATE_RETRY)
            return
        self._world.secrets.remove(at)

    # Ingresses

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

    # Status

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


def _metadata_only(body: Object) -> Object:
    """What the store may keep of a Secret."""
    return {"metadata": body["metadata"], "type": body.get("type")}

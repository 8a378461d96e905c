"""A certificate's actions to writes: sign, record, hand out; the ledger always before the Secret."""

import base64
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import ISSUED_CERTIFICATE, SECRET, Gateway, Object
from doorward.controllers import signing
from doorward.controllers.observe_certificate import CertificateObserver, spec_of
from doorward.controllers.seen import CertificateObject
from doorward.controllers.signing import KeySource
from doorward.controllers.world import Key, Signed, World
from doorward.objects import client_secret, ledger_record
from doorward.objects.client_secret import ClientSecret, Contents
from doorward.objects.meta import REISSUE_ANNOTATION, ObjectKey
from doorward.pki.certificates import Leaf
from doorward.pki.keys import SecretBytes
from doorward.pki.requests import ClientRequest
from doorward.pki.subjects import display
from doorward.planning.observed import Pending
from doorward.planning.plan import Issue, RewriteSecret

logger = logging.getLogger(__name__)


class CertificateApplier:
    """Issues and delivers; `wake` makes another key ready."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        observer: CertificateObserver,
        source: KeySource,
        clock: Clock,
        wake: Callable[[Key], None],
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._observer = observer
        self._source = source
        self._clock = clock
        self._wake = wake

    async def issue(self, key: ObjectKey, action: Issue) -> None:
        found = self._world.certificate(key)
        spec = spec_of(found)
        loaded = self._world.signer(found.issuer, action.generation)
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
        logger.info("signed serial %x: %s", leaf.serial, action.because, extra={"object": f"ClientCertificate {key}"})
        await self.deliver(key)

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
        with suppress(AlreadyExists):  # a lost answer to our own write: the watch brings the record
            self._world.records.put(await self._gateway.create(ISSUED_CERTIFICATE, namespace, record))
        issuer = ObjectKey(namespace, record["spec"]["issuerName"])
        due = self._world.counts_due.get(issuer)
        if due is None or due <= self._clock.now():  # else the issuer counts again when it is due
            self._wake(Key("issuer", issuer))

    async def deliver(self, key: ObjectKey) -> None:
        """Ledger record first, then the Secret; what is signed stays in memory until both are written."""
        found, signed = self._world.certificate(key), self._world.signed[key]
        self._known_secret(found)
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

    def _known_secret(self, found: CertificateObject) -> Object | None:
        """The client's Secret as it was last seen. Raises Conflict where it became another's since that was planned for."""
        known = self._world.secrets.get(found.secret)
        if known is not None and client_secret.holder_of(known) != found.body["metadata"]["name"]:
            raise Conflict(f"Secret {found.secret} became another's meanwhile")
        return known

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
        known = self._known_secret(found)
        if known is None:
            try:
                written = await self._gateway.create(SECRET, found.secret.namespace, body)
            except AlreadyExists as error:
                current = await self._gateway.get(SECRET, found.secret.namespace, found.secret.name)
                self._world.secrets.put(current)
                raise Conflict(f"Secret {found.secret} was created meanwhile") from error
        else:
            body["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"]
            body["type"] = known.get("type", body["type"])
            written = await self._replace_secret(found.secret, body)
        self._world.secrets.put(written)
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

    async def rewrite(self, key: ObjectKey, action: RewriteSecret) -> None:
        found = self._world.certificate(key)
        view = self._world.secret_views[found.secret][1]
        if not isinstance(view, ClientSecret):
            raise Conflict(f"Secret {found.secret} changed meanwhile")
        record = next(iter(self._world.records.lookup("serial", (found.issuer, view.leaf.serial))), None)
        if record is None:
            raise Conflict(f"the ledger record of serial {view.leaf.serial:x} went meanwhile")
        loaded = self._world.signer(found.issuer, record.generation)
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
            reissue=view.annotations.get(REISSUE_ANNOTATION),
        )
        await self._write_secret(found, contents, view.leaf)
        logger.info("Secret written anew: %s", action.because, extra={"object": f"ClientCertificate {key}"})

    async def record_again(self, key: ObjectKey) -> None:
        found = self._world.certificate(key)
        view = self._world.secret_views[found.secret][1]
        known = self._world.signatures.get(found.secret)
        if isinstance(view, ClientSecret) and known is not None and known[1]:
            generation = known[1]
            await self._record(self._record_of(found, key, view.leaf, generation))
            logger.warning(
                "the ledger record of serial %x was gone and is back",
                view.leaf.serial,
                extra={"object": f"ClientCertificate {key}"},
            )

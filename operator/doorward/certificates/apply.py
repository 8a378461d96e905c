"""A certificate's actions to writes: sign, record, hand out; the ledger always before the Secret."""

import base64
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from doorward.api.conditions import instant
from doorward.certificates import signing
from doorward.certificates.memory import CertificateMemories, SecretView, Signed
from doorward.certificates.observe import CertificateObserver
from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, FIELD_MANAGER, ISSUED_CERTIFICATE, SECRET, Gateway, Object
from doorward.cluster.store import version_of
from doorward.logged import about
from doorward.objects import client_secret, ledger_record
from doorward.objects.client_secret import ClientSecret, Contents
from doorward.objects.comparison import unlike
from doorward.objects.meta import FINALIZER, REISSUE_ANNOTATION, ObjectKey, labels
from doorward.pki.certificates import Leaf
from doorward.pki.key_source import KeySource
from doorward.pki.keys import SecretBytes
from doorward.pki.subjects import display
from doorward.planning.notices import incomplete
from doorward.planning.observed import Pending
from doorward.planning.plan import AddFinalizer, Deliver, Issue, RecordAgain, RemoveFinalizer, RewriteSecret, SecretForm
from doorward.view.apply import SharedWrites
from doorward.view.intake import Intake
from doorward.view.keys import certificate_key
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomains

logger = logging.getLogger(__name__)


class CertificateApplier:
    """Issues and delivers."""

    def __init__(
        self,
        view: View,
        domains: TrustDomains,
        gateway: Gateway,
        intake: Intake,
        memories: CertificateMemories,
        observer: CertificateObserver,
        shared: SharedWrites,
        source: KeySource,
        clock: Clock,
    ) -> None:
        self._view = view
        self._domains = domains
        self._gateway = gateway
        self._intake = intake
        self._memories = memories
        self._observer = observer
        self._shared = shared
        self._source = source
        self._clock = clock

    async def finalizer(self, key: ObjectKey, action: AddFinalizer | RemoveFinalizer) -> None:
        """Hold the ClientCertificate back at deletion, or let it go."""
        metadata = self._view.certificate(key).body["metadata"]
        finalizers = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        if isinstance(action, AddFinalizer):
            finalizers.append(FINALIZER)
        elif action.unreached:
            issuer = self._view.certificate(key).issuer
            self._shared.teller.tell(certificate_key(key), (incomplete(issuer, action.unreached),))
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        known = self._view.certificates.version(key)
        try:
            body = await self._gateway.patch(CLIENT_CERTIFICATE, key.namespace, key.name, patch)
        except NotFound:
            finalizers = []
        if finalizers:
            self._intake.written(CLIENT_CERTIFICATE, body, by=certificate_key(key))
        else:
            self._intake.removed(CLIENT_CERTIFICATE, key, known, by=certificate_key(key))
        added = isinstance(action, AddFinalizer)
        unreached = action.unreached or None if isinstance(action, RemoveFinalizer) else None
        logger.info("finalizer added" if added else "finalizer removed", extra=_about(key, unreached=unreached))

    async def issue(self, key: ObjectKey, action: Issue) -> None:
        """Sign, keep what is signed in memory, and deliver it."""
        loaded = self._domains.signer(action.issuer, action.generation)
        password = await self._observer.password(action.form.password)
        kept = await self._held_key(action.form.secret) if action.keep_key else None
        leaf, contents = await signing.sign(
            self._source,
            action,
            kept_key=kept,
            signer=loaded.signer,
            ca_pem=loaded.authority.chain_pem,
            password=SecretBytes(password) if password is not None else None,
        )
        uid = action.form.owner["metadata"]["uid"]
        record = _record_of(leaf, action.issuer, loaded.authority.generation, key, uid)
        pending = Pending(serial=leaf.serial, wanted=action.wanted)
        signed = Signed(pending=pending, leaf=leaf, record=record, recorded=False, contents=contents)
        self._memories.keep(key, replace(self._memories.get(key), signed=signed))
        logger.info(
            "certificate signed",
            extra=_about(
                key,
                issuer=str(action.issuer),
                serial=f"{leaf.serial:x}",
                generation=loaded.authority.generation,
                not_after=instant(leaf.not_after),
                because=action.because,
            ),
        )
        await self.deliver(key, Deliver(form=action.form))

    async def _record(self, key: ObjectKey, record: Object) -> None:
        with suppress(AlreadyExists):  # a lost answer to our own write: the watch brings the record
            written = await self._gateway.create(ISSUED_CERTIFICATE, record["metadata"]["namespace"], record)
            self._intake.written(ISSUED_CERTIFICATE, written, by=certificate_key(key))

    async def deliver(self, key: ObjectKey, action: Deliver) -> None:
        """Ledger record first, then the Secret; what is signed stays in memory until both are written."""
        signed = self._signed(key)
        self._known_secret(key, action.form)
        if not signed.recorded:
            await self._record(key, signed.record)
            signed = replace(signed, recorded=True)
            self._memories.keep(key, replace(self._memories.get(key), signed=signed))
        try:
            await self._write_secret(key, action.form, signed.contents, signed.leaf)
        except (Forbidden, Invalid) as error:
            failures = signed.failures + 1
            wait = min(300.0, 2.0 ** min(failures, 10))
            pending = replace(
                signed.pending, refusal=str(error)[:500], retry_at=self._clock.now() + timedelta(seconds=wait)
            )
            signed = replace(signed, failures=failures, pending=pending)
            self._memories.keep(key, replace(self._memories.get(key), signed=signed))
            return
        self._memories.keep(key, replace(self._memories.get(key), signed=None))
        serial, secret = f"{signed.leaf.serial:x}", action.form.secret.name
        logger.info("certificate issued", extra=_about(key, secret=secret, serial=serial))

    def _signed(self, key: ObjectKey) -> Signed:
        signed = self._memories.get(key).signed
        if signed is None:
            raise Conflict(f"what was signed for {key} is not there any more")
        return signed

    def _known_secret(self, key: ObjectKey, form: SecretForm) -> Object | None:
        """The client's Secret as it was last heard of; None: there is none.

        Raises Conflict where it is not the one that was planned for: it became another's, or somebody made, restored or changed
        it since. Nothing is written over what nobody looked at.
        """
        known, looked_at = self._view.secrets.get(form.secret), self._memories.get(key).view
        if known is None:
            return None
        if client_secret.holder_of(known) != form.owner["metadata"]["name"]:
            raise Conflict(f"Secret {form.secret} became another's in the meantime")
        if looked_at is None or (looked_at.secret, looked_at.versions[0]) != (form.secret, version_of(known)):
            raise Conflict(f"Secret {form.secret} changed in the meantime")
        return known

    async def _write_secret(self, key: ObjectKey, form: SecretForm, contents: Contents, leaf: Leaf) -> None:
        """POST where there is none, PUT onto the version that was looked at; never over something foreign."""
        at, by = form.secret, certificate_key(key)
        body = client_secret.render(
            form.owner,
            name=at.name,
            contents=contents,
            extra_labels={**form.labels, **form.found_by},
            extra_annotations=form.annotations,
        )
        known = self._known_secret(key, form)
        if known is None:
            try:
                written = await self._gateway.create(SECRET, at.namespace, body)
            except AlreadyExists as error:
                current = await self._gateway.get(SECRET, at.namespace, at.name)
                self._intake.written(SECRET, current, by=by)
                raise Conflict(f"Secret {at} was created in the meantime") from error
        else:
            body["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"]
            body["type"] = known.get("type", body["type"])  # it is immutable
            try:
                written = await self._gateway.replace(SECRET, at.namespace, at.name, body)
            except NotFound:
                self._intake.removed(SECRET, at, version_of(known), by=by)
                raise Conflict(f"Secret {at} was deleted in the meantime") from None
        self._intake.written(SECRET, written, by=by)
        self._remember(key, form, written, contents, leaf)

    def _remember(self, key: ObjectKey, form: SecretForm, written: Object, contents: Contents, leaf: Leaf) -> None:
        """What was written needs no reading."""
        metadata = written["metadata"]
        held = ClientSecret(
            leaf=leaf,
            ca=contents.ca,
            has_key=contents.key is not None,
            any_key=contents.key is not None,
            keystore_profile=contents.profile,
            own_password=contents.own_password is not None,
            owners=frozenset(reference["uid"] for reference in metadata["ownerReferences"]),
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            version=metadata["resourceVersion"],
        )
        self._see(key, form, written, held)

    def _see(self, key: ObjectKey, form: SecretForm, written: Object, held: ClientSecret) -> None:
        versions = (version_of(written), self._observer.password_version(form.password))
        view = SecretView(secret=form.secret, versions=versions, held=held, since=self._clock.now())
        self._memories.keep(key, replace(self._memories.get(key), view=view))

    async def _held_key(self, secret: ObjectKey) -> SecretBytes | None:
        body = await self._gateway.get(SECRET, secret.namespace, secret.name)
        value = (body.get("data") or {}).get("tls.key")
        return SecretBytes(base64.b64decode(value)) if value else None

    def _seen(self, key: ObjectKey, secret: ObjectKey) -> ClientSecret:
        """What the plan was made from."""
        held = self._memories.get(key).view_of(secret)
        if not isinstance(held, ClientSecret):
            raise Conflict(f"Secret {secret} changed in the meantime")
        return held

    async def rewrite(self, key: ObjectKey, action: RewriteSecret) -> str:
        """Write the Secret again around the certificate and key that it holds. Which mark of the answer is not as asked; empty:
        none.
        """
        form = action.form
        held = self._seen(key, form.secret)
        if action.metadata_only:
            await self._write_marks(key, form, held)
        else:
            loaded = self._domains.loaded(action.issuer, action.generation)
            password = await self._observer.password(form.password)
            contents = await signing.wrap_again(
                self._source,
                form,
                leaf=held.leaf,
                key=None if action.has_request else await self._held_key(form.secret),
                signer=loaded.signer,
                ca_pem=loaded.authority.chain_pem,
                password=SecretBytes(password) if password is not None else None,
                reissue=held.annotations.get(REISSUE_ANNOTATION),
            )
            await self._write_secret(key, form, contents, held.leaf)
        serial = f"{held.leaf.serial:x}"
        logger.info(
            "secret written again", extra=_about(key, secret=form.secret.name, serial=serial, because=action.because)
        )
        return self._changed_again(key, form)

    async def _write_marks(self, key: ObjectKey, form: SecretForm, held: ClientSecret) -> None:
        """Labels, annotations and owner alone: key, keystore and its password stay, so that nobody has to fetch them again."""
        at, by = form.secret, certificate_key(key)
        body = await self._gateway.get(SECRET, at.namespace, at.name)
        if body["metadata"]["resourceVersion"] != held.version:
            self._intake.written(SECRET, body, by=by)
            raise Conflict(f"Secret {at} changed in the meantime")
        metadata = body["metadata"]
        ours = {**form.labels, **form.found_by, **labels(client_secret.ROLE)}
        metadata["labels"] = {**(metadata.get("labels") or {}), **ours}
        metadata["annotations"] = dict(form.annotations) | {
            name: value for name, value in (metadata.get("annotations") or {}).items() if name not in form.annotations
        }
        metadata["ownerReferences"] = client_secret.owners_with(body, form.owner)
        written = await self._gateway.replace(SECRET, at.namespace, at.name, body)
        self._intake.written(SECRET, written, by=by)
        marks = written["metadata"]
        self._see(
            key,
            form,
            written,
            replace(
                held,
                owners=frozenset(reference["uid"] for reference in marks["ownerReferences"]),
                labels=marks.get("labels") or {},
                annotations=marks.get("annotations") or {},
                version=marks["resourceVersion"],
            ),
        )

    def _changed_again(self, key: ObjectKey, form: SecretForm) -> str:
        """Which mark of the answer is not as it was asked for."""
        held = self._seen(key, form.secret)
        asked = {"metadata": {"labels": dict(form.labels), "annotations": dict(form.annotations)}}
        answered = {"metadata": {"labels": held.labels, "annotations": held.annotations}}
        return unlike(asked, answered, me=FIELD_MANAGER)

    async def record_again(self, key: ObjectKey, action: RecordAgain) -> None:
        """Restore the ledger record of the certificate in the Secret, where a CA of the issuer is known to have signed it."""
        held = self._memories.get(key).view_of(action.secret)
        signature = self._memories.get(key).signature
        if not isinstance(held, ClientSecret) or signature is None or not signature.generation:
            return
        uid = self._view.certificate(key).body["metadata"]["uid"]
        await self._record(key, _record_of(held.leaf, action.issuer, signature.generation, key, uid))
        logger.warning(
            "record restored",
            extra=_about(key, issuer=str(action.issuer), serial=f"{held.leaf.serial:x}", because="missing"),
        )


def _about(key: ObjectKey, **fields: object) -> dict[str, object]:
    return about(f"ClientCertificate {key}", client=str(key), **fields)


def _record_of(leaf: Leaf, issuer: ObjectKey, generation: int, holder: ObjectKey, uid: str) -> Object:
    subject = display(leaf.certificate.subject)
    return ledger_record.render(
        leaf, issuer=issuer, generation=generation, holder=holder, holder_uid=uid, subject=subject
    )

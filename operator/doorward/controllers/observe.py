"""Cache and reads to what rules may look at: an object of the API is only read where its version is new to us."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUER, SECRET, Gateway
from doorward.controllers import rivals
from doorward.controllers.world import (
    GENERATION,
    CertificateObject,
    Committed,
    IssuerObject,
    LoadedCa,
    Object,
    World,
    digest,
)
from doorward.gates import ingress_nginx
from doorward.objects import ca_secret, client_secret, crl_configmap
from doorward.objects.client_secret import Broken, ClientSecret, Foreign
from doorward.objects.ledger_record import Record, record_name
from doorward.objects.meta import (
    CLIENT_ANNOTATION,
    FINALIZER,
    ObjectKey,
    crl_configmap_name,
    gate_secret_name,
    is_ours,
    parse_instant,
)
from doorward.pki import crls
from doorward.pki.certificates import CertificateAuthority, chain_pem, load_ca, signed_by
from doorward.pki.crls import PublishedCrl
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import (
    CaExpired,
    CaNotYetValid,
    PkiError,
    certificate_pem,
    fingerprint_sha256,
    load_certificates,
)
from doorward.pki.subjects import display
from doorward.planning import timing
from doorward.planning.gate import GateObserved, parse_reference
from doorward.planning.observed import (
    Authority,
    CertificateObserved,
    Gate,
    GateState,
    Issuer,
    IssuerObserved,
    Unseen,
)
from doorward.planning.permission import namespace_allowed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Observer:
    """Looks at one object and all that it hangs on."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock

    # Certificates

    async def certificate(self, key: ObjectKey) -> CertificateObserved | None:
        """Everything about a ClientCertificate; None where there is none."""
        world = self._world
        found = world.certificates.get(key)
        if found is None:
            return None
        metadata = found.body["metadata"]
        records = self._records_of(found, key)
        secret = await self._client_secret(found, key, records)
        deleted = metadata.get("deletionTimestamp")
        signed = world.signed.get(key)
        return CertificateObserved(
            body=found.body,
            key=key,
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            deleting_since=parse_instant(deleted) if deleted else None,
            has_finalizer=FINALIZER in (metadata.get("finalizers") or ()),
            spec=found.spec,
            status=found.body.get("status") or {},
            request=found.request,
            issuer_key=found.issuer,
            issuer=self._issuer_view(found.issuer, key.namespace),
            records=records,
            secret_name=found.secret.name,
            secret=secret,
            rival=self._rival(found, key),
            password=await self._password_problem(found, key.namespace),
            leaf_is_ours=self._leaf_is_ours(found, key, secret),
            pending=signed.pending if signed else None,
            skew=self._gateway.skew(),
        )

    def _records_of(self, found: CertificateObject, key: ObjectKey) -> tuple[Record, ...] | Unseen:
        if not self._world.records.synced:
            return Unseen.UNKNOWN
        records = self._world.records.lookup("holder", key)
        return tuple(record for record in records if record.issuer == found.issuer)

    def _issuer_view(self, key: ObjectKey, namespace: str) -> Issuer | Unseen:
        world = self._world
        found = world.issuers.get(key)
        if found is None:
            return Unseen.ABSENT if world.issuers.synced else Unseen.UNKNOWN
        state = world.issuer_states.get(key)
        if state is None or isinstance(found.spec, str):
            if isinstance(found.spec, str):
                return Unseen.ABSENT
            return Unseen.UNKNOWN
        return Issuer(
            key=key,
            spec=found.spec,
            authority=state.authority,
            problem=state.problem,
            published=state.published,
            gates_behind=state.gates_behind,
            barred_keys=frozenset(r.public_key_sha256 for r in world.records.lookup("barred", key)),
            namespace_labels=self._namespace_labels(namespace),
        )

    def _namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        found = self._world.namespaces.get(ObjectKey("", namespace))
        return None if found is None else found["metadata"].get("labels") or {}

    def _rival(self, found: CertificateObject, key: ObjectKey) -> str | None:
        """Whose the Secret is already, else the older of two with one secretName; it is held until its object is gone."""

        def age(certificate: CertificateObject) -> tuple[str, str]:
            metadata = certificate.body["metadata"]
            return metadata.get("creationTimestamp") or "", metadata["uid"]

        sharers = self._world.certificates.lookup("secret", found.secret)
        others = {c.body["metadata"]["name"]: c for c in sharers if c.body["metadata"]["name"] != key.name}
        holder = _holder(self._world.secrets.get(found.secret))
        if holder == key.name or holder in others:
            return None if holder == key.name else holder
        return min((name for name, other in others.items() if age(other) < age(found)), default=None)

    def _secret_metadata(self, key: ObjectKey) -> Object | Unseen:
        consent = self._world.consent.get(key.namespace)
        if consent is None:
            return Unseen.UNKNOWN
        if consent is False:
            return Unseen.DENIED
        return self._world.secrets.get(key) or Unseen.ABSENT

    async def _read_secret(self, key: ObjectKey) -> Object | Unseen:
        try:
            body = await self._gateway.get(SECRET, key.namespace, key.name)
        except NotFound:
            return Unseen.ABSENT
        except Forbidden:
            return Unseen.DENIED
        return body

    async def _client_secret(
        self, found: CertificateObject, key: ObjectKey, records: tuple[Record, ...] | Unseen
    ) -> ClientSecret | Broken | Foreign | Unseen:
        world, at = self._world, found.secret
        metadata = self._secret_metadata(at)
        if metadata is Unseen.ABSENT and records:
            # What was handed out seems lost, which revokes it: ask the API server itself.
            body = await self._read_secret(at)
            if isinstance(body, Unseen):
                return body
            metadata = body
        if isinstance(metadata, Unseen):
            return metadata
        if _holder(metadata) != key.name:
            return Foreign()
        versions = (version_of(metadata), self.password_version(found))
        known = world.secret_views.get(at)
        if known is not None and known[0] == versions:
            return known[1]
        body = await self._read_secret(at)
        if isinstance(body, Unseen):
            return body
        password = await self.password(found)
        view = client_secret.parse(
            body, certificate=key.name, password=password if isinstance(password, bytes) else None
        )
        world.secret_views[at] = ((version_of(body), versions[1]), view)
        return view

    def _password_key(self, found: CertificateObject) -> tuple[ObjectKey, str] | None:
        if isinstance(found.spec, str) or found.spec.request is not None:
            return None
        reference = found.spec.keystores.pkcs12.password_secret_ref
        return (ObjectKey(found.secret.namespace, reference.name), reference.key) if reference else None

    def password_version(self, found: CertificateObject) -> int:
        at = self._password_key(found)
        metadata = self._world.secrets.get(at[0]) if at else None
        return version_of(metadata) if metadata else 0

    async def password(self, found: CertificateObject) -> bytes | str | None:
        """The referenced keystore password; a sentence where it cannot be used; None where none is referenced."""
        at = self._password_key(found)
        if at is None:
            return None
        body = await self._read_secret(at[0])
        if isinstance(body, Unseen):
            return "is not there: create it" if body is Unseen.ABSENT else "cannot be read"
        try:
            value = ca_secret.decode((body.get("data") or {}).get(at[1]) or "")
        except ValueError:
            return "is no base64"
        if not 8 <= len(value) <= 256:
            return f"has {len(value)} bytes: give it 8 to 256"
        try:
            value.decode()
        except UnicodeDecodeError:
            return "is not UTF-8: importers could not take it"
        return value

    async def _password_problem(self, found: CertificateObject, namespace: str) -> Condition | None:
        at = self._password_key(found)
        if at is None or self._world.consent.get(namespace) is not True:
            return None
        value = await self.password(found)
        if isinstance(value, str):
            return said("PasswordMissing", secret=at[0].name, key=at[1], detail=value)
        return None

    def _leaf_is_ours(
        self, found: CertificateObject, key: ObjectKey, secret: ClientSecret | Broken | Foreign | Unseen
    ) -> bool | None:
        loaded = self._world.authorities.get(found.issuer)
        if not isinstance(secret, ClientSecret):
            return None
        name = record_name(found.issuer.name, GENERATION, secret.leaf.serial)
        record = self._world.records.get(ObjectKey(found.issuer.namespace, name))
        if record is not None and (record.holder != key or record.sha256 != secret.leaf.sha256):
            return False
        if not isinstance(loaded, LoadedCa):
            return None
        pair = (secret.leaf.sha256, loaded.authority.sha256)
        known = self._world.signatures.get(found.secret)
        if known is None or known[0] != pair:
            # A check costs as much as all other rules together; of each Secret, the last answer is kept.
            known = (pair, signed_by(secret.leaf.certificate, loaded.signer.certificate))
            self._world.signatures[found.secret] = known
        return known[1]

    # Issuers

    async def issuer(self, key: ObjectKey) -> IssuerObserved | None:
        """Everything about an MTLSIssuer; None where there is none."""
        world = self._world
        found = world.issuers.get(key)
        if found is None:
            return None
        name = found.ca_secret.name
        authority = await self._authority(found, found.ca_secret, key)
        committed = await self._committed(key)
        if authority is not Unseen.UNKNOWN:
            world.looked_at.add(key)
        rival = rivals.rival_of(world, key)
        if isinstance(rival, Unseen):
            authority, rival = rival, None
        newest = world.newest_crl.get(key)
        sha256 = authority.sha256 if isinstance(authority, Authority) else ""
        return IssuerObserved(
            key=key,
            generation=found.body["metadata"].get("generation", 0),
            spec=found.spec,
            status=found.body.get("status") or {},
            ca_secret=name,
            authority=authority,
            rival=rival,
            is_cluster_ca=await self._is_cluster_ca(authority),
            records=world.records.lookup("issuer", key) if world.records.synced else Unseen.UNKNOWN,
            published=committed.published if isinstance(committed, Committed) else committed,
            replaced=committed.replaced if isinstance(committed, Committed) else "",
            newest_number=newest[1].number if newest and newest[0] == sha256 else 0,
            gates=await self._gates(found, key, committed),
            counts_due=world.counts_due.get(key, EPOCH),
            skew=await self._skew(key),
            overflow=world.overflows.get(key),
        )

    async def _skew(self, key: ObjectKey) -> timedelta:
        """How far the clocks are apart; heard anew where it is too much, as nothing else may be asked meanwhile."""
        if timing.skewed(self._gateway.skew()):
            with suppress(ApiError):  # any answer has a date
                await self._gateway.get(ISSUER, key.namespace, key.name)
        return self._gateway.skew()

    async def _authority(self, found: IssuerObject, at: ObjectKey, key: ObjectKey) -> Authority | Condition | Unseen:
        world = self._world
        metadata = self._secret_metadata(at)
        if isinstance(metadata, Unseen):
            if metadata is not Unseen.UNKNOWN:
                world.authorities.pop(key, None)
            return metadata
        known = world.authorities.get(key)
        version = version_of(metadata)
        now = self._clock.now()
        if isinstance(known, LoadedCa) and known.version == version and now < known.authority.not_after:
            return known.authority
        body = await self._read_secret(at)
        if isinstance(body, Unseen):
            return body
        generated = not isinstance(found.spec, str) and found.spec.ca.generate is not None
        loaded = await asyncio.to_thread(_load, body, generated=generated, name=at.name, now=now)
        if isinstance(loaded, Condition):
            world.authorities.pop(key, None)
            return loaded
        world.authorities[key] = loaded
        return loaded.authority

    async def _is_cluster_ca(self, authority: Authority | Condition | Unseen) -> bool:
        if not isinstance(authority, Authority) or authority.generated:
            return False
        if self._world.cluster_ca is None:
            body = await self._gateway.get(CONFIG_MAP, "kube-system", "extension-apiserver-authentication")
            data = body.get("data") or {}
            pems = [data.get("client-ca-file"), data.get("requestheader-client-ca-file")]
            found = [c for pem in pems if pem for c in load_certificates(pem.encode())]
            self._world.cluster_ca = tuple(public_key_sha256(c.public_key()) for c in found)
        return authority.public_key_sha256 in self._world.cluster_ca

    async def _committed(self, key: ObjectKey) -> Committed | Condition | Unseen:
        """The bundle in the CRL ConfigMap, verified by the issuer's CA."""
        world = self._world
        at = ObjectKey(key.namespace, crl_configmap_name(key.name))
        consent = world.consent.get(key.namespace)
        if consent is not True:
            return Unseen.DENIED if consent is False else Unseen.UNKNOWN
        body = world.configmaps.get(at)
        if body is None:
            if at in world.foreign_configmaps:
                return said("CrlForeign", configmap=at.name)
            return Unseen.ABSENT
        world.foreign_configmaps.discard(at)
        loaded = world.authorities.get(key)
        if not isinstance(loaded, LoadedCa):
            return said("NotPublished", configmap=at.name, detail="there is no CA to check it with")
        known, version = world.committed.get(key), version_of(body)
        if known is not None and known.version == version and known.ca == loaded.authority.sha256:
            return known
        committed = await asyncio.to_thread(_verify, body, loaded, at.name)
        world.committed[key] = committed
        if isinstance(committed.published, PublishedCrl):
            remember(world, key, loaded.authority.sha256, committed.published)
        return committed

    async def _gates(
        self, found: IssuerObject, key: ObjectKey, committed: Committed | Condition | Unseen
    ) -> tuple[Gate, ...]:
        world = self._world
        targets: dict[str, list[str]] = {}
        for ingress in world.ingresses.lookup("issuer", key):
            metadata = ingress["metadata"]
            targets.setdefault(metadata["namespace"], []).append(metadata["name"])
        for secret in world.secrets.lookup("gate", str(key)):
            targets.setdefault(secret["metadata"]["namespace"], [])
        current = committed.digest if isinstance(committed, Committed) else None
        gates = []
        for namespace, names in sorted(targets.items()):
            allowed = (
                None
                if isinstance(found.spec, str)
                else namespace_allowed(
                    found.spec.gates.allowed_namespaces, key, namespace, self._namespace_labels(namespace)
                )
            )
            state, detail = await self._gate_state(ObjectKey(namespace, gate_secret_name(key)), current)
            gates.append(
                Gate(namespace=namespace, targets=tuple(sorted(names)), allowed=allowed, state=state, detail=detail)
            )
        return tuple(gates)

    async def _gate_state(self, at: ObjectKey, current: str | None) -> tuple[GateState, str]:
        world = self._world
        refusal = world.gate_refusals.get(at)
        if refusal is not None and self._clock.now() < refusal.retry_at:
            return GateState.REFUSED, refusal.detail
        metadata = self._secret_metadata(at)
        if isinstance(metadata, Unseen):
            states = {
                Unseen.DENIED: GateState.DENIED,
                Unseen.ABSENT: GateState.ABSENT,
                Unseen.UNKNOWN: GateState.UNKNOWN,
            }
            return states[metadata], ""
        if not is_ours(metadata, crl_configmap.GATE_ROLE):
            return GateState.FOREIGN, "a Secret of the gate's name is not Doorward's"
        known = world.gate_views.get(at)
        if known is None or known[0] != version_of(metadata):
            body = await self._read_secret(at)
            if isinstance(body, Unseen):
                return GateState.UNKNOWN, ""
            try:
                held = digest(crl_configmap.parse_gate(body))
            except ValueError:
                held = "broken"
            known = world.gate_views[at] = (version_of(body), held)
        return (GateState.CURRENT if known[1] == current else GateState.STALE), ""

    # Ingresses

    def ingress(self, key: ObjectKey) -> tuple[Object, GateObserved] | None:
        """What an Ingress says and whom it names; None where there is none."""
        world = self._world
        body = world.ingresses.get(key)
        if body is None:
            return None
        target = ingress_nginx.read(body)
        issuer_key = parse_reference(target.reference, key.namespace) if target.reference is not None else None
        found = world.issuers.get(issuer_key) if issuer_key else None
        issuer: MTLSIssuerSpec | Unseen = Unseen.ABSENT if world.issuers.synced else Unseen.UNKNOWN
        allowed: bool | None = None
        gate = self._secret_metadata(ObjectKey(key.namespace, gate_secret_name(issuer_key or key)))
        if found is not None and issuer_key is not None and not isinstance(found.spec, str):
            issuer = found.spec
            rule = issuer.gates.allowed_namespaces
            allowed = namespace_allowed(rule, issuer_key, key.namespace, self._namespace_labels(key.namespace))
        return body, GateObserved(
            key=key,
            reference=target.reference,
            wants_optional=target.wants_optional,
            other_secret=target.other_secret,
            issuer=issuer,
            allowed=allowed,
            made_at=_made_at(body),
            gate=gate if isinstance(gate, Unseen) else _made_at(gate),
        )


def _made_at(body: Object) -> datetime:
    return parse_instant(body["metadata"]["creationTimestamp"])


def _holder(secret: Object | None) -> str | None:
    """The ClientCertificate whose Secret this is; None: nobody's."""
    if secret is None or not is_ours(secret, client_secret.ROLE):
        return None
    holder: str | None = (secret["metadata"].get("annotations") or {}).get(CLIENT_ANNOTATION)
    return holder


def remember(world: World, key: ObjectKey, ca_sha256: str, crl: PublishedCrl) -> None:
    """Keep the newest CRL that was seen: an etcd put back to yesterday does not make this process forget."""
    before = world.newest_crl.get(key)
    if before is None or before[0] != ca_sha256 or before[1].number < crl.number:
        world.newest_crl[key] = (ca_sha256, crl)


def _load(body: Object, *, generated: bool, name: str, now: datetime) -> LoadedCa | Condition:
    if generated and not is_ours(body, "ca"):
        return said("CaSecretForeign", secret=name)
    try:
        material = ca_secret.parse(body)
        ca = load_ca(certificate=material.certificate, key=material.key.reveal(), chain=material.chain, now=now)
    except (CaExpired, CaNotYetValid) as error:
        return said("CaExpired", secret=name, detail=error)
    except (PkiError, ca_secret.NotACaSecret) as error:
        return said("CaSecretInvalid", secret=name, detail=error)
    return LoadedCa(version=version_of(body), authority=_authority_of(ca, generated=generated), signer=ca)


def _authority_of(ca: CertificateAuthority, *, generated: bool) -> Authority:
    certificate = ca.certificate
    return Authority(
        generation=GENERATION,
        subject=display(certificate.subject),
        serial=certificate.serial_number,
        sha256=fingerprint_sha256(certificate),
        public_key_sha256=public_key_sha256(certificate.public_key()),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        anchor_pem=certificate_pem(ca.anchor),
        chain_pem=chain_pem((certificate, *ca.chain)),
        generated=generated,
    )


def _verify(body: Object, loaded: LoadedCa, name: str) -> Committed:
    bundle = crl_configmap.parse_configmap(body)
    published: PublishedCrl | Condition
    replaced = ""
    try:
        published = crls.read_crl(bundle.crl, loaded.signer.certificate)
        if bundle.anchors != loaded.authority.anchor_pem:
            published = said("NotPublished", configmap=name, detail="ca.crt is not the issuer's")
    except PkiError as error:
        published = said("NotPublished", configmap=name, detail=error)
        replaced = _other_ca(bundle)
    return Committed(
        version=version_of(body), ca=loaded.authority.sha256, bundle=bundle, published=published, replaced=replaced
    )


def _other_ca(bundle: crl_configmap.TrustBundle) -> str:
    """The subject of the anchor that signed this CRL, where it is sound: then the CA itself was replaced."""
    try:
        anchor = load_certificates(bundle.anchors)[0]
        crls.read_crl(bundle.crl, anchor)
    except PkiError:
        return ""
    return display(anchor.subject)


def spec_of(found: CertificateObject) -> ClientCertificateSpec:
    """The spec of a certificate that was planned for, which is why it is readable."""
    if isinstance(found.spec, str):
        raise TypeError("a plan was made for a spec that cannot be read")
    return found.spec

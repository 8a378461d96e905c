"""Everything about one ClientCertificate, for its rules to look at; a Secret is only read where its version is new to us."""

import asyncio
from functools import partial

from doorward.api.conditions import Condition, said
from doorward.api.kinds import ClientCertificateSpec
from doorward.cluster.cache import version_of
from doorward.cluster.gateway import Gateway
from doorward.controllers.reads import Reads
from doorward.controllers.seen import CertificateObject
from doorward.controllers.world import World
from doorward.objects import ca_secret, client_secret
from doorward.objects.client_secret import Broken, ClientSecret, Foreign
from doorward.objects.ledger_record import Record
from doorward.objects.meta import FINALIZER, ObjectKey, parse_instant
from doorward.pki.certificates import signed_by
from doorward.pki.pem import fingerprint_sha256
from doorward.planning.observed import CertificateObserved, Issuer, Unseen


class CertificateObserver:
    """Looks at one ClientCertificate and all that it hangs on."""

    def __init__(self, world: World, gateway: Gateway, reads: Reads) -> None:
        self._world = world
        self._gateway = gateway
        self._reads = reads

    async def observe(self, key: ObjectKey) -> CertificateObserved | None:
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
            account=world.account,
            body=found.body,
            key=key,
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
            crowded=state.crowded,
            gates_behind=state.gates_behind,
            barred_keys=frozenset(r.public_key_sha256 for r in world.records.lookup("barred", key)),
            namespace_labels=self._reads.namespace_labels(namespace),
        )

    def _rival(self, found: CertificateObject, key: ObjectKey) -> str | None:
        """Whose the Secret is already, else the older of two with one secretName; it is held until its object is gone."""

        def age(certificate: CertificateObject) -> tuple[str, str]:
            metadata = certificate.body["metadata"]
            return metadata.get("creationTimestamp") or "", metadata["uid"]

        sharers = self._world.certificates.lookup("secret", found.secret)
        others = {c.body["metadata"]["name"]: c for c in sharers if c.body["metadata"]["name"] != key.name}
        holder = client_secret.holder_of(self._world.secrets.get(found.secret))
        if holder == key.name or holder in others:
            return None if holder == key.name else holder
        return min((name for name, other in others.items() if age(other) < age(found)), default=None)

    async def _client_secret(
        self, found: CertificateObject, key: ObjectKey, records: tuple[Record, ...] | Unseen
    ) -> ClientSecret | Broken | Foreign | Unseen:
        world, at = self._world, found.secret
        metadata = self._reads.secret_metadata(at)
        if metadata is Unseen.ABSENT and records:
            # What was handed out seems lost, which revokes it: ask the API server itself.
            body = await self._reads.secret(at)
            if isinstance(body, Unseen):
                return body
            metadata = body
        if isinstance(metadata, Unseen):
            return metadata
        if client_secret.holder_of(metadata) != key.name:
            return Foreign()
        versions = (version_of(metadata), self.password_version(found))
        known = world.secret_views.get(at)
        if known is not None and known[0] == versions:
            return known[1]
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        password = await self.password(found)
        known_password = password if isinstance(password, bytes) else None
        parse = partial(client_secret.parse, body, certificate=key.name, password=known_password)
        # A person's password is sealed with as many rounds as it is stretched with: 10 ms and more.
        view = parse() if known_password is None else await asyncio.to_thread(parse)
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
        body = await self._reads.secret(at[0])
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
        """By the ledger, which knows every certificate; without a record, by the CA's signature."""
        if not isinstance(secret, ClientSecret):
            return None
        records = self._world.records.lookup("serial", (found.issuer, secret.leaf.serial))
        if records:
            return any(r.holder == key and r.sha256 == secret.leaf.sha256 for r in records)
        if not self._world.authorities.get(found.issuer):
            return None
        cas = self._world.cas(found.issuer)
        pair = (secret.leaf.sha256, frozenset((number, fingerprint_sha256(ca)) for number, ca in cas.items()))
        known = self._world.signatures.get(found.secret)
        if known is None or known[0] != pair:
            # A check costs as much as all other rules together; of each Secret, the last answer is kept.
            signers = (number for number, ca in cas.items() if signed_by(secret.leaf.certificate, ca))
            known = self._world.signatures[found.secret] = (pair, next(signers, 0))
        return bool(known[1])


def spec_of(found: CertificateObject) -> ClientCertificateSpec:
    """The spec of a certificate that was planned for, which is why it is readable."""
    if isinstance(found.spec, str):
        raise TypeError("a plan was made for a spec that cannot be read")
    return found.spec

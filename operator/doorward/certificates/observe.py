"""Everything about one ClientCertificate, for its rules to look at; a Secret is only read where its version is new to us."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from doorward.api.conditions import Condition, said
from doorward.certificates.memory import CertificateMemory, SecretView, Signature
from doorward.clock import Clock
from doorward.cluster.gateway import Gateway
from doorward.cluster.store import version_of
from doorward.objects import ca_secret, client_secret
from doorward.objects.client_secret import Broken, ClientSecret, Foreign
from doorward.objects.ledger_record import Record
from doorward.objects.meta import FINALIZER, ObjectKey, offers_password, parse_instant
from doorward.pki import keystores
from doorward.pki.ca_identity import is_issuer
from doorward.pki.certificates import Leaf
from doorward.pki.pem import fingerprint_sha256
from doorward.pki.requests import ClientRequest
from doorward.planning import issuance, key_owner
from doorward.planning.entitlement import stands_behind
from doorward.planning.observed import CertificateObserved, Issuer, Unseen
from doorward.view.parsed import CertificateObject
from doorward.view.reads import Reads
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomain, TrustDomains


class CertificateObserver:
    """Looks at one ClientCertificate and all that it hangs on. It changes nothing: what it learned is in its answer."""

    def __init__(self, view: View, domains: TrustDomains, gateway: Gateway, clock: Clock, reads: Reads) -> None:
        self._view = view
        self._domains = domains
        self._gateway = gateway
        self._clock = clock
        self._reads = reads

    async def observe(
        self, key: ObjectKey, memory: CertificateMemory
    ) -> tuple[CertificateObserved, CertificateMemory] | None:
        """Everything about a ClientCertificate, and what is remembered of it from now on; None where there is none."""
        view = self._view
        found = view.certificates.get(key)
        if found is None:
            return None
        body = found.body
        metadata = body["metadata"]
        records = self._records_of(found, key)
        secret, memory = await self._client_secret(found, key, records, memory)
        if isinstance(secret, ClientSecret) and self._is_anothers(key, secret):
            secret = Foreign(copied=True)
        leaf_is_ours, memory = self._leaf_is_ours(found, key, secret, memory)
        deleted = metadata.get("deletionTimestamp")
        observed = CertificateObserved(
            account=view.account,
            body=body,
            key=key,
            generation=metadata.get("generation", 0),
            deleting_since=parse_instant(deleted) if deleted else None,
            has_finalizer=FINALIZER in (metadata.get("finalizers") or ()),
            spec=found.spec,
            status=body["status"],
            request=found.request,
            issuer_key=found.issuer,
            issuer=self._issuer_view(found, key, secret),
            records=records,
            unexpired_in_namespace=view.ledger.unexpired_in_namespace(key.namespace, self._clock.now()),
            secret_name=found.secret.name,
            secret=secret,
            secret_since=memory.view.since if memory.view is not None else None,
            rival=self._rival(found, key),
            key_taken_until=self._key_taken_until(found, key),
            password=await self._password_problem(found, key.namespace),
            leaf_is_ours=leaf_is_ours,
            pending=memory.signed.pending if memory.signed else None,
            skew=self._gateway.skew(),
            namespace_ends=view.namespace_ends(key.namespace),
        )
        return observed, memory

    def _records_of(self, found: CertificateObject, key: ObjectKey) -> tuple[Record, ...] | Unseen:
        if not self._view.ledger.synced_in(found.issuer.namespace):
            return Unseen.UNKNOWN
        records = self._view.ledger.of_client(key)
        return tuple(record for record in records if stands_behind(found.issuer, record.issuer))

    def _issuer_view(
        self,
        certificate: CertificateObject,
        client: ObjectKey,
        secret: ClientSecret | Broken | Foreign | Unseen,
    ) -> Issuer | Unseen:
        view, key = self._view, certificate.issuer
        found = view.issuers.get(key)
        if found is None:
            return Unseen.ABSENT if view.issuers.synced_in(key.namespace) else Unseen.UNKNOWN
        if isinstance(found.spec, str):
            return Unseen.ABSENT
        domain = self._domains.get(key)
        if domain is None:
            return Unseen.UNKNOWN
        now = self._clock.now()
        signs = domain.authority.generation if domain.authority is not None else 0
        return Issuer(
            key=key,
            spec=found.spec,
            authority=domain.authority,
            problem=domain.problem,
            published=domain.published,
            none_trusted=domain.none_trusted,
            crowded=domain.near_capacity,
            gates_behind=domain.gates_behind,
            behind=domain.behind,
            barred_keys=frozenset(each for each in _keys_of(certificate, secret) if view.is_barred(key, each, client)),
            namespace_labels=self._reads.namespace_labels(client.namespace),
            unexpired=view.ledger.unexpired_of_issuer(key, now),
            unexpired_of_authority=view.ledger.unexpired_of_generation(key, signs, now),
            unexpired_of_namespace=view.ledger.unexpired_of_tenant(key, client.namespace, now),
            staying=domain.staying,
        )

    def _key_taken_until(self, found: CertificateObject, key: ObjectKey) -> datetime | Unseen | None:
        """When to look again at whether the key of its request is free; None: it is."""
        if not isinstance(found.request, ClientRequest):
            return None
        view, public_key = self._view, found.request.public_key_sha256
        if not view.certificates.synced_in(key.namespace):
            return Unseen.UNKNOWN  # whose it is hangs on who else is there
        records = view.ledger.of_key(found.issuer, public_key)
        return key_owner.taken_until(
            records,
            key,
            asking=view.askers(found.issuer, public_key),
            there=[record.holder for record in records if view.certificates.get(record.holder) is not None],
            age=lambda client: _age(view.certificate(client)),
            now=self._clock.now(),
        )

    def _rival(self, found: CertificateObject, key: ObjectKey) -> str | None:
        """Whose the Secret is already, else the older of two with one secretName; it is held until its object is gone."""
        sharers = self._view.certificates.lookup("secret", found.secret)
        others = {c.key.name: c for c in sharers if c.key != key}
        holder = client_secret.holder_of(self._view.secrets.get(found.secret))
        if holder == key.name or holder in others:
            return None if holder == key.name else holder
        return min((name for name, other in others.items() if _age(other) < _age(found)), default=None)

    async def _client_secret(
        self,
        found: CertificateObject,
        key: ObjectKey,
        records: tuple[Record, ...] | Unseen,
        memory: CertificateMemory,
    ) -> tuple[ClientSecret | Broken | Foreign | Unseen, CertificateMemory]:
        at = found.secret
        if isinstance(records, Unseen):
            return Unseen.UNKNOWN, memory  # nothing is planned without them, and ten thousand Secrets are many requests
        metadata = self._reads.secret_metadata(at)
        holder = None if isinstance(metadata, Unseen) else client_secret.holder_of(metadata)
        if holder != key.name and not (found.out or self._view.certificates.synced_in(key.namespace)):
            return Unseen.UNKNOWN, memory  # it may belong to a ClientCertificate that was not heard of yet
        if metadata is Unseen.ABSENT and records:
            # What was handed out seems lost: ask the API server itself.
            metadata = await self._reads.secret(at)
        elif self._waits(records) and not isinstance(metadata, Unseen):
            # Or a serial would be revoked at the end of its grace period while somebody restores its Secret.
            metadata = await self._reads.secret(at)
        if isinstance(metadata, Unseen):
            forgotten = memory if metadata is Unseen.UNKNOWN else replace(memory, view=None, signature=None)
            return metadata, forgotten
        if client_secret.holder_of(metadata) != key.name:
            return Foreign(), replace(memory, view=None, signature=None)
        versions = (version_of(metadata), self.password_version(self._password_of(found)))
        known = memory.view
        if known is not None and (known.secret, known.versions) == (at, versions):
            return known.held, memory
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body, memory
        password = await self.password(self._password_of(found))
        parse = partial(client_secret.parse, body, certificate=key.name, password=password)
        # 0.3 ms, and 10 ms more where a person's password is sealed with as many rounds as it is stretched with. The hop of
        # 0.1 ms pays: whatever a Secret holds, and however many come at once, the loop turns in between (measured).
        held = await asyncio.to_thread(parse)
        if isinstance(held, Foreign):
            return held, replace(memory, view=None, signature=None)
        versions = (version_of(body), versions[1])
        seen = SecretView(secret=at, versions=versions, held=held, since=self._clock.now())
        return held, replace(memory, view=seen)

    def _waits(self, records: tuple[Record, ...] | Unseen) -> bool:
        """Whether the grace period of a serial runs whose Secret is missing."""
        marked = () if isinstance(records, Unseen) else (r for r in records if r.secret_missing_since is not None)
        return any(record.live(self._clock.now()) for record in marked)

    def _is_anothers(self, key: ObjectKey, secret: ClientSecret) -> bool:
        """Whether the ledger of any issuer says that the certificate was signed for another client."""
        records = self._view.ledger.with_serial(secret.leaf.serial)
        holders = {record.holder for record in records if record.sha256 == secret.leaf.sha256}
        return bool(holders) and key not in holders

    def _password_of(self, found: CertificateObject) -> tuple[ObjectKey, str] | None:
        return None if isinstance(found.spec, str) else issuance.password_of(found.spec, found.secret.namespace)

    def password_version(self, at: tuple[ObjectKey, str] | None) -> int:
        """The resourceVersion of the Secret with a keystore's password; 0: there is none."""
        metadata = self._view.secrets.get(at[0]) if at else None
        return version_of(metadata) if metadata else 0

    async def password(self, at: tuple[ObjectKey, str] | None) -> bytes | None:
        """The referenced keystore password; None where none is referenced, or it cannot be used.

        Why not is not told: whoever may only write ClientCertificates would learn which Secrets there are, and what is in them.
        """
        if at is None:
            return None
        body = await self._reads.secret(at[0])
        if isinstance(body, Unseen) or not offers_password(body):
            return None
        try:
            value = ca_secret.decode((body.get("data") or {}).get(at[1]) or "")
        except ValueError:
            return None
        return keystores.usable_password(value)

    async def _password_problem(self, found: CertificateObject, namespace: str) -> Condition | None:
        at = self._password_of(found)
        if at is None or self._view.opted_in.get(namespace) is not True:
            return None
        if await self.password(at) is None:
            return said("PasswordMissing", secret=at[0].name, key=at[1])
        return None

    def _leaf_is_ours(
        self,
        found: CertificateObject,
        key: ObjectKey,
        secret: ClientSecret | Broken | Foreign | Unseen,
        memory: CertificateMemory,
    ) -> tuple[bool | None, CertificateMemory]:
        """By the ledger, which knows every certificate; without a record, by the CA's signature."""
        if not isinstance(secret, ClientSecret):
            return None, memory
        records = self._view.ledger.of_serial(found.issuer, secret.leaf.serial)
        domain = self._domains.get(found.issuer)
        if records:
            mine = [r for r in records if r.holder == key and r.sha256 == secret.leaf.sha256]
            return any(_may_have_signed(domain, record.generation, secret.leaf) for record in mine), memory
        if domain is None or not domain.held:
            return None, memory
        cas = domain.cas()
        tried = frozenset((number, fingerprint_sha256(ca)) for number, ca in cas.items())
        known = memory.signature
        if known is None or (known.leaf_sha256, known.cas) != (secret.leaf.sha256, tried):
            # A check costs as much as all other rules together; of each Secret, the last answer is kept.
            signers = (number for number, ca in cas.items() if is_issuer(ca, secret.leaf.certificate))
            known = Signature(secret.leaf.sha256, tried, next(signers, 0))
            memory = replace(memory, signature=known)
        return bool(known.generation), memory


def _may_have_signed(domain: TrustDomain | None, generation: int, leaf: Leaf) -> bool:
    """Whether the CA of that generation, as far as it is known, is the one that signed the certificate.

    It is not where a backup brought a CA in place of one that had signed already: gates refuse what that one signed. What the
    operator signs names the key of its CA, so the signature of most is not checked, which would take longer than all rules.
    """
    loaded = domain.held.get(generation) if domain is not None else None
    if loaded is None or not loaded.authority.generated or loaded.key_identifier in leaf.der:
        return True
    return is_issuer(loaded.signer.certificate, leaf.certificate)


def _age(certificate: CertificateObject) -> tuple[str, str]:
    """By which the older of two is told; creation times have whole seconds."""
    metadata = certificate.body["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["uid"]


def _keys_of(certificate: CertificateObject, secret: ClientSecret | Broken | Foreign | Unseen) -> Iterator[str]:
    """The public keys that a rule may ask about: of the CSR, and of the certificate in the Secret."""
    if isinstance(certificate.request, ClientRequest):
        yield certificate.request.public_key_sha256
    if isinstance(secret, ClientSecret):
        yield secret.leaf.public_key_sha256

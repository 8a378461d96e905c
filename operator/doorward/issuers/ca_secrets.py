"""The CA generations of an issuer, from Secrets to what rules may look at; a key is read once for each version of its Secret."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from doorward.api.conditions import Condition, said
from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, Gateway, Object
from doorward.cluster.store import version_of
from doorward.issuers import ca_reading, crl_only
from doorward.issuers.ca_proven import contradicted, is_asked, proven
from doorward.issuers.memory import IssuerMemory, Unusable
from doorward.objects import crl_configmap, trust_bundle
from doorward.objects.ca_proof import CaProof
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import ObjectKey, ca_secret_name, crl_configmap_name, is_ours, issuer_of_ca_secret, key_of
from doorward.pki import ca_identity
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import load_certificates
from doorward.planning import timing
from doorward.planning.observed import Authority, Unseen
from doorward.view.parsed import IssuerObject
from doorward.view.reads import Reads
from doorward.view.stores import View
from doorward.view.trust_domains import LoadedCa


class CaObserver:
    """Looks at the CAs of one MTLSIssuer."""

    def __init__(self, view: View, gateway: Gateway, reads: Reads) -> None:
        self._view = view
        self._gateway = gateway
        self._reads = reads
        self._cluster_ca: tuple[datetime, frozenset[str]] | None = None
        """When they were read last, and SHA-256 of the public keys of the cluster's own client CAs."""

    def names_taken(self, key: ObjectKey, proof: CaProof) -> frozenset[int]:
        """The numbers that a CA of the issuer has, or seems to have by the name of a Secret, whoever made it."""
        named = {number for number, _ in _numbered_names(self._view.secrets.lookup("ca", key))}
        return proof.numbers | named

    def unproven(self, found: IssuerObject, key: ObjectKey, proof: CaProof) -> tuple[str, ...]:
        """The names of Secrets that are labelled as its CA generations, and that it never made."""
        if found.own_ca is not None:
            return ()
        ours = (s for s in self._view.secrets.lookup("ca", key) if is_ours(s, "ca"))
        return tuple(at.name for number, at in sorted(_numbered_names(ours)) if number not in proof.numbers)

    def _ca_secrets(self, found: IssuerObject, key: ObjectKey, proof: CaProof) -> list[tuple[int, ObjectKey]]:
        """The Secrets of the CA generations, oldest first; a person's own has no number yet.

        What nothing shows to be the issuer's is passed over, however it is labelled: it is not even read. A Secret that lost
        its labels is, where it is the only one.
        """
        if found.own_ca is not None:
            return [(0, found.own_ca)]
        named = self._view.secrets.lookup("ca", key)
        ours = [at for at in _numbered_names(s for s in named if is_ours(s, "ca")) if at[0] in proof.numbers]
        return sorted(ours or (at for at in _numbered_names(named) if at[0] in proof.numbers))

    def newest(self, found: IssuerObject, key: ObjectKey, proof: CaProof) -> tuple[int, ObjectKey]:
        """Number and Secret of the newest generation; 0 and where it should be, if there is none."""
        at = self._ca_secrets(found, key, proof)
        return at[-1] if at else (0, ObjectKey(key.namespace, ca_secret_name(key.name, 1)))

    async def generations(
        self, found: IssuerObject, key: ObjectKey, memory: IssuerMemory, proof: CaProof, now: datetime
    ) -> tuple[Authority | Condition | Unseen, tuple[Authority, ...], IssuerMemory]:
        """The newest CA generation, or what is wrong with its Secret; those before it that can be used; and what is
        remembered from now on.
        """
        newest = self.newest(found, key, proof)
        seen = self._reads.secret_metadata(newest[1])
        if seen is Unseen.UNKNOWN:
            return seen, (), memory
        if seen is Unseen.DENIED:
            return seen, (), replace(memory, held={}, cas_seen={})
        if isinstance(seen, Unseen):
            kept = crl_only.kept(found, {}, frozenset(), memory, proof, now)
            return seen, crl_only.others(kept, None), replace(memory, held=kept, cas_seen={})
        secrets = self._ca_secrets(found, key, proof)
        known: dict[ObjectKey, LoadedCa | Unusable] = {}
        read: list[tuple[int, LoadedCa | Unusable]] = []
        for generation, at in secrets:
            ca = await self._ca(found, generation, at, memory, now)
            if ca is Unseen.ABSENT:  # the watch has not told yet
                kept = crl_only.kept(found, {}, frozenset(), memory, proof, now)
                return ca, crl_only.others(kept, None), replace(memory, held=kept)
            if isinstance(ca, Unseen):
                return ca, (), replace(memory, cas_seen={**memory.cas_seen, **known})
            known[at] = ca
            read.append((generation, ca))
        body = self._view.configmaps.get(ObjectKey(key.namespace, crl_configmap_name(key.name)))
        bundle = crl_configmap.parse_configmap(body) if body is not None else None
        if found.own_ca is not None:
            cas = [_numbered(found, view, bundle, proof, now) for _, view in read]
        else:
            restored, cas = proven(key, read, proof, self._view.ledger, now)
            made = {number: of for number, of in memory.made.items() if number not in restored}
            memory = replace(memory, restored=restored, made=made)
        usable = {generation: view for generation, view in cas if isinstance(view, LoadedCa)}
        signers = crl_only.signers_in(view for _, view in read)
        held = usable | crl_only.kept(found, usable, signers.keys(), memory, proof, now)
        if bundle is not None and signers and (not bundle.generations or bundle.generations.keys() - held.keys()):
            generated = found.own_ca is None
            held |= await asyncio.to_thread(
                crl_only.from_anchors, bundle, held, signers, proof, now, generated=generated
            )
        last = cas[-1][1] if cas else Unseen.ABSENT
        memory = replace(memory, held=held, cas_seen=known)
        if is_asked(memory, len(self._view.ledger.heard_of(key)), now):
            older = contradicted(key, usable.values(), proof, self._view.ledger, memory.not_restored, now)
            memory = replace(memory, not_restored=older, asked_at=now)
        return (last.authority if isinstance(last, LoadedCa) else last), crl_only.others(held, last), memory

    async def _ca(
        self, found: IssuerObject, generation: int, at: ObjectKey, memory: IssuerMemory, now: datetime
    ) -> LoadedCa | Unusable | Unseen:
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            return metadata
        known = memory.cas_seen.get(at)
        version = version_of(metadata)
        generated = found.own_ca is None
        if isinstance(known, LoadedCa) and ca_reading.is_good(known, version, now, generated=generated):
            return known
        if isinstance(known, Unusable) and known.still(version, now):
            return known
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        return await asyncio.to_thread(
            ca_reading.load, body, generation=generation, generated=generated, name=at.name, now=now
        )

    async def is_clusters_own(
        self, authority: Authority | Condition | Unseen, memory: IssuerMemory, now: datetime
    ) -> bool:
        """Whether the cluster itself lets in whoever this CA vouches for; only asked of a person's own."""
        if not isinstance(authority, Authority) or authority.generated:
            return False
        if self._cluster_ca is None or now >= self._cluster_ca[0] + timing.CLUSTER_CA_AGAIN:
            try:
                self._cluster_ca = (now, await self._cluster_cas())
            except (Forbidden, NotFound):
                if memory.published is None or authority.generation not in memory.published.anchors:
                    raise
                return False  # it was found to be none when it was published first, and cut-offs must go on
        return authority.public_key_sha256 in self._cluster_ca[1]

    async def _cluster_cas(self) -> frozenset[str]:
        """SHA-256 of the public keys of the cluster's own client CAs."""
        body = await self._gateway.get(CONFIG_MAP, "kube-system", "extension-apiserver-authentication")
        data = body.get("data") or {}
        pems = [data.get("client-ca-file"), data.get("requestheader-client-ca-file")]
        found = [c for pem in pems if pem for c in load_certificates(pem.encode())]
        return frozenset(public_key_sha256(c.public_key()) for c in found)


def _numbered_names(secrets: Iterable[Object]) -> Iterator[tuple[int, ObjectKey]]:
    """The generations that the names of these Secrets stand for."""
    for metadata in secrets:
        if (parsed := issuer_of_ca_secret(key_of(metadata))) is not None:
            yield parsed[1], key_of(metadata)


def _numbered(
    found: IssuerObject, view: LoadedCa | Unusable, bundle: TrustBundle | None, proof: CaProof, now: datetime
) -> tuple[int, LoadedCa | Condition]:
    """A person's own CA, as the generation that it is published as, or is to be."""
    if isinstance(view, Unusable):
        return 0, view.why
    if mixed_up := _mixed_up(found, view, bundle, proof, now):
        why = (
            f"the CA has the name and key identifier of CA generation {mixed_up}, and another key, so that gates cannot tell"
            " their clients apart. Make it with another name, or with subjectKeyIdentifier=hash"
        )
        return 0, said("CaSecretInvalid", secret=found.own_ca.name if found.own_ca else "", detail=why)
    number = trust_bundle.number_of(view.signer.certificate, bundle, proof.signed)
    return number, replace(view, authority=replace(view.authority, generation=number))


def _mixed_up(found: IssuerObject, view: LoadedCa, bundle: TrustBundle | None, proof: CaProof, now: datetime) -> int:
    """The published generation, trusted and not expired, that gates would mix up with this CA; 0: there is none, or this one is
    published already.
    """
    anchors = trust_bundle.anchors_in(bundle)
    distrusted = () if isinstance(found.spec, str) else found.spec.ca.distrust
    numbers = trust_bundle.numbers_of(bundle, anchors, proof.signed) if bundle is not None else {}
    if view.authority.identity in numbers:
        return 0
    for anchor in anchors:
        number = numbers.get(ca_identity.identity(anchor), 0)
        trusted = number not in distrusted and now < anchor.not_valid_after_utc
        if trusted and ca_identity.are_mixed_up(anchor, view.signer.certificate):
            return number
    return 0

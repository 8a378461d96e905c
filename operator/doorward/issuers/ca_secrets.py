"""The CA generations of an issuer, from Secrets to what rules may look at; a key is read once for each version of its Secret."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from doorward.api.conditions import Condition, said
from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, Gateway, Object
from doorward.cluster.store import version_of
from doorward.issuers import trial
from doorward.issuers.ca_proven import proven
from doorward.issuers.memory import IssuerMemory, Unusable
from doorward.objects import ca_secret, crl_configmap, trust_bundle
from doorward.objects.ca_proof import CaProof
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import ObjectKey, ca_secret_name, crl_configmap_name, is_ours, issuer_of_ca_secret, key_of
from doorward.pki import ca_identity, readability
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import (
    CertificateAuthority,
    chain_pem,
    is_self_signed,
    subject_key_identifier,
    trust_anchor,
)
from doorward.pki.keys import MOST_CA_BITS, SecretBytes, kind_of, load_private_key, public_key_sha256
from doorward.pki.name_constraints import constraints_of
from doorward.pki.pem import CaExpired, CaNotYetValid, PkiError, certificate_pem, fingerprint_sha256, load_certificates
from doorward.pki.signers import KeySigner, Signer
from doorward.pki.subjects import display
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
            kept = _kept(found, {}, frozenset(), memory, proof, now)
            return seen, _others(kept, None), replace(memory, held=kept, cas_seen={})
        secrets = self._ca_secrets(found, key, proof)
        known: dict[ObjectKey, LoadedCa | Unusable] = {}
        read: list[tuple[int, LoadedCa | Unusable]] = []
        for generation, at in secrets:
            ca = await self._ca(found, generation, at, memory, now)
            if ca is Unseen.ABSENT:  # the watch has not told yet
                kept = _kept(found, {}, frozenset(), memory, proof, now)
                return ca, _others(kept, None), replace(memory, held=kept)
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
        signers = _signers(view for _, view in read)
        held = usable | _kept(found, usable, signers.keys(), memory, proof, now)
        if bundle is not None and signers:
            generated = found.own_ca is None
            held |= await asyncio.to_thread(_from_anchors, bundle, held, signers, proof, now, generated=generated)
        last = cas[-1][1] if cas else Unseen.ABSENT
        memory = replace(memory, held=held, cas_seen=known)
        return (last.authority if isinstance(last, LoadedCa) else last), _others(held, last), memory

    async def _ca(
        self, found: IssuerObject, generation: int, at: ObjectKey, memory: IssuerMemory, now: datetime
    ) -> LoadedCa | Unusable | Unseen:
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            return metadata
        known = memory.cas_seen.get(at)
        version = version_of(metadata)
        generated = found.own_ca is None
        if isinstance(known, LoadedCa) and _is_good(known, version, now, generated=generated):
            return known
        if isinstance(known, Unusable) and known.still(version, now):
            return known
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        return await asyncio.to_thread(load, body, generation=generation, generated=generated, name=at.name, now=now)

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


def used(found: IssuerObject, newest: Authority, memory: IssuerMemory) -> tuple[tuple[Authority, ...], IssuerMemory]:
    """The other generations, once the newest may sign: of a person's own CA, the one before has no key any more."""
    if found.own_ca is not None:
        held = {generation: loaded for generation, loaded in memory.held.items() if not loaded.authority.in_memory}
        memory = replace(memory, held=held, held_from=found.own_ca)
    return _others(memory.held, memory.held.get(newest.generation)), memory


def _kept(
    found: IssuerObject,
    usable: Mapping[int, LoadedCa],
    keys: AbstractSet[str],
    memory: IssuerMemory,
    proof: CaProof,
    now: datetime,
) -> dict[int, LoadedCa]:
    """By generation, the CAs that published CRLs and are in no Secret now: their keys go on with it, so that a bad file keeps
    nobody from being refused. One of Doorward's making that never signed is made anew instead. `keys`: those in Secrets.
    """
    kept = {}
    for generation, loaded in memory.held.items():
        a = loaded.authority
        needed = a.identity in memory.newest_crls and (not a.generated or generation in proof.signed)
        if generation not in usable and needed and now < a.not_after:
            authority = replace(a, crl_only=True, in_memory=a.public_key_sha256 not in keys)
            disowned = authority.in_memory and not a.generated and found.own_ca != memory.held_from
            kept[generation] = replace(loaded, authority=authority, disowned=disowned)
    return kept


def _from_anchors(
    bundle: TrustBundle,
    held: Mapping[int, LoadedCa],
    signers: Mapping[str, Signer],
    proof: CaProof,
    now: datetime,
    *,
    generated: bool,
) -> dict[int, LoadedCa]:
    """By generation, the CAs that are published, and of which a Secret has the key and no certificate: a CA that was renewed
    under another name or identifier, for one. The anchor has all that a CRL needs.
    """
    anchors = trust_bundle.anchors_in(bundle)
    numbers = trust_bundle.numbers_of(bundle, anchors, proof.signed)
    there = {loaded.authority.identity for loaded in held.values()}
    found = {}
    for anchor in anchors:
        each = ca_identity.identity(anchor)
        number, signer = numbers.get(each, 0), signers.get(public_key_sha256(anchor.public_key()))
        if not number or number in held or each in there or signer is None or now >= anchor.not_valid_after_utc:
            continue
        if is_self_signed(anchor) and not readability.of_twin(
            anchor
        ):  # else whoever wrote the ConfigMap did not have the key
            twin = trust_anchor(anchor, signer)
            ca = CertificateAuthority(certificate=anchor, chain=(), anchor=twin, signer=signer)
            authority = _authority_of(ca, generation=number, generated=generated, rotate="")
            found[number] = LoadedCa(version=0, authority=replace(authority, crl_only=True), signer=ca)
    return found


def _others(held: Mapping[int, LoadedCa], newest: object) -> tuple[Authority, ...]:
    """All but the newest, oldest first."""
    return tuple(loaded.authority for _, loaded in sorted(held.items()) if loaded is not newest)


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
    """The published generation, trusted and not expired, that gates would mix up with this CA; 0: there is none."""
    anchors = trust_bundle.anchors_in(bundle)
    distrusted = () if isinstance(found.spec, str) else found.spec.ca.distrust
    numbers = trust_bundle.numbers_of(bundle, anchors, proof.signed) if bundle is not None else {}
    for anchor in anchors:
        number = numbers.get(ca_identity.identity(anchor), 0)
        trusted = number not in distrusted and now < anchor.not_valid_after_utc
        if trusted and ca_identity.are_mixed_up(anchor, view.signer.certificate):
            return number
    return 0


def load(body: Object, *, generation: int, generated: bool, name: str, now: datetime) -> LoadedCa | Unusable:
    """The CA in a Secret, or what is wrong with it."""
    if generated and not is_ours(body, "ca"):
        return Unusable(version_of(body), said("CaSecretForeign", secret=name), now)
    try:
        material = ca_secret.parse(body)
        ca = load_ca(certificate=material.certificate, key=material.key.reveal(), chain=material.chain, now=now)
    except (PkiError, ca_secret.NotACaSecret) as error:
        return Unusable(version_of(body), _why(error, name), now, _signer(ca_secret.key_in(body)))
    if not generated and (why := trial.refusal(ca)):
        refused = said("CaSecretInvalid", secret=name, detail=f"a gate with this CA would refuse its clients: {why}")
        return Unusable(version_of(body), refused, now, ca.signer)
    authority = _authority_of(ca, generation=generation, generated=generated, rotate=material.rotate)
    identifier = subject_key_identifier(ca.certificate).digest
    return LoadedCa(version=version_of(body), authority=authority, signer=ca, key_identifier=identifier)


def _why(error: PkiError | ca_secret.NotACaSecret, name: str) -> Condition:
    if isinstance(error, CaExpired):
        return said("CaExpired", secret=name, detail=error)
    if isinstance(error, CaNotYetValid):
        return said("CaNotYetValid", secret=name, detail=error).until(error.begins)
    return said("CaSecretInvalid", secret=name, detail=error)


def _signer(key: SecretBytes | None) -> Signer | None:
    """What signs with a private key, PEM; None where it cannot be read."""
    try:
        return KeySigner(load_private_key(key.reveal(), most_bits=MOST_CA_BITS)) if key is not None else None
    except PkiError:
        return None


def _signers(cas: Iterable[LoadedCa | Unusable]) -> dict[str, Signer]:
    """By the SHA-256 of its public key, each key that is in a Secret, also where its certificate is not."""
    found = [ca.signer.signer if isinstance(ca, LoadedCa) else ca.signer for ca in cas]
    return {public_key_sha256(signer.public_key): signer for signer in found if signer is not None}


def _authority_of(ca: CertificateAuthority, *, generation: int, generated: bool, rotate: str) -> Authority:
    certificate = ca.certificate
    return Authority(
        generation=generation,
        subject=display(certificate.subject),
        serial=certificate.serial_number,
        sha256=fingerprint_sha256(certificate),
        public_key_sha256=public_key_sha256(certificate.public_key()),
        identity=ca_identity.identity(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        anchor_pem=certificate_pem(ca.anchor),
        chain_pem=chain_pem(ca.shown),
        key_kind=kind_of(certificate.public_key()),
        generated=generated,
        rotate=rotate,
        name_constraints=constraints_of(certificate),
    )


def _is_good(loaded: LoadedCa, version: int, now: datetime, *, generated: bool) -> bool:
    """Whether it is what that version of its Secret holds, seen as the same kind of CA, and has not expired."""
    same = (loaded.version, loaded.authority.generated) == (version, generated)
    return same and now < loaded.authority.not_after

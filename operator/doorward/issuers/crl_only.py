"""The CAs of an issuer that no Secret holds any more, and whose keys go on signing CRLs (decision 0023).

Either this process loaded the key before, or the key is in a Secret and the rest is read from the published anchor.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from doorward.issuers.ca_reading import authority_of
from doorward.issuers.memory import IssuerMemory, Unusable
from doorward.objects import trust_bundle
from doorward.objects.ca_proof import CaProof
from doorward.objects.crl_configmap import TrustBundle
from doorward.pki import ca_identity, readability
from doorward.pki.certificates import CertificateAuthority, is_self_signed, trust_anchor
from doorward.pki.keys import public_key_sha256
from doorward.pki.signers import Signer
from doorward.planning.observed import Authority
from doorward.view.parsed import IssuerObject
from doorward.view.trust_domains import LoadedCa


def used(found: IssuerObject, newest: Authority, memory: IssuerMemory) -> tuple[tuple[Authority, ...], IssuerMemory]:
    """The other generations, once the newest may sign: of a person's own CA, the one before has no key any more."""
    if found.own_ca is not None:
        held = {generation: loaded for generation, loaded in memory.held.items() if not loaded.authority.in_memory}
        memory = replace(memory, held=held, held_from=found.own_ca)
    return others(memory.held, memory.held.get(newest.generation)), memory


def kept(
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
    found_before = {}
    for generation, loaded in memory.held.items():
        a = loaded.authority
        needed = a.identity in memory.newest_crls and (not a.generated or generation in proof.signed)
        if generation not in usable and needed and now < a.not_after:
            authority = replace(a, crl_only=True, in_memory=a.public_key_sha256 not in keys)
            disowned = authority.in_memory and not a.generated and found.own_ca != memory.held_from
            found_before[generation] = replace(loaded, authority=authority, disowned=disowned)
    return found_before


def signers_in(cas: Iterable[LoadedCa | Unusable]) -> dict[str, Signer]:
    """By the SHA-256 of its public key, each key that is in a Secret, also where its certificate is not."""
    found = [ca.signer.signer if isinstance(ca, LoadedCa) else ca.signer for ca in cas]
    return {public_key_sha256(signer.public_key): signer for signer in found if signer is not None}


def from_anchors(
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
        # One that is not self-signed is of somebody who wrote the ConfigMap and did not have the key.
        if is_self_signed(anchor) and not readability.of_twin(anchor):
            twin = trust_anchor(anchor, signer)
            ca = CertificateAuthority(certificate=anchor, chain=(), anchor=twin, signer=signer)
            authority = authority_of(ca, generation=number, generated=generated, rotate="")
            found[number] = LoadedCa(version=0, authority=replace(authority, crl_only=True), signer=ca)
    return found


def others(held: Mapping[int, LoadedCa], newest: object) -> tuple[Authority, ...]:
    """All but the newest, oldest first."""
    return tuple(loaded.authority for _, loaded in sorted(held.items()) if loaded is not newest)

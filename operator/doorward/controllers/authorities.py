"""From Secrets to the CA generations that sign, and from a ConfigMap to what is published: parsed and verified, once for
each version.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from cryptography import x509

from doorward.api.conditions import Condition, said
from doorward.cluster.cache import version_of
from doorward.cluster.gateway import Object
from doorward.controllers.world import Committed, LoadedCa, World
from doorward.objects import ca_secret
from doorward.objects.crl_configmap import TrustBundle, parse_configmap
from doorward.objects.meta import ObjectKey, is_ours
from doorward.pki import crls
from doorward.pki.certificates import CertificateAuthority, chain_pem, load_ca
from doorward.pki.crls import PublishedCrl
from doorward.pki.keys import kind_of, public_key_sha256
from doorward.pki.pem import CaExpired, CaNotYetValid, PkiError, certificate_pem, fingerprint_sha256, load_certificates
from doorward.pki.subjects import display
from doorward.planning.observed import Authority
from doorward.planning.trust import Anchor, PublishedTrust


def remember(world: World, key: ObjectKey, trust: PublishedTrust) -> None:
    """Keep the newest CRLs that were seen: an etcd put back to yesterday does not make this process forget."""
    _remember(world, key, {trust.anchors[generation].public_key_sha256: crl for generation, crl in trust.crls.items()})


def _remember(world: World, key: ObjectKey, seen: Mapping[str, PublishedCrl]) -> None:
    newest = world.newest_crls.setdefault(key, {})
    for ca_key, crl in seen.items():
        if ca_key not in newest or newest[ca_key].number < crl.number:
            newest[ca_key] = crl


def load(body: Object, *, generation: int, generated: bool, name: str, now: datetime) -> LoadedCa | Condition:
    """The CA in a Secret, or what is wrong with it."""
    if generated and not is_ours(body, "ca"):
        return said("CaSecretForeign", secret=name)
    try:
        material = ca_secret.parse(body)
        ca = load_ca(certificate=material.certificate, key=material.key.reveal(), chain=material.chain, now=now)
    except CaExpired as error:
        return said("CaExpired", secret=name, detail=error)
    except CaNotYetValid as error:
        return said("CaNotYetValid", secret=name, detail=error)
    except (PkiError, ca_secret.NotACaSecret) as error:
        return said("CaSecretInvalid", secret=name, detail=error)
    authority = _authority_of(ca, generation=generation, generated=generated, rotate=material.rotate)
    return LoadedCa(version=version_of(body), authority=authority, signer=ca)


def _authority_of(ca: CertificateAuthority, *, generation: int, generated: bool, rotate: str) -> Authority:
    certificate = ca.certificate
    return Authority(
        generation=generation,
        subject=display(certificate.subject),
        serial=certificate.serial_number,
        sha256=fingerprint_sha256(certificate),
        public_key_sha256=public_key_sha256(certificate.public_key()),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        anchor_pem=certificate_pem(ca.anchor),
        chain_pem=chain_pem((certificate, *ca.chain)),
        key_kind=kind_of(certificate.public_key()),
        generated=generated,
        rotate=rotate,
    )


def numbers_of(bundle: TrustBundle, anchors: Iterable[x509.Certificate], recorded: Iterable[int]) -> dict[str, int]:
    """By public key, the generation of each published anchor: as the annotation says, else in their order.

    `recorded` are the generations of the ledger: the last anchor is the last of them.
    """
    said_numbers = {key: number for number, key in bundle.generations.items()}
    keys = [public_key_sha256(anchor.public_key()) for anchor in anchors]
    if said_numbers or not keys:
        return {key: said_numbers[key] for key in keys if key in said_numbers}
    first = max(max(recorded, default=1) - len(keys) + 1, 1)
    return {key: first + index for index, key in enumerate(keys)}


def number_of(ca_key: str, bundle: TrustBundle | None, recorded: Iterable[int]) -> int:
    """The generation of a person's own CA: the one it is published as, or a new one above all that are known."""
    known = set(recorded)
    if bundle is None:
        return max(known, default=1)
    try:
        anchors = load_certificates(bundle.anchors) if bundle.anchors else ()
    except PkiError:
        anchors = ()
    published = {key: number for number, key in bundle.generations.items()} or numbers_of(bundle, anchors, known)
    if not published:
        return max(known, default=1)
    return published[ca_key] if ca_key in published else max(known | set(published.values())) + 1


def verify(body: Object, held: Mapping[int, LoadedCa], recorded: Iterable[int], name: str) -> Committed:
    """The bundle in a ConfigMap, each CRL in it as its CA's own key checks it.

    An anchor is one of the issuer's where its key is held, or where the ledger knows its generation: then its key is gone
    (a person's own CA was replaced), and the anchor itself says which CRLs are its own.
    """
    bundle = parse_configmap(body)
    recorded = frozenset(recorded)
    by_key = {loaded.authority.public_key_sha256: loaded for loaded in held.values()}
    known_as = {key: loaded.authority.generation for key, loaded in by_key.items()}
    published: PublishedTrust | Condition
    replaced = ""
    try:
        anchors = load_certificates(bundle.anchors)
        written = numbers_of(bundle, anchors, recorded)
        numbers = known_as | written if bundle.generations else written | known_as
        named = [(numbers.get(public_key_sha256(a.public_key()), 0), a) for a in anchors]
        ours = {number: anchor for number, anchor in named if number in held or number in recorded}
        for number, anchor in ours.items():
            if number in held and public_key_sha256(anchor.public_key()) not in known_as and not replaced:
                replaced = display(anchor.subject)
        lists = crls_of(bundle.crl, ours)
        published = _trust(bundle, {g: a for g, a in ours.items() if g in lists}, lists)
        if not lists:
            published = said(
                "NotPublished", configmap=name, detail=f"it holds no CRL of the issuer's{_why(bundle, ours)}"
            )
            replaced = ""
    except PkiError as error:
        published = said("NotPublished", configmap=name, detail=error)
    return Committed(
        version=version_of(body),
        cas=cas_of(held),
        bundle=bundle,
        published=published,
        replaced=replaced,
    )


def _why(bundle: TrustBundle, ours: Mapping[int, x509.Certificate]) -> str:
    """What is wrong with the CRL of the newest anchor."""
    if not ours:
        return ": its anchors are not the issuer's"
    try:
        crls.read_crl(bundle.crl, ours[max(ours)])
    except PkiError as error:
        return f": {error}"
    return ""


def cas_of(held: Mapping[int, LoadedCa]) -> frozenset[tuple[int, str]]:
    """What the verification of a bundle hangs on."""
    return frozenset((generation, loaded.authority.sha256) for generation, loaded in held.items())


def certificates_of(held: Mapping[int, LoadedCa]) -> dict[int, x509.Certificate]:
    """By generation, the CA's own certificate."""
    return {generation: loaded.signer.certificate for generation, loaded in held.items()}


def crls_of(pem: bytes, cas: Mapping[int, x509.Certificate]) -> dict[int, PublishedCrl]:
    """By generation, the CRL that its CA signed; what nobody signed, or cannot be read, is left out."""
    found: dict[int, PublishedCrl] = {}
    try:
        parts = crls.split_crls(pem)
    except PkiError:
        return found
    for part in parts:
        for generation, ca in cas.items():
            try:
                read = crls.read_crl(part, ca)
            except PkiError:
                continue
            if generation not in found or found[generation].number < read.number:
                found[generation] = read
    return found


def newest_number(bundle: TrustBundle, held: Mapping[int, LoadedCa]) -> int:
    """The highest number of the CRLs in it that one of these CAs signed; 0: there is none."""
    return max((crl.number for crl in crls_of(bundle.crl, certificates_of(held)).values()), default=0)


def remember_copy(world: World, key: ObjectKey, bundle: TrustBundle) -> None:
    """Keep the CRLs of a gate's copy that are newer than what is published: what comes next must not forget them."""
    held = world.authorities.get(key, {})
    found = crls_of(bundle.crl, certificates_of(held))
    _remember(world, key, {held[generation].authority.public_key_sha256: crl for generation, crl in found.items()})


def _trust(
    bundle: TrustBundle, anchors: Mapping[int, x509.Certificate], lists: Mapping[int, PublishedCrl]
) -> PublishedTrust:
    shown = {
        generation: Anchor(
            pem=certificate_pem(anchor),
            public_key_sha256=public_key_sha256(anchor.public_key()),
            subject=display(anchor.subject),
            not_after=anchor.not_valid_after_utc,
        )
        for generation, anchor in sorted(anchors.items())
    }
    whole = bundle_of(shown, lists)
    sound = (whole.anchors, whole.crl) == (bundle.anchors, bundle.crl) and whole.generations == bundle.generations
    return PublishedTrust(anchors=shown, crls=lists, size=bundle.size, sound=sound)


def bundle_of(anchors: Mapping[int, Anchor], lists: Mapping[int, PublishedCrl]) -> TrustBundle:
    """The bundle of these anchors and CRLs, oldest generation first."""
    return TrustBundle(
        anchors=b"".join(anchors[generation].pem for generation in sorted(anchors)),
        crl=b"".join(lists[generation].pem for generation in sorted(anchors)),
        generations={generation: anchors[generation].public_key_sha256 for generation in sorted(anchors)},
    )

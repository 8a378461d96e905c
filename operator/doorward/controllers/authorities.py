"""From a Secret to the CA that signs, and from a ConfigMap to the CRL that is published: parsed and verified, once for each version."""

from datetime import datetime

from doorward.api.conditions import Condition, said
from doorward.cluster.cache import version_of
from doorward.controllers.world import (
    GENERATION,
    Committed,
    LoadedCa,
    Object,
    World,
)
from doorward.objects import ca_secret, crl_configmap
from doorward.objects.meta import (
    ObjectKey,
    is_ours,
)
from doorward.pki import crls
from doorward.pki.certificates import CertificateAuthority, chain_pem, load_ca
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
from doorward.planning.observed import (
    Authority,
)


def remember(world: World, key: ObjectKey, ca_sha256: str, crl: PublishedCrl) -> None:
    """Keep the newest CRL that was seen: an etcd put back to yesterday does not make this process forget."""
    before = world.newest_crl.get(key)
    if before is None or before[0] != ca_sha256 or before[1].number < crl.number:
        world.newest_crl[key] = (ca_sha256, crl)


def load(body: Object, *, generated: bool, name: str, now: datetime) -> LoadedCa | Condition:
    """The CA in a Secret, or what is wrong with it."""
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


def verify(body: Object, loaded: LoadedCa, name: str) -> Committed:
    """The bundle in a ConfigMap, and the CRL in it as the CA's own key checks it."""
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

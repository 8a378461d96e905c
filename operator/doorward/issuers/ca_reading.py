"""The CA in a Secret, ready to sign; or what is wrong with it."""

from datetime import datetime

from doorward.api.conditions import Condition, said
from doorward.cluster.gateway import Object
from doorward.cluster.store import version_of
from doorward.issuers import trial
from doorward.issuers.memory import Unusable
from doorward.objects import ca_secret
from doorward.objects.meta import is_ours
from doorward.pki import ca_identity
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority, chain_pem, subject_key_identifier
from doorward.pki.keys import MOST_CA_BITS, SecretBytes, kind_of, load_private_key, public_key_sha256
from doorward.pki.name_constraints import constraints_of
from doorward.pki.pem import CaExpired, CaNotYetValid, PkiError, certificate_pem, fingerprint_sha256
from doorward.pki.signers import KeySigner, Signer
from doorward.pki.subjects import display
from doorward.planning.observed import Authority
from doorward.view.trust_domains import LoadedCa


def load(body: Object, *, generation: int, generated: bool, name: str, now: datetime) -> LoadedCa | Unusable:
    """The CA in a Secret, or what is wrong with it."""
    if generated and not is_ours(body, "ca"):
        # Where the gates trust the key in it, somebody restored it without its labels, and CRLs must go on.
        return Unusable(version_of(body), said("CaSecretUnmanaged", secret=name), now, _signer(ca_secret.key_in(body)))
    try:
        material = ca_secret.parse(body)
        ca = load_ca(certificate=material.certificate, key=material.key.reveal(), chain=material.chain, now=now)
    except (PkiError, ca_secret.NotACaSecret) as error:
        return Unusable(version_of(body), _why(error, name), now, _signer(ca_secret.key_in(body)))
    if not generated and (why := trial.refusal(ca)):
        refused = said("CaSecretInvalid", secret=name, detail=f"a gate with this CA would refuse its clients: {why}")
        return Unusable(version_of(body), refused, now, ca.signer)
    authority = authority_of(ca, generation=generation, generated=generated, rotate=material.rotate)
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


def authority_of(ca: CertificateAuthority, *, generation: int, generated: bool, rotate: str) -> Authority:
    """The CA as rules see it."""
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


def is_good(loaded: LoadedCa, version: int, now: datetime, *, generated: bool) -> bool:
    """Whether it is what that version of its Secret holds, seen as the same kind of CA, has not expired, and is not followed."""
    same = (loaded.version, loaded.authority.generated) == (version, generated)
    return same and now < min(loaded.authority.not_after, loaded.signer.followed_at or loaded.authority.not_after)

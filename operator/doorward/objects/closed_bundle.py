"""The bundle of a gate that is closed: a CA whose key nobody has, and its empty CRL, so that no certificate is ever accepted.

It has the form of every other bundle, since a data plane may keep what it read before when a bundle is missing or malformed.
"""

from datetime import datetime, timedelta

from doorward.objects.crl_configmap import TrustBundle
from doorward.pki.certificates import CertificateAuthority, build_ca
from doorward.pki.crls import build_crl, read_crl
from doorward.pki.keys import KeyAlgorithm, KeyKind, PrivateKey
from doorward.pki.pem import PkiError, certificate_pem, load_certificates
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import Subject, display

KEY_KIND = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256)
BACKDATE = timedelta(hours=1)
LASTS = timedelta(days=365)
"""After that the CRL has lapsed, and refuses everybody as well."""


NAME = Subject(common_name="closed by Doorward")


def has_this_form(anchors: bytes) -> bool:
    """Whether these are the anchors of such a bundle, whoever wrote it."""
    try:
        found = load_certificates(anchors)
    except PkiError:
        return False
    return len(found) == 1 and display(found[0].subject) == f"CN={NAME.common_name}"


def number_in(bundle: TrustBundle) -> int:
    """The CRL number of such a bundle; 0: it is none, or cannot be read."""
    try:
        return read_crl(bundle.crl, load_certificates(bundle.anchors)[0]).number if has_this_form(bundle.anchors) else 0
    except PkiError:
        return 0


def admits_nobody(key: PrivateKey, serial: int, now: datetime, *, number: int) -> TrustBundle:
    """Signed with this new key, which the caller forgets: with it a certificate could be made that is accepted.

    `number`, of its CRL, is above that of every CRL that the gate held before.
    """
    signer = KeySigner(key)
    begin, end = now - BACKDATE, now + LASTS
    certificate = build_ca(subject=NAME, key=key, serial=serial, not_before=begin, not_after=end)
    ca = CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=signer)
    crl = build_crl(ca=ca, entries=(), number=number, this_update=begin, next_update=end)
    return TrustBundle(anchors=certificate_pem(ca.anchor), crl=crl)

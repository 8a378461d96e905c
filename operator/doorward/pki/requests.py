"""A client's own CSR: only its public key and the proof of possession count; names and extensions change nothing.

Its names never reach the certificate. They are read for one purpose: a CSR is read by people, who must see what it says.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import PublicKeyAlgorithmOID

from doorward.pki import unusable, visible
from doorward.pki.keys import KeyAlgorithm, KeyKind, kind_of, public_key_sha256
from doorward.pki.pem import (
    AsksForCa,
    BadSignature,
    KeyUnsupported,
    Malformed,
    OddForm,
    UnseenName,
    WeakDigest,
    WeakKey,
    block,
    parsing,
    readable,
    signing_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """The public key of a CSR whose signature proves that the client holds the private one."""

    public_key: CertificatePublicKeyTypes
    public_key_sha256: str
    key_kind: KeyKind


def read_request(pem: bytes) -> ClientRequest:
    """A CSR, PEM. Raises PemError, KeyUnsupported or RequestError."""
    readable(pem, unusable.REQUEST)
    _check_form(pem)
    with parsing(unusable.REQUEST):
        request = x509.load_pem_x509_csr(pem)
        signing_key(request)
    public_key = _public_key(request)
    kind = kind_of(public_key)
    if not kind.supported:
        sizes = "RSA of 2048, 3072 or 4096 bits" if kind.algorithm is KeyAlgorithm.RSA else "P-256 or P-384"
        raise WeakKey(f"its {kind.algorithm.value} key has {kind.size} bits: use {sizes}")
    _check_digest(request)
    with parsing("the request's signature", malformed=BadSignature, unsupported=BadSignature):
        valid = request.is_signature_valid
    if not valid:
        raise BadSignature("its signature does not fit its key: make it again with the private key at hand")
    if _asks_for_ca(request):
        raise AsksForCa("it asks for CA:TRUE: make it again without basicConstraints")
    if any(visible.holds_control(name) or visible.unseen(name) for name in _names(request)):
        raise UnseenName("a name in it holds a character that nobody sees: make it again without")
    return ClientRequest(public_key=public_key, public_key_sha256=public_key_sha256(public_key), key_kind=kind)


def _check_form(pem: bytes) -> None:
    """Raises OddForm for a request that openssl reads and cryptography does not; what is no DER is left to the latter."""
    try:
        wrong = unusable.request_form(block(pem, *unusable.LABELS[unusable.REQUEST]))
    except ValueError:
        return
    if wrong is not None:
        raise OddForm(f"{unusable.REQUEST} {wrong}")


def _public_key(request: x509.CertificateSigningRequest) -> CertificatePublicKeyTypes:
    """Raises WeakKey for a key that a certificate would say something else of than the request does."""
    if request.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:  # type: ignore[attr-defined] # its stub lacks it
        raise WeakKey(f"{unusable.REQUEST} {unusable.PSS_KEY}")
    with parsing(unusable.REQUEST):
        return request.public_key()


def _check_digest(request: x509.CertificateSigningRequest) -> None:
    """Raises WeakDigest where the signature proves nothing, or cannot be verified."""
    try:
        digest = request.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        oid = request.signature_algorithm_oid.dotted_string
        raise WeakDigest(f"{unusable.REQUEST} {unusable.UNKNOWN_DIGEST.format(oid=oid)}") from error
    if digest is not None and digest.name in unusable.DIGESTS:
        raise WeakDigest(f"{unusable.REQUEST} {unusable.DIGESTS[digest.name]}")


@contextmanager
def _saying(wrong: str) -> Iterator[None]:
    """What cannot be parsed here is said with a text of the table."""
    try:
        with parsing(unusable.REQUEST):
            yield
    except (Malformed, KeyUnsupported) as error:
        raise OddForm(f"{unusable.REQUEST} {wrong}") from error


def _asks_for_ca(request: x509.CertificateSigningRequest) -> bool:
    with _saying(unusable.EXTENSIONS):
        try:
            return request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return False


def _names(request: x509.CertificateSigningRequest) -> list[str]:
    """All text of its subject and of its alternative names."""
    with _saying(unusable.EXTENSIONS):
        try:
            alternative = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            alternative = x509.SubjectAlternativeName([])
        names = list(_texts_of(alternative))
    with _saying(unusable.SUBJECT):
        return [*_texts(request.subject), *names]


def _texts(name: x509.Name) -> Iterator[str]:
    return (attribute.value for attribute in name if isinstance(attribute.value, str))


def _texts_of(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.DirectoryName):
            yield from _texts(name.value)
        elif isinstance(name, x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier):
            yield name.value

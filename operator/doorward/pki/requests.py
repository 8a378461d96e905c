"""A client's own CSR: only its public key and the proof of possession count; names and extensions change nothing.

Its names never reach the certificate. They are read for one purpose: a CSR is read by people, who must see what it says.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from doorward.pki import visible
from doorward.pki.keys import KeyAlgorithm, KeyKind, kind_of, public_key_sha256
from doorward.pki.pem import MAX_PEM_BYTES, AsksForCa, BadSignature, UnseenName, WeakKey, bounded, parsing, signing_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """The public key of a CSR whose signature proves that the client holds the private one."""

    public_key: CertificatePublicKeyTypes
    public_key_sha256: str
    key_kind: KeyKind


def read_request(pem: bytes) -> ClientRequest:
    """A CSR, PEM. Raises PemError, KeyUnsupported or RequestError."""
    bounded(pem, MAX_PEM_BYTES, "the request")
    with parsing("the request"):
        request = x509.load_pem_x509_csr(pem)
        signing_key(request)
        public_key = request.public_key()
    kind = kind_of(public_key)
    if not kind.supported:
        sizes = "RSA of 2048, 3072 or 4096 bits" if kind.algorithm is KeyAlgorithm.RSA else "P-256 or P-384"
        raise WeakKey(f"its {kind.algorithm.value} key has {kind.size} bits: use {sizes}")
    with parsing("the request's signature", malformed=BadSignature, unsupported=BadSignature):
        valid = request.is_signature_valid
    if not valid:
        raise BadSignature("its signature does not fit its key: make it again with the private key at hand")
    if _asks_for_ca(request):
        raise AsksForCa("it asks for CA:TRUE: make it again without basicConstraints")
    if any(visible.holds_control(name) or visible.unseen(name) for name in _names(request)):
        raise UnseenName("a name in it holds a character that nobody sees: make it again without")
    return ClientRequest(public_key=public_key, public_key_sha256=public_key_sha256(public_key), key_kind=kind)


def _asks_for_ca(request: x509.CertificateSigningRequest) -> bool:
    with parsing("what the request asks for"):
        try:
            return request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return False


def _names(request: x509.CertificateSigningRequest) -> list[str]:
    """All text of its subject and of its alternative names."""
    with parsing("the names of the request"):
        try:
            alternative = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            alternative = x509.SubjectAlternativeName([])
        return [*_texts(request.subject), *_texts_of(alternative)]


def _texts(name: x509.Name) -> Iterator[str]:
    return (attribute.value for attribute in name if isinstance(attribute.value, str))


def _texts_of(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.DirectoryName):
            yield from _texts(name.value)
        elif isinstance(name, x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier):
            yield name.value

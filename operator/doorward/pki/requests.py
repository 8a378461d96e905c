"""A client's own CSR: only its public key and the proof of possession count; names and extensions change nothing."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from doorward.pki.keys import KeyAlgorithm, KeyKind, kind_of, public_key_sha256
from doorward.pki.pem import MAX_PEM_BYTES, AsksForCa, BadSignature, WeakKey, bounded, parsing, signing_key


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
    return ClientRequest(public_key=public_key, public_key_sha256=public_key_sha256(public_key), key_kind=kind)


def _asks_for_ca(request: x509.CertificateSigningRequest) -> bool:
    with parsing("what the request asks for"):
        try:
            return request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return False

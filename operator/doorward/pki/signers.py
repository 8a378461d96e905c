"""What signs certificates and CRLs: a CA's key, in this process or elsewhere."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from doorward.pki.keys import PrivateKey, PublicKey


class Scheme(NamedTuple):
    """How keys of a kind sign: the digest, and the DER of the AlgorithmIdentifier that says so."""

    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None
    algorithm: bytes


_RSA = Scheme(hashes.SHA256(), bytes.fromhex("300d06092a864886f70d01010b0500"))  # RFC 4055 §5, with its NULL
_P384 = Scheme(hashes.SHA384(), bytes.fromhex("300a06082a8648ce3d040303"))  # RFC 5758 §3.2
_P521 = Scheme(hashes.SHA512(), bytes.fromhex("300a06082a8648ce3d040304"))
_ECDSA = Scheme(hashes.SHA256(), bytes.fromhex("300a06082a8648ce3d040302"))
_ED25519 = Scheme(None, bytes.fromhex("300506032b6570"))  # RFC 8410 §3


class Signer(Protocol):
    """A CA's key to those who build certificates and CRLs. What signs may be far away: call it from a thread."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this one signs."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`, by `scheme_of(public_key)`."""
        ...

    def sign_certificate(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """The certificate that the builder describes. Raises ValueError where it describes none."""
        ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A Signer over a private key of cryptography's, or over a subclass that asks an HSM or a key service to sign."""

    key: PrivateKey = field(repr=False)

    @property
    def public_key(self) -> PublicKey:
        return self.key.public_key()

    def sign(self, data: bytes) -> bytes:
        digest = scheme_of(self.public_key).digest
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            # RFC 6979: equal inputs give equal bytes.
            return self.key.sign(data, ec.ECDSA(digest or hashes.SHA256(), deterministic_signing=True))
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), digest or hashes.SHA256())
        return self.key.sign(data)

    def sign_certificate(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        deterministic = True if isinstance(self.key, ec.EllipticCurvePrivateKey) else None
        return builder.sign(self.key, scheme_of(self.public_key).digest, ecdsa_deterministic=deterministic)


def scheme_of(public_key: PublicKey) -> Scheme:
    """SHA-384 for P-384, SHA-512 for P-521, no digest for Ed25519, else SHA-256; RSA by PKCS #1 v1.5."""
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return _ED25519
    if isinstance(public_key, rsa.RSAPublicKey):
        return _RSA
    return {384: _P384, 521: _P521}.get(public_key.curve.key_size, _ECDSA)


def verifies(public_key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the signature over `data` is the key's, by `scheme_of(public_key)`."""
    digest = scheme_of(public_key).digest or hashes.SHA256()
    try:
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, data, padding.PKCS1v15(), digest)
        else:
            public_key.verify(signature, data)
    except InvalidSignature:
        return False
    return True

"""Private keys: making, reading, writing; bytes that do not show themselves."""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from doorward.pki.pem import MAX_PEM_BYTES, KeyEncrypted, KeyUnsupported, Malformed, bounded, parsing

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_CURVES: dict[int, type[ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1}
_RSA_SIZES = (2048, 3072, 4096)


class KeyAlgorithm(StrEnum):
    """As the kinds spell them."""

    ECDSA = "ECDSA"
    RSA = "RSA"
    ED25519 = "Ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyKind:
    """Algorithm and size in bits; None for Ed25519."""

    algorithm: KeyAlgorithm
    size: int | None

    @property
    def supported(self) -> bool:
        """ECDSA on P-256 or P-384, RSA of 2048, 3072 or 4096 bits, Ed25519."""
        match self.algorithm:
            case KeyAlgorithm.ECDSA:
                return self.size in _CURVES
            case KeyAlgorithm.RSA:
                return self.size in _RSA_SIZES
            case KeyAlgorithm.ED25519:
                return self.size is None


class SecretBytes:
    """Bytes that neither repr nor str shows; comparison takes the same time wherever they differ."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretBytes) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        raise TypeError("secrets are not hashed")


def generate(kind: KeyKind) -> PrivateKey:
    """A new key; RSA takes 0.1 to 1 s. Raises KeyUnsupported."""
    if not kind.supported:
        raise KeyUnsupported(f"no {kind.algorithm.value} keys of {kind.size} bits are made")
    match kind.algorithm:
        case KeyAlgorithm.ECDSA:
            return ec.generate_private_key(_CURVES[kind.size or 256]())
        case KeyAlgorithm.RSA:
            return rsa.generate_private_key(public_exponent=65537, key_size=kind.size or 2048)
        case KeyAlgorithm.ED25519:
            return ed25519.Ed25519PrivateKey.generate()


def load_private_key(data: bytes) -> PrivateKey:
    """A private key, PEM: PKCS#1, PKCS#8 or SEC1, unencrypted.

    Raises PemError, KeyEncrypted or KeyUnsupported, whose texts never quote the input.
    """
    bounded(data, MAX_PEM_BYTES, "the private key")
    if b"ENCRYPTED" in data:
        raise KeyEncrypted("the private key is encrypted: store it without a passphrase")
    with parsing("the private key"):
        key = load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey):
            _check_rsa(key)
            key = load_pem_private_key(data, password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise KeyUnsupported("the private key must be RSA, ECDSA or Ed25519")


def _check_rsa(key: rsa.RSAPrivateKey) -> None:
    """What makes the full validation quick: it tests primes, which takes minutes for large ones that somebody planted."""
    if key.key_size > max(_RSA_SIZES):
        raise KeyUnsupported(f"the private key has {key.key_size} bits: use RSA of 2048, 3072 or 4096")
    numbers = key.private_numbers()
    if numbers.p * numbers.q != numbers.public_numbers.n:
        raise Malformed("the private key's primes do not make its modulus")


def private_key_pem(key: PrivateKey) -> SecretBytes:
    """PKCS#8, PEM, unencrypted."""
    return SecretBytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def kind_of(public_key: PublicKeyTypes) -> KeyKind:
    """Algorithm and size of a public key. Raises KeyUnsupported for other algorithms or curves; sizes are the caller's to judge."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        curve = public_key.curve
        # secp256k1 and brainpoolP256r1 have 256 bits too.
        if not isinstance(curve, _CURVES.get(curve.key_size, ec.EllipticCurve)):
            raise KeyUnsupported(f"the key is on the curve {curve.name}: use P-256 or P-384")
        return KeyKind(algorithm=KeyAlgorithm.ECDSA, size=curve.key_size)
    if isinstance(public_key, rsa.RSAPublicKey):
        return KeyKind(algorithm=KeyAlgorithm.RSA, size=public_key.key_size)
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return KeyKind(algorithm=KeyAlgorithm.ED25519, size=None)
    raise KeyUnsupported("the public key must be RSA, ECDSA or Ed25519")


def public_key_sha256(public_key: PublicKeyTypes) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex: the name of a key."""
    return sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

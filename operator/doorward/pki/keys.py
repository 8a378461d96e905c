"""Private keys: making, reading, writing; bytes that do not show themselves."""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from doorward.pki import der, unusable
from doorward.pki.pem import (
    MAX_PEM_BYTES,
    KeyEncrypted,
    KeyUnsupported,
    Malformed,
    PkiError,
    block,
    bounded,
    parsing,
    readable,
)

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_CURVES: dict[int, type[ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}
_CLIENT_CURVES = (256, 384)
_RSA_SIZES = (2048, 3072, 4096)
MOST_CA_BITS = 16384
"""OpenSSL verifies no signature of a larger RSA key. Of this size one takes 0.3 s to make, without the interpreter's lock."""
_ALGORITHMS = frozenset(
    map(
        bytes.fromhex,
        (
            "06092a864886f70d010101",  # rsaEncryption (RFC 8017 A.1)
            "06092a864886f70d01010a",  # RSASSA-PSS (RFC 4055 §3.1)
            "06072a8648ce3d0201",  # EC (RFC 5480 §2.1.1)
            "06032b6570",  # Ed25519 (RFC 8410 §3)
        ),
    )
)
"""Of a PKCS #8 key, the DER of the object identifier. A planted DSA or Diffie-Hellman key of 20 KB would keep OpenSSL
busy for half a minute as it is read (measured)."""


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
        """Whether such keys are made, and certified for clients: P-256, P-384, RSA of 2048, 3072 or 4096 bits, Ed25519."""
        match self.algorithm:
            case KeyAlgorithm.ECDSA:
                return self.size in _CLIENT_CURVES
            case KeyAlgorithm.RSA:
                return self.size in _RSA_SIZES
            case KeyAlgorithm.ED25519:
                return self.size is None

    @property
    def fits_a_ca(self) -> bool:
        """Whether a user's CA may have such a key: P-521 and any other RSA size are taken, too."""
        in_between = self.algorithm is KeyAlgorithm.RSA and 2048 <= (self.size or 0) <= MOST_CA_BITS
        return self.supported or in_between or (self.algorithm, self.size) == (KeyAlgorithm.ECDSA, 521)


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


def load_private_key(data: bytes, *, most_bits: int = max(_RSA_SIZES)) -> PrivateKey:
    """A private key that signs, PEM: PKCS#1, PKCS#8 or SEC1, unencrypted. RSA takes 2 to 8 ms, without the interpreter's lock.

    `most_bits`: of an RSA key, no larger one is computed with. Raises PemError, KeyEncrypted or KeyUnsupported, whose texts never quote the input.

    Instead of OpenSSL's tests of the primes, 36 to 253 ms under the interpreter's lock in whichever thread (measured): the
    numbers fit each other, and what the key signs its public key verifies. That is a Fermat test of both primes.
    """
    key = _read(data, most_bits)
    if isinstance(key, rsa.RSAPrivateKey):
        with parsing("the private key"):
            try:
                signature = key.sign(b"", padding.PKCS1v15(), hashes.SHA256())
                key.public_key().verify(signature, b"", padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature as error:
                raise Malformed("the private key does not sign for its own modulus") from error
    return key


def keys_in(data: bytes) -> int:
    """How many PEM blocks of a private key there are."""
    return sum(data.count(b"-----BEGIN %b-----" % label.encode()) for label in unusable.LABELS[unusable.PRIVATE_KEY])


def fits(data: bytes, public_key: PublicKeyTypes) -> bool:
    """Whether these bytes are a private key, PEM, of that public one; below a millisecond, and nothing is signed.

    For an RSA key that is proof enough where the modulus is known to be of two primes: there is one way to divide it.
    """
    try:
        return public_key_sha256(_read(data, max(_RSA_SIZES)).public_key()) == public_key_sha256(public_key)
    except PkiError:
        return False


def _read(data: bytes, most_bits: int) -> PrivateKey:
    """A private key whose numbers fit each other. No primes are tested here, and nothing is computed with large ones."""
    bounded(data, MAX_PEM_BYTES, unusable.PRIVATE_KEY)
    if unusable.is_encrypted(data):
        raise KeyEncrypted("the private key is encrypted: store it without a passphrase")
    readable(data, unusable.PRIVATE_KEY)
    with parsing(unusable.PRIVATE_KEY):
        content = block(data, *unusable.LABELS[unusable.PRIVATE_KEY])
        if not _is_known(content):
            raise KeyUnsupported("the private key must be RSA, ECDSA or Ed25519")
        key = load_der_private_key(content, password=None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key, most_bits)
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise KeyUnsupported("the private key must be RSA, ECDSA or Ed25519")


def _is_known(content: bytes) -> bool:
    """Whether a key, DER, is of an algorithm that OpenSSL may be given: PKCS #8 says which, RFC 5208 §5; the others have no
    parameters to compute with.
    """
    _, second, *_ = der.children(content, der.whole(content, der.SEQUENCE))
    return (
        second.tag != der.SEQUENCE or der.raw(content, der.element(content, second.start, second.stop)) in _ALGORITHMS
    )


def _check_rsa(key: rsa.RSAPrivateKey, most_bits: int) -> None:
    """Raises where the numbers of an RSA key do not fit each other (RFC 8017 §3.2): what OpenSSL checks, the primes left out."""
    if key.key_size > most_bits:
        sizes = "2048, 3072 or 4096" if most_bits == max(_RSA_SIZES) else f"2048 to {most_bits}"
        raise KeyUnsupported(f"the private key has {key.key_size} bits: use RSA of {sizes}")
    found = key.private_numbers()
    n, e, p, q = found.public_numbers.n, found.public_numbers.e, found.p, found.q
    if not (1 < p < n and p * q == n and n % 2):
        raise Malformed("the private key's primes do not make its modulus")
    if not (
        1 < e < n
        and 0 < found.d < n
        and (found.dmp1, found.dmq1) == (found.d % (p - 1), found.d % (q - 1))
        and e * found.dmp1 % (p - 1) == e * found.dmq1 % (q - 1) == 1
        and 0 < found.iqmp < p
        and found.iqmp * q % p == 1
    ):
        raise Malformed("the private key's numbers do not fit each other")


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

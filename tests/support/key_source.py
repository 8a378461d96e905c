"""Keys, serials and passwords that follow from a count: the same story has the same bytes."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from doorward.pki import keys
from doorward.pki.keys import KeyAlgorithm, KeyKind, PrivateKey, SecretBytes


class CountingKeySource:
    """See `KeySource`. One of it for all processes of a story: no serial comes twice. `first`: where a second cluster begins."""

    def __init__(self, first: int = 0) -> None:
        self._count = first

    def _next(self) -> int:
        self._count += 1
        return int.from_bytes(hashlib.sha256(self._count.to_bytes(4, "big")).digest()[:15], "big")

    def serial(self) -> int:
        return self._next() | 1

    def key(self, kind: KeyKind) -> PrivateKey:
        """ECDSA P-256 by count; any other kind is the operating system's."""
        if kind == KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256):
            return ec.derive_private_key(self._next() | 1, ec.SECP256R1())
        return keys.generate(kind)

    def password(self) -> SecretBytes:
        return SecretBytes(f"password-{self._next():x}".encode())

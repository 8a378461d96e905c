"""The operating system's randomness."""

import secrets

from doorward.pki import keys
from doorward.pki.keys import KeyKind, PrivateKey, SecretBytes


class SystemKeySource:
    """See `KeySource`."""

    def serial(self) -> int:
        return secrets.randbits(158) | 1 << 158

    def key(self, kind: KeyKind) -> PrivateKey:
        return keys.generate(kind)

    def password(self) -> SecretBytes:
        return SecretBytes(secrets.token_urlsafe(24).encode())

"""Where keys, serials and passwords come from: passed in, so that tests can say what they are."""

from typing import Protocol

from doorward.pki.keys import KeyKind, PrivateKey, SecretBytes


class KeySource(Protocol):
    """Everything random."""

    def serial(self) -> int:
        """A positive serial number of at most 20 octets (RFC 5280 §4.1.2.2)."""
        ...

    def key(self, kind: KeyKind) -> PrivateKey:
        """A new private key. It takes 0.03 ms (P-256) to seconds (RSA-4096)."""
        ...

    def password(self) -> SecretBytes:
        """A strong one, printable."""
        ...

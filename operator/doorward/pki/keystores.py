"""PKCS#12 files for browsers, phones and Java, in two profiles.

An empty password breaks importers (Java sees no entry), and a root in the file may be installed as trusted: so a
password is demanded and the root left out.
"""

from enum import StrEnum
from hashlib import pbkdf2_hmac, sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    serialize_key_and_certificates,
)

from doorward.pki import visible
from doorward.pki.keys import PrivateKey, SecretBytes
from doorward.pki.pem import PkiError

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 256
"""Bytes in UTF-8."""
OWN_PASSWORD_ROUNDS = 2048
"""Our own passwords have 192 bits: rounds add nothing but time (1.2 ms at this number, measured)."""
USER_PASSWORD_ROUNDS = 20_000
OWN_SEAL_ROUNDS = 1
"""No importer reads a seal: 192 bits need no rounds at all (1.4 ms spared in each certificate, measured)."""


class Profile(StrEnum):
    """As cert-manager calls them."""

    MODERN_2023 = "Modern2023"
    """AES-256-CBC and HMAC-SHA-256: OpenSSL 3, NSS, JDK from 8u301, today's systems."""
    LEGACY_DES = "LegacyDES"
    """3DES and HMAC-SHA-1: older Windows, macOS, iOS, Android."""


_SCHEMES = {
    Profile.MODERN_2023: (PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
    Profile.LEGACY_DES: (PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),  # noqa: S303 - what old importers read
}


def usable_password(value: bytes) -> bytes | None:
    """The password that a file with these bytes stands for; None: none that an importer takes.

    `echo` and editors end a file with a line break, which nobody types and `openssl -passin file:` leaves out: so do we. Nobody types
    a control character or a byte order mark either, and with a NUL in each second byte the file is UTF-16.
    """
    password = value.rstrip(b"\r\n")
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return None
    fits = SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD
    return password if fits and not visible.holds_control(text) and not text.startswith("\ufeff") else None


def build_pkcs12(
    *,
    profile: Profile,
    key: PrivateKey,
    leaf: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    friendly_name: str,
    password: bytes,
    kdf_rounds: int,
) -> SecretBytes:
    """The keystore, DER; `chain` holds intermediates only. Raises PkiError for a password that is empty or no UTF-8."""
    if not password:
        raise PkiError("a keystore needs a password: importers break on an empty one")
    try:
        password.decode()
    except UnicodeDecodeError:
        raise PkiError("the keystore's password is not UTF-8: importers could not take it") from None
    scheme, mac = _SCHEMES[profile]
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(kdf_rounds)
        .key_cert_algorithm(scheme)
        .hmac_hash(mac)
        .build(password)
    )
    return SecretBytes(serialize_key_and_certificates(friendly_name.encode(), key, leaf, chain or None, encryption))


def seal(keystore: bytes, *, profile: str, leaf_sha256: str, password: bytes, rounds: int) -> str:
    """By what a keystore is known again as the one made of that profile, leaf and password; lower-case hex.

    A keystore that somebody may have changed is never opened: its own rounds, up to 2^31, say how long that takes.
    `rounds`: for a user's password as many as made the keystore, so that it is not found faster here than there.
    """
    salt = sha256(b"\0".join((profile.encode(), leaf_sha256.encode(), keystore))).digest()
    return pbkdf2_hmac("sha256", password, salt, rounds).hex()

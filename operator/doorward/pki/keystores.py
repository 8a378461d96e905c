"""PKCS#12 files for browsers, phones and Java, in two profiles.

An empty password breaks importers (Java sees no entry), and a root in the file may be installed as trusted: so a
password is demanded and the root left out.
"""

from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    load_pkcs12,
    serialize_key_and_certificates,
)

from doorward.pki.keys import PrivateKey, SecretBytes
from doorward.pki.pem import MAX_PEM_BYTES, PkiError, fingerprint_sha256


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
    """The keystore, DER; `chain` holds intermediates only. Raises PkiError for an empty password."""
    if not password:
        raise PkiError("a keystore needs a password: importers break on an empty one")
    scheme, mac = _SCHEMES[profile]
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(kdf_rounds)
        .key_cert_algorithm(scheme)
        .hmac_hash(mac)
        .build(password)
    )
    return SecretBytes(serialize_key_and_certificates(friendly_name.encode(), key, leaf, chain or None, encryption))


def opens(keystore: bytes, password: bytes) -> str | None:
    """SHA-256 of the leaf in the keystore, lower-case hex; None where the password does not open it."""
    if len(keystore) > MAX_PEM_BYTES:
        return None
    try:
        content = load_pkcs12(keystore, password)
    except ValueError:
        return None
    if content.key is None or content.cert is None:
        return None
    return fingerprint_sha256(content.cert.certificate)

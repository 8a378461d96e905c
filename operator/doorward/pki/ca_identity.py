"""What a CA generation is: a key, a name and an identifier. Certificates with the same of all three are of one CA.

OpenSSL finds the issuer of a certificate, and the CRL of an issuer, by exactly these. So CAs with one identity cannot be told
apart by what they signed, and those with two can, also where both have the same key.
"""

import re
from hashlib import sha256

from cryptography import x509

from doorward.pki.certificates import signed_by, subject_key_identifier
from doorward.pki.keys import public_key_sha256

_BLANK = re.compile(r"[\t\n\v\f\r ]+")
_LOWER = str.maketrans({chr(letter): chr(letter).lower() for letter in range(ord("A"), ord("Z") + 1)})


def identity(ca: x509.Certificate) -> str:
    """SHA-256 over the three, lower-case hex."""
    parts = (public_key_sha256(ca.public_key()), _plain(ca.subject), subject_key_identifier(ca).digest.hex())
    return sha256(repr(parts).encode()).hexdigest()


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether OpenSSL takes both for one: whatever the string types, the case of ASCII letters, and the blanks."""
    return one == other or _plain(one) == _plain(other)


def _plain(name: x509.Name) -> list[list[tuple[str, str]]]:
    return [sorted((attribute.oid.dotted_string, _text(attribute.value)) for attribute in rdn) for rdn in name.rdns]


def _text(value: str | bytes) -> str:
    return _BLANK.sub(" ", value).strip(" ").translate(_LOWER) if isinstance(value, str) else value.hex()


def are_mixed_up(shown: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether OpenSSL, shown both, may take the one for the issuer of what the other, with another key, signs (measured)."""
    if public_key_sha256(shown.public_key()) == public_key_sha256(ca.public_key()) or not same_name(
        shown.subject, ca.subject
    ):
        return False
    try:
        found = shown.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return True
    return found == subject_key_identifier(ca).digest


def is_issuer(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether that CA signed the certificate, and not another over the same key and name."""
    return names(certificate.extensions, ca) and signed_by(certificate, ca)


def names(extensions: x509.Extensions, ca: x509.Certificate) -> bool:
    """Whether the authority key identifier of a certificate or CRL, if it has one, is the CA's subject key identifier."""
    try:
        found = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    return found is None or found == subject_key_identifier(ca).digest

"""What the data planes of gates cannot read of a certificate that cryptography reads: ingress-nginx is written in Go.

One that it cannot read makes it keep the whole bundle that it had before, with all who were revoked since.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doorward.pki import certificate_der

_MOST_EXPONENT_BITS = 63
"""Of an RSA key: as many as Go has in an int."""


def of_twin(certificate: x509.Certificate) -> str:
    """What the twin of a CA would have of it, and what to do; empty: it can be read."""
    if why := certificate_der.unreadable_subject(certificate.public_bytes(Encoding.DER)):
        return f"subject cannot be shown to gates: {why}"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and (bits := key.public_numbers().e.bit_length()) > _MOST_EXPONENT_BITS:
        return f"key cannot be shown to gates: its public exponent has {bits} bits; make an RSA key with the exponent 65537"
    return ""


def of_anchor(certificate: x509.Certificate) -> str:
    """The same of a certificate that gates are shown as it is, as versions before decision 0022 did with a user's CA."""
    if certificate.serial_number < 0:
        return "serial number is negative"
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        usual = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if certificate_der.public_key(certificate.public_bytes(Encoding.DER)) != usual:
            return "curve is described and not named, or its point is compressed"
    return of_twin(certificate)

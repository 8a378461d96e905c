"""Whom a gate's Secret admits, asked as ingress-nginx would: by anchors and CRLs alone, with nothing of the code under test."""

import base64
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

END = b"-----END X509 CRL-----\n"


def admits(gate: Any, certificate: x509.Certificate) -> bool:
    """Whether the client with that certificate has access; `gate`: the Secret, None where there is none."""
    if gate is None:
        return False
    anchors, crls = (base64.b64decode(gate["data"][name]) for name in ("ca.crt", "ca.crl"))
    lists = [x509.load_pem_x509_crl(part + END) for part in crls.split(END) if part]
    for anchor in x509.load_pem_x509_certificates(anchors):
        try:
            certificate.verify_directly_issued_by(anchor)
        except (InvalidSignature, ValueError, TypeError):
            continue
        (crl,) = (each for each in lists if each.is_signature_valid(anchor.public_key()))  # type: ignore[arg-type]
        return crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is None
    return False


def held(secret: Any) -> x509.Certificate:
    """The certificate in a client's Secret."""
    return x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))

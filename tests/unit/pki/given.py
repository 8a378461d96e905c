"""What the tests of X.509 begin with: a CA below a root, a template; all the same bytes at every run."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from doorward.pki.certificates import CertificateAuthority, LeafTemplate, trust_anchor
from doorward.pki.subjects import AltNames, Subject, to_name
from tests.unit.given import CA_BORN, CA_ENDS, DAY, HOUR, NOW, ca, key


def template(*, now: datetime = NOW, lasts: timedelta = 7 * DAY, **override: Any) -> LeafTemplate:
    """Alice's certificate as the operator would ask for it at `now`."""
    return LeafTemplate(
        **{
            "subject": Subject(common_name="alice"),
            "alt_names": AltNames(),
            "public_key": key().public_key(),
            "serial": 0xA1,
            "not_before": now - HOUR,
            "not_after": now + lasts,
        }
        | override
    )


@lru_cache
def intermediate() -> CertificateAuthority:
    """A CA below `ca()`, which is its root."""
    root, private_key = ca(), key(101)
    certificate = (
        x509.CertificateBuilder(
            subject_name=to_name(Subject(common_name="Partners")), issuer_name=root.certificate.subject
        )
        .public_key(private_key.public_key())
        .serial_number(101)
        .not_valid_before(CA_BORN)
        .not_valid_after(CA_ENDS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root.private_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return CertificateAuthority(
        certificate=certificate,
        chain=(certificate,),
        anchor=trust_anchor(certificate, private_key),
        private_key=private_key,
    )

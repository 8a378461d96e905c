"""What the tests of X.509 begin with: a CA below a root, a template; all the same bytes at every run."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from doorward.pki.certificates import CertificateAuthority, LeafTemplate, build_ca, trust_anchor
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl
from doorward.pki.keys import PrivateKey
from doorward.pki.signers import KeySigner
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
        .sign(key(100), hashes.SHA256(), ecdsa_deterministic=True)
    )
    return CertificateAuthority(
        certificate=certificate,
        chain=(),
        anchor=trust_anchor(certificate, KeySigner(private_key)),
        signer=KeySigner(private_key),
    )


@lru_cache
def ca_with(private_key: PrivateKey) -> CertificateAuthority:
    """A generated CA with that key."""
    certificate = build_ca(
        subject=Subject(common_name="Partners CA"),
        key=private_key,
        serial=100,
        not_before=CA_BORN,
        not_after=CA_ENDS,
    )
    return CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=KeySigner(private_key))


def entry(serial: int, reason: x509.ReasonFlags | None = None) -> CrlEntry:
    """A serial that is refused since an hour ago."""
    return CrlEntry(serial=serial, revoked_at=NOW - HOUR, reason=reason)


def crl(
    *entries: CrlEntry,
    signer: CertificateAuthority | None = None,
    number: int = 1,
    this_update: datetime = NOW - HOUR,
    next_update: datetime = NOW + 7 * DAY,
    previous: PublishedCrl | None = None,
) -> bytes:
    """A CRL of `ca()`, or of another CA, for a week."""
    return build_crl(
        ca=signer or ca(),
        entries=entries,
        number=number,
        this_update=this_update,
        next_update=next_update,
        previous=previous,
    )

"""A person's CA from its files: the certificate that fits the key and can serve, its chain, and what is wrong where none can."""

from datetime import datetime

from cryptography import x509

from doorward.pki import ca_files, readability
from doorward.pki.certificates import CertificateAuthority, extension_of, is_root, signed_by, trust_anchor
from doorward.pki.keys import MOST_CA_BITS, keys_in, kind_of, load_private_key, public_key_sha256
from doorward.pki.pem import (
    CaError,
    CaExpired,
    CaLacksCertSign,
    CaLacksCrlSign,
    CaNotYetValid,
    CaUnreadable,
    KeyDoesNotFit,
    NotACa,
    fingerprint_sha256,
)
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import display


def _check_ca(certificate: x509.Certificate, now: datetime) -> None:
    constraints = extension_of(certificate, x509.BasicConstraints)
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        raise NotACa("the certificate is no CA: it needs basicConstraints CA:TRUE")
    usage = extension_of(certificate, x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage):
        if not usage.key_cert_sign:
            raise CaLacksCertSign("the CA may not sign certificates: its keyUsage lacks keyCertSign")
        if not usage.crl_sign:
            raise CaLacksCrlSign(
                'the CA may not sign CRLs: its keyUsage lacks cRLSign (with cert-manager, add "crl sign" to usages of its Certificate)'
            )
    if now >= certificate.not_valid_after_utc:
        raise CaExpired(f"the CA certificate expired at {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    if now < certificate.not_valid_before_utc:
        raise CaNotYetValid(
            f"the CA certificate is valid only from {certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
            certificate.not_valid_before_utc,
        )


def _check_readable(certificate: x509.Certificate) -> None:
    if why := readability.of_twin(certificate):
        raise CaUnreadable(f"the CA's {why}")


def load_ca(*, certificate: bytes, key: bytes, chain: bytes | None, now: datetime) -> CertificateAuthority:
    """A CA from PEM: its key, and two files of certificates, in any order. The CA is the one that fits the key, and what is
    above it is its chain; `unused` names the rest.

    Raises PemError, KeyProblem or CaError.
    """
    files = ca_files.read(certificate, chain)
    private_key = load_private_key(key, most_bits=MOST_CA_BITS)
    if not (kind := kind_of(private_key.public_key())).fits_a_ca:
        raise NotACa(
            f"the CA's {kind.algorithm.value} key has {kind.size} bits: it must be RSA of 2048 bits or more, ECDSA on P-256,"
            " P-384 or P-521, or Ed25519"
        )
    own = public_key_sha256(private_key.public_key())
    fitting = [c for c in files.certificates if public_key_sha256(c.public_key()) == own]
    if not fitting:
        besides = f". Besides, {files.rest[0]}" if files.rest else ""
        if (count := keys_in(key)) > 1:
            besides = f": its file holds {count} private keys, and the operator reads the first{besides}"
        raise KeyDoesNotFit(f"the private key does not belong to the CA certificate{besides}")
    first = _newest(fitting, now)
    upper, others = _ordered(first, [c for c in files.certificates if c != first])
    signer = KeySigner(private_key)
    return CertificateAuthority(
        certificate=first,
        chain=upper,
        unused=(*(f"{display(c.subject)} (serial {c.serial_number:x})" for c in others), *files.rest),
        followed_at=min((c.not_valid_before_utc for c in fitting if now < c.not_valid_before_utc), default=None),
        anchor=trust_anchor(first, signer),
        signer=signer,
    )


def _newest(fitting: list[x509.Certificate], now: datetime) -> x509.Certificate:
    """Of the certificates over the CA's key, the newest that can serve now; what is wrong with the newest, where none can."""
    errors: list[CaError] = []
    for certificate in sorted(fitting, key=_age, reverse=True):
        try:
            _check_ca(certificate, now)
            _check_readable(certificate)
        except CaError as error:
            errors.append(error)
        else:
            return certificate
    raise errors[0]


def _age(certificate: x509.Certificate) -> tuple[datetime, datetime, str]:
    """By which the same certificate is chosen in whichever order they come."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc, fingerprint_sha256(certificate)


def _ordered(
    first: x509.Certificate, others: list[x509.Certificate]
) -> tuple[tuple[x509.Certificate, ...], list[x509.Certificate]]:
    """The intermediates above `first`, nearest first, roots left out; and the certificates that are not above it.

    Of several over one upper key the root itself goes first: that is the shortest chain.
    """
    left = sorted(others, key=lambda c: (is_root(c), *_age(c)), reverse=True)
    chain: list[x509.Certificate] = []
    current = first
    while not is_root(current):
        issuer = next((c for c in left if signed_by(current, c)), None)
        if issuer is None:
            break
        left.remove(issuer)
        if not is_root(issuer):
            chain.append(issuer)
        current = issuer
    return tuple(chain), [c for c in others if c in left]

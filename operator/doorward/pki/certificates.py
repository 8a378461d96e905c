"""CA and leaf profiles: building, reading, and the trust anchor that gates are shown."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorward.pki import subjects, unusable
from doorward.pki.keys import KeyKind, PrivateKey, kind_of, public_key_sha256
from doorward.pki.pem import certificate_pem, fingerprint_sha1, fingerprint_sha256, load_certificates
from doorward.pki.signers import KeySigner, Signer
from doorward.pki.subjects import AltNames, Subject

_MAX_SERIAL = (1 << 159) - 1
"""20 octets (RFC 5280 §4.1.2.2)."""
_EARLIEST = datetime(1950, 1, 1, tzinfo=UTC)
"""UTCTime has no earlier year (RFC 5280 §4.1.2.5.1), and cryptography writes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority:
    """A CA that can sign. `chain`: the certificates between it and its root, the root left out."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    unused: tuple[str, ...] = ()
    """What lies beside them in its files and is not used, as a message names it."""
    followed_at: datetime | None = None
    """When another certificate over its key begins that lies in its files; None: there is none."""
    anchor: x509.Certificate
    signer: Signer = field(repr=False)

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """What a client sends after its own certificate: nothing where this CA is a root.

        Nor from the first on that is signed with SHA-1 or MD5: OpenSSL does not load such a chain, and no gate needs it.
        """
        return () if is_root(self.certificate) else tuple(takewhile(is_soundly_signed, (self.certificate, *self.chain)))

    @property
    def shown(self) -> tuple[x509.Certificate, ...]:
        """What `ca.crt` of a client's Secret holds: the CA and those above it, the root left out. The twin stands for a CA that
        is signed with SHA-1 or MD5.
        """
        if is_soundly_signed(self.certificate):
            return (self.certificate, *takewhile(is_soundly_signed, self.chain))
        return (self.anchor,)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafTemplate:
    """What a client certificate is to say."""

    subject: Subject
    alt_names: AltNames
    public_key: CertificatePublicKeyTypes
    serial: int
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a client certificate says; instants UTC-aware, digests lower-case hex."""

    serial: int
    subject: Subject
    alt_names: AltNames
    not_before: datetime
    not_after: datetime
    public_key_sha256: str
    sha256: str
    sha1: str
    key_kind: KeyKind
    der: bytes

    @property
    def certificate(self) -> x509.Certificate:
        """Read from its DER at each call: one that was looked through holds 7 KB, and each client's leaf is kept (measured)."""
        return x509.load_der_x509_certificate(self.der)


def _key_usage(**usages: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: usages.get(name, False) for name in names})


def _self_signed(
    *,
    name: x509.Name,
    signer: Signer,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    identifier: x509.SubjectKeyIdentifier,
) -> x509.Certificate:
    """PathLen 0: a client's own CA:TRUE could otherwise sign on. EKU clientAuth: it can never vouch for a server."""
    return signer.sign_certificate(
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .public_key(signer.public_key)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
    )


def build_ca(
    *, subject: Subject, key: PrivateKey, serial: int, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """A generated CA's self-signed certificate (RFC 5280 §4.2.1.1 to 4.2.1.12)."""
    return _self_signed(
        name=subjects.to_name(subject),
        signer=KeySigner(key),
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        identifier=x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
    )


def extension_of(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    """What that extension says; None: the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def subject_key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    """The SKI that the certificate carries, or the one that its key gives (RFC 5280 §4.2.1.2)."""
    found = extension_of(certificate, x509.SubjectKeyIdentifier)
    if isinstance(found, x509.SubjectKeyIdentifier):
        return found
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())


def authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The AKI for what this CA signs."""
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key_identifier(certificate))


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Same name, and its own key verifies it."""
    return signed_by(certificate, certificate)


def is_root(certificate: x509.Certificate) -> bool:
    """Whether no certificate is above it. A signature with SHA-1 or MD5, which is not verified here, is taken for its own."""
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (TypeError, InvalidSignature):
        return False
    except (ValueError, UnsupportedAlgorithm):
        return True
    return True


def is_soundly_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate's signature is of a kind that cannot be forged, as far as that is known here."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return digest is None or digest.name not in unusable.DIGESTS


def signed_by(certificate: x509.Certificate, ca_certificate: x509.Certificate) -> bool:
    """Whether the CA's name and key are the certificate's issuer."""
    try:
        certificate.verify_directly_issued_by(ca_certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def trust_anchor(certificate: x509.Certificate, signer: Signer) -> x509.Certificate:
    """What gates trust in place of a CA: its self-signed twin over the same key, name, identifier and validity.

    Of the CA itself a gate gets no byte: one whose extended key usage, constraints, signature or serial number OpenSSL or
    Go refuses would lock everybody out (measured). With the twin as only anchor its own leaves get in, those of its root
    and of sibling CAs do not, and no upper CRL is needed (measured on nginx). Equal inputs give equal bytes; the twin of a
    generated CA is that CA.
    """
    return _self_signed(
        name=certificate.subject,
        signer=signer,
        serial=_serial_of_twin(certificate),
        not_before=max(certificate.not_valid_before_utc, _EARLIEST),
        not_after=certificate.not_valid_after_utc,
        identifier=subject_key_identifier(certificate),
    )


def _serial_of_twin(certificate: x509.Certificate) -> int:
    """The CA's own where RFC 5280 §4.1.2.2 allows it: a leaf may name its issuer by name and serial number."""
    if 0 < certificate.serial_number <= _MAX_SERIAL:
        return certificate.serial_number
    seed = certificate.subject.public_bytes() + bytes.fromhex(public_key_sha256(certificate.public_key()))
    return int.from_bytes(hashlib.sha256(seed).digest()[:19]) | 1


def build_leaf(template: LeafTemplate, ca: CertificateAuthority) -> x509.Certificate:
    """A client certificate: CA:FALSE, digitalSignature, clientAuth; it never outlives its CA.

    Raises ValueError where no time is left.
    """
    not_after = min(template.not_after, ca.certificate.not_valid_after_utc)
    if not_after <= template.not_before + timedelta(seconds=1):
        raise ValueError("the certificate would have expired as it begins")
    builder = (
        x509.CertificateBuilder(subject_name=subjects.to_name(template.subject), issuer_name=ca.certificate.subject)
        .public_key(template.public_key)
        .serial_number(template.serial)
        .not_valid_before(template.not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(template.public_key), critical=False)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
    )
    san = subjects.to_san(template.alt_names)
    if san is not None:
        builder = builder.add_extension(san, critical=False)
    return ca.signer.sign_certificate(builder)


def read_leaf(pem: bytes) -> Leaf:
    """The first certificate of a PEM chain as a client's. Raises PemError or KeyUnsupported."""
    return describe(load_certificates(pem)[0])


def describe(certificate: x509.Certificate) -> Leaf:
    """What a certificate of `load_certificates` or of our own says. Raises KeyUnsupported."""
    san = extension_of(certificate, x509.SubjectAlternativeName)
    return Leaf(
        serial=certificate.serial_number,
        subject=subjects.from_name(certificate.subject),
        alt_names=subjects.from_san(san) if isinstance(san, x509.SubjectAlternativeName) else AltNames(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        public_key_sha256=public_key_sha256(certificate.public_key()),
        sha256=fingerprint_sha256(certificate),
        sha1=fingerprint_sha1(certificate),
        key_kind=kind_of(certificate.public_key()),
        der=certificate.public_bytes(Encoding.DER),
    )


def chain_pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    """Several certificates, PEM, one after the other."""
    return b"".join(map(certificate_pem, certificates))

"""What ingress-nginx decides at the TLS handshake, by a trust bundle alone: OpenSSL's rules, as far as Doorward's bundles need them.

`doorward why` asks here; at a host the data plane decides, and the tests of gates compare the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.trust_bundle import anchors_in, crls_of, numbers_of
from doorward.pki import ca_identity
from doorward.pki.certificates import signed_by
from doorward.pki.crls import PublishedCrl

_CLIENTS = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


class Refusal(StrEnum):
    """Why a certificate does not pass."""

    NOT_SIGNED = "not_signed"
    """No trusted CA generation of the issuer signed it."""
    NOT_FOR_CLIENTS = "not_for_clients"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    CA_EXPIRED = "ca_expired"
    NO_CRL = "no_crl"
    CRL_EXPIRED = "crl_expired"
    HELD = "held"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trust bundle as OpenSSL reads it, by CA generation."""

    anchors: Mapping[int, x509.Certificate]
    crls: Mapping[int, PublishedCrl]

    @property
    def number(self) -> int:
        """The highest CRL number; 0: there is no CRL."""
        return max((crl.number for crl in self.crls.values()), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate that a client shows."""

    serial: int
    sha1: bytes
    not_before: datetime
    not_after: datetime
    generations: Mapping[str, int] | None = None
    """By issuer, the CA generation that signed it, as the ledger says; None: `certificate` says it."""
    certificate: x509.Certificate | None = None


def trust_of(bundle: TrustBundle, recorded: Iterable[int]) -> Trust:
    """The bundle that an issuer publishes; `recorded`: the generations in its ledger."""
    anchors = anchors_in(bundle)
    numbers = numbers_of(bundle, anchors, recorded)
    by_number = {
        numbers[ca_identity.identity(anchor)]: anchor for anchor in anchors if ca_identity.identity(anchor) in numbers
    }
    return Trust(anchors=by_number, crls=crls_of(bundle.crl, by_number))


def signer_of(shown: Shown, issuer: str, trust: Trust) -> int | None:
    """The trusted generation of the issuer that signed a certificate; None: none did."""
    if shown.certificate is None:
        generation = (shown.generations or {}).get(issuer)
        return generation if generation in trust.anchors else None
    return next((number for number, ca in trust.anchors.items() if signed_by(shown.certificate, ca)), None)


def refusal(shown: Shown, issuer: str, trust: Trust, now: datetime) -> Refusal | None:
    """Why the certificate does not pass the handshake; None: it does."""
    generation = signer_of(shown, issuer, trust)
    if generation is None:
        return Refusal.NOT_SIGNED
    crl = trust.crls.get(generation)
    if crl is None:
        return Refusal.NO_CRL
    if now >= crl.next_update:
        return Refusal.CRL_EXPIRED
    if (entry := crl.entries.get(shown.serial)) is not None:
        return Refusal.HELD if entry.is_hold else Refusal.REVOKED
    if now >= trust.anchors[generation].not_valid_after_utc:
        return Refusal.CA_EXPIRED
    if now >= shown.not_after:
        return Refusal.EXPIRED
    if now < shown.not_before:
        return Refusal.NOT_YET_VALID
    return None if _for_clients(shown.certificate) else Refusal.NOT_FOR_CLIENTS


def _for_clients(certificate: x509.Certificate | None) -> bool:
    """Whether its extended key usage lets it be a client's; Doorward's own always is, and so is one that says nothing."""
    if certificate is None:
        return True
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(usage in _CLIENTS for usage in usages)

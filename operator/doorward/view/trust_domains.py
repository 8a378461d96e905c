"""What each issuer tells the others: which CA signs, with which key, and what is published. Written after each look at it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cryptography import x509

from doorward.cluster.errors import Conflict
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.certificates import CertificateAuthority
from doorward.pki.pem import load_certificates
from doorward.planning.observed import Authority


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCa:
    """A CA ready to sign: the one place in this process where its key is held."""

    version: int
    """Of its Secret."""
    authority: Authority
    signer: CertificateAuthority
    key_identifier: bytes = b""
    """By which what it signs names its key."""
    disowned: bool = False
    """The issuer names another Secret now: the key may belong to another issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDomain:
    """What the last look at an issuer found."""

    authority: Authority | None = None
    """The CA generation that signs."""
    staying: Mapping[int, Authority] = field(default_factory=dict)
    """Older generations whose certificates are left in use until they are renewed."""
    problem: str = ""
    """Why there is none; empty where there is one."""
    published: PublishedTrust | None = None
    none_trusted: bool = False
    """The gates admit nobody: they are closed, since no CA is left that they may trust, or all their CRLs have expired."""
    near_capacity: bool = False
    gates_behind: bool = False
    behind: str = ""
    """The gates that may admit clients and do not hold what is published, as a message names them; empty: none, or unknown."""
    held: Mapping[int, LoadedCa] = field(default_factory=dict, repr=False)
    """By generation, the CAs whose keys can be used."""

    @property
    def trusted(self) -> AbstractSet[int] | None:
        """The CA generations that the gates trust; None where that is not known."""
        if self.none_trusted:
            return frozenset()
        return self.published.anchors.keys() if self.published is not None else None

    def cas(self) -> dict[int, x509.Certificate]:
        """By generation, the CAs that may have signed: those whose keys are held, and the anchors that are published."""
        published = self.published.anchors if self.published is not None else {}
        anchors = {number: load_certificates(anchor.pem)[0] for number, anchor in published.items()}
        return anchors | {number: loaded.signer.certificate for number, loaded in self.held.items()}


class TrustDomains:
    """By issuer; only the reconciler writes."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, TrustDomain] = {}

    def get(self, issuer: ObjectKey) -> TrustDomain | None:
        """None before the issuer was looked at, and after it was deleted."""
        return self._known.get(issuer)

    def keep(self, issuer: ObjectKey, domain: TrustDomain) -> None:
        """What was found."""
        self._known[issuer] = domain

    def drop(self, issuer: ObjectKey) -> None:
        """The issuer was deleted."""
        self._known.pop(issuer, None)

    def signer(self, issuer: ObjectKey, generation: int) -> LoadedCa:
        """A CA generation that signs certificates; Conflict where it does so no longer."""
        loaded = self.loaded(issuer, generation)
        if loaded.authority.crl_only:
            raise Conflict(f"CA generation {generation} of {issuer} signs no certificates any more")
        return loaded

    def loaded(self, issuer: ObjectKey, generation: int) -> LoadedCa:
        """A CA generation that signed certificates; Conflict where its key went in the meantime."""
        domain = self._known.get(issuer)
        found = domain.held.get(generation) if domain is not None else None
        if found is None:
            raise Conflict(f"CA generation {generation} of {issuer} is not usable any more")
        return found

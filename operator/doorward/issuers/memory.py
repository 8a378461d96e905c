"""What is remembered of each MTLSIssuer; dropped with it.

Nothing of it is the truth: it saves reads, or (the newest CRLs) lets one life of the process do better than a restart could.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509

from doorward.api.conditions import Condition
from doorward.gates.memory import GateMemory, WantedBundle
from doorward.objects import trust_bundle
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.crls import PublishedCrl
from doorward.pki.signers import Signer
from doorward.view.trust_domains import LoadedCa

MOST_NEWS, MOST_CLIENTS = 16, 100
"""CRLs, and clients of each, that the log of a gate may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The bundle in the CRL ConfigMap, read and verified once for each version."""

    version: int
    cas: frozenset[tuple[int, str]]
    """The generations and fingerprints of the CAs that it was verified with."""
    bundle: TrustBundle
    digest: str
    published: PublishedTrust | Condition
    replaced: str = ""

    @property
    def trust(self) -> PublishedTrust | None:
        """What is published; None: nothing that can be built on."""
        return self.published if isinstance(self.published, PublishedTrust) else None

    def wanted(self) -> WantedBundle:
        """What every gate is to hold."""
        number = self.trust.number if self.trust is not None else 0
        return WantedBundle(bundle=self.bundle, digest=self.digest, number=number)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A version of a CA Secret that could not be used at some time, and why."""

    version: int
    why: Condition
    at: datetime
    signer: Signer | None = field(default=None, repr=False)
    """The key in it, where that can be read: it may sign CRLs of a CA that is published."""

    def still(self, version: int, now: datetime) -> bool:
        """Whether no other look is needed: what has expired stays so, unless the clock was ahead at the time."""
        return self.version == version and self.why.reason.name == "CaExpired" and now >= self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerMemory:
    """Of one issuer. `held` and `cas_seen` hold CA keys. They go with the right to read the Secret, or when it holds another
    CA that is used; while it holds none, the one before goes on signing CRLs (decision 0023).
    """

    looked_at: bool = False
    """Whether its CA and CRL were looked at since the start."""
    held: Mapping[int, LoadedCa] = field(default_factory=dict, repr=False)
    """By generation, the CAs whose keys can be used."""
    held_from: ObjectKey | None = None
    """The Secret of a person's own CA that was used last."""
    cas_seen: Mapping[ObjectKey, LoadedCa | Unusable] = field(default_factory=dict, repr=False)
    """By Secret, the CA in it, or what is wrong with that version of it."""
    committed: Committed | None = None
    newest_crls: Mapping[str, PublishedCrl] = field(default_factory=dict)
    """By the CA's identity, the newest CRL that this process saw or signed."""
    overflow: Mapping[int, int] = field(default_factory=dict)
    """By generation, how many serials the plan asked for when the CRLs did not fit all the same; empty: the last ones did."""
    made: Mapping[int, str] = field(default_factory=dict)
    """By generation that this process made, the SHA-256 of its public key."""
    not_restored: frozenset[int] = frozenset()
    """Generations whose CA cannot have signed all that the ledger has of them."""
    asked_at: datetime | None = None
    """When that was asked last."""
    restored: frozenset[int] = frozenset()
    """Generations whose CA a backup brought in place of the one that is published."""
    configmap_unmanaged: bool = False
    """Whether the API server said that the CRL ConfigMap is somebody else's."""
    gates: Mapping[str, GateMemory] = field(default_factory=dict)
    """By namespace."""
    news: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """By number of the last CRLs that were published, the clients of which a serial entered or left it. For the log alone."""
    counts_due: datetime | None = None
    """From when on the counts may be written again."""

    @property
    def ca_keys(self) -> frozenset[str]:
        """SHA-256 of the public keys that the issuer signs with, or would."""
        return frozenset(loaded.authority.public_key_sha256 for loaded in self.held.values() if not loaded.disowned)

    @property
    def published(self) -> PublishedTrust | None:
        """What was seen to be published last."""
        return self.committed.trust if self.committed is not None else None

    def published_keys(self) -> dict[int, str]:
        """By generation, the keys that were seen to be published last."""
        anchors = self.published.anchors if self.published is not None else {}
        return {generation: anchor.public_key_sha256 for generation, anchor in anchors.items()}

    def certificates(self) -> dict[int, x509.Certificate]:
        """By generation, the certificates of the CAs whose keys can be used."""
        return {generation: loaded.signer.certificate for generation, loaded in self.held.items()}

    def newest_by_generation(self) -> dict[int, PublishedCrl]:
        """Of the CAs whose keys can be used, the newest CRL that was seen."""
        newest = {
            generation: self.newest_crls.get(loaded.authority.identity) for generation, loaded in self.held.items()
        }
        return {generation: crl for generation, crl in newest.items() if crl is not None}

    def cas(self) -> frozenset[tuple[int, str]]:
        """What the verification of a bundle hangs on."""
        return frozenset((generation, loaded.authority.sha256) for generation, loaded in self.held.items())

    def with_trust(self, trust: PublishedTrust) -> "IssuerMemory":
        """With the newest CRLs that were seen: an etcd rolled back to yesterday does not make this process forget."""
        return self._with_crls({trust.anchors[g].identity: crl for g, crl in trust.crls.items()})

    def with_copy(self, copy: TrustBundle) -> "IssuerMemory":
        """With the CRLs of a gate that are newer than what is published: what comes next must not forget them."""
        found = trust_bundle.crls_of(copy.crl, self.certificates(), self.newest_by_generation())
        return self._with_crls({self.held[g].authority.identity: crl for g, crl in found.items()})

    def _with_crls(self, seen: Mapping[str, PublishedCrl]) -> "IssuerMemory":
        newest = dict(self.newest_crls)
        for ca, crl in seen.items():
            if ca not in newest or newest[ca].number < crl.number:
                newest[ca] = crl
        return replace(self, newest_crls=newest)

    def with_news(self, number: int, clients: tuple[str, ...]) -> "IssuerMemory":
        """With the clients of which a serial entered or left the CRL of that number."""
        if not clients:
            return self
        return replace(self, news=(*self.news[1 - MOST_NEWS :], (number, clients[:MOST_CLIENTS])))

    def news_between(self, before: int, now: int) -> tuple[str, ...]:
        """The clients that a gate hears of which held one CRL, and now holds another; as far as they are remembered."""
        heard = {client for number, clients in self.news if before < number <= now for client in clients}
        return tuple(sorted(heard)[:MOST_CLIENTS])

    def without_views(self) -> "IssuerMemory":
        """What was read at a resourceVersion is forgotten: after a restore of etcd, the same number may come to mean
        something else.
        """
        gates = {namespace: replace(gate, view=None) for namespace, gate in self.gates.items()}
        return replace(self, cas_seen={}, committed=None, gates=gates)


class IssuerMemories:
    """By issuer. The reconciler and the appliers write, each for the issuer that is worked on."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, IssuerMemory] = {}
        self._era = 0

    @property
    def era(self) -> int:
        """Changes when all that was read is forgotten; see `keep`."""
        return self._era

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, issuer: ObjectKey) -> IssuerMemory:
        """An empty one where nothing is remembered."""
        return self._known.get(issuer) or IssuerMemory()

    def keep(self, issuer: ObjectKey, memory: IssuerMemory, era: int | None = None) -> None:
        """What was learned; in a look that began in an earlier era, nothing that was read counts."""
        self._known[issuer] = memory if era in (None, self._era) else memory.without_views()

    def drop(self, issuer: ObjectKey) -> None:
        """The issuer was deleted, and its gates are closed."""
        self._known.pop(issuer, None)

    def forget_views(self) -> None:
        """The cluster was rolled back."""
        self._era += 1
        self._known = {issuer: memory.without_views() for issuer, memory in self._known.items()}

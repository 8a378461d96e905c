"""What this process knows: the stores of what was last seen, and what it remembers of its own doing.

Nothing here is the truth: every store can be filled again from the cluster, and what is remembered only saves reads,
or (a signed certificate whose Secret is not written, the highest CRL number) lets one life of the process do better
than a restart could.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from cryptography import x509

from doorward.api.conditions import Condition
from doorward.cluster.cache import Store
from doorward.cluster.errors import Conflict, NotFound
from doorward.cluster.gateway import Object
from doorward.controllers.seen import (
    CertificateObject,
    IssuerObject,
    ca_of,
    gate_of,
    issuer_of_ingress,
    metadata_only,
    password_secret,
)
from doorward.gates import ingress_nginx
from doorward.objects import ledger_record
from doorward.objects.client_secret import Broken, ClientSecret, Contents, Foreign
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import CertificateAuthority, Leaf
from doorward.pki.crls import PublishedCrl
from doorward.pki.pem import load_certificates
from doorward.planning.observed import Authority, Pending
from doorward.planning.trust import PublishedTrust


class Key(NamedTuple):
    """What is worked on: a name, in the queue."""

    kind: Literal["certificate", "issuer", "ingress"]
    at: ObjectKey

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCa:
    """A CA ready to sign: the one place in this process where its key is held."""

    version: int
    authority: Authority
    signer: CertificateAuthority

    def is_good(self, version: int, now: datetime, *, generated: bool) -> bool:
        """Whether it is what that version of its Secret holds, seen as the same kind of CA, and has not expired."""
        same = (self.version, self.authority.generated) == (version, generated)
        return same and now < self.authority.not_after


@dataclass(slots=True, kw_only=True)
class IssuerState:
    """What the last look at an issuer found: its certificates are planned with it."""

    authority: Authority | None = None
    problem: str = ""
    published: PublishedTrust | None = None
    crowded: bool = False
    gates_behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The bundle in the CRL ConfigMap, read and verified once for each version."""

    version: int
    cas: frozenset[tuple[int, str]]
    """The generations and fingerprints of the CAs that it was verified with."""
    bundle: TrustBundle
    published: PublishedTrust | Condition
    replaced: str = ""

    @property
    def digest(self) -> str:
        return digest(self.bundle)

    @property
    def number(self) -> int:
        """The highest CRL number; 0: nothing is published."""
        return self.published.number if isinstance(self.published, PublishedTrust) else 0


def digest(bundle: TrustBundle) -> str:
    """What two equal bundles have in common."""
    return hashlib.sha256(bundle.anchors + b"\0" + bundle.crl).hexdigest()


@dataclass(slots=True, kw_only=True)
class Signed:
    """A signed certificate whose Secret is not written yet; it must not be signed twice."""

    pending: Pending
    leaf: Leaf
    record: Object
    recorded: bool
    contents: Contents
    failures: int = 0


@dataclass(frozen=True, slots=True)
class GateView:
    """What a version of a gate holds, and since when this process knows it to hold these anchors."""

    version: int
    digest: str
    anchors: bytes
    since: datetime
    number: int
    """The highest CRL number in it; 0: none that our CAs signed."""


@dataclass(slots=True)
class Refusal:
    """A gate that could not be written, and until when it is left alone."""

    detail: str
    retry_at: datetime


@dataclass(slots=True, kw_only=True)
class World:
    """Stores and memories; used from the operator's own event loop only."""

    account: str
    """The operator's own, `<namespace>:<name>`."""
    scope: frozenset[str] = frozenset()
    """The namespaces that are served; none: all of them."""
    certificates: Store[CertificateObject] = field(
        default_factory=lambda: Store(
            CertificateObject.parse,
            {
                "issuer": lambda c: (c.issuer,),
                "secret": lambda c: (c.secret,),
                "deleting": lambda c: (c.issuer,) if c.deleting else (),
                "password": password_secret,
                "namespace": lambda c: (c.secret.namespace,),
            },
        )
    )
    issuers: Store[IssuerObject] = field(
        default_factory=lambda: Store(
            IssuerObject.parse,
            {
                "namespace": lambda i: (i.body["metadata"]["namespace"],),
                "ca": lambda i: () if i.own_ca is None else (i.own_ca,),
            },
        )
    )
    ingresses: Store[Object] = field(
        default_factory=lambda: Store(
            ingress_nginx.kept,
            {"issuer": issuer_of_ingress, "namespace": lambda b: (b["metadata"]["namespace"],)},
        )
    )
    records: Store[Record] = field(
        default_factory=lambda: Store(
            ledger_record.parse,
            {
                "holder": lambda r: (r.holder,),
                "issuer": lambda r: (r.issuer,),
                "serial": lambda r: ((r.issuer, r.serial),),
                "barred": lambda r: (r.issuer,) if r.revocation and r.revocation.reason == "keyCompromise" else (),
            },
        )
    )
    configmaps: Store[Object] = field(default_factory=lambda: Store(lambda body: body))
    secrets: Store[Object] = field(default_factory=lambda: Store(metadata_only, {"gate": gate_of, "ca": ca_of}))
    namespaces: Store[Object] = field(default_factory=lambda: Store(lambda body: body))

    consent: dict[str, bool | None] = field(default_factory=dict)
    """By namespace, whether Secrets and ConfigMaps there may be read: True once listed, False where denied."""

    issuer_states: dict[ObjectKey, IssuerState] = field(default_factory=dict)
    authorities: dict[ObjectKey, dict[int, LoadedCa]] = field(default_factory=dict)
    """By issuer, the CA generations whose keys can be used."""
    ca_views: dict[ObjectKey, LoadedCa | tuple[int, Condition]] = field(default_factory=dict)
    """By Secret, the CA in it, or what is wrong with that version of it."""
    looked_at: set[ObjectKey] = field(default_factory=set)
    """Issuers whose CA and CRL were looked at since the start."""
    committed: dict[ObjectKey, Committed] = field(default_factory=dict)
    newest_crls: dict[ObjectKey, dict[str, PublishedCrl]] = field(default_factory=dict)
    """By issuer and the CA's public key, the newest CRL that this process saw or signed."""
    overflows: dict[ObjectKey, int] = field(default_factory=dict)
    """By issuer, how many serials the ledger asked for when the CRL did not fit; until one fits again."""
    foreign_configmaps: set[ObjectKey] = field(default_factory=set)
    signed: dict[ObjectKey, Signed] = field(default_factory=dict)
    secret_views: dict[ObjectKey, tuple[tuple[int, int], ClientSecret | Broken | Foreign]] = field(default_factory=dict)
    signatures: dict[ObjectKey, tuple[tuple[str, frozenset[tuple[int, str]]], int]] = field(default_factory=dict)
    """By client Secret: fingerprints of leaf and CAs, and the generation that signed it; 0: none of them."""
    gate_views: dict[ObjectKey, GateView] = field(default_factory=dict)
    gate_refusals: dict[ObjectKey, Refusal] = field(default_factory=dict)
    missing_since: dict[ObjectKey, datetime] = field(default_factory=dict)
    """By the name of a ClientCertificate that is not there, since when live records of it are seen."""
    counts_due: dict[ObjectKey, datetime] = field(default_factory=dict)
    cluster_ca: tuple[str, ...] | None = None
    """SHA-256 of the public keys of the cluster's own client CAs; None: not read yet."""

    put_back_at: datetime | None = None
    """When a list first showed that the cluster was put back to an older state."""

    def serves(self, namespace: str) -> bool:
        """Whether the namespace is in scope: of any other, nothing can be called absent."""
        return not self.scope or namespace in self.scope

    def forget_views(self) -> None:
        """What was read at a resourceVersion is read again: after a restore of etcd, the same number may come to mean something else."""
        for known in (self.secret_views, self.gate_views, self.ca_views, self.committed):
            known.clear()

    def certificate(self, key: ObjectKey) -> CertificateObject:
        """The ClientCertificate that is worked on; NotFound where it went meanwhile."""
        found = self.certificates.get(key)
        if found is None:
            raise NotFound(f"ClientCertificate {key} went while it was worked on")
        return found

    def signer(self, issuer: ObjectKey, generation: int) -> LoadedCa:
        """A CA generation that signs; Conflict where it went meanwhile."""
        loaded = self.authorities.get(issuer, {}).get(generation)
        if loaded is None:
            raise Conflict(f"CA generation {generation} of {issuer} went while it was worked on")
        return loaded

    def cas(self, issuer: ObjectKey) -> dict[int, x509.Certificate]:
        """By generation, the CAs that may have signed: those whose keys are held, and the anchors that are published."""
        state = self.issuer_states.get(issuer)
        published = state.published.anchors if state is not None and state.published is not None else {}
        anchors = {number: load_certificates(anchor.pem)[0] for number, anchor in published.items()}
        held = self.authorities.get(issuer, {})
        return anchors | {number: loaded.signer.certificate for number, loaded in held.items()}

    def kept_out(self, issuer: ObjectKey, serials: Iterable[int], now: datetime) -> frozenset[int]:
        """Of the serials, those that no record refuses though their client is deleted, revoked or suspended: it is about to."""
        found = (record for serial in serials for record in self.records.lookup("serial", (issuer, serial)))
        return frozenset(record.serial for record in found if record.live(now) and self._is_out(record))

    def _is_out(self, record: Record) -> bool:
        client = self.certificates.get(record.holder)
        return client is not None and client.issuer == record.issuer and client.out

    def recorded(self, issuer: ObjectKey) -> frozenset[int]:
        """The CA generations that the ledger knows."""
        return frozenset(record.generation for record in self.records.lookup("issuer", issuer))

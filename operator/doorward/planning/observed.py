"""All that a rule may look at: parsed values, no private key, and *unknown* as a value, never an absence."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from cryptography import x509

from doorward.api.conditions import Condition
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.objects.archive_index import NO_ARCHIVE, ArchiveIndex
from doorward.objects.client_secret import Broken, ClientSecret, Foreign
from doorward.objects.ledger_record import Record
from doorward.objects.meta import Object, ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.keys import KeyKind
from doorward.pki.requests import ClientRequest
from doorward.planning.canary import NONE as NO_CANARIES
from doorward.planning.canary import Canaries
from doorward.planning.enforcement import NOT_PROBED, Probed
from doorward.planning.separation import NOT_ASKED, Unnamed
from doorward.planning.targets_told import NOTHING, Told


class Unseen(Enum):
    """Why something is not there to be looked at."""

    ABSENT = "absent"
    UNKNOWN = "unknown"
    """Not heard yet, or the last read failed."""
    DENIED = "denied"
    """The namespace has not opted in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One CA generation, as rules see it: no key."""

    generation: int
    subject: str
    serial: int
    sha256: str
    public_key_sha256: str
    identity: str
    """Of its key, name and identifier together: a CA that differs in one of them is another generation."""
    not_before: datetime
    not_after: datetime
    anchor_pem: bytes
    chain_pem: bytes
    """What `ca.crt` of a client Secret holds."""
    key_kind: KeyKind
    generated: bool
    rotate: str = ""
    """`spec.ca.generate.rotate` when it was made."""
    name_constraints: x509.NameConstraints | None = None
    """What it may certify; None: any name."""
    crl_only: bool = False
    """Its key signs CRLs and no certificates: no Secret holds this CA any more."""
    in_memory: bool = False
    """Its key is in no Secret: a restart of the operator loses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer as a certificate's rules see it."""

    key: ObjectKey
    spec: MTLSIssuerSpec
    authority: Authority | None
    """The CA generation that signs."""
    problem: str
    """Why there is no authority; empty where there is one."""
    published: PublishedTrust | None
    crowded: bool
    """What is left of the CRL's room is kept for explicit revocations."""
    gates_behind: bool
    """Some gate that is open does not hold the published CRL yet."""
    behind: str = ""
    """Which gates, as a message names them; empty: unknown."""
    barred_keys: frozenset[str]
    """Of the public keys of CSR and Secret, those that their owner revoked as keyCompromise."""
    namespace_labels: Mapping[str, str] | None
    """Labels of the namespace that asks; None: unknown."""
    unexpired: int
    """How many serials of this issuer have not expired, revoked ones too."""
    unexpired_of_authority: int
    """The same of the CA generation that signs."""
    unexpired_of_namespace: int
    """The same of this issuer's clients in the namespace that asks."""
    staying: Mapping[int, Authority] = field(default_factory=dict)
    """Older generations whose certificates are left in use until they are renewed."""
    none_trusted: bool = False
    """The gates admit nobody: they are closed, since no CA is left that they may trust, or all their CRLs have expired."""

    @property
    def trusted(self) -> AbstractSet[int] | None:
        """The CA generations that the gates trust; None: not known."""
        if self.none_trusted:
            return frozenset()
        return self.published.anchors.keys() if self.published is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A certificate that is signed and recorded, and whose Secret is not written yet."""

    serial: int
    wanted: str
    """Digest of what it was made for."""
    refusal: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateObserved:
    """Everything about one ClientCertificate."""

    account: str
    """The operator's own, `<namespace>:<name>`, as its users have to name it."""
    body: Object
    key: ObjectKey
    generation: int
    deleting_since: datetime | None
    has_finalizer: bool
    spec: ClientCertificateSpec | str
    """Or why it cannot be read."""
    status: Mapping[str, Any]
    request: ClientRequest | Condition | None
    """The CSR; or why it cannot be used; or None where there is none."""
    issuer_key: ObjectKey
    issuer: Issuer | Unseen
    records: tuple[Record, ...] | Unseen
    unexpired_in_namespace: int
    """How many serials of all clients in its namespace, of any issuer, have not expired, revoked ones too."""
    secret_name: str
    secret: ClientSecret | Broken | Foreign | Unseen
    rival: str | None
    """The older ClientCertificate with the same secretName."""
    password: Condition | None
    """What is wrong with the referenced password."""
    leaf_is_ours: bool | None
    """Whether a CA generation signed the leaf in the Secret, and for this client; None: cannot be said."""
    pending: Pending | None
    skew: timedelta
    secret_since: datetime | None = None
    """When the operator first saw the Secret as it is; None: it was not read."""
    namespace_ends: bool = False
    """Its namespace is being deleted, which nobody can undo."""
    key_taken_until: datetime | Unseen | None = None
    """When to look again at whether the key of its CSR is another client's; None: it is not."""


class GateState(Enum):
    """What a gate holds."""

    CURRENT = "Current"
    STALE = "Stale"
    ABSENT = "Absent"
    FOREIGN = "Foreign"
    DENIED = "NotPermitted"
    UNKNOWN = "Unknown"
    REFUSED = "Refused"
    UNREADABLE = "Unreadable"
    """It is there, and the API server does not show it."""
    NOT_CLOSED = "NotClosed"
    """It was to be closed or deleted a moment ago, and could not be."""
    CLOSED = "Closed"
    """A bundle that admits nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One namespace whose data plane lets this issuer's clients in, or would."""

    namespace: str
    targets: tuple[str, ...]
    """The Ingresses that name the issuer."""
    allowed: bool | None
    """None: the namespace's labels are unknown."""
    state: GateState
    detail: str = ""
    shut: bool = False
    """There is no bundle, or one that admits nobody: no client gets in at its hosts."""
    held: bool = True
    """A bundle was seen there, whether or not it can be read or written now."""
    removable_at: datetime | None = None
    """From when its data plane has taken the bundle that admits nobody; None: it is not closed."""
    idle_until: datetime | None = None
    """When it may admit nobody any more since no target names it; None: one does, or may."""
    left_alone_until: datetime | None = None
    """It could not be closed though it was to be: when that is tried again; None: it was not tried, or is closed."""
    anchors_taken: datetime | None = None
    """By when its data plane has taken all anchors that are published; None: it does not hold them."""
    opens_from: int = 0
    """The lowest CRL number with which it may be opened: it was closed, and held only lower ones before; 0: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exempt:
    """A target that serves a guarded Service without a certificate, since it says so."""

    key: ObjectKey
    service: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerObserved:
    """Everything about one MTLSIssuer."""

    account: str
    """The operator's own, `<namespace>:<name>`."""
    key: ObjectKey
    generation: int
    spec: MTLSIssuerSpec | str
    status: Mapping[str, Any]
    ca_secret: str
    """The Secret of the newest CA generation."""
    ca_generation: int
    """Its number; 0: there is no such Secret."""
    ca_names_taken: frozenset[int]
    """The numbers that a CA of it has, or seems to have by the name of a Secret, whoever made it."""
    authority: Authority | Condition | Unseen
    """The newest CA generation; or what is wrong with its Secret."""
    older: tuple[Authority, ...]
    """The other generations whose keys are held."""
    rival: ObjectKey | None
    """The older issuer with the same CA key."""
    is_cluster_ca: bool
    records: tuple[Record, ...] | Unseen
    published: PublishedTrust | Condition | Unseen
    """Or why the ConfigMap cannot be built on."""
    kept_out: frozenset[int]
    """Published serials that no record refuses, of clients whose own rules are about to refuse them again."""
    replaced: str
    """Subject of the published anchor, where it is another key's; else empty."""
    newest_numbers: Mapping[int, int]
    """By generation, the highest CRL number that this process ever published or saw."""
    newest_number: int = 0
    """The highest of them all, of CAs that left or were replaced under their number, too."""
    gates: tuple[Gate, ...]
    troubled_targets: tuple[str, ...] = ()
    """Targets that name it and cannot be configured, each with why."""
    unguarded: tuple[str, ...] = ()
    """Namespaces with a gate whose guarded Services cannot be named to the admission policy, each with why."""
    exempt: tuple[Exempt, ...] = ()
    """Targets that serve a Service behind one of its gates without a certificate, since they say so."""
    counts_due: datetime
    """The counts are not written before this instant."""
    skew: timedelta
    overflow: Mapping[int, int] = field(default_factory=dict)
    """By generation, how many serials a plan asked for when the CRLs did not fit all the same; empty: the last ones did."""
    closed: Mapping[int, str] = field(default_factory=dict)
    """By generation that left the bundle because its CRL overflowed, the SHA-256 of its public key."""
    known: Mapping[int, str] = field(default_factory=dict)
    """By generation that was ever published, the SHA-256 of its public key."""
    identities: Mapping[int, str] = field(default_factory=dict)
    """The identities of those that were told by them from the first. What an older version published, by keys alone, may have
    signed under any name and identifier over its key.
    """
    not_restored: int = 0
    """The first CA generation that cannot have signed all that the ledger has of it; 0: there is none."""
    unproven: tuple[str, ...] = ()
    """Secrets that are labelled as CA generations of the issuer, with nothing to show that the operator made them."""
    unused: tuple[str, ...] = ()
    """What the Secret of the newest CA generation holds beside it and its chain."""
    followed_at: datetime | None = None
    """When another certificate in that Secret begins, over the same key."""
    gates_known: bool = True
    """Whether all targets were heard of; before that, there may be gates beside `gates`."""
    unsynced: tuple[str, ...] = ()
    """Lists that concern this issuer and that fail for a while already, each as `<kind> in namespace <name>: <error>`."""
    put_back_at: datetime | None = None
    """When this process noticed that the cluster was put back to an older state."""
    archive: ArchiveIndex = NO_ARCHIVE
    """What rules need of the records that were archived."""
    archiving: str = ""
    """Why records whose time is over cannot be archived; empty: they can."""
    told: Told = NOTHING
    """What its targets were told of their protection."""
    probed: Probed = NOT_PROBED
    """What probes show of its gates."""
    canaries: Canaries = NO_CANARIES
    """What canaries show of them."""
    unnamed: Unnamed = NOT_ASKED
    """What the replicas of the controller do with TLS handshakes that name no host of theirs."""

"""What a plan can ask for: a closed set of actions, and one due time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import Object, ObjectKey
from doorward.pki.keys import KeyKind
from doorward.pki.requests import ClientRequest
from doorward.pki.subjects import AltNames, Subject
from doorward.planning.crl import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFinalizer:
    """Hold the object back at deletion until its client is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFinalizer:
    """Let the object go; `unreached`: gates that did not get the CRL in time, said in an Event."""

    unreached: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretForm:
    """What a client's Secret is to look like around certificate and key."""

    secret: ObjectKey
    owner: Object = field(repr=False)
    """The ClientCertificate."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Of `spec.secretTemplate`."""
    found_by: Mapping[str, str]
    """The labels by which people find it. They are written along, and never for their own sake."""
    keystore_profile: str
    friendly_name: str
    """Of the certificate in the keystore."""
    password: tuple[ObjectKey, str] | None
    """Secret and key of the keystore's password; None: one is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Make a key where none is given, sign, record, and write the Secret."""

    because: str
    form: SecretForm
    issuer: ObjectKey
    request: ClientRequest | None
    """The CSR, whose key is certified; None: a key is made, or kept."""
    wanted: str
    generation: int
    """Of the CA that signs."""
    subject: Subject
    alt_names: AltNames
    kind: KeyKind
    keep_key: bool
    reissue: str | None
    """`spec.reissue`, which this answers."""
    not_before: datetime
    not_after: datetime
    within_budget: bool
    """A person, a loss or its expiry asks for it, which the budget alone bounds: it may be the same as the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Write the Secret of the certificate that is signed already."""

    form: SecretForm


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteSecret:
    """Write the Secret again around the certificate and key that it holds."""

    because: str
    form: SecretForm
    issuer: ObjectKey
    generation: int
    """Of the CA that signed the certificate."""
    has_request: bool
    """The certificate was made from a CSR: no key is written."""
    metadata_only: bool
    """Only labels, annotations or the owner differ: key, keystore and its password stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAgain:
    """Restore the ledger record of the certificate in the Secret."""

    issuer: ObjectKey
    secret: ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Write a revocation into a ledger record."""

    record: Record
    revocation: Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkMissing:
    """Write into a ledger record since when it has no ClientCertificate; None: it has one again."""

    record: Record
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSecretMissing:
    """Write into ledger records since when no Secret holds their certificates, and say so in an Event; None: one does again."""

    records: tuple[Record, ...]
    since: datetime | None
    why: str
    until: datetime | None
    """So long the certificates stay good at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCa:
    """Make the CA of one generation."""

    because: str
    generation: int
    subject: Subject
    kind: KeyKind
    lifetime: timedelta
    rotate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCrl:
    """Sign and commit the CRLs of these terms. What they list is decided when they are written: see `crl.decide`."""

    terms: Terms
    entries: Mapping[int, int]
    """By generation, how many they would list as the plan sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteGate:
    """Bring a gate to the committed bundle."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseGate:
    """Write a bundle that admits nobody into a gate that may not let this issuer's clients in."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveGate:
    """Delete a gate that admits nobody, once its data plane has taken that: its hosts answer 403."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTarget:
    """Set our fields of a target by server-side apply; those of ours that are not named go."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTarget:
    """Merge into a target what leaves other fields alone: to release one that opted out, or to tell it something."""

    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteGuarded:
    """Name the guarded Services of a namespace to the admission policy, onto the version that was looked at; None: there is none."""

    data: Mapping[str, str]
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteGuarded:
    """No Service of a namespace is guarded any more."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecords:
    """Write records whose time is over into the archive of a month, and what rules need of them into its index; both are
    read back before the plan goes on.
    """

    month: str
    records: tuple[Record, ...]
    spared: frozenset[str] = frozenset()
    """Public keys that are not barred, though a record of a stranger says that they are compromised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRecord:
    """Delete a ledger record that is archived, unless it changed since the plan was made."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyArchive:
    """Remove the records of the oldest month from an archive that became too large."""

    month: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStatus:
    """Replace the status."""

    status: dict[str, Any]


Action: TypeAlias = (
    AddFinalizer
    | RemoveFinalizer
    | Issue
    | Deliver
    | RewriteSecret
    | RecordAgain
    | Revoke
    | MarkMissing
    | MarkSecretMissing
    | CreateCa
    | PublishCrl
    | WriteGate
    | CloseGate
    | RemoveGate
    | ApplyTarget
    | PatchTarget
    | WriteGuarded
    | DeleteGuarded
    | ArchiveRecords
    | DeleteRecord
    | EmptyArchive
    | WriteStatus
)


GateAction: TypeAlias = WriteGate | CloseGate | RemoveGate
"""Of which none waits for another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Actions in their order, and the instant at which to look again; None: at the next event.

    `later`: what everything else goes before. It is carried out some at a time, and only where no action but a status is
    left; the key is planned again in between.
    """

    actions: tuple[Action, ...] = ()
    later: tuple[Action, ...] = ()
    due: datetime | None = None


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of several due times, of which any may be None."""
    return min((moment for moment in instants if moment is not None), default=None)

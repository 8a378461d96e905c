"""What a plan can ask for: a closed set of actions, and one due time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from doorward.objects.ledger_record import Record, Revocation
from doorward.pki.crls import CrlEntry
from doorward.pki.keys import KeyKind
from doorward.pki.subjects import AltNames, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFinalizer:
    """Hold the object back at deletion until its client is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFinalizer:
    """Let the object go; `unreached`: gates that did not get the CRL in time, said in an Event."""

    unreached: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Make a key where none is given, sign, record, and write the Secret."""

    because: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Write the Secret of the certificate that is signed already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteSecret:
    """Write the Secret anew around the certificate and key it holds."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAgain:
    """Put back the ledger record of the certificate in the Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Write a revocation into a ledger record."""

    record: Record
    revocation: Revocation


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
    """Sign and commit, for each generation, a CRL with at least these entries, united with what is published when it is
    written.
    """

    crls: Mapping[int, tuple[CrlEntry, ...]]
    """By generation."""
    carried: frozenset[int]
    """Generations whose keys are gone: anchor and CRL stay as they are published."""
    this_update: datetime
    next_update: datetime

    @property
    def entries(self) -> tuple[CrlEntry, ...]:
        """Of all CRLs."""
        return tuple(entry for generation in sorted(self.crls) for entry in self.crls[generation])


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteGate:
    """Bring a gate to the committed bundle."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseGate:
    """Take the bundle away from a namespace that may not let this issuer's clients in: its hosts answer 403."""

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """Set annotations on an Ingress, with those of ours that are not named taken away."""

    annotations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearAnnotations:
    """Take annotations of ours off an Ingress that opted out."""

    names: tuple[str, ...]


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
    | CreateCa
    | PublishCrl
    | WriteGate
    | CloseGate
    | Annotate
    | ClearAnnotations
    | WriteStatus
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Actions in their order, and the instant at which to look again; None: at the next event."""

    actions: tuple[Action, ...] = ()
    due: datetime | None = None


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of several due times, of which any may be None."""
    return min((moment for moment in instants if moment is not None), default=None)

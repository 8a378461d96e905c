"""What the CRLs of an issuer list, and when the next is due: a pure function of one snapshot, taken at one instant.

An entry never disappears before its certificate expired plus one CRL period, unless its record says that a hold was
lifted (RFC 5280 §3.3: an entry stays until one CRL after expiry was published). An entry without a record stays: its
expiry is unknown, so deleting a record un-revokes nobody. Only the serial of a canary says itself when it expires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509

from doorward.api.issuer_parts import CrlPolicy
from doorward.api.limits import BETWEEN_CRLS, LONGEST_CRL_VALIDITY
from doorward.objects.ledger_record import Record
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki import canaries
from doorward.pki.crls import CrlEntry, PublishedCrl, next_number
from doorward.planning.timing import BACKDATE, MAX_SKEW, duration

_FIRST_TIME = datetime(1950, 1, 1, tzinfo=UTC)
"""No CRL says an earlier one (RFC 5280 §5.1.2.6): a slip in one record must not keep all others from being published."""
_REASONS = {flag.value: flag for flag in x509.ReasonFlags} | {"unspecified": None}
"""`unspecified` is left out of a CRL (RFC 5280 §5.3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Which CRLs an issuer is to have, and for how long they are valid."""

    generations: frozenset[int]
    """The CA generations for which a CRL is signed."""
    retained: frozenset[int]
    """Published generations whose keys are missing: their anchors and CRLs stay as they are."""
    adopting: int | None
    """The generation whose CRL also lists the revoked serials of generations that the gates do not trust; None: none does.

    A person may restore a CA that signed before under another number.
    """
    this_update: datetime
    next_update: datetime
    closed: Mapping[int, str] = field(default_factory=dict)
    """Generations whose certificates are all refused, since more of them were revoked than a CRL lists: the SHA-256 of
    their public keys. No CRL lists their serials.
    """
    known: Mapping[int, str] = field(default_factory=dict)
    """The public keys of generations that were published before and have certificates that have not expired."""
    identities: Mapping[int, str] = field(default_factory=dict)
    """The identities of all generations that are told by them."""
    also: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """By generation whose CRL is signed, those whose revoked serials it lists, too: their certificates may name this CA."""
    canary: int | None = None
    """The generation whose CRL revokes a canary; None: none does."""

    @property
    def now(self) -> datetime:
        """The instant that they were planned for."""
        return self.this_update + BACKDATE

    @property
    def keep_after_expiry(self) -> timedelta:
        """How long an entry stays after its certificate expired."""
        return self.next_update - self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the content of an issuer's CRLs depends on, as it was at one instant."""

    records: tuple[Record, ...]
    """Of the issuer: at least those that are revoked, and those that a base names."""
    pending_again: frozenset[int]
    """Serials that no record refuses, of clients whose own rules are about to refuse them again."""
    bases: Mapping[int, tuple[PublishedCrl, ...]]
    """By generation, the CRLs that the next one must not forget; what an earlier one says of a serial goes first."""
    highest_number: int
    """Of all CRLs of the issuer that were seen, of any generation; 0: there is none."""
    taken_at: datetime
    expired_canaries: frozenset[int] = frozenset()
    """Serials of canaries that have expired: the CRL that is published next drops them. No CRL is published because of them."""
    canary: CrlEntry | None = None
    """The canary that the CRL of `Terms.canary` revokes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlContent:
    """What one CRL is to say."""

    entries: Mapping[int, CrlEntry]
    """By serial."""
    leaving: frozenset[int]
    """Serials that a base names, and that this CRL rightly does not."""
    number: int
    previous: PublishedCrl | None
    """The newest of its bases."""


def decide(snapshot: Snapshot, terms: Terms) -> dict[int, CrlContent]:
    """By generation, what its next CRL says: the ledger's word, united with what its bases say.

    The ledger's word goes first where both name a serial: a hold may have become final.
    """
    revoked = _revoked(snapshot.records, terms)
    records = {r.serial: r for r in snapshot.records if r.serial not in snapshot.pending_again}
    number = next_number(snapshot.highest_number, snapshot.taken_at)
    return {
        generation: _content(revoked[generation], snapshot, generation, records, terms, number)
        for generation in terms.generations
    }


def _revoked(records: Iterable[Record], terms: Terms) -> dict[int, list[Record]]:
    """By generation, the records that its CRL must list."""
    found: dict[int, list[Record]] = {generation: [] for generation in terms.generations}
    trusted, last = terms.generations | terms.retained, terms.now - terms.keep_after_expiry
    for record in records:
        if record.refused and record.not_after > last and record.generation not in terms.closed:
            own = record.generation if record.generation in trusted else terms.adopting
            for generation, listed in found.items():
                if generation == own or record.generation in terms.also.get(generation, ()):
                    listed.append(record)
    return found


def _content(
    revoked: Iterable[Record],
    snapshot: Snapshot,
    generation: int,
    records: Mapping[int, Record],
    terms: Terms,
    number: int,
) -> CrlContent:
    bases = snapshot.bases.get(generation, ())
    published: Mapping[int, CrlEntry] = bases[0].entries if bases else {}
    for base in bases[1:]:
        published = {**base.entries, **published}
    entries = {r.serial: entry_of(r, published.get(r.serial), terms.now) for r in revoked}
    leaving = set()
    for serial in published.keys() - entries.keys():
        record = records.get(serial)
        if (record is None and serial in snapshot.expired_canaries) or (
            record is not None and (record.is_lifted or record.not_after + terms.keep_after_expiry <= terms.now)
        ):
            leaving.add(serial)
        else:
            entries[serial] = published[serial]
    if snapshot.canary is not None and generation == terms.canary:
        entries[snapshot.canary.serial] = snapshot.canary
    previous = max(bases, key=lambda base: base.number, default=None)
    return CrlContent(entries=entries, leaving=frozenset(leaving), number=number, previous=previous)


def entry_of(record: Record, published: CrlEntry | None, now: datetime) -> CrlEntry:
    """The CRL entry of a revoked record: `published` itself where that says the same already.

    A revocation to which a person gave no time has the time of its first entry, and `now` before there is one.
    """
    revocation = record.revocation
    if revocation is None:
        raise ValueError(f"{record.key} is not revoked")
    time = revocation.time
    if not revocation.dated:
        time = published.revoked_at if published is not None else now
    time, reason = max(time, _FIRST_TIME), _REASONS[revocation.reason]
    if published is not None and published.revoked_at == time and published.reason is reason:
        return published
    return CrlEntry(serial=record.serial, revoked_at=time, reason=reason)


def expired_canaries(serials: Iterable[int], now: datetime) -> frozenset[int]:
    """Those of the serials that are canaries', and of certificates that no clock takes for valid any more."""
    ends = ((serial, canaries.expiry(serial)) for serial in serials)
    return frozenset(serial for serial, end in ends if end is not None and end + MAX_SKEW <= now)


def pace(policy: CrlPolicy) -> tuple[timedelta, timedelta]:
    """How long a CRL is good, and how long after it the next one is due, both within their limits.

    Out of them a CRL would be signed each second, or lapse before the next one: an object may be older than its CRD's rule.
    """
    shortest, longest = duration(BETWEEN_CRLS), duration(LONGEST_CRL_VALIDITY)
    validity = min(max(duration(policy.validity), 2 * shortest), longest)
    return validity, min(max(duration(policy.renew_every), shortest), validity / 2)


def window(policy: CrlPolicy, now: datetime) -> tuple[datetime, datetime]:
    """ThisUpdate and nextUpdate of a CRL signed now."""
    return now - BACKDATE, now + pace(policy)[0]


def renewal_due(published: PublishedCrl | PublishedTrust, policy: CrlPolicy) -> datetime:
    """When the next CRL is due though nothing changed."""
    return published.this_update + BACKDATE + pace(policy)[1]

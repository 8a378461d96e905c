"""What the CRL must list, and when the next is due: a pure function of ledger, what is published, and the instant.

An entry never disappears before its certificate expired plus one CRL period, unless its record says that a hold was
lifted (RFC 5280 §3.3: an entry stays until one CRL after expiry was published). An entry without a record stays: its
expiry is unknown, so deleting a record un-revokes nobody.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509

from doorward.api.issuer_parts import CrlPolicy
from doorward.api.limits import BETWEEN_CRLS, LONGEST_CRL_VALIDITY
from doorward.objects.ledger_record import Record
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.crls import CrlEntry, PublishedCrl
from doorward.planning.timing import BACKDATE, duration

_FIRST_TIME = datetime(1950, 1, 1, tzinfo=UTC)
"""No CRL says an earlier one (RFC 5280 §5.1.2.6): a slip in one record must not keep all others from being published."""
_REASONS = {flag.value: flag for flag in x509.ReasonFlags}


def entry_of(record: Record) -> CrlEntry:
    """The CRL entry of a refused record; `unspecified` is left out (RFC 5280 §5.3.1)."""
    revocation = record.revocation
    if revocation is None:
        raise ValueError(f"{record.key} is not revoked")
    reason = None if revocation.reason == "unspecified" else _REASONS[revocation.reason]
    return CrlEntry(serial=record.serial, revoked_at=max(revocation.time, _FIRST_TIME), reason=reason)


def from_ledger(records: Iterable[Record], *, keep_after_expiry: timedelta, now: datetime) -> tuple[CrlEntry, ...]:
    """The entries that the ledger asks for."""
    return tuple(entry_of(r) for r in records if r.refused and r.not_after + keep_after_expiry > now)


def unite(
    wanted: Iterable[CrlEntry],
    published: Iterable[CrlEntry],
    records: Mapping[int, Record],
    *,
    keep_after_expiry: timedelta,
    now: datetime,
) -> tuple[tuple[CrlEntry, ...], frozenset[int]]:
    """The entries of the next CRL, and the published serials that rightly leave it.

    `records` is the whole ledger of the issuer by serial. The ledger's word goes before the published one where both
    name a serial: a hold may have become final.
    """
    entries = {entry.serial: entry for entry in wanted}
    leaving = set()
    for entry in published:
        if entry.serial in entries:
            continue
        record = records.get(entry.serial)
        lifted = record is not None and record.is_lifted
        over = record is not None and record.not_after + keep_after_expiry <= now
        if lifted or over:
            leaving.add(entry.serial)
        else:
            entries[entry.serial] = entry
    return tuple(sorted(entries.values(), key=lambda entry: entry.serial)), frozenset(leaving)


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

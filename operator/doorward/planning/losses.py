"""A Secret that is missing is not always a loss: what becomes of the serial that was in it.

A person deletes a Secret to get a new certificate, the garbage collector takes one that a backup brought under an old owner, and
`kubectl apply` brings Secrets after their ClientCertificates. None of it shows that a key got into wrong hands, and somebody may
hold the file. So the serial is marked, the client gets another certificate, and the old one stays good for a grace period. The
mark goes when the Secret is back. Decision 0024.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from doorward.api.kinds import MTLSIssuerSpec
from doorward.objects.client_secret import ClientSecret
from doorward.objects.ledger_record import Record, Revocation
from doorward.pki.requests import ClientRequest
from doorward.planning import issuance, revocation, timing
from doorward.planning.observed import CertificateObserved, Issuer
from doorward.planning.plan import MarkSecretMissing, Revoke, earliest

SETTLES = timing.LOOK_AGAIN
"""So long a missing Secret is waited for before another certificate is issued: it may be restored or replaced just now, or its
namespace be ending.
"""
GRACE = timedelta(hours=24)
"""How long a serial stays good whose Secret is missing, where the issuer names no `supersededGracePeriod`."""
SHORTEST_GRACE = timedelta(minutes=10)
"""At least so long, whatever the issuer says: a restore is under way."""


def grace(spec: MTLSIssuerSpec) -> timedelta:
    """How long a serial stays good after the Secret with it is missing, and the next one is issued."""
    own = spec.certificates.superseded_grace_period
    return GRACE if own is None else max(timing.duration(own), SHORTEST_GRACE)


def is_certain(o: CertificateObserved) -> bool:
    """Whether the Secret itself shows a loss: somebody put another private key beside the client's certificate."""
    if not isinstance(o.secret, ClientSecret) or isinstance(o.request, ClientRequest) or o.leaf_is_ours is False:
        return False
    return o.secret.any_key and not o.secret.has_key


def revoked(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> list[Revoke]:
    """A loss that is certain takes every good serial with it; where the CRL's room is kept for more, they run out."""
    if not is_certain(o) or (isinstance(o.issuer, Issuer) and o.issuer.crowded):
        return []
    return [_superseded(record, now) for record in _good(o, records, now)]


def marks(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> list[MarkSecretMissing]:
    """What is to be written into records of serials that no Secret holds any more, or that one holds again."""
    shown, why = issuance.shown_record(o), issuance.lost(o)
    back = tuple(r for r in records if r is shown and r.secret_missing_since is not None and why is None)
    actions = [MarkSecretMissing(records=back, since=None, why="", until=None)] if back else []
    if is_certain(o):
        return actions
    new = tuple(r for r in _without_secret(o, records, now) if r.secret_missing_since is None)
    if new and isinstance(o.issuer, Issuer):
        told = why or "the Secret holds an older certificate"
        actions.append(MarkSecretMissing(records=new, since=now, why=told, until=now + grace(o.issuer.spec)))
    return actions


def settles_at(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> datetime | None:
    """Until when a missing Secret is waited for; None: no longer."""
    if issuance.lost(o) is None or is_certain(o) or o.pending is not None:
        return None
    if _may_be_restored(o) and o.secret_since is not None and now < o.secret_since + SHORTEST_GRACE:
        return o.secret_since + SHORTEST_GRACE
    since = [at for r in _without_secret(o, records, now) if (at := r.secret_missing_since) is not None]
    until = min(max(since), now) + SETTLES if since else now
    return until if now < until else None


def _may_be_restored(o: CertificateObserved) -> bool:
    """Whether the Secret holds a certificate and its key that no ledger knows yet: a backup may bring the record next, and nobody
    else may have that key.
    """
    if not isinstance(o.secret, ClientSecret) or o.leaf_is_ours is not False or issuance.shown_record(o) is not None:
        return False
    return o.secret.has_key or isinstance(o.request, ClientRequest)


def superseded(
    o: CertificateObserved, issuer: Issuer, records: tuple[Record, ...], now: datetime
) -> tuple[datetime | None, list[Revoke]]:
    """Serials beside the one in the Secret whose grace period has ended, and when the next one's ends."""
    shown = issuance.shown_record(o)
    if shown is None or issuer.crowded:
        return None, []
    ends = {r.key: _ends(r, shown, issuer.spec) for r in _good(o, records, now) if r is not shown}
    over = [r for r in records if (at := ends.get(r.key)) is not None and at <= now]
    due = earliest(*(at for at in ends.values() if at is not None and now < at))
    return due, [_superseded(record, now) for record in over]


def _ends(record: Record, shown: Record, spec: MTLSIssuerSpec) -> datetime | None:
    """When the grace period of a serial ends that another one in the Secret replaces; None: it expires by itself."""
    since, own = timing.issued_at(shown), spec.certificates.superseded_grace_period
    if record.secret_missing_since is not None:
        return max(since, record.secret_missing_since) + grace(spec)
    # One that was signed while a backup was restored seems to be older than the one in the Secret, and is not.
    return None if own is None else max(since, timing.issued_at(record)) + timing.duration(own)


def _superseded(record: Record, now: datetime) -> Revoke:
    return Revoke(record=record, revocation=Revocation(reason="superseded", time=now))


def _good(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> Iterator[Record]:
    """Live serials, save one that is on its way into the Secret, and those that came back from a deletion: they were handed out
    for sure, and this object's Secret never held them.
    """
    for record in records:
        on_its_way = o.pending is not None and record.serial == o.pending.serial
        if record.live(now) and not on_its_way and not revocation.restored(record):
            yield record


def _without_secret(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> Iterator[Record]:
    """Live serials that were in the Secret or on their way there, and are not in it: where it is missing the newest, else those
    that are newer than the one in it. Older ones were replaced by a renewal.
    """
    shown, good = issuance.shown_record(o), tuple(_good(o, records, now))
    is_lost = issuance.lost(o) is not None
    if shown is None and is_lost:
        yield from sorted(good, key=_age)[-1:]
    if shown is None:
        return
    for record in good:
        if (record is shown and is_lost) or (record is not shown and _is_newer(record, shown)):
            yield record


def _age(record: Record) -> tuple[datetime, datetime, int]:
    return timing.issued_at(record), record.not_before, record.serial


def _is_newer(record: Record, shown: Record) -> bool:
    """By our clock and by the server's: the one may have been set back, and a record that was written again is new to the other."""
    return record.not_before > shown.not_before and record.issued_at >= shown.issued_at

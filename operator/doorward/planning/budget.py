"""How many certificates a client may be issued, and how soon: one rule for every reason to issue (decision 0005)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, instant, said
from doorward.objects.ledger_record import Record
from doorward.planning import issuance, room, timing
from doorward.planning.observed import Authority, CertificateObserved, Issuer
from doorward.planning.plan import earliest

MOST_OF_CLIENT = 100
"""Unexpired serials: a certificate of 90 days that is renewed each day has 90."""
MOST_IN_NAMESPACE = 2 * room.CRL_ENTRIES
"""Unexpired serials of all issuers: 10,000 clients in the middle of a rotation have 25,000."""
MOST_OF_ISSUER = 3 * room.CRL_ENTRIES
"""Unexpired serials: one namespace alone cannot use them up."""
KEPT = 0.1
"""Of what the CRL of a CA generation lists: kept for certificates whose predecessors are about to expire."""
SHARE = 0.5
"""Of what one CRL lists: so many unexpired serials a namespace has of an issuer that serves others, too."""
NEXT_CA_AGAIN = timedelta(minutes=1)
"""When a client that waits for the next CA generation is looked at again; it is woken when that signs."""
LIMIT_AGAIN = timedelta(minutes=10)
"""When a client that waits for certificates to expire is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why the next certificate has to wait, and until when."""

    ready: Condition
    until: datetime | None
    """None: until something changes."""


def wait(
    o: CertificateObserved,
    issuer: Issuer,
    authority: Authority,
    records: tuple[Record, ...],
    lifetime: timedelta,
    now: datetime,
) -> Wait | None:
    """What holds the next certificate back, whatever it is issued for; None: nothing does.

    Two certificates wait only where a CRL could not list them: a client's first from a CA generation, so that a new CA can
    reissue to everybody; and, once, the successor of one in use that is about to expire.
    """
    call = _last_call(o, records)
    urgent = call is not None and now >= call
    if (full := _generation_full(issuer, authority, urgent=urgent)) is not None:
        return Wait(ready=full, until=now + NEXT_CA_AGAIN)
    if urgent:
        return None
    is_first = all(record.generation != authority.generation for record in records)
    if not is_first:
        free_at, count = timing.next_issue(records, now, lifetime)
        if free_at > now:
            spent = said("ReissueBudgetSpent", count=count, time=f"at {instant(free_at)}", secret=o.secret_name)
            return Wait(ready=spent, until=earliest(free_at, call) or free_at)
    unexpired = sum(now < record.not_after for record in records)
    reached = _limit(o, issuer, unexpired, is_first=is_first)
    return None if reached is None else Wait(ready=reached, until=earliest(now + LIMIT_AGAIN, call) or now)


def _last_call(o: CertificateObserved, records: tuple[Record, ...]) -> datetime | None:
    """When the certificate in use must have a successor; None: there is none, or one was signed for that reason already.

    Without the latter a Secret that somebody sets back to an expiring certificate would be issued for in a loop.
    """
    secret = issuance.in_use(o)
    if secret is None:
        return None
    call = timing.last_call(secret.leaf.not_before, secret.leaf.not_after)
    return None if any(timing.issued_at(record) >= call for record in records) else call


def _generation_full(issuer: Issuer, authority: Authority, *, urgent: bool) -> Condition | None:
    """No more certificates are signed in a generation than its CRL can list if all are revoked."""
    advice = "The next CA generation signs as soon as the gates have it: see the conditions of the MTLSIssuer"
    if not authority.generated:
        advice = "Put another CA into its Secret, create another MTLSIssuer for new clients, or shorten certificates.duration"
    return _reached(
        issuer.unexpired_of_authority,
        room.CRL_ENTRIES if urgent else int((1 - KEPT) * room.CRL_ENTRIES),
        f"CA generation {authority.generation} of MTLSIssuer {issuer.key}",
        advice,
    )


def _limit(o: CertificateObserved, issuer: Issuer, unexpired: int, *, is_first: bool) -> Condition | None:
    """The first limit on unexpired serials that is reached; a client that moves to another CA meets none."""
    if is_first and unexpired:
        return None
    return next(filter(None, _limits(o, issuer, unexpired, is_first=is_first)), None)


def _limits(o: CertificateObserved, issuer: Issuer, unexpired: int, *, is_first: bool) -> Iterator[Condition | None]:
    """Of a client, of a namespace at one issuer, of a namespace, and of an issuer."""
    if not is_first:
        yield _reached(
            unexpired,
            MOST_OF_CLIENT,
            f"ClientCertificate {o.key}",
            "Find out why so many are issued: look at spec.renewBefore and at what changes this object or Secret"
            f" {o.secret_name}",
        )
    if issuer.spec.issuance.allowed_namespaces.from_ != "Same":
        yield _reached(
            issuer.unexpired_of_namespace,
            int(SHARE * room.CRL_ENTRIES),
            f"Namespace {o.key.namespace}, of MTLSIssuer {issuer.key} that serves other namespaces too,",
            "Delete clients that are not needed, shorten spec.duration, or use an MTLSIssuer of your own",
        )
    yield _reached(
        o.unexpired_in_namespace,
        MOST_IN_NAMESPACE,
        f"Namespace {o.key.namespace}",
        "Delete clients that are not needed, and shorten spec.duration of the others",
    )
    yield _reached(
        issuer.unexpired,
        MOST_OF_ISSUER,
        f"MTLSIssuer {issuer.key}",
        "Create another MTLSIssuer for new clients, or shorten spec.certificates.duration",
    )


def _reached(count: int, limit: int, scope: str, advice: str) -> Condition | None:
    """What is said where there are so many unexpired serials; None: there are fewer."""
    if count < limit:
        return None
    return said("CertificateLimitReached", scope=scope, count=count, limit=limit, advice=advice)

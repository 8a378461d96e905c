"""The rules of one ClientCertificate, from top to bottom: cut off (cut_off.py), or issue, deliver, repair, and say so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from doorward.api.conditions import instant, said
from doorward.api.kinds import ClientCertificateSpec
from doorward.objects.client_secret import ClientSecret
from doorward.objects.ledger_record import Record, Revocation
from doorward.pki.requests import ClientRequest
from doorward.planning import budget, cut_off, issuance, limits, losses, revocation, timing
from doorward.planning.budget import Wait
from doorward.planning.certificate_status import admitted, say, status
from doorward.planning.cut_off import record_again
from doorward.planning.observed import Authority, CertificateObserved, Issuer, Unseen
from doorward.planning.permission import first_problem, undecided
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    Deliver,
    Plan,
    Revoke,
    RewriteSecret,
    earliest,
)

METADATA_DIFFERS = "labels or annotations differ from spec.secretTemplate"
OWNER_DIFFERS = "its owner is not this ClientCertificate"


def plan(o: CertificateObserved, now: datetime) -> Plan:
    """What to do for this ClientCertificate at `now`.

    Status is written by a plan of its own, when there is nothing else to do: so a certificate costs three writes. While
    the clocks disagree nothing has expired, and no wait is over, by one of them alone.
    """
    certain = timing.certain(now, o.skew)
    planned = _plan(o, certain)
    return planned if planned.due is None else replace(planned, due=planned.due + (now - certain))


def _plan(o: CertificateObserved, now: datetime) -> Plan:
    if isinstance(o.records, Unseen):
        return Plan(due=now + timing.LOOK_AGAIN)
    if o.deleting_since is not None:
        return cut_off.deleting(o, o.records, o.deleting_since, now)
    if o.namespace_ends:
        return cut_off.ending(o, o.records, now)
    before: tuple[Action, ...] = (*(() if o.has_finalizer else (AddFinalizer(),)), *_adoption(o))
    if isinstance(o.spec, ClientCertificateSpec) and o.spec.revoked:
        return cut_off.revoked(o, o.spec, o.records, before, now)
    if isinstance(o.spec, ClientCertificateSpec) and o.spec.suspended:
        return cut_off.suspended(o, o.records, before, now)
    if cut_off.unheard(o) or undecided(o):
        return Plan(due=now + timing.LOOK_AGAIN)
    return _entitled(o, o.records, before, now)


def _adoption(o: CertificateObserved) -> Iterator[RewriteSecret]:
    """A Secret that a backup brought names an owner of another cluster, and the garbage collector deletes it for that."""
    if not isinstance(o.secret, ClientSecret) or isinstance(o.spec, str) or o.leaf_is_ours is False:
        return
    if o.body["metadata"]["uid"] not in o.secret.owners:
        yield _rewrite(o, o.spec, 0, OWNER_DIFFERS)


def _entitled(o: CertificateObserved, records: tuple[Record, ...], before: tuple[Action, ...], now: datetime) -> Plan:
    if lifts := tuple(_lifts(o, records, now)):
        return Plan(actions=(*lifts, *before))
    problem = first_problem(o)
    if o.rival is not None and (too_late := tuple(_signed_too_late(o, records, now))):
        return Plan(actions=(*too_late, *before))
    if problem is not None or isinstance(o.issuer, Unseen) or isinstance(o.spec, str):
        ready = problem or said("IssuerNotFound", issuer=o.issuer_key)
        due = o.key_taken_until if isinstance(o.key_taken_until, datetime) else None
        return say(o, ready, before, now, due=due)
    if again := record_again(o, records, now):
        return Plan(actions=(*before, *again))
    if marks := losses.marks(o, records, now):
        return Plan(actions=(*before, *marks))
    if (until := losses.settles_at(o, records, now)) is not None:
        missing = said("SecretMissing", secret=o.secret_name, detail=issuance.lost(o), time=instant(until))
        return say(o, missing, before, now, due=until)
    why = issuance.reason(o, o.spec, now)
    if why is not None:
        return _issue(o, o.spec, o.issuer, records, before, why, now)
    return _settled(o, o.spec, o.issuer, records, before, now)


def _signed_too_late(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> Iterator[Revoke]:
    """A serial that was signed for a Secret which another ClientCertificate has written meanwhile: nobody holds it."""
    for record in records:
        if o.pending is not None and record.serial == o.pending.serial and record.live(now):
            yield Revoke(record=record, revocation=Revocation(reason="superseded", time=now))


def _issue(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    issuer: Issuer,
    records: tuple[Record, ...],
    before: tuple[Action, ...],
    why: str,
    now: datetime,
) -> Plan:
    authority = issuer.authority
    if authority is None:
        return say(o, said("IssuerNotReady", issuer=issuer.key, detail=issuer.problem), before, now)
    if timing.skewed(o.skew):
        skew = int(o.skew.total_seconds())
        return say(o, said("ClockSkewed", skew=skew), before, now, due=now + timing.LOOK_AGAIN)
    if (immutable := issuance.immutable(o, why)) is not None:
        if issuance.in_use(o) is None:
            return say(o, immutable, before, now)
        return _settled(o, spec, issuer, records, before, now, wait=Wait(ready=immutable, until=None))
    request = o.request if isinstance(o.request, ClientRequest) else None
    pending = o.pending
    cut = pending is not None and any(record.serial == pending.serial and record.refused for record in records)
    if pending is not None and not cut and pending.wanted == issuance.wanted(spec, request, authority):
        if pending.retry_at is not None and now < pending.retry_at:
            refused = said("SecretRefused", secret=o.secret_name, detail=pending.refusal)
            return say(o, refused, before, now, due=pending.retry_at)
        return Plan(actions=(*before, Deliver(form=issuance.secret_form(o, spec))))
    if revoke := losses.revoked(o, records, now):
        return Plan(actions=(*revoke, *before))
    if authority.not_after <= now + timing.BACKDATE:
        late = said("IssuerNotReady", issuer=issuer.key, detail=f"its CA ends at {instant(authority.not_after)}")
        return say(o, late, before, now)
    lasts = issuance.lifetime(spec, issuer.spec)
    if (wait := budget.wait(o, issuer, authority, records, lasts, now)) is not None:
        if issuance.in_use(o) is None:
            return say(o, wait.ready, before, now, due=wait.until)
        return _settled(o, spec, issuer, records, before, now, wait=wait)
    return Plan(actions=(*before, issuance.issue(o, spec, authority, lasts, why, now)))


def _lifts(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> Iterator[Revoke]:
    """The holds that a suspension put are over, and those alone; where the Secret shows a loss they turn final instead.

    A serial of another UID that is not in the Secret came back from a deletion before it was suspended, and is that again:
    a deletion that is not undone takes a suspension's holds over, so none of its serials is lifted here.
    """
    shown, lost = issuance.shown_record(o), losses.is_certain(o)
    for record in filter(revocation.by_suspension, records):
        restored = record is not shown and record.holder_uid != o.body["metadata"]["uid"]
        if now < record.not_after and not restored and lost:
            yield revocation.ended(record, "superseded")
        else:
            yield revocation.lifted(record, restored=restored)


def _settled(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    issuer: Issuer,
    records: tuple[Record, ...],
    before: tuple[Action, ...],
    now: datetime,
    *,
    wait: Wait | None = None,
) -> Plan:
    """The certificate in the Secret is in use, and nothing is issued now; `wait`: something is to be, and must wait."""
    secret = o.secret
    if not isinstance(secret, ClientSecret):
        return Plan(due=now + timing.LOOK_AGAIN)
    grace_ends, superseded = losses.superseded(o, issuer, records, now)
    actions: list[Action] = [*before, *superseded]
    shown = issuance.shown_record(o)
    why = _rewrite_reason(o, spec, secret, _signer_of(issuer, shown))
    immutable = issuance.immutable(o, why) if why not in (None, METADATA_DIFFERS) else None
    if why is not None and shown is not None and immutable is None:
        actions.append(_rewrite(o, spec, shown.generation, why))
    if actions:
        return Plan(actions=tuple(actions))
    renewal = issuance.renewal_of(spec, secret)
    serial = f"{secret.leaf.serial:x}"
    if wait is not None:
        ready = wait.ready
    elif immutable is not None:
        ready = immutable
    else:
        issued = said("Issued", secret=o.secret_name, serial=serial, renewal=instant(renewal))
        ready = limits.of_client(spec, issuer.spec, renewal) or issued
    next_issue = wait.until if wait is not None else renewal
    return status(o, [ready, admitted(o, now)], now, due=earliest(next_issue, grace_ends))


def _rewrite(o: CertificateObserved, spec: ClientCertificateSpec, generation: int, why: str) -> RewriteSecret:
    return RewriteSecret(
        because=why,
        form=issuance.secret_form(o, spec),
        issuer=o.issuer_key,
        generation=generation,
        has_request=isinstance(o.request, ClientRequest),
        metadata_only=why in (METADATA_DIFFERS, OWNER_DIFFERS),
    )


def _signer_of(issuer: Issuer, shown: Record | None) -> Authority | None:
    """The CA generation that signed the certificate in the Secret; None: one that signs no longer, whose client changes."""
    if shown is None or issuer.authority is None or shown.generation == issuer.authority.generation:
        return issuer.authority
    return issuer.staying.get(shown.generation)


def _rewrite_reason(
    o: CertificateObserved, spec: ClientCertificateSpec, secret: ClientSecret, authority: Authority | None
) -> str | None:
    """Why the Secret must be written again around the certificate that it holds; None where it is right."""
    if authority is not None and o.leaf_is_ours and secret.ca != authority.chain_pem:
        return "ca.crt is not the issuer's"
    if isinstance(o.request, ClientRequest):
        wrong = "a private key stands beside a certificate made from a CSR" if secret.any_key else None
    else:
        wrong = _wrong_keystore(spec, secret)
    template = spec.secret_template
    same = (
        template.labels.items() <= secret.labels.items() and template.annotations.items() <= secret.annotations.items()
    )
    return wrong or (None if same else METADATA_DIFFERS)


def _wrong_keystore(spec: ClientCertificateSpec, secret: ClientSecret) -> str | None:
    profile = spec.keystores.pkcs12
    if secret.keystore_profile != profile.profile:
        return "keystore.p12 is missing, is not the one that was written, or has another profile or password"
    if secret.own_password != (profile.password_secret_ref is None):
        return "keystore.password does not follow spec.keystores"
    return None

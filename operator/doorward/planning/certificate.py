"""The rules of one ClientCertificate, from top to bottom: cut off, or issue, deliver, repair, and say so."""

from dataclasses import replace
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, instant, merge, said
from doorward.api.kinds import ClientCertificateSpec
from doorward.objects.client_secret import ClientSecret
from doorward.objects.ledger_record import Record, Revocation
from doorward.pki.requests import ClientRequest
from doorward.planning import issuance, revocation, timing
from doorward.planning.observed import Authority, CertificateObserved, Issuer, Unseen
from doorward.planning.permission import first_problem
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    Deliver,
    Plan,
    RecordAgain,
    RemoveFinalizer,
    Revoke,
    RewriteSecret,
    WriteStatus,
    earliest,
)

DEFAULT_UNDO = timedelta(hours=24)
LOOK_AGAIN = timedelta(seconds=5)


def plan(o: CertificateObserved, now: datetime) -> Plan:
    """What to do for this ClientCertificate at `now`.

    Status is written by a plan of its own, when there is nothing else to do: so a certificate costs three writes. While
    the clocks disagree nothing has expired, and no wait is over, by one of them alone.
    """
    certain = timing.certain(now, o.skew)
    planned = _plan(o, certain)
    return planned if planned.due is None else replace(planned, due=planned.due + (now - certain))


def _plan(o: CertificateObserved, now: datetime) -> Plan:
    if isinstance(o.records, Unseen) or o.secret is Unseen.UNKNOWN or o.issuer is Unseen.UNKNOWN:
        return Plan(due=now + LOOK_AGAIN)
    if o.deleting_since is not None:
        return _deleting(o, o.records, o.deleting_since, now)
    before: tuple[Action, ...] = () if o.has_finalizer else (AddFinalizer(),)
    if isinstance(o.spec, ClientCertificateSpec) and o.spec.revoked:
        return _revoked(o, o.spec, o.records, before, now)
    return _entitled(o, o.records, before, now)


def _record_again(o: CertificateObserved, records: tuple[Record, ...]) -> tuple[Action, ...]:
    """A certificate of ours that the ledger does not know is recorded before anything else is decided."""
    if isinstance(o.secret, ClientSecret) and o.leaf_is_ours:
        serial = o.secret.leaf.serial
        if all(record.serial != serial for record in records) and not (o.pending and o.pending.serial == serial):
            return (RecordAgain(),)
    return ()


def _deleting(o: CertificateObserved, records: tuple[Record, ...], since: datetime, now: datetime) -> Plan:
    if not o.has_finalizer:
        return Plan()
    issuer = o.issuer if isinstance(o.issuer, Issuer) else None
    if isinstance(o.spec, ClientCertificateSpec) and o.spec.revoked:
        cut: tuple[Action, ...] = tuple(revocation.final(records, o.spec.revocation_reason, now))
    else:
        window = timing.duration(issuer.spec.revocation.undo_window) if issuer else DEFAULT_UNDO
        cut = tuple(revocation.held(records, window, now))
    if cut := (*cut, *_record_again(o, records)):
        return Plan(actions=cut)
    missing = revocation.unpublished(records, issuer.published if issuer else None, now)
    if issuer is None or not records:
        return Plan(actions=(RemoveFinalizer(),))  # nothing is left to wait for
    patience = since + timing.GATE_PATIENCE
    if missing and issuer.authority is None and now >= patience:
        return Plan(actions=(RemoveFinalizer(unreached=f"the CRL ({issuer.problem})"),))
    if missing:
        if now < since + LOOK_AGAIN:  # most are published within a second, and need no status
            return Plan(due=since + LOOK_AGAIN)
        deleting = [said("Deleting", count=len(missing), detail=""), said("CuttingOff")]
        return _status(o, deleting, now, due=patience if now < patience else now + LOOK_AGAIN)
    if issuer.gates_behind and now < patience and any(record.refused for record in records):
        detail = "; its gates are being written"
        waiting = _status(o, [said("Deleting", count=0, detail=detail)], now, due=patience)
        return Plan(due=waiting.due)
    return Plan(actions=(RemoveFinalizer(unreached="some gates" if issuer.gates_behind else ""),))


def _revoked(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    records: tuple[Record, ...],
    before: tuple[Action, ...],
    now: datetime,
) -> Plan:
    # What is recorded is revoked first: a certificate that cannot be recorded must not keep the others in.
    actions = (*revocation.final(records, spec.revocation_reason, now), *_record_again(o, records), *before)
    if actions:
        return Plan(actions=actions)
    issuer = o.issuer if isinstance(o.issuer, Issuer) else None
    published = issuer.published if issuer else None
    refused = [record.revocation.time for record in records if record.revocation is not None]
    since = max(refused, default=None)
    ready = said("CutOff", time=instant(since) if since else "before a certificate was issued")
    if since is None:
        admitted = said("NotIssued")
    elif published is None or revocation.unpublished(records, published, now):
        admitted = said("CuttingOff")
    else:
        admitted = said("Revoked", time=instant(since), number=published.number)
        admitted = _keep_number(o, admitted)
    return _status(o, [ready, admitted], now, revoked_at=since)


def _keep_number(o: CertificateObserved, admitted: Condition) -> Condition:
    """The first CRL that named the client stays in the message: a daily renewal is no reason to write a status."""
    for item in o.status.get("conditions") or ():
        if item.get("type") == "Admitted" and item.get("reason") == admitted.reason.name:
            prefix = admitted.message.split(":", 1)[0]
            if str(item.get("message", "")).startswith(prefix):
                return Condition(reason=admitted.reason, message=item["message"])
    return admitted


def _entitled(o: CertificateObserved, records: tuple[Record, ...], before: tuple[Action, ...], now: datetime) -> Plan:
    problem = first_problem(o)
    if problem is not None or isinstance(o.issuer, Unseen) or isinstance(o.spec, str):
        ready = problem or said("IssuerNotFound", issuer=o.issuer_key)
        return _say(o, ready, before, now)
    if again := _record_again(o, records):
        return Plan(actions=(*before, *again))
    why = issuance.reason(o, o.spec, now)
    if why is not None:
        return _issue(o, o.spec, o.issuer, records, before, why, now)
    return _settled(o, o.spec, o.issuer, records, before, now)


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
        return _say(o, said("IssuerNotReady", issuer=issuer.key, detail=issuer.problem), before, now)
    if timing.skewed(o.skew):
        skew = int(o.skew.total_seconds())
        return _say(o, said("ClockSkewed", skew=skew), before, now, due=now + LOOK_AGAIN)
    request = o.request if isinstance(o.request, ClientRequest) else None
    pending = o.pending
    if pending is not None and pending.wanted == issuance.wanted(spec, request, authority):
        if pending.retry_at is not None and now < pending.retry_at:
            refused = said("SecretRefused", secret=o.secret_name, detail=pending.refusal)
            return _say(o, refused, before, now, due=pending.retry_at)
        return Plan(actions=(*before, Deliver()))
    gone = issuance.lost(o) is not None
    if revoke := tuple(_orphans(o, records, now, lost=gone)):
        return Plan(actions=(*revoke, *before))
    free_at, count = timing.next_issue(records, now)
    if free_at > now and (gone or issuance.refused(o)):
        waiting = said("ReissueBudgetSpent", count=count, time=f"at {instant(free_at)}", secret=o.secret_name)
        return _say(o, waiting, before, now, due=free_at)
    if authority.not_after <= now + timing.BACKDATE:
        late = said("IssuerNotReady", issuer=issuer.key, detail=f"its CA ends at {instant(authority.not_after)}")
        return _say(o, late, before, now)
    issue = issuance.issue(o, spec, authority, issuer.spec.certificates.duration, why, now)
    return Plan(actions=(*before, issue))


def _orphans(o: CertificateObserved, records: tuple[Record, ...], now: datetime, *, lost: bool) -> list[Revoke]:
    """Serials that were signed and that nobody was shown: newer than the Secret's, or all of them where it is lost."""
    shown = issuance.shown_record(o)
    pending = o.pending.serial if o.pending else None
    return [
        Revoke(record=record, revocation=Revocation(reason="superseded", time=now))
        for record in records
        if record.live(now)
        and record.serial != pending
        and (lost or (shown is not None and record is not shown and record.not_before > shown.not_before))
    ]


def _settled(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    issuer: Issuer,
    records: tuple[Record, ...],
    before: tuple[Action, ...],
    now: datetime,
) -> Plan:
    secret = o.secret
    if not isinstance(secret, ClientSecret):
        return Plan(due=now + LOOK_AGAIN)
    actions: list[Action] = [*before, *_orphans(o, records, now, lost=False)]
    grace_ends, superseded = _superseded(o, issuer, records, now)
    actions += superseded
    if (why := _rewrite_reason(o, spec, secret, issuer.authority)) is not None:
        actions.append(RewriteSecret(because=why))
    if actions:
        return Plan(actions=tuple(actions))
    renewal = issuance.renewal_of(spec, secret)
    serial = f"{secret.leaf.serial:x}"
    ready = said("Issued", secret=o.secret_name, serial=serial, renewal=instant(renewal))
    return _status(o, [ready, _admitted(o, now)], now, due=earliest(renewal, grace_ends))


def _superseded(
    o: CertificateObserved, issuer: Issuer, records: tuple[Record, ...], now: datetime
) -> tuple[datetime | None, list[Revoke]]:
    """Older serials whose grace period is over, and when the next one's is."""
    shown = issuance.shown_record(o)
    grace = issuer.spec.certificates.superseded_grace_period
    older = [r for r in records if shown is not None and r is not shown and r.live(now)]
    if shown is None or grace is None or not older:
        return None, []
    ends = shown.issued_at + timing.duration(grace)
    if now < ends:
        return ends, []
    return None, [Revoke(record=r, revocation=Revocation(reason="superseded", time=now)) for r in older]


def _rewrite_reason(
    o: CertificateObserved, spec: ClientCertificateSpec, secret: ClientSecret, authority: Authority | None
) -> str | None:
    """Why the Secret must be written anew around the certificate it holds; None where it is right."""
    template = spec.secret_template
    if any(secret.labels.get(k) != v for k, v in template.labels.items()) or any(
        secret.annotations.get(k) != v for k, v in template.annotations.items()
    ):
        return "labels or annotations differ from spec.secretTemplate"
    if authority is not None and o.leaf_is_ours and secret.ca != authority.chain_pem:
        return "ca.crt is not the issuer's"
    if isinstance(o.request, ClientRequest):
        return "a private key stands beside a certificate made from a CSR" if secret.any_key else None
    profile = spec.keystores.pkcs12
    if secret.keystore_profile != profile.profile:
        return "keystore.p12 is missing, is not the one that was written, or has another profile or password"
    if secret.own_password != (profile.password_secret_ref is None):
        return "keystore.password does not follow spec.keystores"
    return None


def _admitted(o: CertificateObserved, now: datetime) -> Condition:
    """By the ledger, since whoever has a certificate keeps it when its Secret cannot be read or is gone."""
    shown = issuance.shown_record(o)
    if shown is None or shown.refused:
        records = () if isinstance(o.records, Unseen) else o.records
        held = [r for r in records if r.live(now) and not (o.pending and o.pending.serial == r.serial)]
        shown = max(held, key=lambda record: record.not_after, default=None)
    if shown is None:
        return said("NotIssued")
    serial, until = f"{shown.serial:x}", instant(shown.not_after)
    return said("Live" if now < shown.not_after else "Expired", serial=serial, until=until)


def _say(
    o: CertificateObserved,
    ready: Condition,
    before: tuple[Action, ...],
    now: datetime,
    *,
    due: datetime | None = None,
) -> Plan:
    if before:
        return Plan(actions=before)
    return _status(o, [ready, _admitted(o, now)], now, due=due)


def _status(
    o: CertificateObserved,
    conditions: list[Condition],
    now: datetime,
    *,
    due: datetime | None = None,
    revoked_at: datetime | None = None,
) -> Plan:
    status: dict[str, object] = {
        "observedGeneration": o.generation,
        "conditions": merge(conditions, o.status.get("conditions") or (), generation=o.generation, now=now),
        "secretName": o.secret_name,
    }
    record = issuance.shown_record(o)
    if record is not None:
        status |= {
            "serialNumber": f"{record.serial:x}",
            "issuerGeneration": record.generation,
            "notBefore": instant(record.not_before),
            "notAfter": instant(record.not_after),
            "fingerprintSHA256": record.sha256,
        }
        if isinstance(o.secret, ClientSecret) and isinstance(o.spec, ClientCertificateSpec) and revoked_at is None:
            status["renewalTime"] = instant(issuance.renewal_of(o.spec, o.secret))
    if revoked_at is not None:
        status["revokedAt"] = instant(revoked_at)
    if status == dict(o.status):
        return Plan(due=due)
    return Plan(actions=(WriteStatus(status=status),), due=due)

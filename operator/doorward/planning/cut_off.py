"""The rules of a ClientCertificate whose client is to be cut off: deleted, in a namespace that ends, revoked for good, or suspended.

The ledger is written first, and whatever else is wrong: the issuer not ready, the Secret another's or not to be read.
"""

from datetime import datetime, timedelta

from doorward.api.conditions import Condition, instant, said
from doorward.api.kinds import ClientCertificateSpec
from doorward.objects.client_secret import ClientSecret
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import revocation, timing
from doorward.planning.certificate_status import admitted, status
from doorward.planning.observed import CertificateObserved, Issuer, Unseen
from doorward.planning.plan import Action, Plan, RecordAgain, RemoveFinalizer
from doorward.planning.trouble import Trouble


def unheard(o: CertificateObserved) -> bool:
    """Whether Secret or issuer were not heard of yet, or could not be read the last time."""
    return o.secret is Unseen.UNKNOWN or o.issuer is Unseen.UNKNOWN


def record_again(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> tuple[Action, ...]:
    """A certificate of ours that the ledger does not know is recorded before anything else is decided of it.

    Not an expired one: it admits nobody, and its record may have been archived.
    """
    if isinstance(o.secret, ClientSecret) and o.leaf_is_ours and now < o.secret.leaf.not_after:
        serial = o.secret.leaf.serial
        if all(record.serial != serial for record in records) and not (o.pending and o.pending.serial == serial):
            return (RecordAgain(issuer=o.issuer_key, secret=ObjectKey(o.key.namespace, o.secret_name)),)
    return ()


def deleting(o: CertificateObserved, records: tuple[Record, ...], since: datetime, now: datetime) -> Plan:
    """The client of an object that is deleted: held, unless it was revoked; the object goes when that is published."""
    if not o.has_finalizer:
        return Plan()
    issuer = o.issuer if isinstance(o.issuer, Issuer) else None
    if cut := _of_deletion(o, records, now):
        return Plan(actions=cut)
    if unheard(o):
        return Plan(due=now + timing.LOOK_AGAIN)
    missing = revocation.unpublished(records, issuer.published if issuer else None, now)
    if issuer is None or not records:
        return Plan(actions=(RemoveFinalizer(),))  # nothing is left to wait for
    patience = since + timing.GATE_PATIENCE
    if missing and issuer.authority is None and now >= patience:
        return Plan(actions=(RemoveFinalizer(unreached=f"the CRL ({issuer.problem})"),))
    if missing:
        if now < since + timing.LOOK_AGAIN:  # most are published within a second, and need no status
            return Plan(due=since + timing.LOOK_AGAIN)
        waiting = [said("Deleting", count=len(missing), detail=""), said("CuttingOff")]
        return status(o, waiting, now, due=patience if now < patience else now + timing.LOOK_AGAIN)
    if issuer.gates_behind and now < patience and any(record.refused for record in records):
        return Plan(due=patience)
    return Plan(actions=(RemoveFinalizer(unreached=(issuer.behind or "some gates") if issuer.gates_behind else ""),))


def ending(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> Plan:
    """The client of an object whose namespace is being deleted: the object goes, too, so its client is held already.

    Its Secret may be deleted first, which is no loss; and nothing is issued into a namespace that takes nothing new.
    """
    if cut := _of_deletion(o, records, now):
        return Plan(actions=cut)
    if unheard(o):
        return Plan(due=now + timing.LOOK_AGAIN)
    since = max((r.revocation.time for r in records if r.revocation is not None and r.refused), default=None)
    ready = said("NamespaceTerminating", namespace=o.key.namespace)
    return status(o, [ready, _refused(o, records, "OnHold", since, now)], now, renewing=False)


def _of_deletion(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> tuple[Action, ...]:
    """What a deletion does to the client's serials: held, or revoked for good where the spec says so."""
    if isinstance(o.spec, ClientCertificateSpec) and o.spec.revoked:
        cut = tuple(revocation.final(records, o.spec.revocation_reason, now))
    else:
        cut = tuple(revocation.held(records, _undo_window(o), now))
    return (*cut, *record_again(o, records, now))


def _undo_window(o: CertificateObserved) -> timedelta | None:
    if o.issuer is Unseen.UNKNOWN:
        return None
    if isinstance(o.issuer, Unseen):
        return timing.DEFAULT_UNDO
    return timing.duration(o.issuer.spec.revocation.undo_window)


def revoked(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    records: tuple[Record, ...],
    before: tuple[Action, ...],
    now: datetime,
) -> Plan:
    """`spec.revoked: true`: every unexpired serial is refused for good, since when it was refused first."""
    # What is recorded is revoked first: a certificate that cannot be recorded must not keep the others in.
    actions = (*revocation.final(records, spec.revocation_reason, now), *record_again(o, records, now), *before)
    if actions:
        return Plan(actions=actions)
    if unheard(o):
        return Plan(due=now + timing.LOOK_AGAIN)
    if (until := _crl_is_near(o, records, now)) is not None:
        return Plan(due=until)
    since = max((r.revocation.time for r in records if r.revocation is not None), default=None)
    ready = said("CutOff", time=instant(since) if since else "before a certificate was issued")
    return status(o, [ready, _refused(o, records, "Revoked", since, now)], now, renewing=False, revoked_at=since)


def suspended(o: CertificateObserved, records: tuple[Record, ...], before: tuple[Action, ...], now: datetime) -> Plan:
    """`spec.suspended: true`: every unexpired serial is held until that is taken back; nothing is issued meanwhile.

    A Secret that is lost meanwhile revokes nobody either: what comes of it is decided when the client is let in again.
    """
    actions = (*revocation.suspended(records, now), *record_again(o, records, now), *before)
    if actions:
        return Plan(actions=actions)
    if unheard(o):
        return Plan(due=now + timing.LOOK_AGAIN)
    if (until := _crl_is_near(o, records, now)) is not None:
        return Plan(due=until)
    since = max((r.revocation.time for r in records if r.revocation is not None and r.refused), default=None)
    return status(o, [said("Suspended"), _refused(o, records, "OnHold", since, now)], now, renewing=False)


def _crl_is_near(o: CertificateObserved, records: tuple[Record, ...], now: datetime) -> datetime | None:
    """Until when the status waits for the CRL that names the client; None: it does not.

    Most are published within a second. To say before that they are not costs a write for each client, which the cut-offs of
    others wait for (measured). A CRL that nobody can sign is not waited for.
    """
    if not isinstance(o.issuer, Issuer) or o.issuer.published is None or o.issuer.authority is None:
        return None
    missing = revocation.unpublished(records, o.issuer.published, now)
    since = max((r.revocation.time for r in missing if r.revocation is not None), default=None)
    if since is None or not since <= now < since + timing.LOOK_AGAIN:
        return None
    return since + timing.LOOK_AGAIN


def _refused(
    o: CertificateObserved, records: tuple[Record, ...], reason: str, since: datetime | None, now: datetime
) -> Condition:
    """Whether the client is out already."""
    published = o.issuer.published if isinstance(o.issuer, Issuer) else None
    if since is None:
        return admitted(o, now)
    if published is None or revocation.unpublished(records, published, now):
        return said("CuttingOff")
    values = {"time": instant(since), "number": published.number}
    return _keep_number(o, said("Revoked", **values) if reason == "Revoked" else said("OnHold", **values))


def _keep_number(o: CertificateObserved, refused: Condition) -> Condition:
    """The first CRL that named the client stays in the message: a daily renewal is no reason to write a status."""
    for item in o.status.get("conditions") or ():
        if item.get("type") == "Admitted" and item.get("reason") == refused.reason.name:
            prefix = refused.message.split(": ", 1)[0] + ": "
            if str(item.get("message", "")).startswith(prefix):
                return Condition(reason=refused.reason, message=item["message"])
    return refused


def report(o: CertificateObserved, trouble: Trouble, now: datetime) -> Plan:
    """The plan that says which write is refused or does not last, and whether the client still has access."""
    if isinstance(o.records, Unseen):
        return Plan()
    refused = [r.revocation.time for r in o.records if r.revocation is not None and r.refused]
    since = max(refused, default=None)
    spec = o.spec if isinstance(o.spec, ClientCertificateSpec) else None
    if spec is not None and (spec.revoked or spec.suspended) and o.deleting_since is None:
        access = _refused(o, o.records, "Revoked" if spec.revoked else "OnHold", since, now)
    elif (o.deleting_since is not None or o.namespace_ends) and since is not None:
        access = said("CuttingOff")
    else:
        access = admitted(o, now)
    going = o.deleting_since is not None or o.namespace_ends
    out = going or (spec is not None and (spec.revoked or spec.suspended))
    return status(o, [trouble.condition(), access], now, renewing=not out)

"""What the status of a ClientCertificate says: its conditions, and the certificate that it shows."""

from datetime import datetime

from doorward.api.conditions import Condition, first_end, instant, merge, said
from doorward.api.kinds import ClientCertificateSpec
from doorward.objects.client_secret import ClientSecret
from doorward.objects.ledger_record import Record
from doorward.planning import issuance, revocation, timing
from doorward.planning.observed import CertificateObserved, Issuer, Unseen
from doorward.planning.plan import Action, Plan, WriteStatus, earliest


def admitted(o: CertificateObserved, now: datetime) -> Condition:
    """By the ledger, since whoever has a certificate keeps it when its Secret cannot be read or is gone."""
    shown = in_secret = issuance.shown_record(o)
    if shown is None or shown.refused or not _is_trusted(o, shown, now):
        records = () if isinstance(o.records, Unseen) else o.records
        held = [r for r in records if r.live(now) and not (o.pending and o.pending.serial == r.serial)]
        trusted = (record for record in held if _is_trusted(o, record, now))
        shown = max(trusted, key=lambda record: record.not_after, default=None)
    if shown is None:
        if in_secret is not None and not _is_trusted(o, in_secret, now):
            return _untrusted(o, in_secret, now)
        return _none_left(o, now)
    serial, until = f"{shown.serial:x}", instant(shown.not_after)
    if now >= shown.not_after:
        return said("Expired", serial=serial, until=until)
    if o.issuer is Unseen.ABSENT:
        return said("NoIssuer", serial=serial)
    published = o.issuer.published if isinstance(o.issuer, Issuer) else None
    if published is not None and shown.serial in published.entries:
        return said("LettingIn", serial=serial)
    live = said("Live", serial=serial, until=until)
    ends = _ca_ends(o, shown)
    return live.until(min(shown.not_after, ends) if ends is not None else shown.not_after)


def _none_left(o: CertificateObserved, now: datetime) -> Condition:
    """Of a client that has no certificate that is good: whether it ever had one, and what became of the last."""
    records = () if isinstance(o.records, Unseen) else o.records
    handed = [record for record in records if o.pending is None or record.serial != o.pending.serial]
    if not handed:
        return said("NotIssued")
    last = max(handed, key=timing.issued_at)
    serial = f"{last.serial:x}"
    if last.revocation is None or not last.refused:
        return said("Expired", serial=serial, until=instant(last.not_after))
    published = o.issuer.published if isinstance(o.issuer, Issuer) else None
    if published is not None and revocation.unpublished(tuple(handed), published, now):
        return said("CuttingOff")
    return said("NoneValid", serial=serial, reason=last.revocation.reason, time=instant(last.revocation.time))


def _is_trusted(o: CertificateObserved, record: Record, now: datetime) -> bool:
    """Whether the gates trust the CA generation that signed the serial, as far as that is known."""
    trusted = o.issuer.trusted if isinstance(o.issuer, Issuer) else None
    ends = _ca_ends(o, record)
    return trusted is None or (record.generation in trusted and (ends is None or now < ends))


def _ca_ends(o: CertificateObserved, record: Record) -> datetime | None:
    """When the gates' anchor of the CA generation expires: a CA that was renewed may end before what it signed earlier."""
    published = o.issuer.published if isinstance(o.issuer, Issuer) else None
    anchor = published.anchors.get(record.generation) if published is not None else None
    return anchor.not_after if anchor is not None else None


def _untrusted(o: CertificateObserved, record: Record, now: datetime) -> Condition:
    """Why a certificate is refused that is good by itself."""
    trusted = o.issuer.trusted if isinstance(o.issuer, Issuer) else None
    ends = _ca_ends(o, record) if trusted is not None and record.generation in trusted else None
    why = f"which expired at {instant(ends)}" if ends is not None else "which the gates do not trust"
    published = o.issuer.published if isinstance(o.issuer, Issuer) else None
    crl = published.crls.get(record.generation) if published is not None else None
    if crl is not None and now >= crl.next_update:
        why = f"whose last CRL expired at {instant(crl.next_update)}"
    return said("CaNotTrusted", serial=f"{record.serial:x}", generation=record.generation, why=why)


def say(
    o: CertificateObserved,
    ready: Condition,
    before: tuple[Action, ...],
    now: datetime,
    *,
    due: datetime | None = None,
) -> Plan:
    """The plan that says why no certificate is issued, once `before` is done."""
    if before:
        return Plan(actions=before)
    return status(o, [ready, admitted(o, now)], now, due=due)


def status(
    o: CertificateObserved,
    conditions: list[Condition],
    now: datetime,
    *,
    due: datetime | None = None,
    renewing: bool = True,
    revoked_at: datetime | None = None,
) -> Plan:
    """The plan that writes the status where it differs, and looks again when what it says is over; `renewing`: the
    certificate in the Secret gets a successor.
    """
    due = earliest(due, first_end(conditions))
    if {("Ready", "True"), ("Admitted", "Unknown")} <= {(each.type, each.reason.status) for each in conditions}:
        conditions = [*conditions, said("AccessChanging")]
    wanted: dict[str, object] = {
        "observedGeneration": o.generation,
        "conditions": merge(conditions, o.status.get("conditions") or (), generation=o.generation, now=now),
        "secretName": o.secret_name,
    }
    record = issuance.shown_record(o)
    if record is not None:
        wanted |= {
            "serialNumber": f"{record.serial:x}",
            "issuerGeneration": record.generation,
            "notBefore": instant(record.not_before),
            "notAfter": instant(record.not_after),
            "fingerprintSHA256": record.sha256,
        }
        if isinstance(o.secret, ClientSecret) and isinstance(o.spec, ClientCertificateSpec) and renewing:
            wanted["renewalTime"] = instant(issuance.renewal_of(o.spec, o.secret))
    if revoked_at is not None:
        wanted["revokedAt"] = instant(revoked_at)
    if wanted == dict(o.status):
        return Plan(due=due)
    return Plan(actions=(WriteStatus(status=wanted),), due=due)

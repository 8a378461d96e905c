"""The rules of one MTLSIssuer: its CA, its CRL, its gates."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, instant, merge, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.ledger_record import Record
from doorward.objects.meta import crl_configmap_name
from doorward.pki.crls import PublishedCrl
from doorward.pki.keys import KeyAlgorithm, KeyKind
from doorward.pki.subjects import Subject, problems
from doorward.planning import crl, revocation, timing
from doorward.planning.observed import Authority, Gate, GateState, IssuerObserved, Unseen
from doorward.planning.permission import not_permitted
from doorward.planning.plan import Action, CloseGate, CreateCa, Plan, PublishCrl, WriteGate, WriteStatus, earliest

LOOK_AGAIN = timedelta(seconds=5)
FULL_AGAIN = timedelta(minutes=10)  # entries leave a full CRL as their certificates expire
MOST_GATES = 50
MOST_INGRESSES = 16


def plan(o: IssuerObserved, now: datetime) -> Plan:
    """What to do for this MTLSIssuer at `now`; the status is written when there is nothing else to do."""
    if isinstance(o.records, Unseen) or o.published is Unseen.UNKNOWN or o.authority is Unseen.UNKNOWN:
        return Plan(due=now + LOOK_AGAIN)
    if isinstance(o.spec, str):
        return _status(o, said("InvalidSpec", detail=o.spec), now)
    if timing.skewed(o.skew):
        skew = int(o.skew.total_seconds())
        return _status(o, said("ClockSkewed", skew=skew), now, due=now + LOOK_AGAIN)
    problem = _problem(o, o.spec, o.records)
    if isinstance(problem, CreateCa):
        return Plan(actions=(problem,))
    if problem is not None or not isinstance(o.authority, Authority):
        gates = tuple(_closings(o))
        if gates:
            return Plan(actions=gates)
        return _status(o, problem or said("CaSecretMissing", secret=o.ca_secret), now)
    return _running(o, o.spec, o.records, o.authority, now)


def why_not_signing(o: IssuerObserved, now: datetime) -> Condition | None:
    """Why no certificate can be signed, for those who wait for one; None: they can."""
    if isinstance(o.spec, str):
        return said("InvalidSpec", detail=o.spec)
    if isinstance(o.records, Unseen):
        return said("NotPublished", configmap=crl_configmap_name(o.key.name), detail="the ledger is not read yet")
    problem = _problem(o, o.spec, o.records)
    if isinstance(problem, CreateCa):
        return said("CaSecretMissing", secret=o.ca_secret)
    if problem is None and isinstance(o.authority, Authority) and now >= o.authority.not_after:
        return said("CaExpired", secret=o.ca_secret, detail=f"the CA expired at {instant(o.authority.not_after)}")
    return problem or _overflow(o, o.spec, o.records, now)


def _overflow(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...], now: datetime) -> Condition | None:
    """The ledger asks for no fewer entries than did not fit the last time: nothing is published, and nothing signed."""
    if o.overflow is None:
        return None
    wanted = crl.from_ledger(records, keep_after_expiry=timing.duration(spec.crl.validity), now=now)
    if len(wanted) < o.overflow:
        return None
    return said("CrlFull", entries=len(wanted), limit=MAX_BYTES)


def _problem(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...]) -> Condition | CreateCa | None:
    """What stands against signing, or the CA that must be made first."""
    if o.authority is Unseen.DENIED or o.published is Unseen.DENIED:
        return not_permitted(o.key.namespace, o.account)
    if isinstance(o.authority, Condition):
        return o.authority
    if o.authority is Unseen.ABSENT:
        return _missing_ca(o, spec, records)
    if o.rival is not None:
        return said("CaKeyShared", rival=o.rival)
    if o.is_cluster_ca:
        return said("ClusterCa")
    if o.replaced:
        return said("CaReplaced", secret=o.ca_secret, subject=o.replaced)
    return None


def _missing_ca(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...]) -> Condition | CreateCa:
    generate = spec.ca.generate
    if generate is None or records or o.published is not Unseen.ABSENT:
        # A CA that has signed is never made anew under the same name: everyone would be locked out, unseen.
        return said("CaSecretMissing", secret=o.ca_secret)
    parts = generate.subject
    subject = Subject(
        common_name=generate.common_name,
        organizations=parts.organizations,
        organizational_units=parts.organizational_units,
        countries=parts.countries,
        localities=parts.localities,
        provinces=parts.provinces,
        street_addresses=parts.street_addresses,
        postal_codes=parts.postal_codes,
        serial_number=parts.serial_number,
    )
    if wrong := problems(subject, None):
        return said("InvalidSpec", detail="spec.ca.generate: " + "; ".join(wrong))
    size = generate.private_key.size or {"ECDSA": 256, "RSA": 3072}[generate.private_key.algorithm]
    return CreateCa(
        generation=1,
        subject=subject,
        kind=KeyKind(algorithm=KeyAlgorithm(generate.private_key.algorithm), size=size),
        lifetime=timing.duration(generate.duration),
    )


def _running(
    o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...], authority: Authority, now: datetime
) -> Plan:
    published = o.published if isinstance(o.published, PublishedCrl) else None
    records = _concerned(records, published)
    repairs: list[Action] = [*revocation.undated(records, now), *revocation.holds_that_end(records, now)]
    if published is not None:
        repairs += revocation.forgotten(records, published, now)
    if repairs:
        return Plan(actions=tuple(repairs))
    if o.published is not None and isinstance(o.published, Condition) and o.published.reason.name == "CrlForeign":
        return _status(o, o.published, now)
    if (full := _overflow(o, spec, records, now)) is not None:
        return _full(o, full, published, now)
    if (publish := _publish(o, spec, records, published, now)) is not None:
        return Plan(actions=(publish,))
    gates: tuple[Action, ...] = (*_writings(o), *_closings(o))
    if gates:
        return Plan(actions=gates)
    assert published is not None
    due = earliest(crl.renewal_due(published, spec.crl), revocation.next_end_of_hold(records), _retry(o, now))
    ready = why_not_signing(o, now) or said("Signing", subject=authority.subject, until=instant(authority.not_after))
    return _status(o, ready, now, due=due)


def _concerned(records: tuple[Record, ...], published: PublishedCrl | None) -> tuple[Record, ...]:
    """The records that a CRL may have something to say of: a ledger is mostly of clients that are in."""
    named = published.entries if published is not None else {}
    return tuple(record for record in records if record.revocation is not None or record.serial in named)


def _full(o: IssuerObserved, full: Condition, published: PublishedCrl | None, now: datetime) -> Plan:
    """No CRL is published any more; gates still get the last one, and are closed."""
    gates: tuple[Action, ...] = (*(_writings(o) if published is not None else ()), *_closings(o))
    if gates:
        return Plan(actions=gates)
    return _status(o, full, now, due=now + FULL_AGAIN)


def _publish(
    o: IssuerObserved,
    spec: MTLSIssuerSpec,
    records: tuple[Record, ...],
    published: PublishedCrl | None,
    now: datetime,
) -> PublishCrl | None:
    """The CRL that must be signed now; None where the published one is right and young enough."""
    keep = timing.duration(spec.crl.validity)
    wanted = crl.from_ledger(records, keep_after_expiry=keep, now=now)
    if published is not None:
        by_serial = {record.serial: record for record in records}
        entries, leaving = crl.unite(wanted, published.entries.values(), by_serial, keep_after_expiry=keep, now=now)
        same = not leaving and len(entries) == len(published.entries)
        same = same and all(published.entries.get(entry.serial) == entry for entry in entries)
        if same and now < crl.renewal_due(published, spec.crl) and published.number >= o.newest_number:
            return None
    this_update, next_update = crl.window(spec.crl, now)
    return PublishCrl(entries=wanted, this_update=this_update, next_update=next_update)


def _writings(o: IssuerObserved) -> Iterator[WriteGate]:
    """Stale gates are mended also where no Ingress is left: one that opts in again must not meet an old CRL."""
    for gate in o.gates:
        needed = gate.state is GateState.STALE or (gate.targets and gate.state in (GateState.ABSENT, GateState.FOREIGN))
        if gate.allowed and needed:
            yield WriteGate(namespace=gate.namespace)


def _closings(o: IssuerObserved) -> Iterator[CloseGate]:
    for gate in o.gates:
        if gate.allowed is False and gate.state in (GateState.CURRENT, GateState.STALE):
            yield CloseGate(namespace=gate.namespace)


def _retry(o: IssuerObserved, now: datetime) -> datetime | None:
    waiting = any(gate.state in (GateState.UNKNOWN, GateState.REFUSED) or gate.allowed is None for gate in o.gates)
    return now + LOOK_AGAIN if waiting else None


def gates_behind(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Gates of Ingresses that may let clients in and do not hold the published CRL."""
    return tuple(g for g in gates if g.targets and g.allowed is not False and g.state is not GateState.CURRENT)


def _conditions(o: IssuerObserved, ready: Condition) -> Iterator[Condition]:
    yield ready
    configmap = crl_configmap_name(o.key.name)
    if isinstance(o.published, PublishedCrl):
        p = o.published
        yield said("Published", number=p.number, entries=len(p.entries), until=instant(p.next_update))
    elif isinstance(o.published, Condition) and o.published.type == "CRLCurrent":
        yield o.published
    else:
        yield said("NotPublished", configmap=configmap, detail="see Ready")
    yield _gates_condition(o)
    if isinstance(o.authority, Authority):
        yield said("Generated" if o.authority.generated else "SharedCA")
    yield said("SessionResumption")
    yield said("SharedListener")


def _gates_condition(o: IssuerObserved) -> Condition:
    behind = gates_behind(o.gates)
    open_gates = [gate for gate in o.gates if gate.targets and gate.allowed]
    if behind:
        details = [
            not_permitted(gate.namespace, o.account).message
            if gate.state is GateState.DENIED
            else f"namespace {gate.namespace}: {gate.state.value}{': ' + gate.detail if gate.detail else ''}"
            for gate in behind[:3]
        ]
        return said("SomeNotCurrent", detail="; ".join(details))
    if not open_gates or not isinstance(o.published, PublishedCrl):
        return said("NoGates")
    return said("AllCurrent", count=len(open_gates), number=o.published.number)


def _status(o: IssuerObserved, ready: Condition, now: datetime, *, due: datetime | None = None) -> Plan:
    conditions = list(_conditions(o, ready))
    status: dict[str, object] = {
        "observedGeneration": o.generation,
        "conditions": merge(conditions, o.status.get("conditions") or (), generation=o.generation, now=now),
    }
    if isinstance(o.authority, Authority):
        a = o.authority
        status["ca"] = {
            "generation": a.generation,
            "subject": a.subject,
            "serialNumber": f"{a.serial:x}",
            "fingerprintSHA256": a.sha256,
            "notBefore": instant(a.not_before),
            "notAfter": instant(a.not_after),
        }
    if isinstance(o.published, PublishedCrl):
        p = o.published
        status["crl"] = {
            "number": p.number,
            "thisUpdate": instant(p.this_update),
            "nextUpdate": instant(p.next_update),
            "entries": len(p.entries),
            "bytes": p.size,
        }
    named = [gate for gate in o.gates if gate.targets]
    if named:
        status["gates"] = [_gate_status(gate) for gate in named[:MOST_GATES]]
        status["gatesTotal"] = len(named)
    return _with_counts(o, status, now, due)


def _gate_status(gate: Gate) -> dict[str, object]:
    state = "NotAllowed" if gate.allowed is False else gate.state.value
    return {"namespace": gate.namespace, "ingresses": list(gate.targets[:MOST_INGRESSES]), "state": state}


def _with_counts(o: IssuerObserved, status: dict[str, object], now: datetime, due: datetime | None) -> Plan:
    """Counts alone are no reason to write before they are due: a storm of certificates is not a storm of statuses."""
    assert not isinstance(o.records, Unseen)
    refused = sum(1 for record in o.records if record.refused)
    live = sum(1 for record in o.records if now < record.not_after and not record.refused)
    counts = {"live": live, "revoked": refused, "expired": len(o.records) - live - refused}
    before = o.status.get("counts")
    if status == {k: v for k, v in o.status.items() if k != "counts"}:
        if now < o.counts_due:
            return Plan(due=earliest(due, o.counts_due))
        if counts == before:
            return Plan(due=due)
    status["counts"] = counts
    return Plan(actions=(WriteStatus(status=status),), due=earliest(due, now + timing.COUNTS_EVERY))

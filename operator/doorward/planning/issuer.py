"""The rules of one MTLSIssuer: its CA generations, its CRLs, its gates."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, instant, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.api.limits import SHORTEST_CA_LIFETIME
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ca_secret_name, crl_configmap_name
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.crls import CrlEntry
from doorward.pki.subjects import problems
from doorward.planning import crl, issuer_status, lineage, revocation, timing
from doorward.planning.lineage import Lineage
from doorward.planning.observed import Authority, Gate, GateState, IssuerObserved, Unseen
from doorward.planning.permission import not_permitted
from doorward.planning.plan import Action, CloseGate, CreateCa, Plan, PublishCrl, WriteGate, earliest
from doorward.planning.terms import key_kind_of, subject_of
from doorward.planning.trouble import Trouble

FULL_AGAIN = timedelta(minutes=10)  # entries leave a full CRL as their certificates expire


def plan(o: IssuerObserved, now: datetime) -> Plan:
    """What to do for this MTLSIssuer at `now`; the status is written when there is nothing else to do."""
    if isinstance(o.records, Unseen) or o.published is Unseen.UNKNOWN or o.authority is Unseen.UNKNOWN:
        return Plan(due=now + timing.LOOK_AGAIN)
    if isinstance(o.spec, str):
        return issuer_status.write(o, said("InvalidSpec", detail=o.spec), now)
    if timing.skewed(o.skew):
        skew = int(o.skew.total_seconds())
        return issuer_status.write(o, said("ClockSkewed", skew=skew), now, due=now + timing.LOOK_AGAIN)
    line = lineage.of(o, o.spec, o.records, now)
    if line.all_distrusted and (gates := tuple(closings(o.gates, everywhere=True))):
        return Plan(actions=gates)
    problem = _problem(o, o.spec, line, o.records, now)
    if isinstance(problem, CreateCa):
        return Plan(actions=(problem,))
    if problem is not None and (not line.shown or o.published is Unseen.DENIED):
        gates = tuple(closings(o.gates))
        return Plan(actions=gates) if gates else issuer_status.write(o, problem, now)
    return _running(o, o.spec, o.records, line, problem, now)


def report(o: IssuerObserved, trouble: Trouble, now: datetime) -> Plan:
    """The plan that says which write is refused or does not last."""
    if isinstance(o.records, Unseen):
        return Plan()
    line = None if isinstance(o.spec, str) else lineage.of(o, o.spec, o.records, now)
    return issuer_status.write(o, trouble.condition(), now, line=line, trouble=trouble)


def signing(o: IssuerObserved, now: datetime) -> tuple[Authority | None, Condition | None]:
    """The CA that certificates are signed with at `now`, or why there is none, for those who wait for one."""
    if isinstance(o.spec, str):
        return None, said("InvalidSpec", detail=o.spec)
    if isinstance(o.records, Unseen):
        return None, said("NotPublished", configmap=crl_configmap_name(o.key.name), detail="the ledger is not read yet")
    line = lineage.of(o, o.spec, o.records, now)
    problem = _problem(o, o.spec, line, o.records, now)
    why = _why_not(o, o.spec, line, problem, now)
    return (line.signing, None) if why is None else (None, why)


def _why_not(
    o: IssuerObserved, spec: MTLSIssuerSpec, line: Lineage, problem: Condition | CreateCa | None, now: datetime
) -> Condition | None:
    if isinstance(problem, Condition):
        return problem
    if line.signing is None:
        if line.announced is not None:
            return said("CaAnnounced", generation=line.announced.generation)
        name = ca_secret_name(o.key.name, line.lost) if line.lost and spec.ca.generate else o.ca_secret
        return said("CaSecretMissing", secret=name)
    if now >= line.signing.not_after:
        return said("CaExpired", secret=o.ca_secret, detail=f"the CA expired at {instant(line.signing.not_after)}")
    assert not isinstance(o.records, Unseen)
    return _overflow(o, spec, line, o.records, now)


def _overflow(
    o: IssuerObserved, spec: MTLSIssuerSpec, line: Lineage, records: tuple[Record, ...], now: datetime
) -> Condition | None:
    """The ledger asks for no fewer entries than did not fit the last time: nothing is published, and nothing signed."""
    if o.overflow is None:
        return None
    wanted = sum(map(len, lineage.planned_crls(spec, line, records, now).values()))
    if wanted < o.overflow:
        return None
    return said("CrlFull", entries=wanted, limit=MAX_BYTES)


def _problem(
    o: IssuerObserved, spec: MTLSIssuerSpec, line: Lineage, records: tuple[Record, ...], now: datetime
) -> Condition | CreateCa | None:
    """What stands against signing, or the CA that must be made first."""
    if o.authority is Unseen.DENIED or o.published is Unseen.DENIED:
        return not_permitted(o.key.namespace, o.account)
    if (because := lineage.why_next(o, spec, line, now)) is not None:
        return _next_ca(o, spec, records, because)
    if line.all_distrusted:
        return said("CaDistrusted", secret=o.ca_secret)
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
    if not line.trusted:
        # Those that are held are over, and the key of the newest is gone: there is no CRL to publish.
        signed = {*(record.generation for record in records), *o.archive.generations}
        newest = line.lost or max(signed, default=o.ca_generation)
        return said("CaSecretMissing", secret=ca_secret_name(o.key.name, newest))
    return None


def _missing_ca(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...]) -> Condition | CreateCa:
    if spec.ca.generate is None or records or o.archive.exists or o.published is not Unseen.ABSENT:
        # A CA that has signed is never made anew unasked: everyone would be locked out, unseen.
        return said("CaSecretMissing", secret=o.ca_secret)
    return _next_ca(o, spec, records, "there is none yet")


def _next_ca(
    o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...], because: str
) -> Condition | CreateCa:
    generate = spec.ca.generate
    assert generate is not None
    subject = subject_of(generate)
    if wrong := problems(subject, None):
        return said("InvalidSpec", detail="spec.ca.generate: " + "; ".join(wrong))
    return CreateCa(
        because=because,
        generation=lineage.next_number(o, spec, records),
        subject=subject,
        kind=key_kind_of(generate),
        lifetime=timing.at_least(generate.duration, SHORTEST_CA_LIFETIME),
        rotate=generate.rotate or "",
    )


def _running(
    o: IssuerObserved,
    spec: MTLSIssuerSpec,
    ledger: tuple[Record, ...],
    line: Lineage,
    problem: Condition | None,
    now: datetime,
) -> Plan:
    published = o.published if isinstance(o.published, PublishedTrust) else None
    records = _concerned(ledger, published)
    repairs: list[Action] = [
        *revocation.undated(records, now),
        *revocation.holds_that_end(records, now),
        *revocation.spent(records),
    ]
    if published is not None:
        left = tuple(record for record in records if record.serial not in o.kept_out)
        repairs += revocation.forgotten(left, published, now)
    if repairs:
        return Plan(actions=tuple(repairs))
    if isinstance(o.published, Condition) and o.published.reason.name == "CrlForeign":
        return issuer_status.write(o, o.published, now)
    if (full := _overflow(o, spec, line, ledger, now)) is not None:
        return _full(o, full, published, now)
    if (publish := _publish(o, spec, records, line, published, now)) is not None:
        return Plan(actions=(publish,))
    gates: tuple[Action, ...] = (*_writings(o), *closings(o.gates))
    if gates:
        return Plan(actions=gates)
    assert published is not None
    due = earliest(
        crl.renewal_due(published, spec.crl),
        revocation.next_end_of_hold(records),
        lineage.renewal_due(line, spec),
        line.due,
        _retry(o, now),
    )
    ready = _why_not(o, spec, line, problem, now)
    if ready is None and line.signing is not None:
        ready = said("Signing", subject=line.signing.subject, until=instant(line.signing.not_after))
    assert ready is not None
    return issuer_status.write(o, ready, now, due=due, line=line)


def _concerned(records: tuple[Record, ...], published: PublishedTrust | None) -> tuple[Record, ...]:
    """The records that a CRL may have something to say of: a ledger is mostly of clients that are in."""
    named = published.entries if published is not None else {}
    return tuple(record for record in records if record.revocation is not None or record.serial in named)


def _full(o: IssuerObserved, full: Condition, published: PublishedTrust | None, now: datetime) -> Plan:
    """No CRL is published any more; gates still get the last one, and are closed."""
    gates: tuple[Action, ...] = (*(_writings(o) if published is not None else ()), *closings(o.gates))
    if gates:
        return Plan(actions=gates)
    return issuer_status.write(o, full, now, due=now + FULL_AGAIN)


def _publish(
    o: IssuerObserved,
    spec: MTLSIssuerSpec,
    records: tuple[Record, ...],
    line: Lineage,
    published: PublishedTrust | None,
    now: datetime,
) -> PublishCrl | None:
    """The CRLs that must be signed now; None where the published ones are right and young enough."""
    wanted = lineage.planned_crls(spec, line, records, now)
    if published is not None and _is_right(o, spec, line, published, wanted, records, now):
        return None
    this_update, next_update = crl.window(spec.crl, now)
    return PublishCrl(crls=wanted, carried=line.carried, this_update=this_update, next_update=next_update)


def _is_right(
    o: IssuerObserved,
    spec: MTLSIssuerSpec,
    line: Lineage,
    published: PublishedTrust,
    wanted: Mapping[int, tuple[CrlEntry, ...]],
    records: tuple[Record, ...],
    now: datetime,
) -> bool:
    """Whether what is published is of the trusted generations, names whom the ledger wants named, and is young enough."""
    if not published.sound or published.anchors.keys() != line.trusted:
        return False
    if published.number < max(o.newest_numbers.values(), default=0):
        return False  # of a generation that left, too: a gate that holds it takes none that seems older
    keep = crl.pace(spec.crl)[0]
    by_serial = {record.serial: record for record in records if record.serial not in o.kept_out}
    for authority in line.shown:
        last = published.crls[authority.generation]
        if published.anchors[authority.generation].pem != authority.anchor_pem:
            return False
        if last.number < o.newest_numbers.get(authority.generation, 0) or now >= crl.renewal_due(last, spec.crl):
            return False
        entries, leaving = crl.unite(
            wanted[authority.generation], last.entries.values(), by_serial, keep_after_expiry=keep, now=now
        )
        if leaving or len(entries) != len(last.entries):
            return False
        if any(last.entries.get(entry.serial) != entry for entry in entries):
            return False
    return True


def _writings(o: IssuerObserved) -> Iterator[WriteGate]:
    """Stale gates are mended also where no Ingress is left: one that opts in again must not meet an old CRL."""
    for gate in o.gates:
        needed = gate.state is GateState.STALE or (gate.targets and gate.state in (GateState.ABSENT, GateState.FOREIGN))
        if gate.allowed and needed:
            yield WriteGate(namespace=gate.namespace)


def closings(gates: tuple[Gate, ...], *, everywhere: bool = False) -> Iterator[CloseGate]:
    """Gates that may let nobody in, and still do; `everywhere`: no CA is left that may be trusted, so none may."""
    for gate in gates:
        if (everywhere or gate.allowed is False) and gate.state in (GateState.CURRENT, GateState.STALE):
            yield CloseGate(namespace=gate.namespace)


def _retry(o: IssuerObserved, now: datetime) -> datetime | None:
    waiting = any(gate.state in (GateState.UNKNOWN, GateState.REFUSED) or gate.allowed is None for gate in o.gates)
    return now + timing.LOOK_AGAIN if waiting or o.kept_out else None

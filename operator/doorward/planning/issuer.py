"""The rules of one MTLSIssuer: its CA generations, its CRLs, its gates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from doorward.api.conditions import Condition, instant, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.api.limits import SHORTEST_CA_LIFETIME
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ca_secret_name
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.subjects import problems
from doorward.planning import canary_status, closing, crl, issuer_status, lineage, opening, revocation, room, timing
from doorward.planning.crl import CrlContent, Snapshot, Terms
from doorward.planning.lineage import Lineage
from doorward.planning.observed import Authority, GateState, IssuerObserved, Unseen
from doorward.planning.permission import not_permitted
from doorward.planning.plan import (
    Action,
    CloseGate,
    CreateCa,
    Plan,
    PublishCrl,
    RemoveGate,
    WriteGate,
    WriteStatus,
    earliest,
)
from doorward.planning.terms import key_kind_of, subject_of
from doorward.planning.trouble import Trouble

MOST_REPAIRS = 32
"""In one plan: a cut-off that comes while hundreds wait is published after so many writes, side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one look at an MTLSIssuer comes to."""

    plan: Plan
    signing: Authority | Condition | Unseen
    """The CA that certificates are signed with; or why there is none; UNKNOWN: nothing can be said yet."""
    staying: Mapping[int, Authority] = field(default_factory=dict)
    """Older generations whose certificates are left in use until they are renewed."""
    none_trusted: bool = False
    """The gates admit nobody: they are closed, since no CA is left that they may trust, or all their CRLs have expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One instant of an issuer whose spec can be read, and what follows from it for every rule."""

    o: IssuerObserved
    spec: MTLSIssuerSpec
    ledger: tuple[Record, ...]
    records: tuple[Record, ...]
    """Those that a CRL may have something to say of: a ledger is mostly of clients that are in."""
    published: PublishedTrust | None
    line: Lineage
    problem: Condition | CreateCa | None
    """What stands against signing, or the CA that must be made first."""
    terms: Terms
    contents: Mapping[int, CrlContent]
    """By generation, what its CRL is to say."""
    now: datetime

    @property
    def closings(self) -> tuple[CloseGate | RemoveGate, ...]:
        """For the gates that may admit nobody."""
        return tuple(closing.actions(self.o.gates, self.now, everywhere=self.line.none_left))

    @property
    def entries(self) -> dict[int, int]:
        """By generation, how many entries its CRL is to have."""
        return {generation: len(content.entries) for generation, content in self.contents.items()}


def decide(o: IssuerObserved, now: datetime) -> Decision:
    """What to do for this MTLSIssuer at `now`, and which CA signs; the status is written when nothing else is to be done."""
    if isinstance(o.records, Unseen) or o.published is Unseen.UNKNOWN or o.authority is Unseen.UNKNOWN:
        return Decision(plan=issuer_status.not_synced(o, now), signing=Unseen.UNKNOWN)
    if isinstance(o.spec, str):
        invalid = said("InvalidSpec", detail=o.spec)
        return Decision(plan=issuer_status.write(o, invalid, now), signing=invalid)
    look = _look(o, o.spec, o.records, now)
    why = _why_not(look)
    signing = why or look.line.signing
    assert signing is not None
    plan = _plan(look, signing)
    closed = closing.due(o.gates, now, everywhere=look.line.none_left)
    return Decision(
        plan=replace(plan, due=earliest(plan.due, closed)),
        signing=signing,
        staying=look.line.staying,
        none_trusted=issuer_status.none_trusted(o, look.line, now),
    )


def _look(o: IssuerObserved, spec: MTLSIssuerSpec, ledger: tuple[Record, ...], now: datetime) -> _Look:
    published = o.published if isinstance(o.published, PublishedTrust) else None
    named = published.entries if published is not None else {}
    records = tuple(record for record in ledger if record.revocation is not None or record.serial in named)
    snapshot = Snapshot(
        records=records,
        pending_again=o.kept_out,
        bases={generation: (each,) for generation, each in published.crls.items()} if published is not None else {},
        highest_number=published.number if published is not None else 0,
        taken_at=now,
    )
    line, terms, contents = _fitting(o, spec, ledger, snapshot, now)
    return _Look(
        o=o,
        spec=spec,
        ledger=ledger,
        records=records,
        published=published,
        line=line,
        problem=_problem(o, spec, line, ledger, now),
        terms=terms,
        contents=contents,
        now=now,
    )


def _fitting(
    o: IssuerObserved, spec: MTLSIssuerSpec, ledger: tuple[Record, ...], snapshot: Snapshot, now: datetime
) -> tuple[Lineage, Terms, dict[int, CrlContent]]:
    """The generations, and what their CRLs list, so that all of it fits: a generation whose CRL does not is closed.

    To refuse all its clients until they have new certificates is better than to refuse none that was revoked.
    """
    out: frozenset[int] = frozenset()
    while True:
        line = lineage.of(o, spec, ledger, now, out)
        terms = lineage.terms(spec, line, now)
        contents = crl.decide(snapshot, terms)
        more = _overflowing(o, line, terms, contents) - out
        if not more:
            return line, terms, contents
        out |= more


def _overflowing(o: IssuerObserved, line: Lineage, terms: Terms, contents: Mapping[int, CrlContent]) -> frozenset[int]:
    sizes = {a.generation: room.size_of(contents[a.generation], a.anchor_pem) for a in line.shown}
    if isinstance(o.published, PublishedTrust):
        anchors, crls = o.published.anchors, o.published.crls
        sizes |= {g: len(anchors[g].pem) + crls[g].size for g in line.carried}
    entries = {generation: len(content.entries) for generation, content in contents.items()}
    # A commit found more to list than a plan can see, in a gate's copy for example.
    found = (g for g, count in o.overflow.items() if g in line.trusted and entries.get(g, 0) >= count)
    out = room.overflowing(sizes) | frozenset(found)
    if terms.adopting in out and isinstance(o.published, PublishedTrust):
        # A person put another CA into the Secret: that it has another key than those before is known while they are published.
        before = o.published.anchors.keys() - line.trusted - line.closed.keys()
        return (out - {terms.adopting}) | before if before else out
    return out


def _plan(look: _Look, signing: Authority | Condition) -> Plan:
    o, problem, now = look.o, look.problem, look.now
    if timing.skewed(o.skew):
        if gates := look.closings:
            return Plan(actions=gates)
        skew = int(o.skew.total_seconds())
        return issuer_status.write(o, said("ClockSkewed", skew=skew), now, due=now + timing.LOOK_AGAIN)
    if look.line.none_left and (gates := look.closings):
        return Plan(actions=gates)
    if isinstance(problem, CreateCa):
        return _before(look, signing, problem)
    if problem is not None and (not look.line.shown or o.published is Unseen.DENIED):
        actions: tuple[Action, ...] = (*_last_bundle(look), *look.closings)
        return Plan(actions=actions) if actions else issuer_status.write(o, problem, now, line=look.line)
    return _running(look, signing)


def _last_bundle(look: _Look) -> Iterator[WriteGate]:
    """Where no key is left to sign with, a gate that was deleted, or that is new, gets what is published, if that trusts nobody
    else and its CRLs name everybody who is to be refused.
    """
    o, p = look.o, look.published
    if p is None or not p.sound or p.anchors.keys() != look.line.carried or issuer_status.unlisted(o, look.now):
        return
    for gate in opening.to_write(o.gates, look.now):
        if gate.state in (GateState.ABSENT, GateState.CLOSED):
            yield WriteGate(namespace=gate.namespace)


def _before(look: _Look, signing: Authority | Condition, creation: CreateCa) -> Plan:
    """A CA is made when nothing else is to be done: its key takes seconds, and a cut-off must not wait for it."""
    if look.line.shown and look.published is not None:
        first = _running(look, signing)
        if any(not isinstance(action, WriteStatus) for action in first.actions):
            return first
    return Plan(actions=(creation,))


def report(o: IssuerObserved, trouble: Trouble, now: datetime) -> Plan:
    """The plan that says which write is refused or does not last."""
    if isinstance(o.records, Unseen):
        return Plan()
    line = None if isinstance(o.spec, str) else lineage.of(o, o.spec, o.records, now)
    return issuer_status.write(o, trouble.condition(), now, line=line, trouble=trouble)


def _why_not(look: _Look) -> Condition | None:
    """Why nothing can be signed."""
    o, line, problem = look.o, look.line, look.problem
    if isinstance(problem, Condition):
        return problem
    if line.signing is None:
        if line.announced is not None:
            return said("CaAnnounced", generation=line.announced.generation)
        name = ca_secret_name(o.key.name, line.lost) if line.lost and look.spec.ca.generate else o.ca_secret
        return said("CaSecretMissing", secret=name, advice=_advice(look.spec))
    if look.now >= line.signing.not_after:
        return said("CaExpired", secret=o.ca_secret, detail=f"the CA expired at {instant(line.signing.not_after)}")
    return None


def _problem(
    o: IssuerObserved, spec: MTLSIssuerSpec, line: Lineage, records: tuple[Record, ...], now: datetime
) -> Condition | CreateCa | None:
    """What stands against signing, or the CA that must be made first."""
    if o.authority is Unseen.DENIED or o.published is Unseen.DENIED:
        return not_permitted(o.key.namespace, o.account)
    if (because := lineage.why_next(o, spec, line, now)) is not None:
        return _next_ca(o, spec, records, because)
    own = o.authority.generation if isinstance(o.authority, Authority) and spec.ca.generate is None else 0
    if own in line.closed:
        return said("CrlFull", generation=own, limit=room.ROOM, secret=o.ca_secret)
    if line.all_distrusted or own in line.distrusted:
        return said("CaDistrusted", secret=o.ca_secret)
    if isinstance(o.authority, Condition):
        return o.authority
    if o.authority is Unseen.ABSENT:
        return _missing_ca(o, spec, records)
    if o.rival is not None:
        return said("CaKeyShared", rival=o.rival)
    if o.is_cluster_ca:
        return said("ClusterCa").until(now + timing.CLUSTER_CA_AGAIN)
    if o.replaced:
        return said("CaReplaced", secret=o.ca_secret, subject=o.replaced)
    if not line.trusted:
        # Those that are held are over, and the key of the newest is gone: there is no CRL to publish.
        signed = {*(record.generation for record in records), *o.archive.generations}
        newest = line.lost or max(signed, default=o.ca_generation)
        return said("CaSecretMissing", secret=ca_secret_name(o.key.name, newest), advice=_advice(spec))
    return None


def _missing_ca(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...]) -> Condition | CreateCa:
    if spec.ca.generate is None or records or o.archive.exists or o.published is not Unseen.ABSENT:
        # A CA that has signed is never made anew unasked: everyone would be locked out, unseen.
        return said("CaSecretMissing", secret=o.ca_secret, advice=_advice(spec))
    return _next_ca(o, spec, records, "there is none yet")


def _advice(spec: MTLSIssuerSpec) -> str:
    """What to do where the Secret of a CA is missing."""
    if spec.ca.generate is None:
        return "create it with tls.crt and tls.key, or ca.crt and ca.key"
    return (
        "this MTLSIssuer had a CA, as its IssuedCertificates or its CRL show. Restore the Secret from a backup. If it is lost, add the"
        " number of that CA to spec.ca.distrust: then the operator creates another CA, and the certificates of the one before are"
        " refused"
    )


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


def _running(look: _Look, signing: Authority | Condition) -> Plan:
    """An issuer that has something to publish with: who is in and who is out goes before everything else."""
    o, now = look.o, look.now
    later = _repairs(look)
    if isinstance(o.published, Condition) and o.published.reason.name == "CrlUnmanaged":
        if look.closings:
            return Plan(actions=look.closings)
        return replace(issuer_status.write(o, o.published, now), later=later)
    publish = PublishCrl(terms=look.terms, entries=look.entries)
    waits = look.line.announced is not None
    repeats = canary_status.must_repeat(look.spec, o.canaries, now, next_ca_waits=waits)
    if look.published is None or _must_publish(look, look.published) or repeats:
        return Plan(actions=(publish,))
    writes = tuple(opening.to_write(o.gates, now))
    if opening.must_publish(writes, look.published.number, now):
        return Plan(actions=look.closings or (publish,))  # a gate that is to close waits for none that is to open
    gates: tuple[Action, ...] = (*(WriteGate(namespace=gate.namespace) for gate in writes), *look.closings)
    if gates:
        return Plan(actions=gates)
    if not later and not _says_all(look, look.published):
        return Plan(actions=(publish,))
    due = earliest(
        crl.renewal_due(look.published, look.spec.crl),
        revocation.next_end_of_hold(look.records),
        lineage.renewal_due(look.line, look.spec),
        look.line.due,
        _retry(o, now),
    )
    ready = signing
    if isinstance(ready, Authority):
        ends = ready.not_after
        ready = said("Signing", subject=ready.subject, until=instant(ends)).until(ends)
    return replace(issuer_status.write(o, ready, now, due=due, line=look.line), later=later)


def _repairs(look: _Look) -> tuple[Action, ...]:
    found = revocation.repairs(look.records, look.published, look.o.kept_out, look.now)
    return tuple(islice(found, MOST_REPAIRS))


def _must_publish(look: _Look, published: PublishedTrust) -> bool:
    """Whether what is published is not of the trusted generations, names others than it should, or is too old."""
    o, line = look.o, look.line
    if not published.sound or published.anchors.keys() != line.trusted or o.closed != line.closed:
        return True
    if published.number < o.newest_number:
        return True  # of a CA that left, too: a gate that holds it takes none that seems older
    for authority in line.shown:
        last = published.crls[authority.generation]
        if published.anchors[authority.generation].pem != authority.anchor_pem:
            return True
        if last.number < o.newest_numbers.get(authority.generation, 0):
            return True
        if not last.this_update <= look.now < crl.renewal_due(last, look.spec.crl):
            return True  # or it was signed while all clocks were ahead: no data plane takes a CRL from the future
        if look.contents[authority.generation].entries.keys() != last.entries.keys():
            return True
    return False


def _says_all(look: _Look, published: PublishedTrust) -> bool:
    """Whether each entry has the reason and the time of its record. Nobody is refused or admitted by that, so the next CRL
    waits until the records of this plan are repaired: hundreds of holds that become final at once are a few CRLs.
    """
    return all(published.crls[generation].entries == content.entries for generation, content in look.contents.items())


def _retry(o: IssuerObserved, now: datetime) -> datetime | None:
    passing = (GateState.UNKNOWN, GateState.UNREADABLE, GateState.REFUSED, GateState.NOT_CLOSED)
    waiting = any(gate.state in passing or gate.allowed is None for gate in o.gates)
    return now + timing.LOOK_AGAIN if waiting or o.kept_out else None

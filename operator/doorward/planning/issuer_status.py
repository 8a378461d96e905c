"""What an MTLSIssuer says of itself: conditions, CA generations, CRL, gates, counts."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from doorward.api.conditions import Condition, first_end, instant, merge, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.api.status import SERIAL_LIMIT, SUBJECT_LIMIT, in_calendar, shortened
from doorward.objects.archive_index import index_name
from doorward.objects.meta import ca_secret_name, crl_configmap_name
from doorward.objects.trust_bundle import Anchor, PublishedTrust
from doorward.planning import canary_status, closing, limits, room, targets_status, timing
from doorward.planning.lineage import Lineage
from doorward.planning.observed import Authority, Gate, GateState, IssuerObserved, Unseen
from doorward.planning.permission import not_permitted
from doorward.planning.plan import Plan, WriteStatus, earliest
from doorward.planning.states import CertificateState, state_of
from doorward.planning.targets_status import as_before
from doorward.planning.trouble import MOST_DETAIL, Trouble

MOST_GATES = 50
MOST_TARGETS = 16
MOST_GENERATIONS = 16
MOST_SECRETS = 5
"""Secrets that a condition names."""
MOST_PARTS, MOST_NAME = 5, 120
"""Of a CA Secret that a condition names, and characters of each."""
MOST_SOURCES = 3
"""Lists that a condition names."""
LARGE = 0.7
"""Of the bundle's room."""
CROWDED = 0.9
"""From here on what is left is kept for explicit revocations."""


def crowded(o: IssuerObserved) -> bool:
    """Whether the room that is left in the bundle is kept for what people revoke."""
    return isinstance(o.published, PublishedTrust) and o.published.size >= CROWDED * room.ROOM


def gates_behind(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Gates of Ingresses that may let clients in and do not hold the published CRL."""
    return tuple(g for g in gates if g.targets and g.allowed is not False and g.state is not GateState.CURRENT)


def none_trusted(o: IssuerObserved, line: Lineage | None, now: datetime) -> bool:
    """Whether no CA generation is left that a gate may trust, and all gates are closed; or every CRL that is published has expired,
    so that gates refuse everybody.
    """
    if isinstance(o.published, PublishedTrust) and all(now >= crl.next_update for crl in o.published.crls.values()):
        return True
    return line is not None and line.none_left and all(gate.shut for gate in gates_behind(o.gates))


def _conditions(
    o: IssuerObserved, ready: Condition, now: datetime, line: Lineage | None, trouble: Trouble | None
) -> Iterator[Condition]:
    yield ready
    configmap = crl_configmap_name(o.key.name)
    if trouble is not None and trouble.publication:
        yield said("NotPublished", configmap=configmap, detail=trouble.detail[:MOST_DETAIL])
    elif (
        isinstance(o.published, PublishedTrust) and line is not None and _keyless(line) and (count := unlisted(o, now))
    ):
        yield said("NotPublished", configmap=configmap, detail=f"it lacks {count} revoked certificates, see CAKeyHeld")
    elif isinstance(o.published, PublishedTrust):
        yield _published(o.published, configmap, now)
    elif isinstance(o.published, Condition) and o.published.type == "CRLCurrent":
        yield o.published
    else:
        yield said("NotPublished", configmap=configmap, detail="see Ready")
    gates = _gates_condition(o, trouble)
    if gates is not None:
        yield gates
    yield from targets_status.conditions(o, now)
    if isinstance(o.authority, Authority):
        yield said("Generated" if o.authority.generated else "SharedCA")
    if isinstance(o.spec, MTLSIssuerSpec):
        cut_off = canary_status.condition(o.spec, o.canaries, as_before(o, "CutOffHolds"), now)
        if cut_off is not None:
            yield cut_off
    if isinstance(o.spec, MTLSIssuerSpec) and (out_of_range := limits.of_issuer(o.spec)) is not None:
        yield out_of_range
    if o.put_back_at is not None:
        yield said("ClusterRolledBack", time=instant(o.put_back_at))
    if o.unproven:
        more = f" and {len(o.unproven) - MOST_SECRETS} more" if len(o.unproven) > MOST_SECRETS else ""
        yield said("CaSecretUnproven", secrets=", ".join(o.unproven[:MOST_SECRETS]) + more)
    elif o.not_restored:
        yield said("CaNotRestored", secret=ca_secret_name(o.key.name, o.not_restored), generation=o.not_restored)
    if o.unused:
        more = f" and {len(o.unused) - MOST_PARTS} more" if len(o.unused) > MOST_PARTS else ""
        parts = "; ".join(part[:MOST_NAME] for part in o.unused[:MOST_PARTS])
        unused = said("CaFilesUnused", secret=o.ca_secret, parts=parts + more)
        yield unused.until(o.followed_at) if o.followed_at is not None else unused
    if not o.archive.readable:
        yield said("ArchiveIndexInvalid", configmap=index_name(o.key.name))
    elif o.archiving:
        yield said("ArchiveRefused", detail=o.archiving[:MOST_DETAIL])


def _published(p: PublishedTrust, configmap: str, now: datetime) -> Condition:
    until = instant(p.next_update)
    if now >= p.next_update:
        return said("NotPublished", configmap=configmap, detail=f"CRL {p.number} expired at {until}, see Ready")
    return said("Published", number=p.number, entries=len(p.entries), until=until).until(p.next_update)


def _unknown(gate: Gate) -> bool:
    """Whether it was not looked at yet, or it is not known whether it may admit clients."""
    return gate.state is GateState.UNKNOWN or gate.allowed is None


def _gates_condition(o: IssuerObserved, trouble: Trouble | None) -> Condition | None:
    behind = gates_behind(o.gates)
    if left := closing.not_closed(o.gates):
        return said("GatesNotClosed", detail="; ".join(_why_behind(gate, o.account, trouble) for gate in left[:3]))
    if not o.gates_known or any(map(_unknown, o.gates)):
        before = as_before(o, "GatesCurrent")
        news = before is not None and before.reason.status == "True" and not all(map(_unknown, behind))
        if not news and (before is not None or not o.gates_known):
            return before
    open_gates = [gate for gate in o.gates if gate.targets and gate.allowed]
    if behind:
        details = [_why_behind(gate, o.account, trouble) for gate in behind[:3]]
        return said("SomeNotCurrent", detail="; ".join(details))
    if o.troubled_targets:
        return said("TargetsNotWritten", detail="; ".join(o.troubled_targets[:3])[:MOST_DETAIL])
    if not open_gates or not isinstance(o.published, PublishedTrust):
        return said("NoGates")
    return said("AllCurrent", count=len(open_gates), number=o.published.number)


def _why_behind(gate: Gate, account: str, trouble: Trouble | None) -> str:
    if gate.state is GateState.DENIED:
        return not_permitted(gate.namespace, account).message
    detail = trouble.detail if trouble is not None and trouble.gate == gate.namespace else gate.detail
    return f"namespace {gate.namespace}: {gate.state.value}{': ' + detail[:MOST_DETAIL] if detail else ''}"


def write(
    o: IssuerObserved,
    ready: Condition,
    now: datetime,
    *,
    due: datetime | None = None,
    line: Lineage | None = None,
    trouble: Trouble | None = None,
) -> Plan:
    """The plan that writes the status where it differs, and looks again when what it says is over; `line` where the generations
    are known, `trouble` where a write is refused.
    """
    conditions = [*_conditions(o, ready, now, line, trouble), *_generations_condition(o, line)]
    conditions += [*_key_condition(o, line, now), *_room(o, line), *_synced(o)]
    due = earliest(due, first_end(conditions))
    status: dict[str, object] = {
        "observedGeneration": o.generation,
        "conditions": merge(conditions, o.status.get("conditions") or (), generation=o.generation, now=now),
    }
    authority = line.signing if line and line.signing else o.authority
    if isinstance(authority, Authority):
        status["ca"] = _ca_status(authority)
    if isinstance(o.published, PublishedTrust):
        p = o.published
        status["crl"] = {
            "number": p.number,
            "thisUpdate": instant(p.this_update),
            "nextUpdate": instant(p.next_update),
            "entries": len(p.entries),
            "bytes": p.size,
        }
    if line is not None and len(line.trusted) > 1 and (listed := _generations_status(o, line)):
        status["generations"] = listed
    status |= _gates_status(o)
    if enforcement := targets_status.enforcement(o, now):
        status["enforcement"] = enforcement
    if isinstance(o.spec, MTLSIssuerSpec) and (
        canary := canary_status.listed(o.spec, o.canaries, o.status.get("canary"))
    ):
        status["canary"] = canary
    return _with_counts(o, line, status, now, due)


def _ca_status(a: Authority) -> dict[str, object]:
    """A CA of a person's own may say more than a status can hold, which the API server would refuse as a whole."""
    return {
        "generation": a.generation,
        "subject": shortened(a.subject, SUBJECT_LIMIT),
        "serialNumber": shortened(f"{a.serial:x}", SERIAL_LIMIT),
        "fingerprintSHA256": a.sha256,
        "notBefore": instant(a.not_before),
        "notAfter": in_calendar(a.not_after),
    }


def _gates_status(o: IssuerObserved) -> dict[str, object]:
    """Of a gate that is unknown, what was said of it before."""
    if not o.gates_known:
        return {name: o.status[name] for name in ("gates", "gatesTotal") if name in o.status}
    # Those that no target names come first: by this list the next process knows that they are there, or may be.
    without = (GateState.ABSENT, GateState.FOREIGN)
    there = (gate for gate in o.gates if gate.targets or gate.state not in without)
    named = sorted(there, key=lambda gate: bool(gate.targets))
    if not named:
        return {}
    known = {entry.get("namespace"): entry for entry in o.status.get("gates") or ()}
    states = [
        known[gate.namespace] if _unknown(gate) and gate.namespace in known else _gate_status(gate)
        for gate in named[:MOST_GATES]
    ]
    return {"gates": states, "gatesTotal": len(named)}


def _synced(o: IssuerObserved) -> Iterator[Condition]:
    if o.unsynced:
        more = f"; and {len(o.unsynced) - MOST_SOURCES} more" if len(o.unsynced) > MOST_SOURCES else ""
        yield said("SourceNotSynced", detail="; ".join(o.unsynced[:MOST_SOURCES]) + more)


def not_synced(o: IssuerObserved, now: datetime) -> Plan:
    """Too little is known to plan with: the status says so once that lasts, and stays as it is otherwise."""
    due = now + timing.LOOK_AGAIN
    before = o.status.get("conditions") or ()
    others = [item for item in before if item.get("type") != "Synced"]
    conditions = [*others, *merge(_synced(o), before, generation=o.generation, now=now)]
    if not o.unsynced or conditions == before:
        return Plan(due=due)
    return Plan(actions=(WriteStatus(status={**o.status, "conditions": conditions}),), due=due)


def _generations_condition(o: IssuerObserved, line: Lineage | None) -> Iterator[Condition]:
    if line is None:
        return
    if line.announced is not None and (not o.gates_known or any(map(_unknown, line.awaited))):
        before = as_before(o, "CASettled")
        if before is not None:
            yield before
            return
    signing = line.signing.generation if line.signing else 0
    if line.announced is not None:
        unreached = [gate for gate in line.awaited if gate.state is not GateState.CURRENT]
        if unreached:
            detail = "; ".join(f"namespace {gate.namespace}: {gate.state.value}" for gate in unreached[:3])
            yield said("NextCaAwaitsGates", generation=line.announced.generation, detail=detail)
        else:
            now_signs = f"generation {signing}" if signing else "nothing"
            yield said("NextCaShown", generation=line.announced.generation, signing=now_signs)
    elif line.dropped:
        yield said("OldCaDropped", detail=", ".join(map(str, sorted(line.dropped))))
    elif line.moving:
        yield said("ClientsMoving", signing=signing, detail=", ".join(map(str, sorted(line.moving))))


def _keyless(line: Lineage) -> bool:
    """Whether the gates trust a CA, and no key is there to sign its CRL, or to sign anything."""
    return not line.shown and not line.none_left


def unlisted(o: IssuerObserved, now: datetime) -> int:
    """How many revoked certificates the gates admit all the same."""
    assert isinstance(o.published, PublishedTrust)
    assert not isinstance(o.records, Unseen)
    anchors, entries = o.published.anchors, o.published.entries
    valid = {generation for generation, anchor in anchors.items() if now < anchor.not_after}
    refused = (record for record in o.records if record.refused and record.generation in valid)
    return sum(now < record.not_after and record.serial not in entries for record in refused)


def _key_condition(o: IssuerObserved, line: Lineage | None, now: datetime) -> Iterator[Condition]:
    """Where the key of a CA that the gates trust is not in its Secret."""
    if line is None or not isinstance(o.published, PublishedTrust):
        return
    if kept := [authority for authority in line.shown if authority.in_memory]:
        secret = ca_secret_name(o.key.name, kept[-1].generation) if kept[-1].generated else o.ca_secret
        numbers = ", ".join(str(authority.generation) for authority in kept)
        yield said("CaKeyInMemory", secret=secret, generations=numbers)
    elif _keyless(line) and any(now < anchor.not_after for anchor in o.published.anchors.values()):
        until = instant(o.published.next_update)
        yield said("CaKeyNotLoaded", secret=o.ca_secret, count=unlisted(o, now), until=until)
    elif line.signing is None and line.announced is None and any(authority.crl_only for authority in line.shown):
        yield said("CaKeyInSecret", secret=o.ca_secret)


def _room(o: IssuerObserved, line: Lineage | None) -> Iterator[Condition]:
    closed = line.closed if line is not None else o.closed
    if closed:
        yield said("CaGenerationClosed", detail=", ".join(map(str, sorted(closed))), limit=room.ROOM)
        return
    if isinstance(o.published, PublishedTrust) and o.published.size >= LARGE * room.ROOM:
        yield said("CrlLarge", size=o.published.size, limit=room.ROOM)


def _generations_status(o: IssuerObserved, line: Lineage) -> list[dict[str, object]]:
    """Those that are trusted and published: while the ConfigMap is lost, or refused, one may be trusted and not published."""
    anchors = o.published.anchors if isinstance(o.published, PublishedTrust) else {}
    return [
        _generation_status(generation, anchors[generation], line)
        for generation in sorted(line.trusted & anchors.keys())[-MOST_GENERATIONS:]
    ]


def _generation_status(generation: int, anchor: Anchor, line: Lineage) -> dict[str, object]:
    signing = line.signing.generation if line.signing else 0
    old = "Trusted" if generation in line.staying else "Retiring"
    newest = line.announced.generation if line.announced else 0
    state = "Signing" if generation == signing else "Next" if generation == newest else old
    return {
        "generation": generation,
        "state": state,
        "publicKeySHA256": anchor.public_key_sha256,
        "notAfter": in_calendar(anchor.not_after),
    }


def _gate_status(gate: Gate) -> dict[str, object]:
    allowed = gate.allowed is not False or closing.not_closed((gate,))
    state = gate.state.value if allowed else "NotAllowed"
    return {"namespace": gate.namespace, "targets": list(gate.targets[:MOST_TARGETS]), "state": state}


def _with_counts(
    o: IssuerObserved, line: Lineage | None, status: dict[str, object], now: datetime, due: datetime | None
) -> Plan:
    """Counts alone are no reason to write before they are due: a storm of certificates is not a storm of statuses."""
    same = status == {k: v for k, v in o.status.items() if k != "counts"}
    if same and now < o.counts_due:
        return Plan(due=earliest(due, o.counts_due))
    counts = _counts(o, line, now)
    if same and counts == o.status.get("counts"):
        return Plan(due=due)
    status["counts"] = counts
    return Plan(actions=(WriteStatus(status=status),), due=earliest(due, now + timing.COUNTS_EVERY))


def _counts(o: IssuerObserved, line: Lineage | None, now: datetime) -> dict[str, int]:
    """A generation that the gates do not trust takes its certificates with it."""
    assert not isinstance(o.records, Unseen)
    published = o.published.anchors if isinstance(o.published, PublishedTrust) else None
    trusted = {} if none_trusted(o, line, now) else published
    found = Counter(state_of(record, trusted, now) for record in o.records)
    return {
        "live": found[CertificateState.LIVE],
        "revoked": found[CertificateState.HELD] + found[CertificateState.REVOKED],
        "expired": found[CertificateState.EXPIRED],
    }

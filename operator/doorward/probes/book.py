"""Which gates are probed, when each is due at each replica, and what was found there. Nothing here waits for anything."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple

from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import AGAIN, NOT_KNOWN, Asked, Finding, Gate, Probed, Verdict, due, found
from doorward.probes.prober import Shown
from doorward.view.keys import Key

OTHERS = "(others)"
PROBE_LABEL = "doorward-probe"
"""Stands for the `*` of a wildcard."""
NOT_PUBLISHED = "no CRL is published yet"
MOST_REPLICAS = 32
"""More are not probed."""


class GateKey(NamedTuple):
    """One host of one target."""

    target: Key
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a target is to be protected by, as far as probes measure it."""

    issuer: ObjectKey
    hosts: Mapping[str, str]
    """Each with a path of the target."""
    unprobed: str = ""
    """Why it has more hosts, which cannot be probed; empty: it has none."""
    optional: bool
    error_page: str | None
    every_request: bool = False
    """Whether the gate service is to be asked at every request."""
    seen: object
    """All that was seen of the target and of its surroundings: where it differs, the gate is probed again soon."""


@dataclass(slots=True)
class _Target:
    wanted: Wanted
    changed: datetime


@dataclass(slots=True)
class _Anchors:
    subjects: frozenset[bytes]
    seen: object
    changed: datetime
    before: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class _Round:
    """One replica: what was found there, and what is due."""

    findings: dict[GateKey, Finding] = field(default_factory=dict)
    heap: list[tuple[datetime, GateKey]] = field(default_factory=list)
    busy: set[GateKey] = field(default_factory=set)


class ProbeBook:
    """Used from the operator's own event loop only."""

    def __init__(self) -> None:
        self._targets: dict[Key, _Target] = {}
        self._of_issuer: dict[ObjectKey, set[Key]] = {}
        self._anchors: dict[ObjectKey, _Anchors] = {}
        self._rounds: dict[Replica, _Round] = {}
        self._once: set[ObjectKey] = set()
        """Issuers of which all gates were probed at least once."""
        self.unprobed = NOT_KNOWN
        """Why nothing can be probed; empty: it can."""
        self.left_out = 0
        """Replicas that are there and are not probed."""
        self.since: datetime | None = None
        """Since when this process probes; None: it does not."""

    # What is to be probed

    def target(self, key: Key, wanted: Wanted | None, now: datetime) -> bool:
        """What a target is now; None: it is not there, or nothing of it is to be probed. Whether it is one that was not known."""
        known = self._targets.get(key)
        if known is not None and (wanted is None or known.wanted.issuer != wanted.issuer):
            self._forget(key, known)
            known = None
        if wanted is None or (known is not None and known.wanted == wanted):
            return False
        if known is not None:
            self._forget_hosts(key, known.wanted.hosts.keys() - wanted.hosts.keys())
        self._targets[key] = _Target(wanted, now)
        self._of_issuer.setdefault(wanted.issuer, set()).add(key)
        self._schedule(key)
        return known is None

    def _forget(self, key: Key, known: _Target) -> None:
        del self._targets[key]
        keys = self._of_issuer[known.wanted.issuer]
        keys.discard(key)
        if not keys:
            del self._of_issuer[known.wanted.issuer]
        self._forget_hosts(key, known.wanted.hosts)

    def _forget_hosts(self, key: Key, hosts: Iterable[str]) -> None:
        for host in hosts:
            for each in self._rounds.values():
                each.findings.pop(GateKey(key, host), None)

    def published(self, issuer: ObjectKey, subjects: Iterable[bytes], seen: object, now: datetime) -> None:
        """What the gates of an issuer are to hold; `seen`: what tells one bundle from another."""
        known = self._anchors.get(issuer)
        if known is not None and known.seen == seen:
            return
        before = known.subjects if known is not None else frozenset()
        self._anchors[issuer] = _Anchors(frozenset(subjects), seen, now, before)
        for key in self._of_issuer.get(issuer, ()):
            self._targets[key].changed = now
            self._schedule(key)

    def drop(self, issuer: ObjectKey) -> None:
        """An issuer is deleted, or publishes nothing."""
        self._anchors.pop(issuer, None)
        self._once.discard(issuer)

    def bundle_of(self, issuer: ObjectKey) -> object:
        """What was published last; None: nothing yet."""
        known = self._anchors.get(issuer)
        return known.seen if known is not None else None

    def listed(self, replicas: Iterable[Replica], now: datetime) -> None:
        """The replicas that are there; no more are probed than `MOST_REPLICAS`, the first by address."""
        there = sorted(replicas)
        self.left_out = len(there[MOST_REPLICAS:])
        replicas = frozenset(there[:MOST_REPLICAS])
        for replica in self._rounds.keys() - replicas:
            del self._rounds[replica]
        for replica in replicas - self._rounds.keys():
            self._rounds[replica] = _Round()
            for key, known in self._targets.items():
                for host in known.wanted.hosts:
                    heappush(self._rounds[replica].heap, (now, GateKey(key, host)))

    def _schedule(self, key: Key) -> None:
        known = self._targets[key]
        for each in self._rounds.values():
            for host in known.wanted.hosts:
                gate = GateKey(key, host)
                heappush(each.heap, (due(each.findings.get(gate), known.changed, len(self._targets)), gate))

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Those that are probed."""
        return tuple(sorted(self._rounds))

    def issuers(self) -> tuple[ObjectKey, ...]:
        """Those with a gate that is probed."""
        return tuple(self._of_issuer)

    # What is due

    def take(self, replica: Replica, now: datetime) -> tuple[GateKey, Asked] | None:
        """The gate that is due at a replica for the longest; None: none is. `record` must follow, or `leave`."""
        each = self._rounds.get(replica)
        while each is not None and each.heap and each.heap[0][0] <= now:
            _, gate = heappop(each.heap)
            known = self._targets.get(gate.target)
            if known is None or gate.host not in known.wanted.hosts or gate in each.busy:
                continue
            really = due(each.findings.get(gate), known.changed, len(self._targets))
            asked = self._asked(gate, known.wanted, now)
            if really > now or asked is None:
                if really > now:
                    heappush(each.heap, (really, gate))
                continue  # without anchors it comes back when there are some
            each.busy.add(gate)
            return gate, asked
        return None

    def anchors_of(self, issuer: ObjectKey, now: datetime) -> frozenset[bytes]:
        """The subjects of the CAs that its gates may ask certificates of; after a change those before, too, for a while."""
        anchors = self._anchors.get(issuer)
        if anchors is None:
            return frozenset()
        return anchors.subjects | (anchors.before if now < anchors.changed + AGAIN else frozenset())

    def _asked(self, gate: GateKey, wanted: Wanted, now: datetime) -> Asked | None:
        anchors = self._anchors.get(wanted.issuer)
        if anchors is None or not anchors.subjects:
            return None
        label, _, rest = gate.host.partition(".")
        return Asked(
            target=gate.target.at,
            host=f"{PROBE_LABEL}.{rest}" if label == "*" else gate.host,
            path=wanted.hosts[gate.host],
            issuer=wanted.issuer,
            anchors=self.anchors_of(wanted.issuer, now),
            optional=wanted.optional,
            error_page=wanted.error_page,
            every_request=wanted.every_request,
        )

    def leave(self, replica: Replica, gate: GateKey, now: datetime) -> None:
        """It could not be probed now."""
        if (each := self._rounds.get(replica)) is not None:
            each.busy.discard(gate)
            heappush(each.heap, (now + AGAIN, gate))

    def record(
        self, replica: Replica, gate: GateKey, shown: Iterable[Shown], now: datetime, asked: Asked | None = None
    ) -> tuple[Finding | None, Finding] | None:
        """What a probe showed: what was found before, and now. None: the gate or the replica is not there any more, or has another
        issuer than was asked about.
        """
        each, known = self._rounds.get(replica), self._targets.get(gate.target)
        if each is None:
            return None
        each.busy.discard(gate)
        if known is None or gate.host not in known.wanted.hosts:
            return None
        if asked is not None and asked.issuer != known.wanted.issuer:
            self._schedule(gate.target)
            return None
        before = each.findings.get(gate)
        after = each.findings[gate] = found(shown, before, now)
        heappush(each.heap, (due(after, known.changed, len(self._targets)), gate))
        return before, after

    def a_host_of_each_gate(self, issuer: ObjectKey, replica: Replica, now: datetime) -> dict[str, Asked]:
        """By namespace with a gate of the issuer, one host; if possible one that was found at the replica to be as it should be."""
        good: dict[str, Asked] = {}
        others: dict[str, Asked] = {}
        for key in sorted(self._of_issuer.get(issuer, ())):
            for host in sorted(self._targets[key].wanted.hosts):
                gate = GateKey(key, host)
                finding = self._rounds[replica].findings.get(gate) if replica in self._rounds else None
                into = good if finding is not None and finding.verdict is Verdict.REFUSED else others
                if (
                    key.at.namespace not in into
                    and (asked := self._asked(gate, self._targets[key].wanted, now)) is not None
                ):
                    into[key.at.namespace] = asked
        return others | good

    # What was found

    def found_open(self, key: Key) -> str:
        """Who is admitted at a host of a target, as the last probes found; empty: nobody."""
        known = self._targets.get(key)
        for gate in self._gates((key,)) if known is not None else ():
            for replica, finding in sorted(gate.findings.items()):
                if finding.verdict is Verdict.OPEN:
                    return f"host {gate.host} {finding.detail} at replica {replica}"
        return ""

    def is_asked(self, key: Key) -> bool:
        """Whether every host of a target was probed at every replica, by this process and as far as it can be."""
        if key not in self._targets or not self.replicas:
            return False
        return all(gate.unprobed or len(gate.findings) >= len(self.replicas) for gate in self._gates((key,)))

    def probed(self, issuer: ObjectKey) -> Probed:
        """All that is known of the gates of an issuer."""
        gates = tuple(self._gates(sorted(self._of_issuer.get(issuer, ()))))
        unprobed = self.unprobed or ("" if issuer in self._anchors else NOT_PUBLISHED)
        if (
            gates
            and not unprobed
            and all(len(gate.findings) == len(self._rounds) for gate in gates if not gate.unprobed)
        ):
            self._once.add(issuer)
        since = None if issuer in self._once else self.since
        replicas = tuple(map(str, self.replicas))
        return Probed(gates=gates, replicas=replicas, left_out=self.left_out, unprobed=unprobed, since=since)

    def _gates(self, keys: Iterable[Key]) -> Iterator[Gate]:
        for key in keys:
            for host in sorted(self._targets[key].wanted.hosts):
                gate = GateKey(key, host)
                at = {str(replica): each.findings.get(gate) for replica, each in self._rounds.items()}
                findings = {replica: finding for replica, finding in at.items() if finding is not None}
                yield Gate(target=key.at, host=host, findings=findings)
            if why := self._targets[key].wanted.unprobed:
                yield Gate(target=key.at, host=OTHERS, findings={}, unprobed=why)

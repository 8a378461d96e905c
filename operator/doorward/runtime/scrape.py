"""The figures of the moment for `/metrics`: they are taken from what is known already, bit by bit, and nothing is asked."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from doorward.clock import Clock
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import enforcement, timing
from doorward.planning.canary import Canaries
from doorward.planning.enforcement import Probed
from doorward.planning.states import CertificateState, state_of
from doorward.planning.targets_told import Told
from doorward.runtime import metric_names as names
from doorward.runtime.cut_offs import Pending, Stage
from doorward.runtime.metric_names import Definition
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomain, TrustDomains

AT_ONCE = 1_000
"""Records that are looked at before others get the event loop: about a millisecond."""
AN_ISSUER = 20
"""Counts as so many records."""
MOST_SOURCES = 100
OTHERS = "(others)"
Sample: TypeAlias = tuple[Definition, tuple[str, ...], float]
"""Which metric, its labels in their order, and the value."""
Source: TypeAlias = tuple[str, str]
"""A list that the view is made from: the plural of its kind, and its namespace; empty: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Where the figures of one operator come from."""

    view: View
    domains: TrustDomains
    clock: Clock
    leads: Callable[[], bool]
    lease_age: Callable[[], float | None]
    """Seconds since the Lease was renewed; None: it is not held."""
    pending: Callable[[], Mapping[Stage, Pending]]
    longest_lag: Callable[[], float]
    unsynced: Callable[[], Iterable[Source]]
    probed: Callable[[ObjectKey], Probed]
    """What probes show of the gates of an issuer."""

    told: Callable[[ObjectKey], Told]
    """What the Ingresses of an issuer were told."""

    canaries: Callable[[ObjectKey], Canaries]
    """What the canaries of an issuer found."""

    async def samples(self) -> tuple[Sample, ...]:
        """All of them; the event loop is given to others again and again."""
        found = list(self._process())
        looked_at = 0
        for issuer in tuple(self.view.issuers.keys()):
            counts: Counter[CertificateState] = Counter()
            first_expiry: datetime | None = None
            domain = self.domains.get(issuer)
            trusted = domain.trusted if domain is not None else None
            records, now = iter(self.view.ledger.heard_of(issuer)), self.clock.now()
            while some := tuple(islice(records, AT_ONCE - looked_at)):
                first_expiry = _count(some, trusted, now, counts, first_expiry)
                looked_at = await _pause(looked_at + len(some))
            found += self._issuer(issuer, counts, first_expiry, now)
            found += _trust((issuer.namespace, issuer.name), domain, now)
            looked_at = await _pause(looked_at + AN_ISSUER)
        return tuple(found)

    def _issuer(
        self,
        issuer: ObjectKey,
        counts: Mapping[CertificateState, int],
        first_expiry: datetime | None,
        now: datetime,
    ) -> Iterator[Sample]:
        at = (issuer.namespace, issuer.name)
        for state in CertificateState:
            yield names.CERTIFICATES, (*at, state.value), counts.get(state, 0)
        yield names.LEDGER_RECORDS, at, sum(counts.values())
        if first_expiry is not None:
            yield names.NEXT_EXPIRY, at, (first_expiry - now).total_seconds()
        probed = self.probed(issuer)
        hosts = Counter(enforcement.state_of(gate, probed.replicas, now).enforced for gate in probed.gates)
        for enforced, count in hosts.items():
            yield names.GATE_HOSTS, (*at, enforced), count
        for reason, count in sorted(self.told(issuer).counts.items()):
            yield names.INGRESSES, (*at, reason), count
        if (flown := self.canaries(issuer).flown) is not None:
            for replica in sorted({place.replica for place in flown.places}):
                if (seconds := flown.seconds(replica)) is not None:
                    yield names.CANARY_SECONDS, (*at, replica), seconds
                yield names.CANARY_ADMITTED, (*at, replica), sum(p.replica == replica for p in flown.deaf(now))
        index = self.view.archives.index(issuer)
        if index.readable:
            yield names.ARCHIVED_RECORDS, at, index.records

    def _process(self) -> Iterator[Sample]:
        leads, pending = self.leads(), self.pending()
        for stage in Stage:
            waiting = pending[stage] if leads else Pending(0, 0.0)
            yield names.CUT_OFFS_PENDING, (stage.value,), waiting.count
            yield names.CUT_OFF_OLDEST, (stage.value,), waiting.oldest
        yield names.LOOP_LAG_MAX, (), self.longest_lag()
        yield names.LEADER, (), int(leads)
        if (age := self.lease_age()) is not None:
            yield names.LEASE_AGE, (), age
        unsynced = sorted(Counter(self.unsynced()).items())
        for source, count in unsynced[:MOST_SOURCES]:
            yield names.SOURCES_NOT_SYNCED, source, count
        others = Counter(resource for (resource, _), count in unsynced[MOST_SOURCES:] for _ in range(count))
        for resource, count in others.items():
            yield names.SOURCES_NOT_SYNCED, (resource, OTHERS), count


def _trust(at: tuple[str, str], domain: TrustDomain | None, now: datetime) -> Iterator[Sample]:
    """What an issuer publishes; nothing before it was looked at."""
    if domain is None:
        return
    yield names.GATES_CURRENT, at, float(not domain.gates_behind)
    if (authority := domain.authority) is not None:
        yield names.CA_LIFETIME, at, (authority.not_after - authority.not_before).total_seconds()
    if (published := domain.published) is not None:
        last = max(anchor.not_after for anchor in published.anchors.values())
        yield names.CA_EXPIRY, at, (last - now).total_seconds()
        yield names.CRL_NUMBER, at, published.number
        yield names.CRL_AGE, at, (now - published.this_update - timing.BACKDATE).total_seconds()
        yield names.CRL_NEXT_UPDATE, at, (published.next_update - now).total_seconds()
        yield names.CRL_ENTRIES, at, len(published.entries)
        yield names.CRL_BYTES, at, published.size
        yield names.CRL_RATIO, at, published.size / MAX_BYTES


async def _pause(looked_at: int) -> int:
    """Give the event loop to others when enough was looked at; how much was looked at since."""
    if looked_at < AT_ONCE:
        return looked_at
    await asyncio.sleep(0)
    return 0


def _count(
    records: Iterable[Record],
    trusted: AbstractSet[int] | None,
    now: datetime,
    counts: Counter[CertificateState],
    first_expiry: datetime | None,
) -> datetime | None:
    """Add the records to `counts`; the first instant at which a live one expires."""
    for record in records:
        state = state_of(record, trusted, now)
        counts[state] += 1
        if state is CertificateState.LIVE and (first_expiry is None or record.not_after < first_expiry):
            first_expiry = record.not_after
    return first_expiry


def not_synced(view: View) -> Iterator[Source]:
    """The lists that were not heard yet, or that fail."""
    for source in view.unsynced():
        yield source.plural, source.namespace

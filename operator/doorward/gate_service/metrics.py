"""What the gate service counts; docs/reference/metrics.md is made from the table below.

Labels are bounded: no client, serial number or message is ever in one, and whoever may ask cannot make new ones without end.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sized
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from doorward.gate_service.knowledge import Answer
from doorward.gate_service.service import GateService
from doorward.objects.proxy_requests.question import Gate
from doorward.planning.admission import Verdict


class Described(NamedTuple):
    """One metric."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


REQUESTS = Described(
    "doorward_gate_requests_total",
    "counter",
    ("gate_namespace", "issuer_namespace", "issuer", "answer"),
    "Requests by gate and answer: `admitted`, or why the client was refused. The labels of the gate are empty where the request"
    " names no MTLSIssuer that exists, and `other` after the first 1,000 gates.",
)
SILENCE = Described(
    "doorward_gate_silence_seconds",
    "gauge",
    ("kind",),
    "Seconds since the last message from the API server, by kind of object. It sends a bookmark every minute. From 90 on, clients are"
    " admitted by the last known state, until nextUpdate of the issuer's CRL or for `enforcement.maxStaleness`.",
)
SYNCED = Described(
    "doorward_gate_synced",
    "gauge",
    ("kind",),
    "1 once all objects of the kind were listed. Until then every request is refused.",
)
OBJECTS = Described("doorward_gate_objects", "gauge", ("kind",), "Objects of the kind that are known.")
DEFINITIONS = (REQUESTS, SILENCE, SYNCED, OBJECTS)
MOST_GATES = 1_000
NO_GATE = ("", "", "")
OTHER_GATES = ("other", "other", "other")
_Labels = tuple[str, str, str]


class Metrics(Collector):
    """Counts answers, and shows them with the figures of the moment."""

    def __init__(self, service: GateService) -> None:
        self._service = service
        self._gates: dict[Gate, Counter[Verdict]] = {}
        self._none: Counter[Verdict] = Counter()
        self._others: Counter[Verdict] = Counter()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def answered(self, answer: Answer) -> None:
        """One request was answered."""
        self._counter(answer.gate)[answer.verdict] += 1

    def _counter(self, gate: Gate | None) -> Counter[Verdict]:
        if gate is None:
            return self._none
        found = self._gates.get(gate)
        if found is None:
            if len(self._gates) >= MOST_GATES:
                return self._others
            found = self._gates[gate] = Counter()
        return found

    def _counted(self) -> Iterator[tuple[_Labels, Verdict, int]]:
        """Made in a thread, while more is counted."""
        gates = [((each.namespace, *each.issuer), counter) for each, counter in list(self._gates.items())]
        for labels, counter in ((NO_GATE, self._none), (OTHER_GATES, self._others), *gates):
            for verdict, count in list(counter.items()):
                yield labels, verdict, count

    def describe(self) -> Iterator[Metric]:
        """Nothing: the names are not to be asked for before there are figures."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        requests = CounterMetricFamily(REQUESTS.name.removesuffix("_total"), REQUESTS.help, labels=REQUESTS.labels)
        for labels, verdict, count in self._counted():
            requests.add_metric((*labels, verdict.value), count)
        yield requests
        silence, synced, objects = (
            GaugeMetricFamily(each.name, each.help, labels=each.labels) for each in (SILENCE, SYNCED, OBJECTS)
        )
        service = self._service
        tables: tuple[Sized, ...] = (service.issuers, service.clients, service.serials, service.ingresses)
        for follower, table in zip(self._service.followers, tables, strict=True):
            silence.add_metric((follower.kind.name,), follower.silence().total_seconds())
            synced.add_metric((follower.kind.name,), float(follower.synced))
            objects.add_metric((follower.kind.name,), len(table))
        yield from (silence, synced, objects)

    async def render(self) -> bytes:
        """All metrics in Prometheus' text format, made in a thread."""
        return await asyncio.to_thread(generate_latest, self._registry)

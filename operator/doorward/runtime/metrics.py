"""What the operator counts and times, in a registry of its own; `/metrics` shows it with the figures of the moment."""

import asyncio
from collections.abc import Iterable, Iterator
from enum import IntEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from doorward.clock import Clock
from doorward.cluster.gateway import Kind
from doorward.cluster.wrapped import Verb
from doorward.planning.enforcement import Verdict
from doorward.runtime import metric_names as names
from doorward.runtime.cut_offs import Stage
from doorward.runtime.loop_lag import Longest
from doorward.runtime.metric_names import Definition
from doorward.runtime.scrape import Figures, Sample
from doorward.view.outbox import Outcome

KEY_KINDS = ("certificate", "issuer", "ledger", "target")


class _Registry(CollectorRegistry):
    """Without the `_created` series, which double those of every counter and histogram."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Snapshot(Collector):
    """The figures of the moment, as they were taken last."""

    def __init__(self) -> None:
        self.samples: tuple[Sample, ...] = ()

    def collect(self) -> Iterable[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for definition, labels, value in self.samples:
            if definition.name not in families:
                families[definition.name] = GaugeMetricFamily(
                    definition.name, definition.help, labels=definition.labels
                )
            families[definition.name].add_metric(labels, value)
        return families.values()


class Metrics:
    """See the protocols of what is metered: writes, cut-offs, the queue, passes. Used from the operator's event loop only."""

    def __init__(self, clock: Clock) -> None:
        self.registry = _Registry()
        ProcessCollector(registry=self.registry)
        self._snapshot = _Snapshot()
        self.registry.register(self._snapshot)
        self._rendering = asyncio.Lock()
        self._stages = self._histogram(names.CUT_OFF_STAGE)
        for stage in Stage:
            self._stages.labels(stage.value)
        self._cut_offs = self._histogram(names.CUT_OFF)
        self._writes = self._counter(names.WRITES)
        self._refused = self._counter(names.WRITES_REFUSED)
        self._events = self._counter(names.EVENTS)
        for outcome in Outcome:
            self._events.labels(outcome.value)
        self._passes = self._histogram(names.PASSES)
        self._not_settled = self._counter(names.NOT_SETTLED)
        for kind in KEY_KINDS:
            self._passes.labels(kind)
            self._not_settled.labels(kind)
        self._depth = self._gauge(names.QUEUE_DEPTH)
        self._wait = self._histogram(names.QUEUE_WAIT)
        self._work = self._histogram(names.WORK_DURATION)
        self._probes = self._counter(names.PROBES)
        for verdict in Verdict:
            self._probes.labels(verdict.name.lower())
        self._lag = self._histogram(names.LOOP_LAG)
        self.longest_lag = Longest(clock)
        self._kopf_restarts = self._counter(names.KOPF_RESTARTS)

    def _counter(self, definition: Definition) -> Counter:
        return Counter(definition.name, definition.help, definition.labels, registry=self.registry)

    def _gauge(self, definition: Definition) -> Gauge:
        return Gauge(definition.name, definition.help, definition.labels, registry=self.registry)

    def _histogram(self, definition: Definition) -> Histogram:
        return Histogram(
            definition.name,
            definition.help,
            definition.labels,
            registry=self.registry,
            buckets=definition.buckets,
        )

    # Writes

    def wrote(self, kind: Kind, subresource: str, verb: Verb, result: str) -> None:
        """See `WriteMeter`."""
        self._writes.labels(kind.name, subresource, verb, result).inc()

    def refused(self, kind: Kind, subresource: str, code: int) -> None:
        """See `WriteMeter`."""
        self._refused.labels(kind.name, subresource, str(code)).inc()

    def event(self, outcome: Outcome) -> None:
        """See `EventMeter`."""
        self._events.labels(outcome.value).inc()

    # Cut-offs

    def stage_ended(self, stage: Stage, seconds: float) -> None:
        """See `CutOffMeter`."""
        self._stages.labels(stage.value).observe(seconds)

    def cut_off(self, seconds: float) -> None:
        """See `CutOffMeter`."""
        self._cut_offs.observe(seconds)

    # Work

    def passes(self, kind: str, count: int) -> None:
        """A key of that kind was planned so many times in one go."""
        self._passes.labels(kind).observe(count)

    def not_settled(self, kind: str) -> None:
        """A key of that kind had something to write after its last pass, or writes what does not last."""
        self._not_settled.labels(kind).inc()

    def depth(self, priority: IntEnum, keys: int) -> None:
        """See `workqueue.meter.Meter`."""
        self._depth.labels(priority.name.lower()).set(keys)

    def waited(self, priority: IntEnum, seconds: float) -> None:
        """See `workqueue.meter.Meter`."""
        self._wait.labels(priority.name.lower()).observe(seconds)

    def worked(self, priority: IntEnum, seconds: float, result: str) -> None:
        """See `workqueue.meter.Meter`."""
        self._work.labels(priority.name.lower(), str(result)).observe(seconds)

    # Probes of gates

    def probed(self, verdict: Verdict) -> None:
        """A host was probed at a replica."""
        self._probes.labels(verdict.name.lower()).inc()

    # The process

    def lag(self, seconds: float) -> None:
        """The event loop ran a timer so late."""
        self._lag.observe(seconds)
        self.longest_lag.add(seconds)

    def kopf_restarted(self) -> None:
        """The Kopf watcher stopped, and is started again."""
        self._kopf_restarts.inc()

    async def render(self, figures: Figures) -> bytes:
        """All metrics in Prometheus' text format. It never holds the event loop for long: figures are taken bit by bit, and
        the text is made in a thread.
        """
        async with self._rendering:
            self._snapshot.samples = await figures.samples()
            return await asyncio.to_thread(generate_latest, self.registry)

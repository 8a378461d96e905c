"""10,000 ClientCertificates created at once: certificates a second against the ceiling that their writes allow."""

import asyncio
import base64
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, SECRET, Gateway
from doorward.cluster.live import LiveGateway, connect
from tests.bench.figures import Cost, Since, show
from tests.support import installation
from tests.support.audit import Audit, described
from tests.support.home import Home, client
from tests.support.kube import Person
from tests.testbed.controlplane import Cluster

AT_ONCE = 50
BARE = 2000
BARE_BYTES = 3300
SHARE = 0.35
PATIENCE = 1200.0
MEMORY = 300.0
BLOCK = 0.050
"""Seconds of CPU of one callback; by the wall clock most of the longest is waiting for a core, which the API server has."""


def run(folder: Path, count: int) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nStorm: {count} ClientCertificates at once, kube-apiserver and etcd with fsync on this machine\n")
    with Cluster.start(folder) as cluster:
        installation.install(cluster)
        longest = folder / "longest-callback"
        measured = (sys.executable, "-m", "tests.bench.measured", longest)
        operator = installation.OperatorProcess(cluster, program=measured)
        operator.start()
        try:
            admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
            home = Home.found(admin, folder)
            home.partners()
            return _measure(cluster, operator, home, count, longest)
        finally:
            operator.close()


def _measure(cluster: Cluster, operator: installation.OperatorProcess, home: Home, count: int, longest: Path) -> bool:
    bare = [asyncio.run(_bare(cluster, home.namespace, "before"))]
    pids = {"operator": operator.pid, **cluster.control_plane.pids}
    before = {name: Cost.of(pid) for name, pid in pids.items()}
    before_storm = operator.metrics()
    longest_callback(operator.pid, longest)
    seconds = asyncio.run(_certificates(cluster, home.namespace, count))
    block = longest_callback(operator.pid, longest)
    after = {name: Cost.of(pid) for name, pid in pids.items()}
    bare.append(asyncio.run(_bare(cluster, home.namespace, "after")))
    ceiling = statistics.mean(bare)
    counted = Since(before_storm, operator.metrics())
    writes = counted.writes()
    each = sum(writes.values()) / count
    rate, allowed = count / seconds, ceiling / each
    show("certificates a second, first create to the last Ready", f"{rate:.1f}")
    show(
        f"bare Secret creates a second ({AT_ONCE} at a time), before, after", ", ".join(f"{rate:.0f}" for rate in bare)
    )
    kept = show(
        "share of what that allows at these writes",
        f"{rate / allowed:.0%}",
        limit=f"at least {SHARE:.0%}",
        kept=rate >= SHARE * allowed,
    )
    needed = each - writes["create Event"] / count
    kept &= show("writes a certificate, Events aside", f"{needed:.2f}", limit="at most 3 (+ counts)", kept=needed < 3.1)
    for kind, number in sorted(writes.items()):
        show(f"    {kind}", f"{number / count:.3f}")
    for name in pids:
        spent = after[name].cpu - before[name].cpu
        show(
            f"{name}: CPU seconds, ms a certificate, peak MB",
            f"{spent:.1f}, {spent / count * 1000:.1f}, {after[name].memory:.0f}",
        )
    peak = after["operator"].memory
    kept &= show("operator: peak memory", f"{peak:.0f} MB", limit=f"at most {MEMORY:.0f} MB", kept=peak <= MEMORY)
    kept &= block.show(cpu=BLOCK)
    lag = "doorward_event_loop_lag_seconds"
    late = counted.more(f"{lag}_count") - counted.more(f"{lag}_bucket", le="0.05")
    show("event-loop lag: mean; longest; timers over 50 ms late", _lag(counted, late))
    return kept


async def _bare(cluster: Cluster, namespace: str, when: str) -> float:
    """Creates a second of Secrets as large as a client's, with nothing else to do."""
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    data = {"filler": base64.b64encode(os.urandom(BARE_BYTES * 3 // 4)).decode()}
    bodies = ({"metadata": {"name": f"bare-{when}-{number}"}, "data": data} for number in range(BARE))
    try:
        begun = time.perf_counter()
        await create_all(gateway, SECRET, namespace, bodies)
        return BARE / (time.perf_counter() - begun)
    finally:
        await gateway.close()


async def create_all(gateway: Gateway, kind: object, namespace: str, bodies: Iterable[dict[str, object]]) -> None:
    waiting = iter(bodies)

    async def create() -> None:
        for body in waiting:
            await gateway.create(kind, namespace, body)  # type: ignore[arg-type]

    await asyncio.gather(*(create() for _ in range(AT_ONCE)))


async def _certificates(cluster: Cluster, namespace: str, count: int) -> float:
    """Seconds from the first create until the last is Ready.

    The API server's audit log tells both, and nothing is asked of the API server meanwhile; in the end all must be Ready.
    """
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    log = Audit(cluster)
    try:
        begun = datetime.now(UTC)  # noqa: TID251 - what the bench itself does, it does now
        await create_all(gateway, CLIENT_CERTIFICATE, namespace, (client(f"c{number}") for number in range(count)))
        async with asyncio.timeout(PATIENCE):
            while len(said := _statuses(log, namespace)) < count or not await _all_ready(gateway, namespace):
                await asyncio.sleep(0.2)
        return (max(said) - begun).total_seconds()
    finally:
        await gateway.close()


def _statuses(log: Audit, namespace: str) -> list[datetime]:
    """When the API server answered each write of a ClientCertificate's status."""
    return [
        datetime.fromisoformat(event["stageTimestamp"])
        for event in log.writes_into(namespace)
        if described(event) == "patch clientcertificates/status"
    ]


async def _all_ready(gateway: Gateway, namespace: str) -> bool:
    items, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
    conditions = [c for body in items for c in body.get("status", {}).get("conditions", ()) if c["type"] == "Ready"]
    return len(conditions) == len(items) and all(c["status"] == "True" for c in conditions)


def _lag(counted: Since, late: float) -> str:
    longest = counted.after.value("doorward_event_loop_lag_max_seconds") or 0.0
    return f"{counted.mean('doorward_event_loop_lag_seconds') * 1000:.1f} ms; {longest * 1000:.0f} ms; {late:.0f}"


@dataclass(frozen=True, slots=True)
class Block:
    """What held the event loop longest, by the wall clock and by its own CPU, in seconds."""

    wall: float
    longest: str
    cpu: float
    busiest: str
    collections: Mapping[str, tuple[int, float, float]]
    """Of Python's garbage, by generation: how many, their CPU in all, and the most of one."""

    def show(self, *, cpu: float | None = None, wall: float | None = None) -> bool:
        """Print both, and what they are held to; whether the limits are kept."""
        limits = (("wall clock", self.wall, wall, self.longest), ("its own CPU", self.cpu, cpu, self.busiest))
        kept = True
        for clock, seconds, most, what in limits:
            limit = f"at most {most * 1000:.0f} ms" if most is not None else ""
            name = f"longest callback of the event loop, {clock}"
            kept &= show(name, f"{seconds * 1000:.1f} ms", limit=limit, kept=most is None or seconds <= most)
            print(f"      {what[:300]}")
        for generation, (count, whole, longest) in sorted(self.collections.items()):
            told = f"{count}, {whole * 1000:.0f} ms, {longest * 1000:.1f} ms"
            show(f"collections of generation {generation}: how many, CPU, most of one", told)
        return kept


def longest_callback(pid: int, file: Path) -> Block:
    """Ask the stopwatch in the operator, which then begins anew."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return Block(**json.loads(file.read_text()))

"""1,000 ClientCertificates created at once: certificates a second against the ceiling that their writes allow."""

import asyncio
import base64
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, SECRET, Gateway
from doorward.cluster.live import LiveGateway, connect
from tests.bench.figures import Cost, show
from tests.support import installation
from tests.support.home import Home, client
from tests.support.kube import OPERATOR, Person
from tests.testbed.controlplane import Cluster

AT_ONCE = 50
BARE = 2000
BARE_BYTES = 3300
SHARE = 0.35
PATIENCE = 300.0
WRITES = ("create", "update", "patch", "delete")


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
            ceiling = asyncio.run(_bare(cluster, home.namespace))
            return _measure(cluster, operator, home, count, ceiling, longest)
        finally:
            operator.close()


def _measure(
    cluster: Cluster, operator: installation.OperatorProcess, home: Home, count: int, ceiling: float, longest: Path
) -> bool:
    pids = {"operator": operator.pid, **cluster.control_plane.pids}
    before = {name: Cost.of(pid) for name, pid in pids.items()}
    seen = sum(1 for _ in cluster.audit_events())
    _longest_callback(operator.pid, longest)
    seconds = asyncio.run(_certificates(cluster, home.namespace, count))
    blocked, what = _longest_callback(operator.pid, longest)
    after = {name: Cost.of(pid) for name, pid in pids.items()}
    writes = _writes(list(cluster.audit_events())[seen:])
    each = sum(writes.values()) / count
    rate, allowed = count / seconds, ceiling / each
    show("certificates a second, first create to the last Ready", f"{rate:.1f}")
    show(f"bare Secret creates a second ({AT_ONCE} at a time)", f"{ceiling:.0f}")
    kept = show(
        "share of what that allows at these writes",
        f"{rate / allowed:.0%}",
        limit=f"at least {SHARE:.0%}",
        kept=rate >= SHARE * allowed,
    )
    kept &= show("writes a certificate", f"{each:.2f}", limit="at most 3 (+ counts)", kept=each < 3.1)
    for kind, number in sorted(writes.items()):
        show(f"    {kind}", f"{number / count:.3f}")
    for name in pids:
        spent = after[name].cpu - before[name].cpu
        show(
            f"{name}: CPU seconds, ms a certificate, peak MB",
            f"{spent:.1f}, {spent / count * 1000:.1f}, {after[name].memory:.0f}",
        )
    show("longest that the event loop was blocked", f"{blocked * 1000:.1f} ms")
    print(f"      by {what[:150]}")
    return kept


async def _bare(cluster: Cluster, namespace: str) -> float:
    """Creates a second of Secrets as large as a client's, with nothing else to do."""
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    data = {"filler": base64.b64encode(os.urandom(BARE_BYTES * 3 // 4)).decode()}
    bodies = ({"metadata": {"name": f"bare-{number}"}, "data": data} for number in range(BARE))
    try:
        begun = time.perf_counter()
        await _create_all(gateway, SECRET, namespace, bodies)
        return BARE / (time.perf_counter() - begun)
    finally:
        await gateway.close()


async def _create_all(gateway: Gateway, kind: object, namespace: str, bodies: Iterable[dict[str, object]]) -> None:
    waiting = iter(bodies)

    async def create() -> None:
        for body in waiting:
            await gateway.create(kind, namespace, body)  # type: ignore[arg-type]

    await asyncio.gather(*(create() for _ in range(AT_ONCE)))


async def _certificates(cluster: Cluster, namespace: str, count: int) -> float:
    """Seconds from the first create until all are Ready, heard by a watch of our own."""
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    bodies = (client(f"c{number}") for number in range(count))
    try:
        _, version = await gateway.list(CLIENT_CERTIFICATE, namespace)
        begun = time.perf_counter()
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(_until_ready(gateway, namespace, version, count))
            group.create_task(_create_all(gateway, CLIENT_CERTIFICATE, namespace, bodies))
        return time.perf_counter() - begun
    finally:
        await gateway.close()


async def _until_ready(gateway: Gateway, namespace: str, version: str, count: int) -> None:
    ready: set[str] = set()
    while len(ready) < count:  # the API server ends the watch of a client that is slow to read
        async for event in gateway.watch(CLIENT_CERTIFICATE, namespace, version):
            version = event.object["metadata"]["resourceVersion"]
            conditions = event.object.get("status", {}).get("conditions", ())
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                ready.add(event.object["metadata"]["name"])
                if len(ready) == count:
                    return


def _writes(events: list[dict[str, object]]) -> Counter[str]:
    """The operator's requests that change something, by verb and kind, as the API server's audit log has them."""
    counted: Counter[str] = Counter()
    for event in events:
        if event["user"]["username"] == OPERATOR and event["verb"] in WRITES:  # type: ignore[index]
            ref = event["objectRef"]
            counted[f"{event['verb']} {ref['resource']}{'/' + ref['subresource'] if 'subresource' in ref else ''}"] += 1  # type: ignore[index,operator]
    return counted


def _longest_callback(pid: int, file: Path) -> tuple[float, str]:
    """Ask the stopwatch in the operator, which then begins anew."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    seconds, _, what = file.read_text().partition(" ")
    return float(seconds), what.strip()

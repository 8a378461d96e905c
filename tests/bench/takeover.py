"""The leader is killed beside a thousand clients with RSA keys of 4,096 bits: when the other replica works."""

import asyncio
import signal
import sys
import time
from pathlib import Path

from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE
from doorward.cluster.live import LiveGateway, connect
from tests.bench.figures import show
from tests.bench.storm import create_all, longest_callback
from tests.support import installation
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, Person, eventually
from tests.testbed.controlplane import Cluster

TAKEOVER = 15.0
BLOCK = 0.050


def run(folder: Path, count: int) -> bool:
    """Measure and print; whether both limits are kept."""
    print(f"\nTakeover: the leader is killed beside {count} clients with RSA-4096 keys\n")
    with Cluster.start(folder) as cluster:
        installation.install(cluster)
        files = [folder / f"longest-{number}" for number in (1, 2)]
        programs = [(sys.executable, "-m", "tests.bench.pooled_keys", file) for file in files]
        first, second = (
            installation.OperatorProcess(cluster, name=f"replica-{number}", elected=True, program=program)
            for number, program in enumerate(programs, 1)
        )
        try:
            first.start()
            eventually(lambda: first.part == "leads", "the first replica leads", seconds=60)
            admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
            home = Home.found(admin, folder)
            home.partners()
            asyncio.run(_issue(cluster, home.namespace, count))
            eventually(
                lambda: _ready(home) == count, f"{count} clients have their certificates", seconds=900, pause=2.0
            )
            second.start()
            eventually(lambda: second.part.startswith("stands by"), "the second stands by", seconds=60)
            longest_callback(second.pid, files[1])
            return _measure(home, first, second, files[1])
        finally:
            for operator in (first, second):
                operator.close()


def _measure(home: Home, first: installation.OperatorProcess, second: installation.OperatorProcess, file: Path) -> bool:
    begun = time.monotonic()
    first.stop(signal.SIGKILL)
    home.make(CERTIFICATES, client("late"))
    eventually(lambda: second.part == "leads", "the second leads", seconds=120, pause=0.05)
    leads = time.monotonic() - begun
    eventually(lambda: _is_ready(home, "late"), "a new client has its certificate", seconds=120, pause=0.05)
    works = time.monotonic() - begun
    block = longest_callback(second.pid, file)
    kept = show("SIGKILL until the other leads", f"{leads:.1f} s")
    kept &= show(
        "SIGKILL until a new client has its certificate",
        f"{works:.1f} s",
        limit=f"at most {TAKEOVER:.0f} s",
        kept=works <= TAKEOVER,
    )
    kept &= block.show(wall=BLOCK)
    return kept


async def _issue(cluster: Cluster, namespace: str, count: int) -> None:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    key = {"algorithm": "RSA", "size": 4096}
    try:
        bodies = (client(f"c{number}", privateKey=key) for number in range(count))
        await create_all(gateway, CLIENT_CERTIFICATE, namespace, bodies)
    finally:
        await gateway.close()


def _ready(home: Home) -> int:
    items = home.admin.ask("GET", CERTIFICATES.path(home.namespace)).body["items"]
    return sum(_says_ready(body) for body in items)


def _is_ready(home: Home, name: str) -> bool:
    return _says_ready(home.body(CERTIFICATES, name))


def _says_ready(body: dict[str, object]) -> bool:
    status = body.get("status") or {}
    assert isinstance(status, dict)
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))

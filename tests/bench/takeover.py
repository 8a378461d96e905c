"""The leader ends beside a thousand clients with RSA keys of 4,096 bits, told to and killed: when the other replica works."""

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

HANDED_OVER, TAKEOVER = 2.0, 15.0
BLOCK = 0.050


def run(folder: Path, count: int) -> bool:
    """Measure and print; whether both limits are kept."""
    print(f"\nTakeover: the leader ends beside {count} clients with RSA-4096 keys\n")
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
            _stands_by(second)
            longest_callback(second.pid, files[1])
            kept = _ends(home, first, signal.SIGTERM, second, HANDED_OVER)
            kept &= longest_callback(second.pid, files[1]).show(wall=BLOCK)
            _stands_by(first)
            longest_callback(first.pid, files[0])
            kept &= _ends(home, second, signal.SIGKILL, first, TAKEOVER)
            return kept & longest_callback(first.pid, files[0]).show(wall=BLOCK)
        finally:
            for operator in (first, second):
                operator.close()


def _stands_by(operator: installation.OperatorProcess) -> None:
    operator.start()
    eventually(lambda: operator.part.startswith("stands by"), "it stands by", seconds=60)


def _ends(
    home: Home,
    leader: installation.OperatorProcess,
    by: signal.Signals,
    other: installation.OperatorProcess,
    most: float,
) -> bool:
    """Whether a client that is made as the signal ends the leader has its certificate in time, in seconds."""
    name = f"after-{by.name.lower()}"
    begun = time.monotonic()
    leader.send(by)
    home.make(CERTIFICATES, client(name))
    eventually(lambda: other.part == "leads", "the other leads", seconds=120, pause=0.05)
    leads = time.monotonic() - begun
    eventually(lambda: _is_ready(home, name), "a new client has its certificate", seconds=120, pause=0.05)
    works = time.monotonic() - begun
    leader.ended(60)
    return show(f"{by.name} until the other leads", f"{leads:.1f} s") & show(
        f"{by.name} until a new client has its certificate",
        f"{works:.1f} s",
        limit=f"at most {most:.0f} s",
        kept=works <= most,
    )


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

"""The gate service under load: how late the last request of a client that is revoked gets in, and what its answers cost.

100 clients make 10,000 requests through the real ingress-nginx, and each is revoked in between. The operator is down, so no
CRL helps. Then a plain nginx asks the gate service, a bare nginx and nobody in turn.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, Gateway
from doorward.cluster.live import LiveGateway, connect
from tests.bench import checkers
from tests.bench.checkers import BARE, GATE, NOBODY, Checkers
from tests.bench.figures import percentile, show
from tests.gate.doors import Door, Street
from tests.support import installation
from tests.support.home import Home
from tests.support.installation import GATE_SERVICE, GateServiceProcess, OperatorProcess
from tests.support.kube import RECORDS, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

CLIENTS, REQUESTS = 100, 10_000
PAUSE, LASTS = 0.2, 20.0
"""Seconds between two requests of a client that nobody is revoking, and in which all are revoked."""
LATE = 0.250
MEDIAN, SLOWEST, PACE, SHARE = 0.0002, 0.001, 2_000, 0.7


def run(folder: Path) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nGate service: {REQUESTS} requests while {CLIENTS} clients are revoked; the cost of an answer\n")
    own = [path for path in (installation.ROOT / "deploy/gate-service").glob("*.yaml") if path.stem != "kustomization"]
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster.start(folder))
        ingress = stack.enter_context(IngressNginx.start(cluster))
        installation.install(cluster)
        cluster.kubectl("apply", "--server-side", *(word for path in own for word in ("-f", str(path))))
        gate = GateServiceProcess(cluster, ingress.gate_port)
        gate.start()
        stack.callback(gate.close)
        operator = OperatorProcess(cluster, arguments=[f"--gate-service={GATE_SERVICE}"])
        operator.start()
        stack.callback(operator.close)
        home = Home.found(Person(config.new_client_from_config(config_file=str(cluster.kubeconfig))), folder)
        names = [f"c{number}" for number in range(CLIENTS)]
        home.partners("alice", *names)
        door = Street.build(ingress, home).door("shop")
        files = {name: home.files(name) for name in names}
        eventually(lambda: door.ask(files[names[-1]]).status == 200, "the host lets a client in", seconds=120)
        question = _question(home, ingress.gate_port)
        operator.stop()
        kept = _late(asyncio.run(_revoke_under_load(cluster, home, door, files)))
        with checkers.running(folder / "checkers", question) as running:
            return _cost(running) and kept


def _question(home: Home, port: int) -> str:
    """What nginx asks about Alice's certificate."""
    (spec,) = [
        body["spec"]
        for body in home.admin.ask("GET", RECORDS.path(home.namespace)).body["items"]
        if body["spec"]["clientCertificate"]["name"] == "alice"
    ]
    serial = spec["serialNumber"].upper()
    serial = serial.zfill(len(serial) + len(serial) % 2)
    gate = f"{home.namespace}/{home.namespace}/partners"
    said = f"verify=SUCCESS&serial={serial}&fingerprint={spec['fingerprints']['sha1']}&ingress=shop"
    return f"http://127.0.0.1:{port}/ingress-nginx/{gate}?{said}"


@dataclass
class Load:
    """What the clients heard so far."""

    door: Door
    session: aiohttp.ClientSession
    asked: int = 0
    broken: int = 0
    revoked: dict[str, float] = field(default_factory=dict)
    """When the API server answered that the client is revoked."""
    last: dict[str, float] = field(default_factory=dict)
    """When the client last heard that it gets in."""
    hurried: set[str] = field(default_factory=set)
    """Clients that are being revoked, and ask without a pause."""

    async def knock(self, name: str, using: ssl.SSLContext) -> None:
        """Ask until there were enough requests and this client is refused."""
        await asyncio.sleep(random.uniform(0, PAUSE))  # not all at once
        refused = False
        while not refused or self.asked < REQUESTS:
            status = await self._status(using)
            if status == 200:
                self.last[name] = time.monotonic()
            refused = name in self.revoked and status in (400, 403)
            await asyncio.sleep(0.0 if name in self.hurried and not refused else PAUSE)

    async def _status(self, using: ssl.SSLContext) -> int:
        url = f"https://{self.door.ingress.address}:{self.door.ingress.https_port}/"
        headers = {"Host": self.door.host}
        self.asked += 1
        try:
            async with self.session.get(url, headers=headers, ssl=using, server_hostname=self.door.host) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError):  # nginx reloads
            self.broken += 1
            return 0

    async def revoke(self, gateway: Gateway, namespace: str, names: list[str]) -> None:
        """One after the other."""
        for name in names:
            self.hurried.add(name)
            await asyncio.sleep(LASTS / len(names))
            await gateway.patch(CLIENT_CERTIFICATE, namespace, name, {"spec": {"revoked": True}})
            self.revoked[name] = time.monotonic()

    def late(self) -> list[float]:
        """Seconds from the API server's answer to the last request that got in after it, for each client."""
        return [max(0.0, self.last[name] - since) for name, since in self.revoked.items()]


async def _revoke_under_load(cluster: Cluster, home: Home, door: Door, files: Mapping[str, Mapping[str, Path]]) -> Load:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            load = Load(door, session)
            async with asyncio.TaskGroup() as tasks:
                for name, pair in files.items():
                    tasks.create_task(load.knock(name, _context(pair)))
                tasks.create_task(load.revoke(gateway, home.namespace, list(files)))
            return load
    finally:
        await gateway.close()


def _context(files: Mapping[str, Path]) -> ssl.SSLContext:
    using = ssl.create_default_context()
    using.check_hostname, using.verify_mode = False, ssl.CERT_NONE
    using.load_cert_chain(files["tls.crt"], files["tls.key"])
    return using


def _late(load: Load) -> bool:
    late = load.late()
    show("requests; connections that nginx ended", f"{load.asked}, {load.broken}")
    show("clients that got in after the answer", f"{sum(each > 0 for each in late)} of {len(late)}")
    show(
        "last admitted after the API server's answer, median, max",
        f"{percentile(late, 0.5) * 1000:.0f}, {max(late) * 1000:.0f} ms",
    )
    p99 = percentile(late, 0.99)
    limit = f"at most {LATE * 1000:.0f} ms"
    return show(
        "last admitted after the API server's answer, p99", f"{p99 * 1000:.0f} ms", limit=limit, kept=p99 <= LATE
    )


def _cost(running: Checkers) -> bool:
    medians, slowest, rates = running.medians(), running.slowest(PACE), running.rates()
    for name, seconds in (("one connection, p50", medians), (f"{PACE} requests/s, p99", slowest)):
        show(
            f"{name}: nobody, nginx, gate service", ", ".join(f"{each * 1000:.2f}" for each in seconds.values()) + " ms"
        )
    show("requests/s: nobody, nginx, gate service", ", ".join(f"{each:.0f}" for each in rates.values()))
    kept = _added("added latency on one connection, p50", medians, MEDIAN)
    kept &= _added(f"added latency at {PACE} requests/s, p99", slowest, SLOWEST)
    share = rates[GATE] / rates[BARE]
    return (
        show(
            "share of a bare nginx checker's requests/s", f"{share:.2f}", limit=f"at least {SHARE}", kept=share >= SHARE
        )
        and kept
    )


def _added(name: str, seconds: Mapping[str, float], most: float) -> bool:
    added = seconds[GATE] - seconds[NOBODY]
    return show(name, f"{added * 1000:.2f} ms", limit=f"at most {most * 1000:.1f} ms", kept=added <= most)

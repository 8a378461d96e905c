"""The gate service starts beside a hundred thousand clients, each with a certificate: seconds, CPU, memory, longest step.

One client gets its certificate from the operator. All others are planted into etcd as the API server stored that one.
"""

import asyncio
import hashlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, Object
from doorward.cluster.live import LiveGateway, connect
from doorward.objects.ledger_record import record_name
from doorward.objects.meta import ObjectKey, key_of
from tests.bench.figures import Cost, show
from tests.bench.storm import longest_callback
from tests.support import installation, planted
from tests.support.home import Home
from tests.support.installation import GateServiceProcess
from tests.support.kube import NAMESPACES, RECORDS, Person, eventually
from tests.testbed import ports
from tests.testbed.controlplane import Cluster

READY, MEMORY, STEP = 15.0, 150.0, 0.050
STORM, AT_ONCE = 2_000, 50
"""Clients that change, and how many of these at once."""
ISSUER = "gate-bench"
"""The namespace of the issuer."""
TEAMS = 50
IDLE = 0.1
"""Cores that the API server uses once it has taken in what was planted."""


def run(folder: Path, clients: int) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nGate service: start beside {clients} clients\n")
    with Cluster.start(folder, unsafe_no_fsync=True) as cluster:
        installation.install(cluster)
        for name in ("serviceaccount-gate.yaml", "clusterrole-gate.yaml"):
            cluster.kubectl("apply", "--server-side", "-f", str(installation.ROOT / "deploy/gate-service" / name))
        _plant(cluster, folder, clients)
        _settle(cluster)
        (port,) = ports.lease(1)
        file = folder / "longest-callback"
        kept = _start(cluster, GateServiceProcess(cluster, port))
        program = (sys.executable, "-m", "tests.bench.measured", file)
        measured = GateServiceProcess(cluster, port, program=program)
        measured.start()
        try:
            print("  at the start:")
            kept &= longest_callback(measured.pid, file).show(cpu=STEP)
            print(f"  while {STORM} clients change:")
            asyncio.run(_storm(cluster, f"http://127.0.0.1:{port}"))
            return longest_callback(measured.pid, file).show(cpu=STEP) and kept
        finally:
            measured.close()
            ports.give_back([port])


def _plant(cluster: Cluster, folder: Path, clients: int) -> None:
    with installation.running(cluster):
        home = _home(cluster, folder)
        home.partners("alice")
        (record,) = home.admin.ask("GET", RECORDS.path(home.namespace)).body["items"]
    client = planted.stored(cluster, CLIENT_CERTIFICATE, ObjectKey(home.namespace, "alice"))
    record = planted.stored(cluster, ISSUED_CERTIFICATE, key_of(record))
    numbers = range(1, clients)
    planted.plant(cluster, CLIENT_CERTIFICATE, (_client(client, number) for number in numbers))
    planted.plant(cluster, ISSUED_CERTIFICATE, (_record(record, number) for number in numbers))
    show(
        "bytes of a ClientCertificate, of an IssuedCertificate", f"{len(json.dumps(client))}, {len(json.dumps(record))}"
    )


def _home(cluster: Cluster, folder: Path) -> Home:
    admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
    assert admin.create(NAMESPACES, {"metadata": {"name": ISSUER}}).ok
    for number in range(TEAMS):  # a client of a namespace that is not there cannot be changed
        assert admin.create(NAMESPACES, {"metadata": {"name": f"team-{number}"}}).ok
    home = Home(ISSUER, admin, folder)
    home.consent()
    return home


def _own(number: int) -> dict[str, Any]:
    return {"namespace": f"team-{number % TEAMS}", "name": f"client-{number:06d}"}


def _serial(number: int) -> str:
    return f"{int.from_bytes(hashlib.sha256(b'%d' % number).digest()[:19], 'big'):x}"


def _sha1(number: int) -> str:
    return hashlib.sha1(b"%d" % number).hexdigest()


def _client(pattern: Object, number: int) -> Object:
    metadata = pattern["metadata"] | _own(number) | {"uid": str(uuid4())}
    reference = {"name": "partners", "namespace": pattern["metadata"]["namespace"]}
    return pattern | {"metadata": metadata, "spec": pattern["spec"] | {"issuerRef": reference}}


def _record(pattern: Object, number: int) -> Object:
    spec, namespace = pattern["spec"], pattern["metadata"]["namespace"]
    serial = _serial(number)
    prints = {"sha1": _sha1(number), "sha256": hashlib.sha256(b"%d" % number).hexdigest()}
    own = {"name": record_name(spec["issuerName"], spec["generation"], int(serial, 16)), "uid": str(uuid4())}
    said = {
        "serialNumber": serial,
        "subject": f"CN=client-{number:06d}.example",
        "fingerprints": prints,
        "clientCertificate": {**_own(number), "uid": str(uuid4())},
    }
    return pattern | {"metadata": pattern["metadata"] | own | {"namespace": namespace}, "spec": spec | said}


def _settle(cluster: Cluster) -> None:
    """Until the API server has taken in all that was planted."""
    pid = cluster.control_plane.pids["kube-apiserver"]
    for before, after in _looks(pid):
        if after - before < IDLE * 2.0:
            return


def _looks(pid: int) -> Iterator[tuple[float, float]]:
    while True:
        before = Cost.of(pid).cpu
        time.sleep(2.0)
        yield before, Cost.of(pid).cpu


def _start(cluster: Cluster, gate: GateServiceProcess) -> bool:
    """From the first instruction of the process until it is ready."""
    pids = cluster.control_plane.pids
    before = {name: Cost.of(pid).cpu for name, pid in pids.items()}
    begun = time.monotonic()
    gate.start()
    seconds = time.monotonic() - begun
    own = Cost.of(gate.pid)
    try:
        kept = show("start to ready", f"{seconds:.1f} s", limit=f"at most {READY:.0f} s", kept=seconds <= READY)
        for name, pid in pids.items():
            show(f"    CPU of {name} meanwhile", f"{Cost.of(pid).cpu - before[name]:.1f} s")
        show("    CPU of the gate service", f"{own.cpu:.1f} s")
        kept &= show("most memory", f"{own.memory:.0f} MB", limit=f"at most {MEMORY:.0f} MB", kept=own.memory <= MEMORY)
        return kept
    finally:
        gate.close()


async def _storm(cluster: Cluster, url: str) -> None:
    """Many clients change at once, as when a GitOps tool labels them all; until the gate service knows of the last one."""
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    waiting = iter(range(1, STORM + 1))

    async def patch() -> None:
        for number in waiting:
            own = _own(number)
            change = {"metadata": {"labels": {"storm": str(number)}}, "spec": {"suspended": number == STORM}}
            await gateway.patch(CLIENT_CERTIFICATE, own["namespace"], own["name"], change)

    try:
        assert _status(url, STORM) == 200
        await asyncio.gather(*(patch() for _ in range(AT_ONCE)))
    finally:
        await gateway.close()
    eventually(lambda: _status(url, STORM) == 403, "the gate service knows of the last change", seconds=60)


def _status(url: str, number: int) -> int:
    """What the planted client of that number is answered."""
    serial = _serial(number).upper()
    serial = serial.zfill(len(serial) + len(serial) % 2)
    said = f"verify=SUCCESS&serial={serial}&fingerprint={_sha1(number)}"
    try:
        with urllib.request.urlopen(f"{url}/ingress-nginx/shop/{ISSUER}/partners?{said}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code

"""A thousand namespaces that take part, each with a client: how long a start takes, what it holds open, and what deleted
namespaces cost; once watched one by one, and once all together.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, NAMESPACE, ROLE_BINDING, Gateway, Kind, Object
from doorward.cluster.live import LiveGateway, connect
from tests.bench.figures import Cost, show
from tests.support import installation
from tests.support.audit import Audit
from tests.support.home import CONSENT, Home, client
from tests.support.kube import OPERATOR, Person, eventually
from tests.support.kube import Kind as Path_
from tests.testbed.controlplane import Cluster

AT_ONCE = 20
STARTS = 60.0
MEMORY = 400.0
"""MB; the Pod has 512 Mi."""
FEW_FILES = 150
QUIET = 60.0
"""Seconds for which the lists of deleted namespaces are counted."""
BINDINGS = Path_("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings")


def run(folder: Path, count: int) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nNamespaces: {count} with a client each, on this machine\n")
    with Cluster.start(folder) as cluster:
        installation.install(cluster)
        operator = installation.OperatorProcess(cluster)
        operator.start()
        try:
            admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
            home = Home.found(admin, folder)
            home.partners(
                issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]},
            )
            names = [f"team-{number}" for number in range(count)]
            asyncio.run(_populate(cluster, home.namespace, names))
            eventually(lambda: asyncio.run(_ready(cluster)) >= count, "all are served", seconds=1200, pause=5.0)
            kept = _start(operator, "watched one by one", few=False)
            kept &= _after_deletion(cluster, operator, names[: count // 2])
            _allow_all(admin)
            kept &= _start(operator, "watched all together", few=True)
            return kept
        finally:
            operator.close()


def _start(operator: installation.OperatorProcess, how: str, *, few: bool) -> bool:
    """A restart beside all that is there, until every namespace is known."""
    begun = time.monotonic()
    operator.restart()
    eventually(lambda: _unsynced(operator) == 0, "all lists were heard", seconds=600, pause=0.2)
    seconds = time.monotonic() - begun
    if few:
        eventually(lambda: _files(operator.pid) < FEW_FILES, "one watch for all", seconds=120, pause=1.0)
    files, cost = _files(operator.pid), Cost.of(operator.pid)
    kept = show(f"start, {how}", f"{seconds:.1f} s", limit=f"at most {STARTS:.0f} s", kept=seconds <= STARTS)
    show(f"open files, {how}", str(files))
    return kept & show(
        f"peak memory, {how}", f"{cost.memory:.0f} MB", limit=f"at most {MEMORY:.0f} MB", kept=cost.memory <= MEMORY
    )


def _unsynced(operator: installation.OperatorProcess) -> float:
    return operator.metrics().total("doorward_sources_not_synced")


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _after_deletion(cluster: Cluster, operator: installation.OperatorProcess, names: list[str]) -> bool:
    before = _files(operator.pid)
    asyncio.run(_delete(cluster, names))
    eventually(lambda: asyncio.run(_left(cluster, set(names))) == 0, "they are gone", seconds=900, pause=5.0)
    eventually(lambda: _files(operator.pid) < before - len(names), "their watches end", seconds=60, pause=1.0)
    show(f"open files after {len(names)} namespaces were deleted", str(_files(operator.pid)))
    seen = len(Audit(cluster).events())
    time.sleep(QUIET)
    asked = _lists(Audit(cluster).events()[seen:], set(names))
    return show(
        "lists of deleted namespaces an hour",
        f"{sum(asked.values()) * 3600 / QUIET:.0f}",
        limit="none",
        kept=not asked,
    )


def _lists(events: Iterable[dict[str, object]], namespaces: set[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for event in events:
        ref, user = event.get("objectRef") or {}, event["user"]
        assert isinstance(ref, dict)
        assert isinstance(user, dict)
        if event["verb"] == "list" and ref.get("namespace") in namespaces and user["username"] == OPERATOR:
            found[str(ref["resource"])] += 1
    return found


def _allow_all(admin: Person) -> None:
    """The explicit choice that the operator may read every Secret."""
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": OPERATOR}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CONSENT}
    body = {"metadata": {"name": "doorward-secrets"}, "roleRef": reference, "subjects": [subject]}
    answer = admin.create(BINDINGS, body)
    assert answer.ok, answer.message


async def _populate(cluster: Cluster, issuers: str, names: list[str]) -> None:
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": OPERATOR}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CONSENT}
    binding = {"metadata": {"name": "doorward-secrets"}, "roleRef": reference, "subjects": [subject]}
    spec = {"issuerRef": {"name": "partners", "namespace": issuers}}
    await _each(cluster, [(NAMESPACE, "", {"metadata": {"name": name}}) for name in names])
    await _each(cluster, [(ROLE_BINDING, name, binding) for name in names])
    await _each(cluster, [(CLIENT_CERTIFICATE, name, client("alice", **spec)) for name in names])


async def _each(cluster: Cluster, wanted: list[tuple[Kind, str, Object]]) -> None:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    left = iter(wanted)

    async def create(gateway: Gateway) -> None:
        for kind, namespace, body in left:
            await gateway.create(kind, namespace, body)

    try:
        await asyncio.gather(*(create(gateway) for _ in range(AT_ONCE)))
    finally:
        await gateway.close()


async def _ready(cluster: Cluster) -> int:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    try:
        items, _ = await gateway.list(CLIENT_CERTIFICATE, None)
    finally:
        await gateway.close()
    conditions = [c for body in items for c in body.get("status", {}).get("conditions", ()) if c["type"] == "Ready"]
    return sum(c["status"] == "True" for c in conditions)


async def _left(cluster: Cluster, names: set[str]) -> int:
    """How many of the namespaces are still there."""
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    try:
        items, _ = await gateway.list(NAMESPACE, None)
    finally:
        await gateway.close()
    return sum(body["metadata"]["name"] in names for body in items)


async def _delete(cluster: Cluster, names: list[str]) -> None:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    left = iter(names)

    async def delete() -> None:
        for name in left:
            await gateway.delete(NAMESPACE, "", name)

    try:
        await asyncio.gather(*(delete() for _ in range(AT_ONCE)))
    finally:
        await gateway.close()

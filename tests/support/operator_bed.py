"""The real Operator over a cluster in memory, in time that takes none; Kopf's part is a list and a watch of its own.

Everything here is called from outside the event loop: what people do happens at once, and the operator works only
within `settle` and `advance`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar
from unittest import mock

from doorward.api import issued_certificate
from doorward.cluster.errors import ApiError, Invalid
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    INGRESS,
    INGRESS_CLASS,
    ISSUED_CERTIFICATE,
    ISSUER,
    LEASE,
    NAMESPACE,
    Gateway,
    Kind,
    Object,
)
from doorward.cluster.identity import Credentials
from doorward.cluster.leadership import Lost
from doorward.gates.interface import DataPlane
from doorward.gates.registry import PLANES
from doorward.objects.endpoints import Replica
from doorward.objects.meta import FINALIZER, ObjectKey
from doorward.probes.canary_asking import CanaryProber
from doorward.probes.prober import Prober
from doorward.runtime import kopf_handlers
from doorward.runtime.operator import Operator
from doorward.runtime.probing import Controller
from doorward.runtime.settings import Settings
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.key_source import CountingKeySource
from tests.support.memory_cluster import KINDS, MemoryCluster
from tests.support.memory_gateway import MemoryGateway, Write
from tests.support.scraped import Scraped

NAMESPACE_NAME = "edge"
ISSUER_AT = ObjectKey(NAMESPACE_NAME, "partners")
LEASE_AT = ObjectKey(NAMESPACE_NAME, "doorward")
PEOPLE = "kubectl"
REPLICA = Replica("192.0.2.7", 443, 80)
CONTROLLER = Controller(ObjectKey("ingress-nginx", "ingress-nginx-controller"), (REPLICA,))
ROUND = 15.0
"""Seconds: longer than the queue sleeps, and than an issuer's counts wait."""
MOST_ROUNDS = 40
T = TypeVar("T")
Handle = Callable[[str, str, dict[str, Any]], None]


def immutable(kind: Kind, before: Object | None, after: Object) -> None:
    """The rules that the API server holds on ledger records (`IssuedCertificateSpec`'s CEL)."""
    if kind != ISSUED_CERTIFICATE:
        return
    issued_certificate.IssuedCertificateSpec.model_validate(after["spec"])
    if before is None:
        return
    old, new = before["spec"], after["spec"]
    if {k: v for k, v in old.items() if k != "revocation"} != {k: v for k, v in new.items() if k != "revocation"}:
        raise Invalid("immutable: only revocation may change", status=422)
    was, becomes = old.get("revocation"), new.get("revocation")
    if was and not becomes:
        raise Invalid("a revocation is not removed", status=422)
    if was and was["reason"] != "certificateHold" and becomes["reason"] not in (was["reason"], "keyCompromise"):
        raise Invalid("this serial is revoked for good", status=422)


async def _like_kopf(gateway: MemoryGateway, handle: Handle, kinds: Sequence[Kind]) -> None:
    """What Kopf does: first all there is, then what changes; a relist tells of no deletion."""
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(_follow(gateway, kind, handle))


async def _follow(gateway: MemoryGateway, kind: Kind, handle: Handle) -> None:
    while True:
        with suppress(ApiError):
            items, version = await gateway.list(kind, None)
            for body in items:
                handle(kind.plural, "", body)
            while True:
                async for event in gateway.watch(kind, None, version):
                    version = event.object["metadata"]["resourceVersion"]
                    handle(kind.plural, event.type, event.object)
        await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class _Process:
    """A running operator, or one that has ended by itself."""

    gateway: MemoryGateway
    task: asyncio.Task[None]
    operator: Operator

    @property
    def dead(self) -> bool:
        return self.gateway.killed.is_set() or self.task.done()


async def _nobody() -> Credentials:
    raise AssertionError("Kopf does not run here")


async def _run(operator: Operator) -> None:
    try:
        await operator.run(asyncio.Event())
    except* (Lost, asyncio.CancelledError):
        pass


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        await asyncio.wait([task])


def host_spec(host: str) -> Object:
    """The spec of an Ingress with one host, as ingress-nginx protects it."""
    backend = {"service": {"name": "app", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {"ingressClassName": "nginx", "tls": [{"hosts": [host]}], "rules": [rule]}


class OperatorBed:
    """One cluster, and one operator process in it at a time, unless a test starts more; `elected`: with a Lease."""

    def __init__(
        self,
        now: datetime,
        *,
        finalizer_at_creation: bool = False,
        elected: bool = False,
        planes: Sequence[DataPlane] = PLANES,
        scope: tuple[str, ...] = (),
        first_key: int = 0,
        prober: Prober | None = None,
        canary_prober: CanaryProber | None = None,
        gate_service: str | None = None,
    ) -> None:
        self.clock = FakeClock(now)
        kinds = dict.fromkeys((*KINDS, *(plane.kind for plane in planes)))
        self.cluster = MemoryCluster(self.clock, admit=immutable, kinds=tuple(kinds))
        self.finalizer_at_creation = finalizer_at_creation
        self.elected = elected
        self.planes = planes
        self.scope = scope
        self.prober = prober
        """What asks the one replica of the controller, `REPLICA`; None: nothing is probed."""
        self.canary_prober = canary_prober
        self.gate_service = gate_service
        self.latency = 0.0
        self.lag = 0.0
        self._source = CountingKeySource(first_key)
        self._runner = virtual_loop.runner(self.clock)
        self._processes: list[_Process] = []
        self._started = 0
        self.kopf_restarted: Callable[[], None] = lambda: None
        """What Kopf's supervisor in the process that was started last would call."""
        self.gateway = MemoryGateway(self.cluster)
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": NAMESPACE_NAME}}, PEOPLE)
        served = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
        self.cluster.create(INGRESS_CLASS, "", served, PEOPLE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._runner.close()

    # The process

    def start(
        self,
        *,
        refuse_reads: Callable[[Kind, str | None], ApiError | None] = lambda *_: None,
        slow_lists: Callable[[Kind, str | None], float] = lambda *_: 0.0,
    ) -> None:
        """A new process: it knows nothing but what is in the cluster. It may be a second one beside the first."""
        self.gateway = MemoryGateway(self.cluster, latency=self.latency)
        self.gateway.lag = self.lag
        self.gateway.refuse_reads = refuse_reads
        self.gateway.slow_lists = slow_lists
        self._runner.run(self._start(self.gateway))

    async def _start(self, gateway: MemoryGateway) -> None:
        self._started += 1
        lease = LEASE_AT if self.elected else None
        settings = Settings(namespaces=self.scope, health_port=None, lease=lease, identity=f"process-{self._started}")
        settings = replace(settings, gate_service=self.gate_service)
        if self.prober is not None:
            settings = replace(settings, controller=CONTROLLER)
        operator = Operator(
            gateway,
            self.clock,
            self._source,
            settings,
            self.planes,
            login=_nobody,
            prober=self.prober,
            canary_prober=self.canary_prober,
        )
        started = asyncio.Event()

        async def front(
            handle: Handle,
            _login: object,
            watched: kopf_handlers.Watched,
            _health: object,
            *,
            restarted: Callable[[], None],
            **_: object,
        ) -> None:
            self.kopf_restarted = restarted
            started.set()
            await _like_kopf(gateway, handle, watched.kinds)

        with mock.patch.object(kopf_handlers, "supervise", front):
            task = asyncio.create_task(_run(operator))
            self._processes.append(_Process(gateway, task, operator))
            await started.wait()

    @property
    def processes(self) -> int:
        return len(self._processes)

    @property
    def operator(self) -> Operator:
        """The operator that was started last."""
        return self._processes[-1].operator

    @property
    def leader(self) -> MemoryGateway | None:
        """The gateway of the process that leads; None: none does."""
        return next((p.gateway for p in self._processes if not p.dead and p.operator.part == "leads"), None)

    def kill(self) -> None:
        """`kill -9` of all there are: whatever they were waiting for, they hear no more."""
        self._bury(self._processes)

    def kill_leader(self) -> None:
        """`kill -9` of the one that leads, if one does; another takes its place in `settle`."""
        if self.leader is not None:
            self.leader.killed.set()

    def _bury(self, processes: list[_Process]) -> None:
        for process in processes:
            process.gateway.killed.set()
            process.gateway.stop()
        self._processes = [process for process in self._processes if process not in processes]
        self._runner.run(_end([process.task for process in processes]))

    def restart(self) -> None:
        self.kill()
        self.start()

    # Time

    def settle(self) -> None:
        """Let the operator work until it writes no more; a process that was killed is started again."""
        quiet = 0
        for _ in range(MOST_ROUNDS):
            before = (self._changes(), self._asked())
            self.advance(ROUND)
            self.replace_the_dead()
            quiet = quiet + 1 if before == (self._changes(), self._asked()) else 0
            if quiet == 2:
                return
        raise AssertionError(f"it goes on writing: {self.gateway.writes[-10:]}")

    def _changes(self) -> int:
        """How often anything changed, the Lease aside."""
        return sum(change.kind != LEASE for change in self.cluster.history)

    def replace_the_dead(self) -> None:
        """What Kubernetes does: one that ended is started again."""
        dead = [process for process in self._processes if process.dead]
        self._bury(dead)
        for _ in dead:
            self.start()

    def _asked(self) -> list[int]:
        """By process, how many writes it asked for, its claims to the Lease aside."""
        return [len(self.writes(process.gateway)) for process in self._processes]

    @staticmethod
    def writes(gateway: MemoryGateway) -> list[Write]:
        """What a process asked to write, its claims to the Lease aside."""
        return [write for write in gateway.writes if write.kind != LEASE.name]

    def forget_faults(self) -> None:
        for process in self._processes:
            process.gateway.faults.clear()
            process.gateway.latency = self.latency

    def advance(self, seconds: float) -> None:
        """Let the operator work for so long."""
        self._runner.run(asyncio.sleep(seconds))
        self.cluster.collect_garbage()

    def jump(self, **by: float) -> None:
        """So much time passes at once, as while a machine sleeps."""
        self.clock.advance(**by)

    def scrape(self) -> Scraped:
        """What `/metrics` of the process that was started last shows."""
        return Scraped(self._runner.run(self._processes[-1].operator.scrape()).decode())

    def set_wrong(self, by: timedelta) -> None:
        """The operator's wall clock is ahead of the server's by that."""
        self.clock.set(self.cluster.now() + by)

    def writes_of(self, act: Callable[[], None]) -> list[Write]:
        """What the operator asked for, from the act until it was quiet."""
        first = len(self.gateway.writes)
        act()
        self.settle()
        return self.gateway.writes[first:]

    # What people do

    def with_gateway(self, work: Callable[[Gateway], Coroutine[Any, Any, T]]) -> T:
        """What a command of theirs does at the API server."""
        return self._runner.run(work(MemoryGateway(self.cluster, manager=PEOPLE)))

    def issuer(self, **spec: Any) -> None:
        body = {
            "metadata": {"name": ISSUER_AT.name},
            "spec": {"ca": {"generate": {"commonName": "Partners CA"}}} | spec,
        }
        self.cluster.create(ISSUER, ISSUER_AT.namespace, body, PEOPLE)

    def apply(self, name: str, **spec: Any) -> None:
        """A ClientCertificate, new or with other fields."""
        at = ObjectKey(NAMESPACE_NAME, name)
        if self.cluster.find(CLIENT_CERTIFICATE, at) is not None:
            self.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"spec": spec}, PEOPLE, "")
            return
        finalizers = {"finalizers": [FINALIZER]} if self.finalizer_at_creation else {}
        body = {
            "metadata": {"name": name} | finalizers,
            "spec": {"issuerRef": {"name": ISSUER_AT.name}, "commonName": name} | spec,
        }
        self.cluster.create(CLIENT_CERTIFICATE, NAMESPACE_NAME, body, PEOPLE)

    def ingress(self, name: str = "shop") -> None:
        """One that lets the issuer's clients in."""
        body = {
            "metadata": {"name": name, "annotations": {"doorward.io/issuer": str(ISSUER_AT)}},
            "spec": host_spec(f"{name}.example"),
        }
        self.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)

    def delete(self, kind: Kind, name: str) -> None:
        self.cluster.delete(kind, ObjectKey(NAMESPACE_NAME, name), PEOPLE)

    def edit(self, kind: Kind, name: str, patch: Object) -> None:
        self.cluster.merge_patch(kind, ObjectKey(NAMESPACE_NAME, name), patch, PEOPLE, "")

    def find(self, kind: Kind, name: str) -> Object | None:
        return self.cluster.find(kind, ObjectKey(NAMESPACE_NAME, name))

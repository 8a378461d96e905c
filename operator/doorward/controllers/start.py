"""The composition root: everything is made and joined here, once."""

import asyncio
import gc
import logging
import signal
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doorward.clock import Clock, SystemClock
from doorward.cluster.cache import Store, version_of
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import Gateway, Object
from doorward.cluster.guarded import GuardedGateway
from doorward.cluster.leadership import Leadership, Lost
from doorward.cluster.live import LiveGateway, connect
from doorward.controllers import handlers, health
from doorward.controllers.apply import Applier
from doorward.controllers.observe import Observer
from doorward.controllers.put_back import PutBack
from doorward.controllers.reconcile import Reconciler
from doorward.controllers.seen import issuer_of_ingress
from doorward.controllers.signing import KeySource, SystemKeySource
from doorward.controllers.sweep import catch_up, sweep
from doorward.controllers.watches import Watches
from doorward.controllers.world import Key, World
from doorward.objects.meta import ObjectKey, key_of
from doorward.planning import revocation
from doorward.workqueue.queue import Priority, WorkQueue
from doorward.workqueue.workers import work

logger = logging.getLogger(__name__)
WORKERS = 64
"""Keys at once: with fewer, etcd has less to write in one go (a tenth fewer certificates a second with 32, measured)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says; no namespaces: all of them."""

    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    health_port: int | None = 8080
    account: str = "doorward-system:doorward"
    """The service account that it runs as, for the commands that it tells people to run."""
    lease: ObjectKey | None = None
    """The Lease that says which of several processes works; None: this one is alone."""
    identity: str = ""
    """This process's own name in that Lease, which no other process ever has."""


class Operator:
    """One operator process. All watch; only the one that leads plans and writes."""

    def __init__(self, gateway: Gateway, clock: Clock, source: KeySource, settings: Settings) -> None:
        self.world = World(account=settings.account, scope=frozenset(settings.namespaces))
        self._leadership: Leadership | None = None
        if settings.lease is not None:
            self._leadership = Leadership(gateway, clock, settings.lease, settings.identity)
            gateway = GuardedGateway(gateway, self._leadership)
        self._gateway = gateway
        self._clock = clock
        self._settings = settings
        self.queue: WorkQueue[Key] = WorkQueue(clock)
        observer = Observer(self.world, gateway, clock)
        applier = Applier(self.world, gateway, observer, source, clock, self.wake, self.handle)
        self._reconciler = Reconciler(self.world, observer, applier, clock, self.wake, self.move)
        self._put_back = PutBack(self.world, gateway, clock, self.wake)
        self._relisted = asyncio.Event()
        self._watches: Watches | None = None

    @property
    def ready(self) -> bool:
        """Whether a full view of the cluster was heard."""
        return self.world.records.synced and self.world.certificates.synced and self.world.issuers.synced

    @property
    def part(self) -> str:
        """What this process does beside others."""
        if self._leadership is None or self._leadership.leads():
            return "leads"
        return f"stands by; {self._leadership.holder or 'nobody'} leads"

    def wake(self, key: Key) -> None:
        """Make a key ready: cut-offs and what publishes them go before the issuing of many."""
        self.queue.add(key, self._priority(key))

    def move(self, key: Key) -> None:
        """Make a key ready behind all that people wait for, unless it is a cut-off."""
        priority = self._priority(key)
        self.queue.add(key, priority if priority is Priority.PEOPLE else Priority.MOVE)

    def _priority(self, key: Key) -> Priority:
        if key.kind != "certificate":
            return Priority.PEOPLE
        found = self.world.certificates.get(key.at)
        if found is None:
            return Priority.STORM
        cut = not isinstance(found.spec, str) and (found.spec.revoked or found.spec.suspended)
        back = any(revocation.by_suspension(record) for record in self.world.records.lookup("holder", key.at))
        return Priority.PEOPLE if found.deleting or cut or back else Priority.STORM

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. Raises (in a group) Lost where another process has taken over."""
        stop_kopf = threading.Event()
        runner = None
        if self._settings.health_port is not None:
            runner = await health.serve(self._settings.health_port, lambda: self.ready, lambda: self.part)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = self._start(group, stop_kopf)
                await stop.wait()
                stop_kopf.set()
                await _end(tasks)
                if self._leadership is not None:
                    await self._leadership.release()
                self._watches = None
                group.create_task(_cancel_others())
        except* _Stopped:
            logger.info("stopped")
        finally:
            stop_kopf.set()
            if runner is not None:
                await runner.cleanup()

    def _start(self, group: asyncio.TaskGroup, stop_kopf: threading.Event) -> list[asyncio.Task[None]]:
        scope, notice = self._settings.namespaces, self._put_back.notice
        watches = self._watches = Watches(self.world, self._gateway, group, self.wake, scope, notice)
        kopf_again = threading.Event()

        async def start_over() -> None:
            kopf_again.set()
            await self._start_over(watches)

        watches.start()
        tasks = [
            group.create_task(handlers.supervise(self.handle, namespaces=scope, stop=stop_kopf, again=kopf_again)),
            group.create_task(sweep(self.world, self._gateway, self.handle, scope, notice, self._relisted)),
            group.create_task(self._put_back.mend(start_over)),
            group.create_task(self._work(watches)),
        ]
        if self._leadership is not None:
            tasks.append(group.create_task(self._leadership.keep()))
        return tasks

    async def _work(self, watches: Watches) -> None:
        """Plan and write, as soon as this process leads, and knows all that the last leader wrote."""
        if self._leadership is not None:
            await self._leadership.led()
            await self._start_over(watches)
        await work(self.queue, self._reconcile, clock=self._clock, transient=(ApiError,), count=WORKERS)

    async def _reconcile(self, key: Key) -> datetime | None:
        """While the Lease cannot be renewed all work rests: else every key would fail, and rest for minutes after it was."""
        if self._leadership is not None:
            await self._leadership.led()
        return await self._reconciler.reconcile(key)

    async def _start_over(self, watches: Watches) -> None:
        """List everything anew."""
        watches.start_over()
        await catch_up(self.world, self._gateway, self.handle, self._settings.namespaces, self._put_back.notice)

    def handle(self, plural: str, event: str, body: Object) -> None:
        """One event of a kind that people write: into its store, and the keys that it concerns into the queue."""
        if event == "":
            self._relisted.set()
        key = key_of(body)
        match plural:
            case "clientcertificates":
                self._take_in(Key("certificate", key), self.world.certificates, event, body)
            case "mtlsissuers":
                if self._take_in(Key("issuer", key), self.world.issuers, event, body):
                    for ingress in self.world.ingresses.lookup("issuer", key):
                        self.wake(Key("ingress", key_of(ingress)))
                    for certificate in self.world.certificates.lookup("issuer", key):
                        self.wake(Key("certificate", key_of(certificate.body)))
            case "ingresses":
                self._take_in_ingress(key, event, body)

    def _take_in(self, key: Key, store: Store[Any], event: str, body: Object) -> bool:
        if self._watches is not None:
            self._watches.join(key.at.namespace)
        before = store.get(key.at)
        changed = _apply_event(store, event, body)
        if changed:
            self.wake(key)
        after = store.get(key.at)
        return changed and (before is None or after is None or before.spec != after.spec)

    def _take_in_ingress(self, key: ObjectKey, event: str, body: Object) -> None:
        before = self.world.ingresses.get(key)
        if not _apply_event(self.world.ingresses, event, body):
            return
        after = self.world.ingresses.get(key)
        self.wake(Key("ingress", key))
        for seen in (before, after):
            for issuer in issuer_of_ingress(seen) if seen is not None else ():
                if self._watches is not None:
                    self._watches.join(key.namespace)
                self.wake(Key("issuer", issuer))


def _apply_event(store: Store[Any], event: str, body: Object) -> bool:
    return store.remove(key_of(body), version_of(body)) if event == "DELETED" else store.put(body)


class _Stopped(Exception):
    """Ends the task group, and with it every task in it."""


async def _cancel_others() -> None:
    raise _Stopped


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """On return none of them writes any more."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def run(settings: Settings) -> bool:
    """Run the operator until SIGTERM or SIGINT; False: until another process took over."""
    # Full collections walk through all that is cached: 270 ms at a thousand certificates (measured), for hardly anything.
    gc.set_threshold(5_000, 10, 1_000)
    clock = SystemClock()
    gateway = LiveGateway(await connect(settings.kubeconfig), clock)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ours = True
    try:
        await Operator(gateway, clock, SystemKeySource(), settings).run(stop)
    except* Lost as lost:
        ours = False
        logger.critical("this process ends: %s", lost.exceptions[0])
    finally:
        await gateway.close()
    return ours

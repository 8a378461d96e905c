"""The composition root: everything is made and joined here, once."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from doorward import health
from doorward.certificates.memory import CertificateMemories
from doorward.clock import Clock
from doorward.cluster.errors import ApiError, retry_after
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, Gateway, Kind, Object
from doorward.cluster.guarded import GuardedGateway
from doorward.cluster.leadership import Leadership
from doorward.cluster.metered import MeteredGateway
from doorward.cluster.rollback import Rollback
from doorward.gates.interface import DataPlane, target_kind
from doorward.gates.registry import PLANES
from doorward.health import Readiness
from doorward.issuers.memory import IssuerMemories
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.pki.key_source import KeySource
from doorward.planning import retention
from doorward.probes.canary_asking import CanaryProber, NetworkCanaries
from doorward.probes.canary_book import CanaryBook
from doorward.probes.prober import NetworkProber, Prober
from doorward.runtime import kopf_handlers, loop_lag
from doorward.runtime.canary_probing import CanaryProbing
from doorward.runtime.cut_offs import CutOffRecorder
from doorward.runtime.event_writing import EventWriting
from doorward.runtime.joined import Shared, joined
from doorward.runtime.metrics import Metrics
from doorward.runtime.probing import Probing
from doorward.runtime.scrape import Figures, not_synced
from doorward.runtime.settings import Settings
from doorward.runtime.told import ToldTargets
from doorward.view.apply import EventApplier, SharedWrites
from doorward.view.intake import Intake
from doorward.view.keys import Key, issuer_key
from doorward.view.outbox import Outbox
from doorward.view.resync import Resync
from doorward.view.routing import Routing, share
from doorward.view.stores import View
from doorward.view.story import LedgerStory
from doorward.view.subscriptions import Subscriptions
from doorward.view.surroundings import SettingsReader
from doorward.view.teller import Teller
from doorward.view.trust_domains import TrustDomains
from doorward.workqueue.queue import WorkQueue
from doorward.workqueue.workers import work

logger = logging.getLogger(__name__)
WORKERS = 72
"""Keys at once: with fewer, etcd has less to write in one go (a tenth fewer certificates a second with 32, measured)."""
RESERVED = 8
"""Of these, workers that take cut-offs only, and what publishes them."""
FIRST_CLAIM = 1.5
"""Seconds that a new process waits for the Lease before it lists the cluster. A Lease that is free is taken within them, and a
process that began to list without it lists all again once it leads: three years of records take half a minute (measured).
"""
LAPSED = timedelta(seconds=60)
"""What failed for so long makes this process unready."""


class Operator:
    """One operator process. All watch; only the one that leads plans and writes."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        source: KeySource,
        settings: Settings,
        planes: Sequence[DataPlane] = PLANES,
        *,
        login: kopf_handlers.Login,
        prober: Prober | None = None,
        canary_prober: CanaryProber | None = None,
    ) -> None:
        self._settings = settings
        self._login = login
        self.kopf = kopf_handlers.Health()
        self._clock = clock
        self.metrics = Metrics(clock)
        gateway = MeteredGateway(gateway, self.metrics)
        self._leadership: Leadership | None = None
        if settings.lease is not None:
            self._leadership = Leadership(gateway, clock, settings.lease, settings.identity)
            gateway = GuardedGateway(gateway, self._leadership)
        self._gateway = gateway
        self._planes = planes
        self.view = View(
            clock, account=settings.account, scope=settings.namespaces, targets=[target_kind(plane) for plane in planes]
        )
        self._issuer_memories = IssuerMemories()
        self._certificate_memories = CertificateMemories()
        self.queue: WorkQueue[Key] = WorkQueue(clock, share=partial(share, self.view), meter=self.metrics)
        outbox = Outbox(clock, self.metrics)
        teller = Teller(self.view, outbox)
        self._cut_offs = CutOffRecorder(clock, gateway.skew, self.metrics, teller)
        self._events = EventWriting(outbox, EventApplier(gateway), self._cut_offs.under_way_for)
        self._story = LedgerStory(lambda: self.leads, teller)
        self._routing = Routing(self.view, self.queue, self._counts_due, self._cut_offs, self._story)
        self.view.sources.on_change = self._routing.source_changed
        self._subscriptions: Subscriptions | None = None
        self._domains = TrustDomains()
        self._intake = Intake(self.view, self._routing, self._takes_part)
        self._told = ToldTargets(lambda issuer: self._routing.wake(issuer_key(issuer)))
        writes = SharedWrites(self.view, gateway, self._intake, self._story, teller)
        self._probing = Probing(
            settings.controller, prober or NetworkProber(clock), clock, self._routing, self.metrics.probed
        )
        self._canaries = CanaryProbing(
            CanaryBook(),
            self._probing.book,
            canary_prober or NetworkCanaries(),
            clock,
            self._routing,
            gate_service=settings.gate_service is not None,
        )
        shared = Shared(
            view=self.view,
            gateway=gateway,
            clock=clock,
            intake=self._intake,
            routing=self._routing,
            planes=planes,
            issuer_memories=self._issuer_memories,
            certificate_memories=self._certificate_memories,
            domains=self._domains,
            cut_offs=self._cut_offs,
            writes=writes,
            probing=self._probing,
            canaries=self._canaries,
            told=self._told,
        )
        self._reconciler, self._issuers = joined(shared, source, self.metrics)
        self._rollback = Rollback(
            gateway,
            self.view.ledger.store,
            noticed=self._rolled_back,
            restored=self._routing.restored,
            is_over=self._is_over,
        )
        self._figures = Figures(
            view=self.view,
            domains=self._domains,
            clock=clock,
            leads=lambda: self.leads,
            lease_age=lambda: self._leadership.renewed_ago if self._leadership is not None else None,
            pending=self._cut_offs.pending,
            longest_lag=lambda: self.metrics.longest_lag.seconds,
            unsynced=lambda: not_synced(self.view),
            probed=self._probing.book.probed,
            told=self._told.of,
            canaries=self._canaries.of,
        )
        self._resync = Resync(
            self.view,
            gateway,
            self._intake.changed,
            settings.namespaces,
            self._rollback.notice,
        )

    def readiness(self) -> Readiness:
        """Whether a full view of the cluster was heard and is kept up to date, and what is wrong with it.

        A namespace's own lists that fail are named, and make nothing unready: that would be for one tenant to do.
        """
        view, now = self.view, self._clock.now()
        vital = {kind.plural for kind in (*self.kinds(), ISSUED_CERTIFICATE)}
        unsynced = view.unsynced()
        lapsed = any(u.error and u.plural in vital and now >= u.since + LAPSED for u in unsynced)
        down = self.kopf.troubled_for(asyncio.get_running_loop().time())
        kopf = f"the watches of Kopf stop again and again, for {down:.0f} s now" if down else ""
        heard = view.ledger.synced and view.certificates.synced and view.issuers.synced
        return Readiness(
            ready=heard and not lapsed and down < LAPSED.total_seconds(),
            part=self.part,
            troubles=[*(f"not synced: {source}" for source in unsynced), *([kopf] if kopf else ())],
        )

    def known(self) -> int:
        """How much this process knows: objects, and clients that were looked at."""
        return self.view.held() + len(self._certificate_memories)

    @property
    def leads(self) -> bool:
        """Whether this process plans and writes now."""
        return self._leadership is None or self._leadership.leads()

    @property
    def part(self) -> str:
        """What this process does beside others."""
        if self._leadership is None or self.leads:
            return "leads"
        return f"stands by; {self._leadership.holder or 'nobody'} leads"

    async def scrape(self) -> bytes:
        """What `/metrics` shows."""
        return await self.metrics.render(self._figures)

    def _is_over(self, record: Record) -> bool:
        found = self.view.issuers.get(record.issuer)
        if found is None or isinstance(found.spec, str):
            return False
        return retention.is_over(record, found.spec, self._clock.now())

    def _counts_due(self, issuer: ObjectKey) -> bool:
        due = self._issuer_memories.get(issuer).counts_due
        return due is None or due <= self._clock.now()

    def _takes_part(self, namespace: str) -> None:
        if self._subscriptions is not None:
            self._subscriptions.join(namespace)

    def _rolled_back(self) -> None:
        self._issuers.rolled_back_at = self._clock.now()
        self._issuer_memories.forget_views()
        self._certificate_memories.forget_views()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. Raises (in a group) Lost where another process has taken over."""
        stop_kopf = threading.Event()
        runner = None
        if self._settings.health_port is not None:
            runner = await health.serve(self._settings.health_port, self.readiness, self.scrape)
        try:
            async with asyncio.TaskGroup() as group:
                leads, tasks = True, []
                if self._leadership is not None:
                    tasks.append(group.create_task(self._leadership.keep()))
                    leads = await self._leads_soon(self._leadership)
                tasks += self._start(group, stop_kopf, leads=leads)
                await stop.wait()
                stop_kopf.set()
                await _end(tasks)
                if self._leadership is not None:
                    await self._leadership.release()
                self._subscriptions = None
                group.create_task(_cancel_others())
        except* _Stopped:
            logger.info("stopped")
        finally:
            stop_kopf.set()
            if runner is not None:
                await runner.cleanup()

    async def _leads_soon(self, leadership: Leadership) -> bool:
        """Whether it leads from the start: then each list that it asks for shows all that the last leader wrote."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_CLAIM):
                await leadership.led()
                return True
        return False

    def _start(self, group: asyncio.TaskGroup, stop_kopf: threading.Event, *, leads: bool) -> list[asyncio.Task[None]]:
        scope, notice = self._settings.namespaces, self._rollback.notice
        subscriptions = Subscriptions(
            self.view, self._gateway, group, self._routing, scope, notice, self._settings.most_files
        )
        self._subscriptions = subscriptions
        kopf_again = threading.Event()

        async def start_over() -> None:
            kopf_again.set()
            await self._start_over(subscriptions)

        subscriptions.start()
        watched = kopf_handlers.Watched(self.kinds(), scope)
        tasks = [
            group.create_task(
                kopf_handlers.supervise(
                    self.handle,
                    self._login,
                    watched,
                    self.kopf,
                    stop=stop_kopf,
                    again=kopf_again,
                    restarted=self.metrics.kopf_restarted,
                )
            ),
            group.create_task(self._resync.keep()),
            group.create_task(subscriptions.keep()),
            group.create_task(self._settings_reader().keep()),
            group.create_task(self._rollback.keep(start_over, self._routing.rolled_back)),
            group.create_task(self._work(subscriptions, leads=leads)),
            group.create_task(self._probe()),
            group.create_task(self._write_events()),
        ]
        if self._settings.health_port is not None:
            tasks.append(group.create_task(loop_lag.measure(self.metrics.lag)))
        return tasks

    def _settings_reader(self) -> SettingsReader:
        configmaps = {plane.settings_at: plane.settings_read for plane in self._planes if plane.settings_at is not None}
        return SettingsReader(self.view.surroundings, self._gateway, configmaps, self._routing.surroundings_changed)

    async def _write_events(self) -> None:
        if self._leadership is not None:
            await self._leadership.led()
        await self._events.keep()

    async def _probe(self) -> None:
        controller = self._settings.controller
        if controller is None:
            return
        if self._leadership is not None:
            await self._leadership.led()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probing.keep(controller, self._gateway, self._settings.account))
            group.create_task(self._canaries.keep())

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that people write, which Kopf watches."""
        return (ISSUER, CLIENT_CERTIFICATE, *(plane.kind for plane in self._planes))

    async def _work(self, subscriptions: Subscriptions, *, leads: bool) -> None:
        """Plan and write, as soon as this process leads, and knows all that the last leader wrote."""
        if self._leadership is not None and not leads:
            await self._leadership.led()
            await self._start_over(subscriptions)
        await work(
            self.queue,
            self._reconcile,
            clock=self._clock,
            transient=(ApiError,),
            count=WORKERS,
            reserved=RESERVED,
            retry_after=retry_after,
        )

    async def _reconcile(self, key: Key) -> datetime | None:
        """While the Lease cannot be renewed all work rests: else every key would fail, and rest for minutes after it was."""
        if self._leadership is not None:
            await self._leadership.led()
        return await self._reconciler.reconcile(key)

    async def _start_over(self, subscriptions: Subscriptions) -> None:
        """List everything again."""
        subscriptions.start_over()
        await self._resync.catch_up()

    def handle(self, plural: str, event: str, body: Object) -> None:
        """One event of a kind that people write; `event` "" is Kopf's first listing."""
        if event == "":
            self._resync.relisted(plural)
        self._intake.event(plural, event, body)


class _Stopped(Exception):
    """Ends the task group, and with it every task in it."""


async def _cancel_others() -> None:
    raise _Stopped


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """On return none of them writes any more."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

"""One Publisher over a cluster in memory, and what happens in the cluster between its steps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, NAMESPACE, SECRET, Kind, Object
from doorward.cluster.store import version_of
from doorward.issuers.memory import Committed, IssuerMemories, IssuerMemory
from doorward.issuers.publish import Publisher
from doorward.objects import crl_configmap, ledger_record, trust_bundle
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.ca_identity import identity
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl, read_crl
from doorward.planning.crl import Terms
from doorward.planning.observed import Authority
from doorward.planning.plan import PublishCrl
from doorward.probes.canary_book import CanaryBook
from doorward.view.cut_offs import CutOffWatch
from doorward.view.intake import Intake
from doorward.view.keys import Key
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.trust_domains import LoadedCa
from doorward.workqueue.queue import WorkQueue
from tests.support.clock import FakeClock
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit import given
from tests.unit.given import DAY, HOUR, ISSUER, NOW

AT = ObjectKey(ISSUER.namespace, f"{ISSUER.name}-crl")
SHOP = "shop"
"""A namespace with a gate."""
CAS = {1: given.ca(), 2: given.ca(102), 3: given.ca(103)}
"""By generation."""
ONE = given.record(1, revocation=given.revocation())
TWO = given.record(2, revocation=given.revocation())
HELD = given.record(1, revocation=given.own_hold())
LIFTED = given.record(1, revocation=given.own_hold(lifted=True))


def authority(generation: int = 1) -> Authority:
    return given.authority(
        generation=generation,
        public_key_sha256=trust_bundle.anchor_of(CAS[generation].anchor).public_key_sha256,
        identity=identity(CAS[generation].certificate),
        sha256=f"of generation {generation}",
    )


def held(*generations: int) -> dict[int, LoadedCa]:
    return {g: LoadedCa(version=1, authority=authority(g), signer=CAS[g]) for g in generations}


def signed(generation: int, *entries: CrlEntry, number: int = 5, ca: int | None = None) -> PublishedCrl:
    """A real CRL of a generation, or of another one's key in its name."""
    signer = CAS[ca or generation]
    pem = build_crl(ca=signer, entries=entries, number=number, this_update=NOW - 2 * HOUR, next_update=NOW + 6 * DAY)
    return read_crl(pem, signer.certificate)


def trust(lists: dict[int, PublishedCrl], **override: Any) -> PublishedTrust:
    """The bundle of these CRLs and their anchors."""
    anchors = {g: trust_bundle.anchor_of(CAS[g].anchor) for g in lists}
    made = PublishedTrust(anchors=anchors, crls=lists, size=trust_bundle.bundle_of(anchors, lists).size)
    return replace(made, **override)


def terms(*generations: int, **override: Any) -> Terms:
    made = Terms(
        generations=frozenset(generations or (1,)),
        retained=frozenset(),
        adopting=None,
        this_update=NOW - HOUR,
        next_update=NOW + 7 * DAY,
    )
    return replace(made, **override)


def routing(view: View, queue: WorkQueue[Key]) -> Routing:
    """Nobody measures cut-offs, and no counts are due."""
    return Routing(view, queue, lambda _: False, mock.Mock(spec=CutOffWatch))


class WatchedGateway(MemoryGateway):
    """`before`: what happens in the cluster before the next call of a verb on a kind arrives there; once each."""

    def __init__(self, cluster: MemoryCluster) -> None:
        super().__init__(cluster)
        self.before: dict[tuple[str, Kind], Callable[[], None]] = {}
        self.reads: list[tuple[str, Kind]] = []

    def _now(self, verb: str, kind: Kind) -> None:
        self.reads.append((verb, kind))
        if (happens := self.before.pop((verb, kind), None)) is not None:
            happens()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        self._now("get", kind)
        return await super().get(kind, namespace, name)

    async def list(self, kind: Kind, *args: Any, **kwargs: Any) -> tuple[list[Object], str]:
        self._now("list", kind)
        return await super().list(kind, *args, **kwargs)

    async def create(self, kind: Kind, *args: Any, **options: Any) -> Object:
        self._now("create", kind)
        return await super().create(kind, *args, **options)

    async def replace(self, kind: Kind, *args: Any) -> Object:
        self._now("replace", kind)
        return await super().replace(kind, *args)

    async def delete(self, kind: Kind, *args: Any, **options: Any) -> None:
        self._now("delete", kind)
        await super().delete(kind, *args, **options)


class PublisherBed:
    """An issuer whose first CA generation is held; nothing is published."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.cluster = MemoryCluster(self.clock)
        for namespace in (ISSUER.namespace, SHOP):
            self.cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, "kubectl")
        self.gateway = WatchedGateway(self.cluster)
        self.view = View(FakeClock(NOW), account=given.ACCOUNT)
        self.view.ledger.store.listed(None, heard=True)
        self.view.opted_in = {ISSUER.namespace: True, SHOP: True}
        self.queue: WorkQueue[Key] = WorkQueue(self.clock)
        self.intake = Intake(self.view, routing(self.view, self.queue), lambda _: None)
        self.memories = IssuerMemories()
        self.publisher = Publisher(self.view, self.gateway, self.clock, self.intake, self.memories, CanaryBook())
        self.remember(held=held(1))

    @property
    def memory(self) -> IssuerMemory:
        return self.memories.get(ISSUER)

    def remember(self, **change: Any) -> None:
        self.memories.keep(ISSUER, replace(self.memory, **change))

    async def commit(self, *generations: int, entries: Mapping[int, int] | None = None, **override: Any) -> None:
        action = PublishCrl(terms=terms(*generations, **override), entries=entries or {})
        await self.publisher.commit(ISSUER, action)

    # What is in the cluster, and what the view was told of it

    def put(self, lists: dict[int, PublishedCrl]) -> Object:
        """Another process writes the bundle of these CRLs."""
        body = self.cluster.find(CONFIG_MAP, AT)
        published = trust(lists)
        version = body["metadata"]["resourceVersion"] if body is not None else None
        bundle = trust_bundle.bundle_of(published.anchors, published.crls)
        rendered = crl_configmap.render_configmap(ISSUER, bundle, version=version)
        if body is None:
            return self.cluster.create(CONFIG_MAP, AT.namespace, rendered, "another")
        return self.cluster.replace(CONFIG_MAP, AT, rendered, "another")

    def publish(self, lists: dict[int, PublishedCrl], **override: Any) -> None:
        """This is published, told, and was looked at: what a plan is made on."""
        body = self.put(lists)
        self.view.configmaps.put(body)
        self.look_at(body, trust(lists, **override))

    def look_at(self, body: Object, published: PublishedTrust) -> None:
        bundle = crl_configmap.parse_configmap(body)
        committed = Committed(
            version=version_of(body),
            cas=self.memory.cas(),
            bundle=bundle,
            digest=trust_bundle.digest(bundle),
            published=published,
        )
        self.remember(committed=committed)

    def record(self, record: Record, *, told: bool = True) -> Object:
        """A record is as given from now on; not `told`: the watch is behind."""
        body = ledger_record.render_again(record)
        if self.cluster.find(ISSUED_CERTIFICATE, record.key) is None:
            written = self.cluster.create(ISSUED_CERTIFICATE, record.key.namespace, body, "kubectl")
        else:
            written = self.cluster.replace(ISSUED_CERTIFICATE, record.key, body, "kubectl")
        if told:
            self.view.ledger.put(written)
        return written

    def gate(self, lists: dict[int, PublishedCrl], **data: str) -> None:
        """The gate of the shop holds a copy."""
        published = trust(lists)
        bundle = trust_bundle.bundle_of(published.anchors, published.crls)
        body = crl_configmap.render_gate(ISSUER, SHOP, bundle, since=NOW, version=None)
        body["data"] |= data
        self.view.secrets.put(self.cluster.create(SECRET, SHOP, body, "doorward"))

    # What came of it

    def crls(self) -> dict[int, PublishedCrl]:
        """By generation, what is published now; empty: nothing."""
        body = self.cluster.find(CONFIG_MAP, AT)
        if body is None:
            return {}
        return trust_bundle.crls_of(
            crl_configmap.parse_configmap(body).crl, {g: ca.certificate for g, ca in CAS.items()}
        )

    def listed(self, generation: int = 1) -> list[int]:
        """The serials of its published CRL."""
        return sorted(self.crls()[generation].entries)

    def asked(self) -> Iterable[str]:
        """Each read, as verb and kind."""
        return [f"{verb} {kind.name}" for verb, kind in self.gateway.reads if verb in ("get", "list")]

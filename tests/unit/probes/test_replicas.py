"""Which replicas of the ingress controller are told to be there, and why there are none."""

import asyncio
from collections.abc import Iterator

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import NAMESPACE
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import NOT_KNOWN
from doorward.probes.replicas import ENDPOINT_SLICE, Replicas
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.memory_cluster import KINDS, MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit.given import ACCOUNT, NOW

CONTROLLER = ObjectKey("ingress", "controller")
ONE, TWO = Replica("192.0.2.1", 443, 80), Replica("192.0.2.2", 443, 80)
PEOPLE = "kubectl"


class World:
    """A cluster in memory, and what is told of the replicas, in virtual time."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.cluster = MemoryCluster(self.clock, kinds=(*KINDS, ENDPOINT_SLICE))
        for namespace in (CONTROLLER.namespace, "other"):
            self.cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, PEOPLE)
        self.gateway = MemoryGateway(self.cluster)
        self.told: list[tuple[tuple[Replica, ...], str]] = []
        self.runner = virtual_loop.runner(self.clock)
        self._following: asyncio.Task[None] | None = None

    def add(self, name: str, *addresses: str, service: str = CONTROLLER.name, namespace: str = "ingress") -> None:
        body = {
            "metadata": {"namespace": namespace, "name": name, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": [address]} for address in addresses],
            "ports": [{"name": "https", "port": 443}, {"name": "http", "port": 80}],
        }
        self.cluster.create(ENDPOINT_SLICE, namespace, body, PEOPLE)

    def after(self, seconds: float = 1.0) -> tuple[tuple[Replica, ...], str]:
        """What was told last."""

        async def follow() -> None:
            if self._following is None:
                replicas = Replicas(self.gateway, CONTROLLER, ACCOUNT, lambda *told: self.told.append(told))
                self._following = asyncio.create_task(replicas.keep())
            await asyncio.sleep(seconds)

        self.runner.run(follow())
        return self.told[-1]

    def cut_the_line(self, error: Exception) -> None:
        self.gateway.refuse_reads = lambda *_: error
        self.gateway.end_watches()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.runner.close()


def test_the_replicas_in_all_slices_of_the_service_are_told_and_no_others(world: World):
    world.add("a", TWO.address)
    world.add("b", ONE.address, TWO.address)
    world.add("c", "192.0.2.3", service="another")
    world.add("d", "192.0.2.4", namespace="other")
    assert world.after() == ((ONE, TWO), "")


def test_a_replica_that_comes_or_goes_is_told(world: World):
    world.add("a", ONE.address)
    world.after()
    world.add("b", TWO.address)
    assert world.after() == ((ONE, TWO), "")
    world.cluster.delete(ENDPOINT_SLICE, ObjectKey(CONTROLLER.namespace, "a"), PEOPLE)
    assert world.after() == ((TWO,), "")


def test_where_the_service_has_none_it_is_said_how_to_name_another(world: World):
    replicas, why = world.after()
    assert replicas == ()
    assert why.startswith("Service ingress/controller has no endpoints")
    assert "--controller" in why


def test_without_the_right_to_see_them_there_are_none_and_the_command_is_said(world: World):
    world.add("a", ONE.address)
    world.cut_the_line(Forbidden("no", status=403))
    replicas, why = world.after(60)
    assert replicas == ()
    assert "kubectl -n ingress create rolebinding doorward-probes --clusterrole=doorward-probes" in why
    assert f"--serviceaccount={ACCOUNT}" in why
    world.gateway.refuse_reads = lambda *_: None
    assert world.after(60) == ((ONE,), "")


def test_those_that_are_known_are_probed_on_while_the_api_server_is_away(world: World):
    world.add("a", ONE.address)
    world.after()
    world.cut_the_line(Transient("connection refused"))
    assert world.after(60) == ((ONE,), "")


def test_while_nothing_was_listed_yet_it_is_said_that_they_are_not_known(world: World):
    world.cut_the_line(Transient("connection refused"))
    assert world.after(60) == ((), NOT_KNOWN)


def test_where_none_are_known_and_the_api_server_is_away_that_is_said(world: World):
    world.after()
    world.cut_the_line(Transient("connection refused"))
    assert world.after(60) == ((), "the EndpointSlices of Service ingress/controller cannot be read")

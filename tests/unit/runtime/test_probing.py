"""What looks tell the probes, and whom a probe wakes: the driver by itself, with a prober that finds what it is told."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from doorward.cluster.gateway import INGRESS
from doorward.gates.interface import Target
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning import gate
from doorward.planning.enforcement import FIRST, Heard, Verdict
from doorward.planning.enforcement_status import FIRST_ROUND
from doorward.planning.observed import Unseen
from doorward.planning.separation import Naming
from doorward.probes.book import OTHERS
from doorward.runtime.probing import OFF, Controller, Probing
from doorward.view.keys import issuer_key, target_key
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.unit import given
from tests.unit.given import ISSUER, NOW, SECOND

REPLICA = Replica("192.0.2.7", 443, 80)
CONTROLLER = Controller(ObjectKey("ingress", "controller"), (REPLICA,))
SHOP = target_key(INGRESS, ObjectKey("edge", "shop"))
REFUSED, OPEN = (Verdict.REFUSED, ""), (Verdict.OPEN, "answers 200")
A_WHILE = FIRST + 2 * SECOND


class World:
    """The driver, what its prober finds, and who was woken."""

    def __init__(self, controller: Controller | None = CONTROLLER) -> None:
        self.clock = FakeClock(NOW)
        self.finds = REFUSED
        self.woken: list[Any] = []
        self.counted: list[Verdict] = []
        routing = cast("Any", SimpleNamespace(wake=self.woken.append))
        self.probing = Probing(controller, cast("Any", self), self.clock, routing, self.counted.append)
        self.book = self.probing.book
        self.runner = virtual_loop.runner(self.clock)
        self._keeping: asyncio.Task[None] | None = None

    async def probe(self, *_: object) -> tuple[tuple[Verdict, str], ...]:
        return (self.finds,)

    async def unnamed(self, _: Replica) -> dict[Naming, Heard]:
        return dict.fromkeys(Naming, Heard())

    def looked(self, *hosts: str, **seen: Any) -> None:
        of = Target(
            key=SHOP.at,
            reference="x",
            wants_optional=False,
            other_secret=False,
            hosts=hosts,
            host_paths=("/",) * len(hosts),
        )
        target = given.target(**seen)
        self.probing.looked(SHOP, of, target, gate.decide(target, NOW))

    def after(self, time: timedelta) -> list[Any]:
        """Who is woken in that time."""

        async def keep() -> None:
            if self._keeping is None:
                work = self.probing.keep(CONTROLLER, cast("Any", None), "")
                self._keeping = asyncio.create_task(work)
            await asyncio.sleep(time.total_seconds())

        self.woken.clear()
        self.runner.run(keep())
        return list(self.woken)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.book.published(ISSUER, [b"ours"], 1, NOW)
    yield made
    made.runner.close()


def test_the_issuer_is_woken_where_its_target_is_new_and_not_where_it_changes(world: World):
    world.looked("shop.example")
    assert world.woken == [issuer_key(ISSUER)]
    world.looked("shop.example", asks=True)
    assert world.woken == [issuer_key(ISSUER)]


def test_hosts_that_no_client_can_name_and_more_than_are_probed_are_not_asked(world: World):
    many = [f"host-{number:03}.example" for number in range(101)]
    for hosts, asked, others in (
        (["shop.example"], ["shop.example"], ""),
        (["", "münchen.example", "a" * 254, "shop.example"], ["shop.example"], "3 more hosts"),
        (["a" * 253], ["a" * 253], ""),
        (many, many[:100], "1 more hosts"),
    ):
        world.looked(*hosts)
        gates = world.book.probed(ISSUER).gates
        assert [each.host for each in gates if not each.unprobed] == asked
        assert [each.unprobed[:12] for each in gates if each.host == OTHERS] == ([others] if others else [])


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"reference": None}, id="it did not opt in"),
        pytest.param({"reference": "a/b/c"}, id="it names no issuer"),
        pytest.param({"issuer": Unseen.ABSENT}, id="its issuer is not there"),
        pytest.param({"allowed": False}, id="its namespace is not allowed"),
    ],
)
def test_a_target_is_not_probed_where(world: World, seen: dict[str, Any]):
    world.looked("shop.example")
    world.looked("shop.example", **seen)
    assert world.book.probed(ISSUER).gates == ()


def test_a_host_that_a_probe_finds_open_wakes_its_issuer_and_its_target_at_once(world: World):
    world.looked("shop.example")
    world.after(A_WHILE)
    world.finds = OPEN
    assert world.after(timedelta(seconds=16)) == [issuer_key(ISSUER), SHOP]
    world.finds = REFUSED
    assert world.after(timedelta(seconds=16)) == [issuer_key(ISSUER), SHOP], "it is closed again"


def test_a_host_that_is_as_it_should_be_wakes_its_issuer_once_and_no_target(world: World):
    world.looked("shop.example")
    assert set(world.after(A_WHILE)) == {issuer_key(ISSUER)}
    assert world.after(timedelta(minutes=5)) == []
    assert set(world.counted) == {Verdict.REFUSED}


def test_what_shows_nothing_wakes_the_issuer_alone(world: World):
    world.looked("shop.example")
    world.after(A_WHILE)
    world.finds = (Verdict.UNCLEAR, "answers 502")
    assert world.after(timedelta(seconds=16)) == [issuer_key(ISSUER)]
    assert world.after(timedelta(minutes=1)) == []


@pytest.mark.parametrize(
    ("mode", "asks", "each"),
    [("EveryRequest", True, True), ("EveryRequest", False, False), ("Handshake", True, False)],
)
def test_a_canary_looks_for_the_gate_service_where_it_is_to_be_asked_at_each_request(
    world: World, mode: str, asks: bool, each: bool
):
    world.looked("shop.example", asks=asks, issuer=given.issuer_spec(enforcement={"mode": mode}))
    asked = world.book.a_host_of_each_gate(ISSUER, REPLICA, NOW)["edge"]
    assert asked.every_request is each


def test_a_target_is_probed_again_soon_after_anything_of_it_changed_but_what_probes_found(world: World):
    world.looked("shop.example")
    world.probing.listed((REPLICA,), "")
    later = NOW + FIRST
    world.clock.advance(seconds=FIRST.total_seconds())
    world.looked("shop.example", found_open="host shop.example answers 200")
    assert world.book.take(REPLICA, later) is not None
    world.looked("shop.example", overrides=True)
    world.probing.listed((), "")
    world.probing.listed((REPLICA,), "")
    assert world.book.take(REPLICA, later) is None
    assert world.book.take(REPLICA, later + FIRST) is not None


def test_a_probe_that_fails_is_not_counted_and_the_gate_is_tried_again(world: World):
    async def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    finds, world.probe = world.probe, fails  # type: ignore[method-assign, assignment]
    world.looked("shop.example")
    world.after(A_WHILE)
    assert world.counted == []
    world.probe = finds  # type: ignore[method-assign]
    world.after(timedelta(minutes=1))
    assert world.counted[:1] == [Verdict.REFUSED]


def test_what_was_said_to_be_open_stands_until_this_process_has_asked_or_had_time_to(world: World):
    world.looked("shop.example")
    world.probing.listed((REPLICA,), "")
    assert world.probing.was_open(SHOP, "FoundOpen: host shop.example answers 200")
    assert not world.probing.was_open(SHOP, "Protected: x")
    world.after(A_WHILE)
    assert not world.probing.was_open(SHOP, "FoundOpen: x"), "it has asked"
    late = World()
    late.looked("shop.example")
    late.clock.advance(seconds=FIRST_ROUND.total_seconds() - 1)
    assert late.probing.was_open(SHOP, "FoundOpen: x")
    late.clock.advance(seconds=1)
    assert not late.probing.was_open(SHOP, "FoundOpen: x")
    late.runner.close()


def test_without_a_controller_it_is_said_that_probes_are_off_and_nothing_is_kept():
    off = World(None)
    off.looked("shop.example")
    assert (off.book.probed(ISSUER).unprobed, off.book.probed(ISSUER).since) == (OFF, None)
    assert not off.probing.was_open(SHOP, "FoundOpen: x")
    off.runner.close()


def test_issuers_are_woken_where_the_replicas_differ_and_not_where_they_are_the_same(world: World):
    world.looked("shop.example")
    world.woken.clear()
    other = Replica("192.0.2.8", 443, 80)
    for replicas, why, woken in (
        ((REPLICA,), "", True),
        ((REPLICA,), "", False),
        ((REPLICA, other), "", True),
        ((REPLICA, other), "away", True),
        ((), "away", True),
        ((), "away", False),
    ):
        world.probing.listed(replicas, why)
        assert world.woken == ([issuer_key(ISSUER)] if woken else [])
        world.woken.clear()

"""Processes that compete for one Lease, in virtual time: when each leads, and when it writes no more."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from doorward.cluster import lease
from doorward.cluster.errors import NotLeading, Transient
from doorward.cluster.gateway import CONFIG_MAP, LEASE, NAMESPACE
from doorward.cluster.guarded import GuardedGateway
from doorward.cluster.leadership import Leadership, Lost
from doorward.objects.meta import ObjectKey
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.gateway_contract import config_map
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import Fault, MemoryGateway
from tests.unit.given import NOW

AT = ObjectKey("doorward-system", "doorward")


class Candidate:
    """One process: its own connection, its own claim."""

    def __init__(self, arena: "Arena", name: str) -> None:
        self.gateway = MemoryGateway(arena.cluster, latency=0.01)
        self.leadership = Leadership(self.gateway, arena.clock, AT, name)
        self.guarded = GuardedGateway(self.gateway, self.leadership)
        self.task = arena.runner.get_loop().create_task(self.leadership.keep())


class Arena:
    """A cluster, and candidates that start one after the other."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.cluster = MemoryCluster(self.clock)
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": AT.namespace}}, "test")
        self.runner = virtual_loop.runner(self.clock)
        self.candidates: list[Candidate] = []

    def start(self, name: str) -> Candidate:
        self.candidates.append(Candidate(self, name))
        self.go_on(1.0)
        return self.candidates[-1]

    def go_on(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    def cut(self, candidate: Candidate, seconds: float) -> None:
        """Its requests get no answer for so long."""
        candidate.gateway.latency = seconds
        self.go_on(seconds)
        candidate.gateway.latency = 0.01

    def edit(self, **spec: object) -> None:
        self.cluster.merge_patch(LEASE, AT, {"spec": spec}, "kubectl", "")

    def until(self, candidate: Candidate) -> float:
        """Seconds until it leads."""
        begun = self.clock.monotonic()
        while not candidate.leadership.leads():
            self.go_on(0.1)
        return self.clock.monotonic() - begun

    def close(self) -> None:
        async def end() -> None:
            for candidate in self.candidates:
                candidate.task.cancel()
                with suppress(asyncio.CancelledError, Lost):
                    await candidate.task

        self.runner.run(end())
        self.runner.close()


@pytest.fixture
def arena() -> Iterator[Arena]:
    arena = Arena()
    yield arena
    arena.close()


def leading(arena: Arena) -> list[bool]:
    return [candidate.leadership.leads() for candidate in arena.candidates]


def test_the_first_leads_for_as_long_as_it_renews(arena: Arena):
    arena.start("a")
    arena.start("b")
    arena.go_on(120)
    assert leading(arena) == [True, False]


def test_the_next_leads_when_the_first_is_silent_for_the_lease_s_duration(arena: Arena):
    first, second = arena.start("a"), arena.start("b")
    first.task.cancel()
    assert lease.DURATION - lease.RENEW_EVERY < arena.until(second) < lease.DURATION + 1
    assert leading(arena) == [False, True]


def test_the_next_leads_at_once_when_the_first_lets_go(arena: Arena):
    first, second = arena.start("a"), arena.start("b")
    first.task.cancel()
    arena.runner.run(first.leadership.release())
    assert arena.until(second) < 1
    assert leading(arena) == [False, True]


def test_one_that_does_not_lead_lets_nothing_go(arena: Arena):
    arena.start("a")
    second = arena.start("b")
    arena.runner.run(second.leadership.release())
    assert arena.cluster.get(LEASE, AT)["spec"]["holderIdentity"] == "a"


def test_a_release_that_races_with_a_renewal_whose_answer_was_lost_succeeds(arena: Arena):
    first = arena.start("a")
    first.gateway.faults[len(first.gateway.writes) + 1] = Fault(Transient("timeout"), done=True)
    arena.go_on(lease.RENEW_EVERY)
    arena.runner.run(first.leadership.release())
    assert arena.cluster.get(LEASE, AT)["spec"]["holderIdentity"] == ""


def test_one_whose_claim_was_answered_by_nobody_finds_it_and_leads(arena: Arena):
    first = arena.start("a")
    first.gateway.faults[len(first.gateway.writes) + 1] = Fault(Transient("timeout"), done=True)
    arena.go_on(30)
    assert leading(arena) == [True]


def test_one_that_cannot_renew_writes_nothing_from_the_deadline_on_and_leads_again_where_nobody_took_over(arena: Arena):
    first = arena.start("a")
    arena.cut(first, lease.DEADLINE + 0.5)
    assert leading(arena) == [False]
    arena.go_on(5)
    assert leading(arena) == [True]


def test_one_that_comes_back_after_another_took_over_has_lost_for_good(arena: Arena):
    first, second = arena.start("a"), arena.start("b")
    arena.cut(first, lease.DURATION + 3)
    assert leading(arena) == [False, True]
    arena.go_on(2 * lease.DURATION)
    with pytest.raises(Lost, match="b has taken"):
        first.task.result()
    assert second.leadership.leads()


def test_one_that_finds_another_name_in_its_lease_has_lost_at_once(arena: Arena):
    first = arena.start("a")
    arena.edit(holderIdentity="somebody")
    arena.go_on(lease.RENEW_EVERY + 0.1)
    with pytest.raises(Lost, match="somebody has taken"):
        first.task.result()
    assert leading(arena) == [False]


def test_a_lease_that_was_deleted_stays_its_holder_s(arena: Arena):
    arena.start("a")
    arena.start("b")
    arena.cluster.delete(LEASE, AT, "kubectl")
    arena.go_on(30)
    assert leading(arena) == [True, False]


def test_a_label_on_the_lease_moves_nobody(arena: Arena):
    arena.start("a")
    arena.start("b")
    arena.cluster.merge_patch(LEASE, AT, {"metadata": {"labels": {"x": "y"}}}, "kubectl", "")
    arena.go_on(30)
    assert leading(arena) == [True, False]


def test_never_do_two_lead_however_long_each_is_cut_off(arena: Arena):
    first, second = arena.start("a"), arena.start("b")
    for number in range(40):
        for candidate in (first, second):
            candidate.gateway.latency = 0.01 + ((number * 7 + 3 * (candidate is first)) % 11)
        arena.go_on(3.0)
        assert leading(arena) != [True, True]


def test_who_waits_to_lead_is_told_at_once_the_first_time_and_again(arena: Arena):
    first = arena.start("a")
    arena.runner.run(first.leadership.led())
    arena.cut(first, lease.DEADLINE + 0.5)
    assert leading(arena) == [False]
    arena.runner.run(first.leadership.led())
    assert leading(arena) == [True]


async def create(candidate: Candidate) -> None:
    await candidate.guarded.create(CONFIG_MAP, AT.namespace, config_map())


def test_a_write_of_one_that_stands_by_is_not_even_asked_for(arena: Arena):
    arena.start("a")
    second = arena.start("b")
    with pytest.raises(NotLeading, match="b may not write: a was seen to lead"):
        arena.runner.run(create(second))
    assert second.gateway.writes == []


def test_a_write_of_the_leader_passes(arena: Arena):
    arena.runner.run(create(arena.start("a")))
    assert arena.cluster.find(CONFIG_MAP, ObjectKey(AT.namespace, "thing")) is not None


def test_a_write_that_has_no_answer_is_given_up_with_the_lease(arena: Arena):
    first = arena.start("a")
    first.gateway.latency = 100.0
    begun = arena.clock.monotonic()
    with pytest.raises(NotLeading, match="could not renew"):
        arena.runner.run(create(first))
    assert arena.clock.monotonic() - begun <= lease.DEADLINE


def test_a_slow_write_goes_on_for_as_long_as_the_lease_is_renewed(arena: Arena):
    first = arena.start("a")

    async def slowly() -> None:
        async with first.leadership.while_leading():
            await asyncio.sleep(5 * lease.DEADLINE)

    arena.runner.run(slowly())
    assert leading(arena) == [True]

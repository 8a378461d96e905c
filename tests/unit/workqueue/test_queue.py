"""Which key is worked on next: each once at a time, none forgotten, cut-offs first, and no share before all others."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from doorward.workqueue import queue as module
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import LONGEST_SLEEP, SLACK, WorkQueue
from tests.support.clock import FakeClock
from tests.support.turns import Turns

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def queue(clock):
    return WorkQueue(clock)


async def ready(queue):
    """Every key that is ready, in order; each is left as being worked on."""
    keys = []
    async with asyncio.timeout(5):
        while len(queue):
            keys.append(await queue.get())
    return keys


async def fall_due(queue, clock, **by):
    """Let time pass; what falls due is worked on, in order, until the marker that was made ready last."""
    clock.advance(**by)
    queue.add("marker", Priority.ISSUANCE)
    keys = []
    while "marker" not in keys:
        keys.append(await queue.get())
    return [key for key in keys + await ready(queue) if key != "marker"]


async def test_keys_are_worked_on_in_the_order_in_which_they_became_ready(queue):
    for key in "abc":
        queue.add(key)
    assert await ready(queue) == ["a", "b", "c"]


async def test_a_key_that_becomes_ready_twice_is_worked_on_once(queue):
    for key in "aba":
        queue.add(key)
    assert await ready(queue) == ["a", "b"]


async def test_a_key_is_never_worked_on_twice_at_once(queue):
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"


async def test_a_key_that_becomes_dirty_while_it_is_worked_on_runs_once_more(queue):
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    queue.done("a")
    assert await ready(queue) == ["a"]
    queue.done("a")
    assert queue.idle


async def test_a_key_that_is_done_does_not_run_again_by_itself(queue):
    queue.add("a")
    await queue.get()
    queue.done("a")
    assert queue.idle


async def test_the_queue_is_not_idle_while_a_key_is_worked_on(queue):
    queue.add("a")
    await queue.get()
    assert not queue.idle


async def test_priorities_go_one_after_the_other_whatever_came_first(queue):
    for priority in reversed(Priority):
        queue.add(priority.name, priority)
    assert await ready(queue) == ["CUT_OFF", "INTERACTIVE", "ISSUANCE", "BACKGROUND", "CA_CREATION"]


async def test_a_key_of_a_storm_that_a_cut_off_needs_goes_up_and_runs_once(queue):
    for key in "abc":
        queue.add(key, Priority.ISSUANCE)
    queue.add("c", Priority.CUT_OFF)
    assert await ready(queue) == ["c", "a", "b"]


async def test_a_key_that_a_cut_off_needs_does_not_go_down(queue):
    queue.add("a", Priority.CUT_OFF)
    queue.add("b", Priority.ISSUANCE)
    queue.add("a", Priority.ISSUANCE)
    assert await ready(queue) == ["a", "b"]


async def test_a_key_that_goes_up_while_it_is_worked_on_comes_back_before_the_storm(queue):
    queue.add("a", Priority.ISSUANCE)
    await queue.get()
    queue.add("a", Priority.ISSUANCE)
    queue.add("b", Priority.ISSUANCE)
    queue.add("a", Priority.CUT_OFF)
    queue.done("a")
    assert await ready(queue) == ["a", "b"]


@pytest.mark.parametrize(("priority", "most"), [(Priority.BACKGROUND, 8), (Priority.CA_CREATION, 1)])
async def test_few_keys_that_can_wait_are_worked_on_at_once_so_that_others_find_workers_free(queue, priority, most):
    for number in range(most + 1):
        queue.add(number, priority)
    assert [await queue.get() for _ in range(most)] == list(range(most))
    waiting = asyncio.create_task(queue.get())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    queue.add("a certificate", Priority.ISSUANCE)
    assert await waiting == "a certificate"
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.done(0)
    async with asyncio.timeout(5):
        assert await waiting == most


async def test_a_key_is_known_by_what_it_is_worked_on_for(queue):
    assert queue.working_priority("a") is None
    queue.add("a", Priority.BACKGROUND)
    await queue.get()
    queue.add("a", Priority.CUT_OFF)
    assert queue.working_priority("a") is Priority.BACKGROUND
    queue.done("a")
    assert queue.working_priority("a") is None


async def test_a_due_key_runs_when_its_instant_has_come_and_not_before(queue, clock):
    queue.add_at("a", NOW + 10 * SECOND)
    assert await fall_due(queue, clock, seconds=9) == []
    queue.done("marker")
    assert await fall_due(queue, clock, seconds=1) == ["a"]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(NOW + 20 * SECOND, id="a later one"),
        pytest.param(NOW + 5 * SECOND, id="an earlier one"),
        pytest.param(NOW + 10 * SECOND, id="the same one"),
    ],
)
async def test_a_due_time_is_replaced_by(queue, clock, second):
    queue.add_at("a", NOW + 10 * SECOND)
    queue.add_at("a", second)
    ran = []
    for _ in range(30):
        found = await fall_due(queue, clock, seconds=1)
        ran += [(key, clock.now()) for key in found]
        for key in ("marker", *found):
            queue.done(key)
    assert ran == [("a", second)]


async def test_no_due_time_takes_the_last_one_away(queue, clock):
    queue.add_at("a", NOW + 10 * SECOND)
    queue.add_at("a", None)
    assert await fall_due(queue, clock, hours=1) == []


async def test_an_event_makes_a_key_ready_before_its_due_time(queue):
    queue.add_at("a", NOW + 10 * SECOND)
    queue.add("a")
    assert await ready(queue) == ["a"]


async def test_the_due_time_stays_as_insurance_after_an_event(queue, clock):
    queue.add_at("a", NOW + 10 * SECOND)
    queue.add("a")
    queue.done(await queue.get())
    assert await fall_due(queue, clock, seconds=10) == ["a"]


async def test_keys_fall_due_in_the_order_of_their_instants(queue, clock):
    for key, seconds in (("c", 3), ("a", 1), ("b", 2)):
        queue.add_at(key, NOW + seconds * SECOND)
    assert await fall_due(queue, clock, seconds=5) == ["a", "b", "c"]


async def test_a_cut_off_comes_back_before_a_storm_when_it_falls_due(queue, clock):
    queue.add("cut off", Priority.CUT_OFF)
    queue.add_at(await queue.get(), NOW + SECOND)
    queue.done("cut off")
    for key in "abc":
        queue.add(key, Priority.ISSUANCE)
    clock.advance(seconds=1)
    assert await queue.get() == "cut off"


async def test_a_key_that_falls_due_while_it_is_worked_on_waits_until_it_is_done(queue, clock):
    queue.add("a")
    queue.add_at(await queue.get(), NOW + SECOND)
    clock.advance(seconds=1)
    queue.add("b")
    assert await queue.get() == "b"
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_worker_that_waits_is_woken_by_an_event(queue):
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    async with asyncio.timeout(5):
        assert await waiting == "a"


async def test_two_workers_that_wait_get_one_key_each(queue):
    waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("b")
    async with asyncio.timeout(5):
        assert sorted(await asyncio.gather(*waiting)) == ["a", "b"]


async def test_a_wall_clock_that_is_set_forward_is_noticed_within_the_longest_sleep(queue, clock, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_SLEEP", 0.01)
    queue.add_at("a", NOW + timedelta(hours=1))
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    clock.set(NOW + timedelta(hours=2))
    async with asyncio.timeout(5):
        assert await waiting == "a"


@pytest.mark.parametrize(
    "due",
    [
        pytest.param(None, id="nothing is due"),
        pytest.param(NOW + timedelta(days=60), id="the next is due in months"),
        pytest.param(NOW + SECOND, id="the next is due in a second"),
    ],
)
async def test_no_sleep_is_longer_than_ten_seconds_when(queue, due, monkeypatch):
    slept = []
    monkeypatch.setattr(module.asyncio, "timeout", lambda seconds: slept.append(seconds) or asyncio.Timeout(0))
    queue.add_at("a", due)
    waiting = asyncio.create_task(queue.get())
    while not slept:
        await asyncio.sleep(0)
    waiting.cancel()
    assert max(slept) == min(LONGEST_SLEEP, (due - NOW).total_seconds() if due else LONGEST_SLEEP) <= 10.0


async def test_due_times_that_were_replaced_do_not_pile_up(queue, clock):
    for number in range(5 * SLACK):
        queue.add_at("a", NOW + timedelta(hours=1, seconds=number))
    assert len(queue._heap) <= SLACK + 2
    assert await fall_due(queue, clock, hours=3) == ["a"]


@pytest.mark.parametrize("how", ["at one instant", "since the clock was set back", "as their rests end"])
def test_a_thousand_keys_that_fall_due_hold_up_nobody(clock, how):
    walk = Turns(clock, 0.001)
    queue = WorkQueue(clock, share=walk.handle)
    for key in range(1000):
        if how == "as their rests end":
            queue.rest(key, 5)
            queue.add(key)
        else:
            queue.add_at(key, NOW + timedelta(hours=1))
    clock.advance(seconds=10)
    if how == "at one instant":
        clock.advance(hours=1)
    elif how == "since the clock was set back":
        clock.set(NOW - timedelta(hours=1))
    assert walk.beside(queue.get(), 1000) <= 6
    assert (len(queue), walk.handled) == (999, 1000)

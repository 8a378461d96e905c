"""A key that rests is left alone, whatever its own writes wake; only a cut-off ends its rest, and nothing is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import SLACK, WorkQueue
from tests.support.clock import FakeClock

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
OTHERS = [priority for priority in Priority if priority is not Priority.CUT_OFF]


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def queue(clock):
    return WorkQueue(clock)


async def taken(queue):
    """The keys that are ready now, each with what it is worked on for; they are done at once."""
    keys = []
    while True:
        waiting = asyncio.ensure_future(queue.get())
        for _ in range(3):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            return keys
        keys.append((waiting.result(), queue.working_priority(waiting.result())))
        queue.done(waiting.result())


@pytest.mark.parametrize("priority", OTHERS)
async def test_an_event_of_a_key_that_rests_makes_it_ready_at_the_end_of_the_rest(queue, clock, priority):
    queue.rest("a", 60)
    queue.add("a", priority)
    clock.advance(seconds=59.9)
    assert await taken(queue) == []
    clock.advance(seconds=0.1)
    assert await taken(queue) == [("a", priority)]


@pytest.mark.parametrize("priority", OTHERS)
async def test_an_event_that_came_while_the_key_was_worked_on_waits_for_the_rest_too(queue, clock, priority):
    queue.add("a")
    await queue.get()
    queue.add("a", priority)
    queue.rest("a", 60)
    queue.done("a")
    assert await taken(queue) == []
    clock.advance(seconds=60)
    assert await taken(queue) == [("a", priority)]


async def test_a_key_that_is_ready_and_shall_rest_is_ready_at_the_end_of_the_rest(queue, clock):
    queue.add("a", Priority.ISSUANCE)
    queue.rest("a", 60)
    assert await taken(queue) == []
    clock.advance(seconds=60)
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_a_cut_off_ends_the_rest(queue):
    queue.rest("a", 60)
    queue.add("a", Priority.BACKGROUND)
    queue.add("a", Priority.CUT_OFF)
    assert await taken(queue) == [("a", Priority.CUT_OFF)]


async def test_a_cut_off_that_came_while_the_key_was_worked_on_lets_it_not_rest(queue):
    queue.add("a")
    await queue.get()
    queue.add("a", Priority.CUT_OFF)
    queue.rest("a", 60)
    queue.done("a")
    assert await taken(queue) == [("a", Priority.CUT_OFF)]


async def test_a_cut_off_waits_for_its_part_of_the_rest(queue, clock):
    queue.rest("a", 60, cut_off_after=10)
    queue.add("a", Priority.ISSUANCE)
    queue.add("a", Priority.CUT_OFF)
    clock.advance(seconds=9.9)
    assert await taken(queue) == []
    clock.advance(seconds=0.1)
    assert await taken(queue) == [("a", Priority.CUT_OFF)]


async def test_a_cut_off_never_waits_longer_than_the_rest(queue, clock):
    queue.rest("a", 5, cut_off_after=10)
    queue.add("a", Priority.CUT_OFF)
    clock.advance(seconds=5)
    assert await taken(queue) == [("a", Priority.CUT_OFF)]


async def test_after_its_rest_a_key_is_ready_at_its_next_event(queue, clock):
    queue.rest("a", 60)
    clock.advance(seconds=60)
    queue.add("a", Priority.ISSUANCE)
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_a_rest_alone_makes_nothing_ready(queue, clock):
    queue.rest("a", 60)
    clock.advance(seconds=3600)
    assert await taken(queue) == []


async def test_what_falls_due_in_the_rest_is_ready_at_its_end(queue, clock):
    queue.rest("a", 60)
    queue.add_at("a", NOW + timedelta(seconds=10))
    clock.advance(seconds=59)
    assert await taken(queue) == []
    clock.advance(seconds=1)
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_what_falls_due_as_the_rest_ends_is_ready_then(queue, clock):
    queue.rest("a", 60)
    queue.add_at("a", NOW + timedelta(seconds=60))
    clock.advance(seconds=60)
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_many_events_in_a_rest_make_the_key_ready_once_at_the_highest_of_their_priorities(queue, clock):
    queue.rest("a", 60)
    for priority in (Priority.BACKGROUND, Priority.INTERACTIVE, Priority.ISSUANCE):
        queue.add("a", priority)
    clock.advance(seconds=60)
    assert await taken(queue) == [("a", Priority.INTERACTIVE)]


@pytest.mark.parametrize(("seconds", "ends"), [(30, 40), (120, 130)], ids=["sooner", "later"])
async def test_a_new_rest_replaces_the_last_and_what_was_held_back_is_not_lost(queue, clock, seconds, ends):
    queue.rest("a", 60)
    queue.add("a", Priority.ISSUANCE)
    clock.advance(seconds=10)
    queue.rest("a", seconds)
    clock.advance(seconds=ends - 10 - 0.1)
    assert await taken(queue) == []
    clock.advance(seconds=0.1)
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_the_rest_of_one_key_holds_back_no_other(queue):
    queue.rest("a", 60)
    queue.add("b", Priority.BACKGROUND)
    assert await taken(queue) == [("b", Priority.BACKGROUND)]


async def test_a_wall_clock_that_is_set_back_ends_every_rest(queue, clock):
    queue.rest("a", 60)
    queue.add("a", Priority.ISSUANCE)
    clock.set(NOW - timedelta(hours=1))
    assert await taken(queue) == [("a", Priority.ISSUANCE)]


async def test_a_worker_that_waits_is_woken_by_the_end_of_a_rest():
    class Running(FakeClock):
        def now_precise(self):
            return NOW + timedelta(seconds=asyncio.get_running_loop().time() - begun)

    begun = asyncio.get_running_loop().time()
    queue = WorkQueue(Running(NOW))
    queue.rest("a", 0.02)
    queue.add("a", Priority.ISSUANCE)
    async with asyncio.timeout(5):
        assert await queue.get() == "a"
    assert asyncio.get_running_loop().time() - begun >= 0.02


async def test_of_rests_that_are_over_nothing_is_kept(queue, clock):
    for number in range(3 * SLACK):
        queue.rest(number, 60)
        queue.add(number, Priority.CUT_OFF if number % 2 else Priority.ISSUANCE)
    for _ in range(5 * SLACK):
        queue.add("b", Priority.ISSUANCE)
        queue.rest("b", 60)
    assert len(queue._heap) <= 2 * len(queue._rests) + SLACK + 1
    clock.advance(seconds=60)
    assert len(await taken(queue)) == 3 * SLACK + 1
    assert (queue._rests, queue._due, queue._dirty, queue._processing, queue._held) == ({}, {}, {}, {}, {})

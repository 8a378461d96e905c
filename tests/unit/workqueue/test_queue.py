"""Which key is worked on next: each once at a time, none forgotten, people before storms."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies

from doorward.workqueue import queue as module
from doorward.workqueue.queue import LONGEST_SLEEP, MOST_MOVES, SLACK, Priority, WorkQueue
from tests.support.clock import FakeClock

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
    queue.add("marker", Priority.STORM)
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


async def test_people_go_before_a_storm_that_came_earlier(queue):
    for key in "abc":
        queue.add(key, Priority.STORM)
    queue.add("cut off")
    assert await ready(queue) == ["cut off", "a", "b", "c"]


async def test_a_key_of_the_storm_that_people_wait_for_goes_up_and_runs_once(queue):
    for key in "abc":
        queue.add(key, Priority.STORM)
    queue.add("c", Priority.PEOPLE)
    assert await ready(queue) == ["c", "a", "b"]


async def test_a_key_that_people_wait_for_does_not_go_down(queue):
    queue.add("a", Priority.PEOPLE)
    queue.add("b", Priority.STORM)
    queue.add("a", Priority.STORM)
    assert await ready(queue) == ["a", "b"]


async def test_a_key_that_goes_up_while_it_is_worked_on_comes_back_before_the_storm(queue):
    queue.add("a", Priority.STORM)
    await queue.get()
    queue.add("a", Priority.STORM)
    queue.add("b", Priority.STORM)
    queue.add("a", Priority.PEOPLE)
    queue.done("a")
    assert await ready(queue) == ["a", "b"]


async def test_a_few_that_move_are_worked_on_at_once_so_that_people_find_workers_free(queue):
    for number in range(MOST_MOVES + 1):
        queue.add(number, Priority.MOVE)
    assert [await queue.get() for _ in range(MOST_MOVES)] == list(range(MOST_MOVES))
    queue.add("a person", Priority.STORM)
    assert await queue.get() == "a person"
    queue.add("another", Priority.STORM)
    queue.done(0)
    assert await ready(queue) == ["another", MOST_MOVES]


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


async def test_what_people_wait_for_comes_back_before_a_storm_when_it_falls_due(queue, clock):
    queue.add("cut off", Priority.PEOPLE)
    queue.add_at(await queue.get(), NOW + SECOND)
    queue.done("cut off")
    for key in "abc":
        queue.add(key, Priority.STORM)
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


KEYS = strategies.sampled_from("abc")
STEPS = strategies.lists(
    strategies.one_of(
        strategies.tuples(strategies.just("add"), KEYS, strategies.sampled_from(Priority)),
        strategies.tuples(strategies.just("due"), KEYS, strategies.integers(-2, 5)),
        strategies.tuples(strategies.just("get"), KEYS, strategies.none()),
        strategies.tuples(strategies.just("done"), KEYS, strategies.none()),
        strategies.tuples(strategies.just("pass"), KEYS, strategies.integers(0, 3)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_no_key_runs_twice_at_once_and_no_event_is_lost(steps):
    asyncio.run(History().run(steps))


class History:
    """One queue, and what must be true of it whatever happens: kept beside it in the plainest way."""

    def __init__(self):
        self.clock = FakeClock(NOW)
        self.queue = WorkQueue(self.clock)
        self.owed = set()
        self.running = set()

    async def run(self, steps):
        for what, key, value in steps:
            await getattr(self, f"do_{what}")(key, value)
        for key in tuple(self.running):
            await self.do_done(key, None)
        while len(self.queue):
            key = await self.queue.get()
            self.owed.discard(key)
            self.queue.done(key)
        assert self.owed == set()

    async def do_add(self, key, priority):
        self.queue.add(key, priority)
        self.owed.add(key)

    async def do_due(self, key, seconds):
        self.queue.add_at(key, self.clock.now_precise() + timedelta(seconds=seconds))

    async def do_get(self, _key, _value):
        if self.owed - self.running:
            key = await self.queue.get()
            assert key not in self.running
            self.running.add(key)
            self.owed.discard(key)

    async def do_done(self, key, _value):
        if key in self.running:
            self.running.discard(key)
            self.queue.done(key)

    async def do_pass(self, _key, seconds):
        self.clock.advance(seconds=seconds)

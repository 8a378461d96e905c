"""Nobody waits for somebody else's thousands: shares take turns, and one share never holds every worker."""

import asyncio
from datetime import UTC, datetime

import pytest

from doorward.workqueue.crew import crews
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import WorkQueue
from doorward.workqueue.workers import work
from tests.support import virtual_loop
from tests.support.clock import FakeClock

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
GENERAL, RESERVED = crews(12, 4)
"""Eight workers, of which a share holds four while others wait and six otherwise; and four, of which it holds two."""


def share(key):
    return key.split("/")[0]


@pytest.fixture
def queue():
    return WorkQueue(FakeClock(NOW), share=share)


def storm(queue, name, count, priority=Priority.ISSUANCE):
    for number in range(count):
        queue.add(f"{name}/{number}", priority)


async def taken(queue, crew):
    """What the workers of a crew take who are free, until nothing is left for them."""
    keys = []
    for _ in range(crew.size):
        waiting = asyncio.ensure_future(queue.get(crew))
        for _ in range(3):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            break
        keys.append(waiting.result())
    return keys


@pytest.mark.parametrize("priority", Priority)
async def test_a_share_with_thousands_of_keys_delays_another_by_one_turn(queue, priority):
    storm(queue, "large", 5_000, priority)
    queue.done(await queue.get())
    queue.add("small/0", priority)
    queue.done(await queue.get())
    assert await queue.get() == "small/0"


async def test_a_share_is_asked_for_when_a_key_becomes_ready_and_holds_until_it_is_done():
    shares = {"a": "before"}
    queue = WorkQueue(FakeClock(NOW), share=shares.__getitem__)
    queue.add("a")
    shares["a"] = "after"
    await queue.get(GENERAL)
    assert dict(queue._held) == {(GENERAL, "before"): 1}
    queue.done("a")
    assert dict(queue._held) == {}


async def test_a_share_that_nobody_waits_beside_leaves_workers_free_for_the_next(queue):
    storm(queue, "large", 100)
    assert len(await taken(queue, GENERAL)) == GENERAL.most == 4
    storm(queue, "small", 1)
    assert await taken(queue, GENERAL) == ["small/0"]


async def test_two_shares_hold_half_of_the_workers_each(queue):
    storm(queue, "large", 100)
    storm(queue, "other", 100)
    keys = await taken(queue, GENERAL)
    assert (len(keys), sum(share(key) == "large" for key in keys)) == (8, GENERAL.most)


async def test_two_shares_hold_half_of_the_workers_each_whatever_the_priorities_of_their_keys(queue):
    storm(queue, "large", 100, Priority.INTERACTIVE)
    storm(queue, "other", 100, Priority.BACKGROUND)
    keys = await taken(queue, GENERAL)
    assert [share(key) for key in keys] == ["large"] * GENERAL.most + ["other"] * GENERAL.most


async def test_a_worker_that_is_done_makes_room_for_its_share(queue):
    storm(queue, "large", 100)
    keys = await taken(queue, GENERAL)
    queue.done(keys[0])
    assert await taken(queue, GENERAL) == ["large/4"]


@pytest.mark.parametrize("priority", [each for each in Priority if each is not Priority.CUT_OFF])
async def test_the_reserved_workers_take_nothing_but_cut_offs(queue, priority):
    storm(queue, "large", 100, priority)
    assert await taken(queue, RESERVED) == []
    queue.add("large/99", Priority.CUT_OFF)
    assert await taken(queue, RESERVED) == ["large/99"]


async def test_a_mass_revocation_leaves_reserved_workers_free_for_the_next_share(queue):
    storm(queue, "large", 1_000, Priority.CUT_OFF)
    assert (len(await taken(queue, GENERAL)), len(await taken(queue, RESERVED))) == (1, 2)
    queue.add("small/0", Priority.CUT_OFF)
    assert await taken(queue, RESERVED) == ["small/0"]


async def test_a_storm_makes_room_at_the_api_server_while_access_is_revoked_somewhere(queue):
    storm(queue, "large", 100)
    running = await taken(queue, GENERAL)
    queue.add("small/0", Priority.CUT_OFF)
    assert await taken(queue, RESERVED) == ["small/0"]
    for key in running:
        queue.done(key)
    fewer = await taken(queue, GENERAL)
    queue.done("small/0")
    assert (len(running), len(fewer), len(await taken(queue, GENERAL))) == (GENERAL.most, 1, GENERAL.most - 1)


def run(clock, story):
    with virtual_loop.runner(clock) as runner:
        return runner.run(story())


def delay(priority, *, count=200, begun=1.0):
    """The seconds for which a cut-off waits that becomes ready after `begun` seconds; each other key takes a minute."""
    clock = FakeClock(NOW)
    starts = {}

    async def reconcile(key):
        starts[key] = clock.monotonic()
        await asyncio.sleep(60)

    async def story():
        queue = WorkQueue(clock, share=share)
        storm(queue, "large", count, priority)
        workers = asyncio.create_task(work(queue, reconcile, clock=clock, transient=(), count=12, reserved=4))
        await asyncio.sleep(begun)
        queue.add("small/0", Priority.CUT_OFF)
        await asyncio.sleep(3600)
        workers.cancel()
        await asyncio.wait([workers])

    run(clock, story)
    return starts["small/0"] - begun


@pytest.mark.parametrize("priority", Priority)
def test_two_hundred_long_keys_of_one_share_do_not_delay_a_cut_off_of_another(priority):
    assert delay(priority) < 0.001


def test_every_long_key_of_a_large_share_is_worked_on_in_the_end():
    clock = FakeClock(NOW)
    done = set()

    async def reconcile(key):
        await asyncio.sleep(60)
        done.add(key)

    async def story():
        queue = WorkQueue(clock, share=share)
        for priority in Priority:
            storm(queue, f"large {priority.name}", 50, priority)
        workers = asyncio.create_task(work(queue, reconcile, clock=clock, transient=(), count=12, reserved=4))
        while not queue.idle:
            await asyncio.sleep(60)
        workers.cancel()
        await asyncio.wait([workers])

    run(clock, story)
    assert len(done) == 50 * len(Priority)

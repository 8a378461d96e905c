"""The work itself: keys side by side, and a failure that harms one key only."""

import asyncio
import contextlib
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from doorward.workqueue import workers
from doorward.workqueue.meter import Result
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import WorkQueue
from doorward.workqueue.workers import NotSettled, work
from tests.support.clock import FakeClock

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
STEP = 0.5  # seconds


class Panic(BaseException):
    """As cryptography's Rust raises it."""


class Weather(Exception):
    """Passes by itself; `asks`: the seconds that it says it takes."""

    def __init__(self, message="", asks=0.0):
        super().__init__(message)
        self.asks = asks


class Meter:
    """Keeps what it is told."""

    def __init__(self):
        self.depths = {}
        self.waits = []
        self.works = []

    def depth(self, priority, keys):
        self.depths[priority] = keys

    def waited(self, priority, seconds):
        self.waits.append((priority, seconds))

    def worked(self, priority, seconds, result):
        self.works.append((priority, seconds, result))


class Shop:
    """Workers on a queue; what a key is to meet stands in `trouble`, and is met once each."""

    def __init__(self):
        self.clock = FakeClock(NOW)
        self.meter = Meter()
        self.queue = WorkQueue(self.clock, share=lambda key: key, meter=self.meter)
        self.runs = Counter()
        self.trouble = {}
        self.due = {}

    async def reconcile(self, key):
        self.runs[key] += 1
        if self.trouble.get(key):
            raise self.trouble[key].pop(0)
        return self.due.pop(key, None)

    async def until_idle(self):
        async with asyncio.timeout(5):
            while not self.queue.idle:
                await asyncio.sleep(0)

    async def run_again(self, *, after):
        """Let time pass, and wake the workers, who look at a clock that stands still."""
        self.clock.advance(seconds=after)
        self.queue.add("wake")
        await self.until_idle()

    @contextlib.asynccontextmanager
    async def open(self, *, count=2, reconcile=None):
        workers = asyncio.create_task(
            work(
                self.queue,
                reconcile or self.reconcile,
                clock=self.clock,
                transient=(Weather,),
                count=count,
                retry_after=lambda error: getattr(error, "asks", 0.0),
            )
        )
        try:
            yield self
        finally:
            workers.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await workers


@pytest.fixture
async def shop():
    return Shop()


async def test_every_key_that_is_ready_is_worked_on(shop):
    async with shop.open():
        for key in "abc":
            shop.queue.add(key)
        await shop.until_idle()
    assert shop.runs == {"a": 1, "b": 1, "c": 1}


async def test_a_key_comes_again_at_the_instant_that_reconciling_gave(shop):
    shop.due["a"] = NOW + timedelta(seconds=30)
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
        await shop.run_again(after=29)
        assert shop.runs["a"] == 1
        await shop.run_again(after=1)
    assert shop.runs["a"] == 2


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Weather("503"), id="what may pass"),
        pytest.param(ZeroDivisionError("a bug"), id="a bug"),
        pytest.param(TimeoutError("a bug that looks like ours"), id="a timeout that nobody typed"),
        pytest.param(Panic("in another language"), id="what is no Exception"),
        pytest.param(ExceptionGroup("several", [ValueError("a bug")]), id="a group"),
    ],
)
async def test_a_key_that_failed_comes_again_after_its_rest(shop, error):
    shop.trouble["a"] = [error, error]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
        counts = []
        for after in (0.1, 0.1, 0.2, 0.2, 300.0):
            await shop.run_again(after=after)
            counts.append(shop.runs["a"])
    assert counts == [1, 2, 2, 3, 3]


async def test_a_success_ends_the_backoff(shop):
    shop.trouble["a"] = [Weather(), Weather(), Weather()]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
        for _ in range(3):
            await shop.run_again(after=10)
        shop.trouble["a"] = [Weather()]
        shop.queue.add("a")
        await shop.until_idle()
        await shop.run_again(after=0.2)
    assert shop.runs["a"] == 6


async def test_a_bug_harms_one_key_and_no_other(shop):
    shop.trouble["a"] = [ZeroDivisionError()] * 3
    async with shop.open(count=1):
        for key in "aba":
            shop.queue.add(key)
        await shop.until_idle()
        shop.queue.add("b")
        await shop.until_idle()
    assert shop.runs["b"] == 2


async def test_a_bug_is_loud_with_its_traceback_and_names_the_key(shop, caplog):
    shop.trouble["a"] = [ZeroDivisionError("a bug")]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
    (record,) = caplog.records
    assert (record.levelno, record.exc_info[0], record.object) == (logging.ERROR, ZeroDivisionError, "a")
    assert record.getMessage() == "key failed"
    assert record.fields == {"error": "ZeroDivisionError: a bug", "next_try_seconds": 0.2}


async def test_the_same_fault_is_told_once_until_it_is_over(shop, caplog):
    caplog.set_level(logging.INFO)
    shop.trouble["a"] = [Weather("503"), Weather("503"), Weather("502"), Weather("502")]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
        for _ in range(4):
            await shop.run_again(after=600)
        shop.trouble["a"] = [Weather("502")]
        shop.queue.add("a")
        await shop.until_idle()
    told = [record.getMessage() for record in caplog.records if record.name == workers.__name__]
    assert told == ["key failed", "key failed", "key works again", "key failed"]


async def test_what_may_pass_is_a_warning_without_a_traceback(shop, caplog):
    shop.trouble["a"] = [Weather("503")]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
    (record,) = caplog.records
    assert (record.levelno, record.exc_info, record.object) == (logging.WARNING, None, "a")


async def test_an_event_does_not_wait_for_the_rest_of_a_key_that_failed(shop):
    shop.trouble["a"] = [Weather()]
    async with shop.open():
        shop.queue.add("a")
        await shop.until_idle()
        shop.queue.add("a")
        await shop.until_idle()
    assert shop.runs["a"] == 2


async def test_as_many_keys_as_there_are_workers_are_worked_on_at_once_and_no_more(shop):
    running, most, go = set(), 0, asyncio.Event()

    async def reconcile(key):
        nonlocal most
        running.add(key)
        most = max(most, len(running))
        if len(running) == 3:
            go.set()
        await go.wait()
        running.discard(key)

    async with shop.open(count=3, reconcile=reconcile):
        for key in "abcdefgh":
            shop.queue.add(key)
        await shop.until_idle()
    assert most == 3


async def test_a_key_that_changes_while_it_is_worked_on_runs_once_more_and_never_beside_itself(shop):
    runs, go = [], asyncio.Event()

    async def reconcile(_key):
        runs.append("begins")
        await go.wait()
        runs.append("ends")

    async with shop.open(count=3, reconcile=reconcile):
        shop.queue.add("a")
        while not runs:
            await asyncio.sleep(0)
        for _ in range(5):
            shop.queue.add("a")
            await asyncio.sleep(0)
        go.set()
        await shop.until_idle()
    assert runs == ["begins", "ends", "begins", "ends"]


async def waits(shop, error, *, priority=Priority.ISSUANCE, then=None, failures=1):
    """The seconds until a key that failed so is worked on again, to one step; `then`: what wakes it all the time."""
    shop.trouble["a"] = [error] * failures
    async with shop.open():
        shop.queue.add("a", priority)
        await shop.until_idle()
        for _ in range(failures - 1):
            await shop.run_again(after=400)
        assert shop.runs["a"] == failures
        passed = 0.0
        while shop.runs["a"] == failures and passed < 400:
            if then is not None:
                shop.queue.add("a", then)
            await shop.run_again(after=STEP)
            passed += STEP
    return passed


@pytest.mark.parametrize(
    ("error", "priority", "failures", "seconds"),
    [
        pytest.param(Weather(), Priority.ISSUANCE, 20, 300, id="of issuing a certificate: five minutes"),
        pytest.param(Weather(), Priority.CUT_OFF, 20, 15, id="of a cut-off: fifteen seconds"),
        pytest.param(Weather(asks=40), Priority.ISSUANCE, 1, 40, id="for which the server asks to wait: as long"),
        pytest.param(Weather(asks=2), Priority.ISSUANCE, 20, 300, id="that is old: longer than the server asks for"),
        pytest.param(
            Weather(asks=1e9), Priority.ISSUANCE, 1, 300, id="for which the server asks too much: the longest"
        ),
        pytest.param(Weather(asks=1e9), Priority.CUT_OFF, 1, 15, id="of a cut-off for which the server asks too much"),
        pytest.param(NotSettled("x", seconds=60), Priority.ISSUANCE, 1, 60, id="to settle: as it says"),
        pytest.param(NotSettled("x", seconds=1e9), Priority.ISSUANCE, 1, 300, id="to settle: the longest"),
        pytest.param(
            NotSettled("x", seconds=60), Priority.CUT_OFF, 1, 15, id="of a cut-off to settle: fifteen seconds"
        ),
        pytest.param(NotSettled("x"), Priority.ISSUANCE, 20, 300, id="to settle for long: five minutes"),
    ],
)
async def test_a_key_rests_after_a_failure(shop, error, priority, failures, seconds):
    waited = await waits(shop, error, priority=priority, failures=failures)
    assert waited == pytest.approx(seconds, abs=STEP)


@pytest.mark.parametrize("priority", [each for each in Priority if each is not Priority.CUT_OFF])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotSettled("x", seconds=60), id="it did not settle"),
        pytest.param(Weather(asks=60), id="the server asked it to wait"),
    ],
)
async def test_a_key_that_its_own_writes_wake_rests_all_the_same_when(shop, error, priority):
    assert await waits(shop, error, priority=priority, then=priority) == pytest.approx(60, abs=STEP)


async def test_a_cut_off_whose_own_writes_wake_it_rests_as_long_as_any_cut_off(shop):
    waited = await waits(shop, NotSettled("x"), priority=Priority.CUT_OFF, then=Priority.CUT_OFF, failures=20)
    assert waited == pytest.approx(15, abs=STEP)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(Weather(), 0, id="failed: at once"),
        pytest.param(NotSettled("x", seconds=60), 0, id="did not settle: at once"),
        pytest.param(Weather(asks=4), 4, id="was asked to wait a little: after that"),
        pytest.param(Weather(asks=1e9), 15, id="was asked to wait for long: after fifteen seconds"),
    ],
)
async def test_a_cut_off_needs_a_key_that(shop, error, seconds):
    waited = await waits(shop, error, then=Priority.CUT_OFF, failures=20)
    assert waited == pytest.approx(seconds, abs=STEP)


async def test_a_key_that_spins_is_worked_on_less_and_less(shop):
    async def reconcile(key):
        shop.runs[key] += 1
        shop.queue.add(key, Priority.ISSUANCE)  # its own write, as the watch brings it
        raise NotSettled("annotation a is set by somebody else again and again")

    async with shop.open(reconcile=reconcile):
        shop.queue.add("a", Priority.ISSUANCE)
        for _ in range(3600):
            for _ in range(20):
                await asyncio.sleep(0)
            shop.clock.advance(seconds=1)
            shop.queue.add("b", Priority.ISSUANCE)
    assert shop.runs["a"] <= 11 + 3600 / 300


async def test_the_meter_is_told_of_depth_wait_and_work(shop):
    shop.trouble = {"b": [Weather()], "c": [NotSettled("x")], "d": [ZeroDivisionError()]}
    for key, priority in zip("abcd", Priority, strict=False):
        shop.queue.add(key, priority)
    assert shop.meter.depths == dict.fromkeys(list(Priority)[:4], 1)
    shop.clock.advance(seconds=3)

    async def reconcile(key):
        shop.clock.advance(seconds=1 / 32)
        await shop.reconcile(key)

    async with shop.open(count=1, reconcile=reconcile):
        await shop.until_idle()
    assert shop.meter.depths == dict.fromkeys(list(Priority)[:4], 0)
    assert shop.meter.waits == [(priority, 3 + number / 32) for number, priority in enumerate(list(Priority)[:4])]
    results = (Result.DONE, Result.FAILED, Result.NOT_SETTLED, Result.BUG)
    assert shop.meter.works == [(priority, 1 / 32, result) for priority, result in zip(Priority, results, strict=False)]


async def test_the_meter_counts_a_key_once_at_the_priority_that_it_went_up_to_and_its_wait_from_then(shop):
    shop.queue.add("a", Priority.ISSUANCE)
    shop.clock.advance(seconds=5)
    shop.queue.add("a", Priority.CUT_OFF)
    shop.queue.add("a", Priority.ISSUANCE)
    assert shop.meter.depths == {Priority.ISSUANCE: 0, Priority.CUT_OFF: 1}
    shop.clock.advance(seconds=1)
    async with shop.open():
        await shop.until_idle()
    assert shop.meter.waits == [(Priority.CUT_OFF, 1)]


async def test_the_meter_counts_no_key_that_rests(shop):
    shop.queue.rest("a", 60)
    shop.queue.add("a", Priority.ISSUANCE)
    assert shop.meter.depths == {}


async def test_of_keys_that_came_and_went_the_workers_keep_nothing(shop):
    errors = [Weather(), Weather(asks=1), NotSettled("x"), ZeroDivisionError()]
    shop.trouble = {number: [errors[number % 4]] * (number % 3) for number in range(200)}
    async with shop.open():
        for number in range(200):
            shop.queue.add(number, list(Priority)[number % 5])
        await shop.until_idle()
        for _ in range(3):
            await shop.run_again(after=400)
    queue = shop.queue
    assert (queue._due, queue._rests, queue._held, queue._dirty, queue._processing) == ({}, {}, {}, {}, {})
    assert not any(turns._shares for turns in queue._ready.values())

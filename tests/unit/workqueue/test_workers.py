"""The work itself: keys side by side, and a failure that harms one key only."""

import asyncio
import contextlib
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from doorward.workqueue.queue import WorkQueue
from doorward.workqueue.workers import work
from tests.support.clock import FakeClock

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


class Panic(BaseException):
    """As cryptography's Rust raises it."""


class Weather(Exception):
    """Passes by itself."""


class Shop:
    """Workers on a queue; what a key is to meet stands in `trouble`, and is met once each."""

    def __init__(self):
        self.clock = FakeClock(NOW)
        self.queue = WorkQueue(self.clock)
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
            work(self.queue, reconcile or self.reconcile, clock=self.clock, transient=(Weather,), count=count)
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
    assert "a failed, next try in 0.2 s: ZeroDivisionError: a bug" in record.getMessage()


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

"""Whatever happens to a queue: no key twice at once, none lost, none too early, priorities, turns, and room for others."""

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from unittest import mock

from hypothesis import given, settings, strategies

from doorward.workqueue import queue as module
from doorward.workqueue.crew import crews
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import WorkQueue
from tests.support.clock import FakeClock

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
AT_ONCE = {Priority.BACKGROUND: 1, Priority.CA_CREATION: 1}
CREWS = crews(6, 2)
KEYS = strategies.sampled_from([f"{share}/{number}" for share in "abc" for number in range(4)])
PRIORITIES = strategies.sampled_from(Priority)
SECONDS = strategies.integers(0, 5)


def step(what, *arguments):
    return strategies.tuples(strategies.just(what), *arguments)


STEPS = strategies.lists(
    strategies.one_of(
        step("add", KEYS, PRIORITIES),
        step("add", KEYS, PRIORITIES),
        step("due", KEYS, strategies.none() | strategies.integers(-2, 5)),
        step("rest", KEYS, SECONDS, SECONDS),
        step("get", strategies.sampled_from(CREWS)),
        step("get", strategies.sampled_from(CREWS)),
        step("done", KEYS),
        step("pass", SECONDS),
        step("set_back"),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_whatever_happens_to_a_queue_it_does_what_it_says(steps):
    with mock.patch.object(module, "AT_ONCE", AT_ONCE):
        asyncio.run(History().run(steps))


class History:
    """One queue, and beside it, kept in the plainest way, what is ready, due, resting and worked on."""

    def __init__(self):
        self.clock = FakeClock(NOW)
        self.queue = WorkQueue(self.clock, share=share)
        self.ready = {}
        """By key, the priority at which it waits, also for the end of the work on it."""
        self.due = {}
        self.rests = {}
        self.working = {}
        self.passed = defaultdict(Counter)
        """By priority and share that waits, how often each other share was served since."""

    async def run(self, steps):
        for what, *arguments in steps:
            await getattr(self, f"do_{what}")(*arguments)
            assert len(self.queue) == len(self.ready)
            assert self.queue.idle == (not self.ready and not self.working)
            self.forget_turns()
        await self.do_pass(3600)
        while self.working or self.takeable(CREWS[0]):
            for key in tuple(self.working):
                await self.do_done(key)
            await self.do_get(CREWS[0])
        queue = self.queue
        assert (self.ready, self.due, self.rests) == ({}, {}, {})
        assert (queue._due, queue._rests, queue._held, queue._processing) == ({}, {}, {}, {})
        assert not any(turns._shares for turns in queue._ready.values())

    async def do_add(self, key, priority):
        self.queue.add(key, priority)
        self.make_ready(key, priority)

    async def do_due(self, key, seconds):
        at = None if seconds is None else self.clock.now_precise() + timedelta(seconds=seconds)
        self.queue.add_at(key, at)
        self.due.pop(key, None)
        if at is not None:
            self.due[key] = (at, self.working[key][0] if key in self.working else Priority.ISSUANCE)

    async def do_rest(self, key, seconds, cut_off_after):
        self.queue.rest(key, seconds, cut_off_after=cut_off_after)
        now = self.clock.now_precise()
        held = self.rests[key][2] if key in self.rests else None
        self.rests[key] = (now + timedelta(seconds=seconds), now + timedelta(seconds=min(seconds, cut_off_after)), held)
        if key in self.ready:
            self.make_ready(key, self.ready.pop(key))

    async def do_get(self, crew):
        if sum(found[2] is crew for found in self.working.values()) == crew.size:
            return
        waiting = asyncio.ensure_future(self.queue.get(crew))
        for _ in range(3):
            await asyncio.sleep(0)
        self.settle()
        takeable = self.takeable(crew)
        if not waiting.done():
            waiting.cancel()
            assert takeable == {}
            return
        key = waiting.result()
        assert key in takeable
        self.check_order(key, takeable)
        self.working[key] = (self.ready.pop(key), share(key), crew)
        assert self.queue.working_priority(key) is self.working[key][0]
        assert self.held(crew, share(key)) <= (crew.beside_cut_offs if self.revoking() else crew.most)
        assert sum(found[0] is self.working[key][0] for found in self.working.values()) <= AT_ONCE.get(
            self.working[key][0], 100
        )

    async def do_done(self, key):
        if key in self.working:
            del self.working[key]
            self.queue.done(key)

    async def do_pass(self, seconds):
        self.clock.advance(seconds=seconds)
        self.queue._move_due()
        self.settle()

    async def do_set_back(self):
        self.clock.set(self.clock.now_precise() - timedelta(hours=1))
        self.queue._move_due()
        for key in tuple(self.rests):
            self.end_rest(key)
        for key in tuple(self.due):
            self.fall_due(key)

    def make_ready(self, key, priority):
        if key in self.rests:
            until, cut_off_from, held = self.rests[key]
            self.rests[key] = (until, cut_off_from, priority if held is None else min(held, priority))
            if self.ends(key) <= self.clock.now_precise():
                self.end_rest(key)
        else:
            self.ready[key] = min(priority, self.ready.get(key, priority))

    def ends(self, key):
        until, cut_off_from, held = self.rests[key]
        return cut_off_from if held is Priority.CUT_OFF else until

    def end_rest(self, key):
        _, _, held = self.rests.pop(key)
        if held is not None:
            self.make_ready(key, held)

    def fall_due(self, key):
        _, priority = self.due.pop(key)
        self.make_ready(key, priority)

    def settle(self):
        """All that has come to its time: first the rests, so that what falls due with them is ready."""
        now = self.clock.now_precise()
        for key in [key for key in self.rests if self.ends(key) <= now]:
            self.end_rest(key)
        for key in [key for key, (at, _) in self.due.items() if at <= now]:
            self.fall_due(key)

    def held(self, crew, name):
        return sum((found[1], found[2]) == (name, crew) for found in self.working.values())

    def revoking(self):
        priorities = [*self.ready.values(), *(found[0] for found in self.working.values())]
        return Priority.CUT_OFF in priorities

    def takeable(self, crew):
        """The keys that the crew may take, with their priorities."""
        running = Counter(found[0] for found in self.working.values())
        return {
            key: priority
            for key, priority in self.ready.items()
            if key not in self.working
            and priority <= crew.lowest
            and running[priority] < AT_ONCE.get(priority, 100)
            and self.held(crew, share(key)) < (crew.beside_cut_offs if self.revoking() else crew.most)
        }

    def check_order(self, key, takeable):
        """The highest priority goes first, and of these the share whose turn it is."""
        priority = takeable[key]
        assert priority == min(takeable.values())
        waiting = {share(each) for each, other in takeable.items() if other == priority}
        for other in waiting - {share(key)}:
            passed = self.passed[priority, other]
            assert passed[share(key)] == 0, f"{share(key)} had two turns while {other} waited"
            passed[share(key)] += 1
        self.passed[priority, share(key)].clear()

    def forget_turns(self):
        """A share that waits no more comes behind the others when it waits again."""
        waiting = {(priority, share(key)) for key, priority in self.ready.items() if key not in self.working}
        for each in self.passed.keys() - waiting:
            del self.passed[each]


def share(key):
    return key[0]

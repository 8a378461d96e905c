"""Events that wait: a bounded number, what matters first, namespaces in turn; what is left out is counted."""

import asyncio
from collections import Counter

import pytest

from doorward.planning.notices import Notice
from doorward.view import outbox
from doorward.view.outbox import Outbox, Outcome
from tests.support.clock import FakeClock
from tests.unit.given import NOW


class Meter:
    def __init__(self):
        self.counts = Counter()

    def event(self, outcome):
        self.counts[outcome] += 1


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def meter():
    return Meter()


@pytest.fixture
def box(clock, meter):
    return Outbox(clock, meter)


def about(name, namespace="shop"):
    return {"namespace": namespace, "name": name, "uid": f"{namespace}/{name}"}


def put(box, name="alice", reason="Revoked", namespace="shop", **fields):
    box.put(about(name, namespace), Notice(reason=reason, message="m", **fields))


def taken(box):
    """All that comes out, in order."""

    async def drain():
        found = []
        while len(box):
            found.append(await box.get())
        return [(each.about["name"], each.notice.reason) for each in found]

    return asyncio.run(drain())


def test_what_is_routine_goes_last(box):
    put(box, "bob", "Issued", routine=True)
    put(box, "alice", "Held")
    put(box, "alice", "CutOffComplete")
    assert taken(box) == [("alice", "Held"), ("alice", "CutOffComplete"), ("bob", "Issued")]


def test_namespaces_take_turns(box):
    for name in "abc":
        put(box, name, namespace="crowd")
    put(box, "alice")
    assert taken(box)[1] == ("alice", "Revoked")


def test_a_namespace_with_thousands_leaves_room_for_the_others(box, meter):
    for number in range(5_000):
        put(box, str(number), "Issued", namespace="crowd", routine=True)
    put(box, "alice", "Issued", routine=True)
    put(box, "mallory", "Revoked", namespace="crowd")
    assert len(box) == outbox.MOST_OF_A_NAMESPACE + 2
    assert meter.counts[Outcome.LEFT_OUT] == box.left_out == 5_000 - outbox.MOST_OF_A_NAMESPACE


def test_thousands_of_namespaces_fill_no_memory(box, meter):
    for number in range(5_000):
        put(box, namespace=f"n{number}")
    assert (len(box), meter.counts[Outcome.LEFT_OUT]) == (outbox.MOST, 5_000 - outbox.MOST)
    put(box, "bob", "Issued", routine=True)
    assert len(box) == outbox.MOST + 1, "of the other sort there is room"
    taken(box)
    put(box)
    assert len(box) == 1


def test_what_waited_for_too_long_is_left_out(box, clock, meter):
    put(box, "alice")
    clock.advance(seconds=outbox.LONGEST_WAIT + 1)
    put(box, "bob")
    assert taken(box) == [("bob", "Revoked")]
    assert meter.counts == {Outcome.LEFT_OUT: 1}


def test_an_object_has_a_number_of_events_at_once_and_then_one_a_minute(box, clock):
    for _ in range(2 * outbox.BURST):
        put(box)
    put(box, "bob")
    assert len(taken(box)) == outbox.BURST + 1
    for _ in range(3):
        clock.advance(seconds=outbox.EVERY + 0.1)
        put(box)
        put(box)
        assert len(taken(box)) == 1


def test_what_goes_back_and_forth_is_told_once_in_a_while_and_each_change_of_a_person_always(box, clock, meter):
    for _ in range(3):
        put(box, reason="Open", repeats=True)
        put(box, reason="Held")
    put(box, "bob", "Open", repeats=True)
    assert Counter(taken(box)) == {("alice", "Open"): 1, ("alice", "Held"): 3, ("bob", "Open"): 1}
    clock.advance(seconds=outbox.REPEATED_AFTER.total_seconds())
    put(box, reason="Open", repeats=True)
    assert taken(box) == [("alice", "Open")]
    assert meter.counts == {}, "it was told: nothing is left out"


def test_what_is_remembered_of_objects_is_bounded(box, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_REMEMBERED", 10)
    for number in range(100):
        put(box, str(number), repeats=True)
    assert (len(box._spent), len(box._repeated)) == (10, 10)


def test_who_waits_for_one_gets_it_when_it_comes(box):
    async def story():
        waiting = asyncio.create_task(box.get())
        await asyncio.sleep(0)
        put(box)
        return (await waiting).notice.reason

    assert asyncio.run(story()) == "Revoked"

"""What is known of the cluster is walked through by no collection of garbage, and the young are few."""

import asyncio
import gc

import pytest

from doorward.cluster.gateway import INGRESS
from doorward.runtime import garbage
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.unit.given import NOW

MOST_YOUNG = 20_000
"""Containers: a collection walks through them in some ten milliseconds."""


@pytest.fixture
def asked(monkeypatch):
    """What was asked of Python, in order."""
    found = []
    monkeypatch.setattr(gc, "freeze", lambda: found.append("freeze"))
    monkeypatch.setattr(gc, "collect", lambda generation: found.append(f"collect {generation}"))
    monkeypatch.setattr(gc, "set_threshold", lambda *numbers: found.append(numbers))
    return found


def test_a_collection_of_the_young_walks_through_few(asked):
    garbage.configure()
    ((youngest, younger, _),) = asked
    assert youngest * (younger + 1) <= MOST_YOUNG


@pytest.mark.parametrize(
    ("known", "times"),
    [
        pytest.param([0, 4_999, 4_999], 0, id="not before there is much"),
        pytest.param([5_000, 5_000, 9_999], 1, id="once"),
        pytest.param([60_000, 60_001, 65_000, 65_001], 2, id="and again once there is as much more"),
        pytest.param([60_000, 100, 60_000, 64_999], 1, id="not what went and came again"),
    ],
)
def test_what_became_known_is_set_aside(asked, known, times):
    left = iter(known)

    def known_now():
        for number in left:
            return number
        raise asyncio.CancelledError

    with virtual_loop.runner(FakeClock(NOW)) as runner, pytest.raises(asyncio.CancelledError):
        runner.run(garbage.keep_aside(known_now))
    assert asked == ["collect 1", "freeze"] * times


def test_each_object_of_the_kinds_that_may_be_many_counts_while_it_is_there(served):
    before = served.operator.known()
    served.apply("zoe")
    served.settle()
    assert served.operator.known() == before + 4  # the client, its record, its Secret, and that it was looked at
    served.ingress("other")
    served.settle()
    assert served.operator.known() == before + 5
    served.delete(INGRESS, "other")
    served.settle()
    assert served.operator.known() == before + 4

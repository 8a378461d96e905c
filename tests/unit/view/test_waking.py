"""A change that concerns thousands of keys: each is woken, once, and nobody waits for all of them."""

import pytest

from doorward.cluster.steps import STEP
from doorward.objects.meta import ObjectKey
from doorward.view.keys import certificate_key
from doorward.view.waking import FEW, wake_all
from tests.support.clock import FakeClock
from tests.support.turns import Turns
from tests.unit.given import NOW

TAKES = 0.000_1
"""Seconds for each key."""
MOST = round(STEP / TAKES) + 1


def keys(count):
    return [certificate_key(ObjectKey("edge", str(number))) for number in range(count)]


@pytest.fixture
def turns():
    return Turns(FakeClock(NOW), TAKES)


def test_few_are_woken_at_once_and_without_an_event_loop():
    woken = []
    wake_all(keys(FEW), woken.append)
    assert woken == keys(FEW)


def test_each_is_woken_once_and_in_order(turns):
    woken = []

    def wake(key):
        woken.append(key)
        turns.handle()

    async def story():
        wake_all(keys(1000) * 2, wake)

    turns.beside(story(), 1000)
    assert woken == keys(1000)


def test_ten_thousand_hold_up_nobody(turns):
    async def story():
        wake_all(keys(10_000), turns.handle)

    assert turns.beside(story(), 10_000) <= MOST

"""Long walks: whoever waits for the event loop has its turn in between, except where nobody may act yet."""

from unittest import mock

import pytest

from doorward.cluster import reflector
from doorward.cluster import store as store_module
from doorward.cluster.gateway import SECRET
from doorward.cluster.steps import STEP, Pace, in_steps
from doorward.cluster.store import Store
from doorward.objects.meta import ObjectKey
from tests.support.clock import FakeClock
from tests.support.turns import Turns
from tests.unit.given import NOW

ITEMS = 1000
TAKES = 0.001
"""Seconds of virtual time for each item."""
MOST = round(STEP / TAKES) + 1


@pytest.fixture
def walk():
    return Turns(FakeClock(NOW), TAKES)


def test_all_items_are_handed_over_in_order_and_the_loop_turns_in_between(walk):
    found = []

    async def story():
        async for item in in_steps(range(ITEMS)):
            walk.handle()
            found.append(item)

    assert walk.beside(story(), ITEMS) <= MOST
    assert found == list(range(ITEMS))


def test_short_walks_one_after_the_other_are_no_long_one(walk):
    async def story():
        pace = Pace()
        for _ in range(ITEMS // 2):
            async for _item in pace.over(range(2)):
                walk.handle()

    assert walk.beside(story(), ITEMS) <= MOST


def bodies(version, count=ITEMS):
    return [{"metadata": {"namespace": "edge", "name": str(n), "resourceVersion": version}} for n in range(count)]


def taking(walk, store, items, version, **told):
    source = reflector.Source(kind=SECRET, namespace=None, store=store, changed=walk.handle, **told)
    gateway = mock.Mock(collect=mock.AsyncMock(side_effect=lambda take, *_, **__: (list(map(take, items)), version)))
    return reflector.take_list(gateway, source)


@pytest.mark.parametrize(
    ("items", "version"),
    [
        pytest.param(bodies("5"), "9", id="with a thousand that are new"),
        pytest.param([], "9", id="that lacks a thousand"),
    ],
)
def test_a_full_list_holds_up_nobody(walk, items, version):
    store = Store(lambda body: body)
    if not items:
        for body in bodies("5"):
            store.put(body)
    assert walk.beside(taking(walk, store, items, version), ITEMS) <= MOST
    assert (len(store), walk.handled) == (len(items), ITEMS)


class Slow(ObjectKey):
    """A key that takes a while to look up."""

    look_up = mock.Mock()

    def __hash__(self):
        Slow.look_up()
        return super().__hash__()


@pytest.fixture
def slow_store(walk, monkeypatch):
    """A thousand objects that are known under such keys, at version 5."""
    store = Store(lambda body: body, own_key=lambda body: Slow(*store_module.key_of(body)))
    for body in bodies("5"):
        store.put(body)
    monkeypatch.setattr(Slow, "look_up", walk.handle)
    return store


def taking_seen(store, version, **told):
    """A list of all that the store holds, each object known in that version already."""
    keys = store.keys()
    seen = [store_module.Seen(key, store_module.version_of(store.get(key)), None) for key in keys]
    source = reflector.Source(kind=SECRET, namespace=None, store=store, changed=mock.Mock(), **told)
    return reflector.take_list(mock.Mock(collect=mock.AsyncMock(return_value=(seen, version))), source)


def test_a_full_list_of_what_is_known_holds_up_nobody(walk, slow_store):
    listing = taking_seen(slow_store, "9")
    walk.handled = 0
    # One more: a look at one object is up to two look-ups.
    assert walk.beside(listing, ITEMS) <= MOST + 1
    assert walk.handled >= 5 * ITEMS


@pytest.mark.parametrize("ends", [False, True], ids=["is written", "ends"])
def test_what_happens_while_a_list_is_compared_with_what_is_known_is_no_rollback(walk, slow_store, ends):
    told, key = mock.Mock(), Slow("edge", str(ITEMS - 1))
    listing = taking_seen(slow_store, "9", rolled_back=told)
    at = walk.handled + 2 * ITEMS

    def look_up():
        walk.handle()
        if walk.handled == at:
            changed = slow_store.remove(key, 20) if ends else slow_store.put(bodies("20")[-1])
            assert changed

    with mock.patch.object(Slow, "look_up", look_up):
        walk.beside(listing, ITEMS)
    told.assert_not_called()
    assert slow_store.version(key) == (0 if ends else 20)
    assert len(slow_store) == ITEMS - ends


@pytest.mark.parametrize("items", [bodies("5"), []], ids=["older ones", "none of them"])
def test_nobody_acts_on_a_past_that_never_was_before_it_is_told(walk, items):
    store = Store(lambda body: body)
    known = {}
    for body in bodies("50"):
        store.put(body)
        known[ObjectKey("edge", body["metadata"]["name"])] = body
    told = mock.Mock()
    assert walk.beside(taking(walk, store, items, "9", rolled_back=told), ITEMS) == ITEMS
    assert told.call_args.args == (SECRET, known)


def test_a_list_tells_how_far_the_cluster_has_come(walk):
    store = Store(lambda body: body)
    walk.beside(taking(walk, store, [], "9"), 0)
    assert store.mark().heard == 9

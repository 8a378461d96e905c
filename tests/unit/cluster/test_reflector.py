"""One list and watch: it pauses where the server gives it nothing, outlives every error, and costs what its namespace holds."""

import asyncio
import itertools
from dataclasses import dataclass, field, replace

import pytest

from doorward.cluster import store as store_module
from doorward.cluster.errors import Forbidden, Gone, Transient
from doorward.cluster.gateway import CONFIG_MAP, SECRET, WatchEvent
from doorward.cluster.reflector import Source, follow, take_list
from doorward.cluster.store import Store
from doorward.objects.meta import ObjectKey
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.unit.given import NOW


def body(namespace="edge", name="a", version="5"):
    return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": version}}


@dataclass
class Scripted:
    """A gateway whose lists and watches are what a test makes them; it counts them."""

    items: list = field(default_factory=list)
    version: str = "10"
    list_errors: list = field(default_factory=list)
    """One after the other; then none."""
    watch: object = None
    """An async generator function; None: a watch that never ends."""
    lists: int = 0
    watches: int = 0

    async def collect(self, take, _kind, namespace, **_):
        self.lists += 1
        if self.list_errors:
            raise self.list_errors.pop(0)
        return [take(b) for b in self.items if namespace in (None, b["metadata"]["namespace"])], self.version

    async def begin_watch(self):
        self.watches += 1
        if self.watch is None:
            await asyncio.get_running_loop().create_future()
        async for event in self.watch():
            yield event


class Gateway:
    """What the reflector sees of it."""

    def __init__(self, scripted):
        self.collect = scripted.collect
        self.watch = lambda *_, **__: scripted.begin_watch()


@pytest.fixture
def follows():
    """Follow a source for so many seconds of virtual time."""

    def run(scripted, seconds, source=None, **options):
        said = []
        source = source or Source(kind=SECRET, namespace="edge", store=Store(lambda b: b), changed=lambda *_: None)
        source = replace(
            source,
            listed=lambda: said.append("listed"),
            denied=lambda _: said.append("denied"),
            failed=lambda _: said.append("failed"),
        )

        async def story():
            task = asyncio.create_task(follow(Gateway(scripted), source, **options))
            await asyncio.sleep(seconds)
            alive = not task.done()
            task.cancel()
            await asyncio.wait([task])
            return alive

        with virtual_loop.runner(FakeClock(NOW)) as runner:
            alive = runner.run(story())
        return alive, said, source

    return run


async def _ends_at_once():
    return
    yield


async def _gone():
    raise Gone("too old", status=410)
    yield


async def _breaks():
    raise Transient("reset")
    yield


async def _garbage():
    yield WatchEvent("MODIFIED", {"nothing": "at all"})


async def _unordered():
    yield WatchEvent("MODIFIED", body(version="v2-abc"))


async def _unordered_bookmark():
    yield WatchEvent("BOOKMARK", body(version="v2-abc"))


@pytest.mark.parametrize(
    "watch",
    [_ends_at_once, _gone, _breaks, _garbage, _unordered, _unordered_bookmark],
    ids=lambda watch: watch.__name__,
)
def test_a_watch_that_is_none_is_asked_for_again_and_again_ever_less_often(follows, watch):
    scripted = Scripted(watch=watch)
    alive, _, _ = follows(scripted, 600)
    assert alive
    assert 20 < scripted.watches < 50


def test_a_watch_that_goes_on_after_bad_times_starts_again_at_once(follows):
    ended = []

    async def bad_times_then_good():
        ended.append(asyncio.get_running_loop().time())
        if len(ended) > 10:
            await asyncio.sleep(290)  # as servers end them
        return
        yield

    follows(Scripted(watch=bad_times_then_good), 3600)
    pauses = [later - earlier for earlier, later in itertools.pairwise(ended[11:])]
    assert pauses == pytest.approx([290.0] * len(pauses))


def test_a_watch_that_breaks_after_it_went_on_for_long_is_opened_again_soon(follows):
    begun = []

    async def breaks_late():
        begun.append(asyncio.get_running_loop().time())
        if len(begun) > 8:
            await asyncio.sleep(100)
        raise Transient("reset")
        yield

    follows(Scripted(watch=breaks_late), 3600)
    assert begun[10] - begun[9] < 101


@pytest.mark.parametrize("version", ["v2-abc", "", "1.5"])
def test_a_list_whose_version_is_no_number_is_a_source_that_is_not_synced_and_ends_nothing(follows, version):
    scripted = Scripted(items=[body()], version=version)
    alive, said, source = follows(scripted, 600)
    assert alive
    assert set(said) == {"failed"}
    assert len(source.store) == 0
    assert scripted.lists < 50


def test_a_fault_in_what_it_tells_ends_no_watch(follows, caplog):
    def broken(*_):
        raise RuntimeError("a bug")

    source = Source(kind=SECRET, namespace="edge", store=Store(lambda b: b), changed=broken)
    alive, said, source = follows(Scripted(items=[body()]), 60, source)
    assert (alive, said, len(source.store)) == (True, ["listed"], 1)
    assert "a bug" in caplog.text


def test_a_fault_in_the_watch_itself_is_logged_and_it_begins_again(follows, caplog):
    scripted = Scripted(list_errors=[RuntimeError("a bug")])
    alive, said, _ = follows(scripted, 60)
    assert (alive, said) == (True, ["failed", "listed"])
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        pytest.param(False, ["denied", "denied", "listed"], id="of what was not allowed before is believed"),
        pytest.param(True, ["failed", "failed", "listed"], id="of what was allowed is doubted"),
    ],
)
def test_a_denial(follows, allowed, said):
    scripted = Scripted(list_errors=[Forbidden("no", status=403)] * 2)
    assert follows(scripted, 5, allowed=allowed)[1] == said


def test_what_is_not_to_be_kept_is_not(follows):
    async def news():
        yield WatchEvent("ADDED", body("edge", "b", "11"))
        yield WatchEvent("ADDED", body("shop", "b", "12"))
        await asyncio.get_running_loop().create_future()

    source = Source(
        kind=CONFIG_MAP,
        namespace=None,
        store=Store(lambda b: b),
        changed=lambda *_: None,
        keeps=lambda key: key.namespace == "edge",
    )
    _, _, source = follows(Scripted(items=[body("edge"), body("shop")], watch=news), 5, source)
    assert sorted(source.store.keys()) == [ObjectKey("edge", "a"), ObjectKey("edge", "b")]


# What a first list costs


def _looked_at(monkeypatch, namespaces, each=20):
    """How often first lists, one for each namespace, look at an object that is held: counted at what is read of it."""
    looks = 0

    class Held(store_module._Held):
        def __getattribute__(self, name):
            nonlocal looks
            looks += name in ("version", "value")
            return super().__getattribute__(name)

    monkeypatch.setattr(store_module, "_Held", Held)
    names = [f"n{number}" for number in range(namespaces)]
    scripted = Scripted(items=[body(namespace, f"s{number}") for namespace in names for number in range(each)])
    store = Store(lambda b: b)

    async def story():
        for namespace in names * 2:  # as at a start, and once more as after a rollback
            source = Source(kind=SECRET, namespace=namespace, store=store, changed=lambda *_: None)
            await take_list(Gateway(scripted), source)

    asyncio.run(story())
    assert len(store) == namespaces * each
    return looks


def test_first_lists_of_namespaces_cost_what_they_hold_and_no_more(monkeypatch):
    assert _looked_at(monkeypatch, 80) == 4 * _looked_at(monkeypatch, 20)

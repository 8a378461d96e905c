"""What was last seen of the cluster: never older than what was seen before, and found by what it says."""

import pytest

from doorward.cluster import store as store_module
from doorward.cluster.store import Store, version_of
from doorward.objects.meta import ObjectKey
from tests.unit.given import NOW, SECOND

A = ObjectKey("edge", "a")
B = ObjectKey("edge", "b")
ELSEWHERE = ObjectKey("shop", "a")


def body(key=A, version=1, **data):
    return {"metadata": {"namespace": key.namespace, "name": key.name, "resourceVersion": str(version)}, **data}


def parse(found):
    if "broken" in found:
        raise ValueError("broken")
    return found


@pytest.fixture
def store():
    return Store(parse, {"tag": lambda found: found.get("tags", ())})


def take_list(store, items, version, namespace=None):
    """A full list, as the reflector takes it in: the keys that changed, or went."""
    items = list(items)
    store.shown(namespace, version)
    changed = {seen.key for seen in items if store.take(seen)}
    unlisted = store.unlisted({seen.key for seen in items}, namespace)
    return changed | {key for key in unlisted if store.remove(key, version)}


def replace_all(store, bodies, version, namespace=None):
    return take_list(store, map(store.seen, bodies), version, namespace)


def held(store):
    return {key: store.version(key) for key in store.keys()}  # noqa: SIM118 - a Store is no dict


@pytest.mark.parametrize(
    ("version", "number"),
    [
        pytest.param("17", 17, id="a number"),
        pytest.param("", 0, id="an empty text"),
        pytest.param(None, 0, id="nothing"),
        pytest.param("abc", 0, id="what is no number"),
    ],
)
def test_a_resource_version_is_read_of(version, number):
    assert version_of({"metadata": {"resourceVersion": version}}) == number


@pytest.mark.parametrize(
    ("version", "news", "then"),
    [
        pytest.param(6, True, 6, id="a newer one is taken in"),
        pytest.param(5, False, 5, id="the same one is no news"),
        pytest.param(4, False, 5, id="an older one is passed over"),
    ],
)
def test_a_store_never_goes_back(store, version, news, then):
    store.put(body(version=5))
    assert store.put(body(version=version)) is news
    assert held(store) == {A: then}


@pytest.mark.parametrize(
    ("version", "news"),
    [
        pytest.param(5, False, id="an answer that is as old as the end"),
        pytest.param(4, False, id="an answer from before the end"),
        pytest.param(6, True, id="an object of the same name that was created since"),
    ],
)
def test_after_the_end_of_an_object_comes(store, version, news):
    store.put(body(version=3))
    store.remove(A, 5)
    assert store.put(body(version=version)) is news
    assert held(store) == ({A: version} if news else {})


@pytest.mark.parametrize(
    ("namespace", "listed", "news"),
    [
        pytest.param("edge", 5, False, id="one of its namespace that is as new lacks it"),
        pytest.param(None, 6, False, id="a newer one of all namespaces lacks it"),
        pytest.param("edge", 4, True, id="a list is older"),
        pytest.param("far", 6, True, id="a newer one is of another namespace"),
    ],
)
def test_an_object_that_is_not_there_comes_after_a_list(store, namespace, listed, news):
    store.shown(namespace, listed)
    assert store.put(body(A, version=5)) is news


def test_a_list_of_a_namespace_that_was_let_go_says_nothing(store):
    store.shown("edge", 5)
    store.drop("edge")
    assert store.put(body(version=4)) is True


def test_a_list_from_before_a_rollback_says_nothing(store):
    store.shown(None, 9)
    assert store.was_put_back({}, 5, store.mark(), "far") is True
    assert store.put(body(version=6)) is True


def test_an_end_that_is_heard_of_before_the_object_keeps_it_out(store):
    assert store.remove(A, 5) is False
    assert store.put(body(version=4)) is False
    assert held(store) == {}


def test_an_end_from_before_the_object_was_created_again_takes_nothing_out(store):
    store.put(body(version=7))
    assert store.remove(A, 5) is False
    assert held(store) == {A: 7}


def test_an_end_takes_out_what_is_there_for_good(store):
    store.put(body(version=7))
    assert store.remove(A, 7) is True
    assert store.put(body(version=7)) is False


def test_an_older_end_does_not_take_back_a_newer_one(store):
    store.remove(A, 9)
    store.remove(A, 2)
    assert store.put(body(version=8)) is False


def test_only_so_many_ends_are_remembered(store, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_ENDS", 3)
    for number in range(10):
        store.remove(ObjectKey("edge", str(number)), 5)
    assert len(store._gone) == 3


def test_an_object_is_found_by_each_of_the_values_that_an_index_files_it_under(store):
    store.put(body(A, tags=["x", "y"]))
    store.put(body(B, tags=["y"]))
    assert [found["metadata"]["name"] for found in store.lookup("tag", "y")] == ["a", "b"]
    assert [found["metadata"]["name"] for found in store.lookup("tag", "x")] == ["a"]
    assert store.lookup("tag", "z") == ()


@pytest.mark.parametrize(
    ("change", "x", "y"),
    [
        pytest.param(lambda store: store.put(body(version=2, tags=["y"])), 0, 1, id="it says something else"),
        pytest.param(lambda store: store.put(body(version=2)), 0, 0, id="it says nothing any more"),
        pytest.param(lambda store: store.remove(A, 2), 0, 0, id="it is gone"),
        pytest.param(lambda store: replace_all(store, [], 2), 0, 0, id="a list lacks it"),
        pytest.param(lambda store: store.put(body(version=0, tags=["y"])), 1, 0, id="nothing, an older one was heard"),
    ],
)
def test_an_index_follows_when(store, change, x, y):
    store.put(body(version=1, tags=["x"]))
    change(store)
    assert (len(store.lookup("tag", "x")), len(store.lookup("tag", "y"))) == (x, y)


def test_an_index_keeps_no_empty_shelves(store):
    for number in range(5):
        store.put(body(version=number + 1, tags=[number]))
    store.remove(A, 9)
    assert len(store._index["tag"]) == 0


@pytest.mark.parametrize(
    ("change", "unended"),
    [
        pytest.param(lambda _: None, 2, id="nothing happens"),
        pytest.param(lambda s: s.put(body(version=2, ends=NOW + SECOND)), 2, id="one is written again"),
        pytest.param(lambda s: s.put(body(version=2, ends=NOW)), 1, id="one ends earlier than before"),
        pytest.param(lambda s: s.remove(A, 9), 1, id="one goes"),
        pytest.param(lambda s: replace_all(s, [body(ends=NOW + SECOND)], 9), 1, id="a list lacks one"),
        pytest.param(lambda s: s.put(body(ELSEWHERE, ends=NOW + SECOND)), 2, id="one of another group comes"),
    ],
)
def test_those_of_a_group_that_have_not_ended_are_counted_when(change, unended):
    store = Store(parse, ends={"namespace": lambda found: (found["metadata"]["namespace"], found["ends"])})
    store.put(body(A, ends=NOW + SECOND))
    store.put(body(B, ends=NOW + SECOND))
    change(store)
    assert store.unended("namespace", "edge", NOW) == unended


def test_an_index_that_nobody_made_cannot_be_asked(store):
    with pytest.raises(KeyError, match="colour"):
        store.lookup("colour", "red")


@pytest.mark.parametrize(
    ("listed", "changed", "then"),
    [
        pytest.param([body(A, 1), body(B, 2)], set(), {A: 1, B: 2}, id="nothing is new"),
        pytest.param([body(A, 4), body(B, 2)], {A}, {A: 4, B: 2}, id="one has changed"),
        pytest.param([body(A, 1)], {B}, {A: 1}, id="one is gone"),
        pytest.param([], {A, B}, {}, id="all are gone"),
        pytest.param(
            [body(A, 1), body(B, 2), body(ELSEWHERE, 3)], {ELSEWHERE}, {A: 1, B: 2, ELSEWHERE: 3}, id="one came"
        ),
    ],
)
def test_a_full_list_is_the_truth_as_of_its_version(store, listed, changed, then):
    store.put(body(A, 1))
    store.put(body(B, 2))
    assert replace_all(store, listed, 5) == changed
    assert held(store) == then


def test_what_was_created_after_the_list_was_made_stays(store):
    store.put(body(A, 6))
    assert replace_all(store, [], 5) == set()
    assert held(store) == {A: 6}


def test_what_a_list_lacked_does_not_come_back_with_an_answer_from_before_the_list(store):
    store.put(body(A, 1))
    replace_all(store, [], 5)
    assert store.put(body(A, 4)) is False


def test_a_list_of_one_namespace_says_nothing_of_another(store):
    store.put(body(A, 1))
    store.put(body(ELSEWHERE, 2))
    assert replace_all(store, [], 5, namespace="edge") == {A}
    assert held(store) == {ELSEWHERE: 2}


def test_an_object_that_cannot_be_read_is_passed_on_by_put(store):
    with pytest.raises(ValueError, match="broken"):
        store.put(body(broken=True))
    assert held(store) == {}


@pytest.mark.promise(7)
def test_an_object_that_cannot_be_read_harms_no_other_in_a_list(store, caplog):
    assert replace_all(store, [body(A, 1, broken=True), body(B, 2)], 5) == {B}
    assert [record.object for record in caplog.records] == ["edge/a"]


def test_an_object_that_cannot_be_read_any_more_is_known_as_it_was(store):
    store.put(body(A, 1, tags=["x"]))
    replace_all(store, [body(A, 2, broken=True)], 5)
    assert held(store) == {A: 1}
    assert len(store.lookup("tag", "x")) == 1


def test_nothing_can_be_called_absent_before_a_full_list_was_heard(store):
    assert store.synced is False


def test_a_store_may_change_while_it_is_walked_through(store):
    for number in range(5):
        store.put(body(ObjectKey("edge", str(number))))
    for key, _ in zip(store.keys(), store.values(), strict=True):
        store.remove(key, 9)
    assert len(store) == 0


def listed(store, asked, version, **versions):
    """A full list with these objects, taken in; whether the cluster was put back, and what is held then."""
    bodies = [body(key=ObjectKey("edge", name), version=number) for name, number in versions.items()]
    back = store.was_put_back({store_module.key_of(b): version_of(b) for b in bodies}, version, asked, None)
    replace_all(store, bodies, version)
    return back, {key.name: number for key, number in held(store).items()}


@pytest.mark.parametrize(
    ("version", "versions", "then"),
    [
        pytest.param(12, {"a": 3, "b": 4}, {"a": 3, "b": 4}, id="an object is older than it was known"),
        pytest.param(12, {"a": 8, "b": 4, "c": 2}, {"a": 8, "b": 4, "c": 2}, id="an object is back that was gone"),
        pytest.param(7, {"a": 3}, {"a": 3}, id="the list is older than what was heard of"),
    ],
)
def test_a_cluster_that_was_put_back_is_noticed_and_its_list_is_the_truth_where(store, version, versions, then):
    for key, number in {A: 8, B: 4, ObjectKey("edge", "c"): 5}.items():
        store.put(body(key=key, version=number))
    store.remove(ObjectKey("edge", "c"), 9)
    assert listed(store, store.mark(), version, **versions) == (True, then)


def test_a_bookmark_tells_how_far_the_cluster_had_come(store):
    store.put(body(version=3))
    store.hear(20)
    assert listed(store, store.mark(), 10, a=3) == (True, {"a": 3})
    assert listed(store, store.mark(), 11, a=3) == (False, {"a": 3})


@pytest.mark.parametrize(
    ("act", "then"),
    [
        pytest.param(lambda store: store.put(body(version=9)), {"a": 9}, id="changed"),
        pytest.param(lambda store: store.put(body(key=B, version=9)), {"a": 5, "b": 9}, id="made"),
        pytest.param(lambda store: store.remove(A, 9), {}, id="deleted"),
    ],
)
def test_a_list_undoes_nothing_of_what_was_heard_while_it_was_on_its_way(store, act, then):
    store.put(body(version=5))
    asked = store.mark()
    act(store)
    assert listed(store, asked, 7, a=5) == (False, then)


# Lists that are parsed as they come in


def test_what_is_known_in_its_version_is_not_parsed_again(store):
    store.put(body(version=5))
    seen = store.seen(body(version=5, broken=True))
    assert (seen.version, seen.value) == (5, None)
    assert take_list(store, [seen], 9) == set()
    assert held(store) == {A: 5}


def test_what_cannot_be_read_harms_no_other_in_its_list(store):
    store.put(body(version=5))
    items = [store.seen(body(version=6, broken=True)), store.seen(body(B, 6))]
    assert take_list(store, items, 9) == {B}
    assert held(store) == {A: 5, B: 6}


def test_what_changes_while_its_list_is_read_stays(store):
    items = [store.seen(body(version=5)), store.seen(body(B, 5))]
    store.put(body(version=7))
    store.put(body(B, 6))
    store.remove(B, 8)
    assert take_list(store, items, 6) == set()
    assert held(store) == {A: 7}


def test_an_index_holds_one_then_two_then_one_then_none(store):
    def tagged():
        return [found["metadata"]["name"] for found in store.lookup("tag", "x")]

    shelves = []
    for change in (
        lambda: store.put(body(version=1, tags=["x"])),
        lambda: store.put(body(version=2, tags=["x"])),
        lambda: store.put(body(ELSEWHERE, 3, tags=["x"])),
        lambda: store.put(body(B, 4, tags=["x"])),
        lambda: store.remove(A, 9),
        lambda: store.put(body(B, 5, tags=["y"])),
        lambda: store.remove(ELSEWHERE, 9),
    ):
        change()
        shelves.append(sorted(tagged()))
    assert shelves == [["a"], ["a"], ["a", "a"], ["a", "a", "b"], ["a", "b"], ["a"], []]

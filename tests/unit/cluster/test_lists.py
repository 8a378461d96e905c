"""What is read of a list and of a watch where only metadata and specs are wanted."""

import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.cluster import errors
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER
from doorward.cluster.lists import Lists, event_of_specs, page_of_specs
from doorward.cluster.live import LiveGateway, connect
from tests.support.clock import FakeClock
from tests.unit.cluster.http_api import LIMITS, NOW, kubeconfig, status, stream

LISTS = Lists(page=2, specs=frozenset({CLIENT_CERTIFICATE}))
CLIENTS = "/apis/doorward.io/v1alpha1/clientcertificates"
KEPT = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(st.sampled_from([*KEPT, "managedFields", "finalizers", "ownerReferences"]), VALUES)
OBJECTS = st.fixed_dictionaries({"metadata": METADATA}, optional={"spec": VALUES, "status": VALUES, "kind": VALUES})


def wanted(body: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in body["metadata"].items() if name in KEPT}
    return {"metadata": kept} | ({"spec": body["spec"]} if "spec" in body else {})


def listed(page: Mapping[str, Any]) -> dict[str, Any]:
    """A page with its objects, which are read one after the other."""
    return {**page, "items": [*page["items"]]}


@for_any(items=st.lists(OBJECTS, max_size=4), metadata=METADATA)
def test_of_a_page_metadata_and_specs_are_read_as_they_were_sent(items: list[Any], metadata: dict[str, Any]) -> None:
    text = json.dumps({"kind": "List", "items": items, "metadata": metadata}).encode()
    assert listed(page_of_specs(text)) == {"items": [wanted(body) for body in items], "metadata": metadata}


@for_any(kind=st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]), body=OBJECTS)
def test_so_are_those_of_an_event(kind: str, body: dict[str, Any]) -> None:
    assert event_of_specs(json.dumps({"type": kind, "object": body}).encode()) == {"type": kind, "object": wanted(body)}


@pytest.mark.parametrize("read", [page_of_specs, event_of_specs])
@pytest.mark.parametrize(
    "value", [None, 7, "x", [], [1], {}, {"a": 1}, {"items": 7}, {"type": 7, "object": {}}], ids=str
)
def test_what_is_no_page_and_no_event_is_read_as_it_is(read: Callable[[bytes], object], value: object) -> None:
    assert read(json.dumps(value).encode()) == value


@pytest.mark.parametrize("read", [page_of_specs, event_of_specs])
@pytest.mark.parametrize(
    "text", [b"", b"{", b"<html>", b'{"items": [', b"\xff\xfe", b'{"metadata": {"a": "\xff"}}'], ids=repr
)
def test_what_is_no_json_is_an_error(read: Callable[[bytes], object], text: bytes) -> None:
    with pytest.raises(ValueError):
        read(text)


@pytest.mark.parametrize(
    "body", [{"metadata": None}, {"metadata": {"name": "a"}, "spec": {}}, {"spec": {}}, "x", None, 7, []], ids=str
)
def test_one_object_of_another_shape_keeps_no_other_from_being_read(body: Any) -> None:
    page = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "good"}, "spec": {"a": 1}}, body]}
    found = listed(page_of_specs(json.dumps(page).encode()))
    assert found["items"][0] == {"metadata": {"name": "good"}, "spec": {"a": 1}}
    assert len(found["items"]) == 2


@pytest.fixture
async def lean(api, tmp_path):
    live = LiveGateway(
        await connect(kubeconfig(tmp_path / "config", api.url)), FakeClock(NOW), limits=LIMITS, lists=LISTS
    )
    yield live
    await live.close()


def page(*names: str, token: str = "") -> dict[str, Any]:
    items = [{"metadata": {"name": name, "managedFields": [{}]}, "spec": {}, "status": {}} for name in names]
    return {"metadata": {"resourceVersion": "7", "continue": token}, "items": items}


async def test_all_pages_come_in_their_order(api, lean):
    for answer in (page("a", "b", token="1"), page("c", "d", token="2"), page("e")):
        api.answer("GET", CLIENTS, answer)
    items, version = await lean.list(CLIENT_CERTIFICATE, None)
    assert [item["metadata"] for item in items] == [{"name": name} for name in "abcde"]
    assert version == "7"
    assert [(each.query.get("continue"), each.query["limit"]) for each in api.asked] == [
        (None, "2"),
        ("1", "2"),
        ("2", "2"),
    ]


async def test_an_error_of_a_later_page_is_told(api, lean):
    api.answer("GET", CLIENTS, page("a", token="1"))
    api.answer("GET", CLIENTS, status(410, reason="Expired", message="list again"), code=410)
    with pytest.raises(errors.Gone, match="list again"):
        await lean.list(CLIENT_CERTIFICATE, None)


async def test_an_error_in_what_takes_the_objects_is_told(api, lean):
    api.answer("GET", CLIENTS, page("a", token="1"))

    def take(_: object) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await lean.collect(take, CLIENT_CERTIFICATE, None)


async def test_a_kind_that_is_not_named_is_read_whole(api, lean):
    for kind in (ISSUER, INGRESS):
        api.answer("GET", kind.path(None), page("a"))
        (item,), _ = await lean.list(kind, None)
        assert item == page("a")["items"][0]


async def test_an_error_in_a_watch_is_told(api, lean):
    event = {"type": "ERROR", "object": status(410, reason="Expired", message="too old")}
    api.behave("GET", CLIENTS, stream(event))

    async def follow() -> None:
        async with aclosing(lean.watch(CLIENT_CERTIFICATE, None, "7")) as found:
            async for _ in found:
                pass

    with pytest.raises(errors.Gone, match="too old"):
        await follow()

"""Lists that are read while they arrive: cut anywhere they say the same, and what does not arrive whole is no list."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.cluster import arriving, errors
from doorward.cluster.arriving import Cut
from doorward.cluster.gateway import CLIENT_CERTIFICATE
from doorward.cluster.lists import Lists, object_of_specs, page_of_specs
from doorward.cluster.live import LiveGateway, connect
from tests.support.clock import FakeClock
from tests.unit.cluster.http_api import LIMITS, NOW, kubeconfig

CLIENTS = CLIENT_CERTIFICATE.path(None)
TYPE = {"apiVersion": CLIENT_CERTIFICATE.api_version, "kind": CLIENT_CERTIFICATE.name}
OWNER = {**TYPE, "metadata": {"name": "of no field of ours"}}
SPECS = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=6) | st.just("},{" + json.dumps(OWNER)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def client(name: str, spec: Any = None) -> dict[str, Any]:
    return {**TYPE, "metadata": {"managedFields": [{**TYPE, "a": 1}] * 2, "name": name}, "spec": spec, "status": {}}


def page(*items: object, token: str = "") -> bytes:
    """As the API server writes it."""
    body = {"apiVersion": TYPE["apiVersion"], "items": items, "kind": "L", "metadata": {"continue": token}}
    body["metadata"]["resourceVersion"] = "7"  # type: ignore[index]
    return json.dumps(body, separators=(",", ":")).encode()


def read(text: bytes, sizes: list[int]) -> tuple[list[Any], list[Any], Any]:
    """What was read before all was there, what was read then, and the metadata."""
    cut, early = Cut(CLIENT_CERTIFICATE, object_of_specs), []
    for size in sizes:
        early += cut.feed(text[:size])
        text = text[size:]
    early += cut.feed(text)
    rest = page_of_specs(cut.rest())
    return early, [*(rest.get("items") or ())], rest["metadata"]


@for_any(specs=st.lists(SPECS, max_size=6), sizes=st.lists(st.integers(0, 300), max_size=20))
def test_cut_anywhere_a_page_says_the_same(specs: list[Any], sizes: list[int]) -> None:
    text = page(*[client(f"c{number}", spec) for number, spec in enumerate(specs)], token="more")
    early, late, metadata = read(text, sizes)
    whole = page_of_specs(text)
    assert early + late == [*(whole["items"] or ())]
    assert len(late) <= 1
    assert metadata == whole["metadata"]


@for_any(where=st.integers(0, 3), sizes=st.lists(st.integers(0, 300), max_size=20))
def test_what_cannot_be_read_when_it_was_cut_is_read_with_the_rest(where: int, sizes: list[int]) -> None:
    items = [client(f"c{number}") for number in range(4)]
    items[where]["spec"] = {"nested": [OWNER, OWNER, OWNER]}
    early, late, _ = read(page(*items), sizes)
    assert [body["spec"] for body in early + late] == [each["spec"] for each in items]
    assert len(early) == where


@pytest.mark.parametrize(
    "body", [{"metadata": 7}, {**OWNER, "metadata": {"labels": 7}}, "x", None, 7, [], {**OWNER, "spec": 7}], ids=str
)
def test_one_object_of_another_shape_keeps_no_other_from_being_read(body: Any) -> None:
    early, late, _ = read(page(client("a"), body, client("b"), client("c")), [])
    names = [
        each["metadata"]["name"] for each in early + late if isinstance(each, dict) and each.get("spec", 0) is None
    ]
    assert names == ["a", "b", "c"]
    assert len(early + late) == 4


def test_a_page_that_is_written_otherwise_is_read_whole() -> None:
    text = json.dumps(json.loads(page(client("a"), client("b"))), indent=1).encode()
    early, late, _ = read(text, [100])
    assert (len(early), len(late)) == (0, 2)


def test_a_page_whose_first_object_does_not_begin_is_not_searched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "LONGEST_HEAD", 10)
    early, late, _ = read(page(client("a"), client("b")), [5, 11])
    assert (len(early), len(late)) == (0, 2)


@pytest.fixture
async def lean(api, tmp_path):
    lists = Lists(page=2, specs=frozenset({CLIENT_CERTIFICATE}))
    api_client = await connect(kubeconfig(tmp_path / "config", api.url))
    live = LiveGateway(api_client, FakeClock(NOW), limits=LIMITS, lists=lists)
    yield live
    await live.close()


def sending(api, *parts: bytes, **headers: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={name.replace("_", "-"): value for name, value in headers.items()})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        return response

    api.behave("GET", CLIENTS, handler)


async def test_objects_are_taken_in_before_the_page_is_there(api, lean):
    taken = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = page(client("a"), client("b"))
        half = text.index(b'"b"')
        await response.write(text[:half])
        await taken.wait()
        await response.write(text[half:])
        return response

    api.behave("GET", CLIENTS, handler)

    def take(body: Any) -> str:
        taken.set()
        return str(body["metadata"]["name"])

    async with asyncio.timeout(30):
        assert await lean.collect(take, CLIENT_CERTIFICATE, None) == (["a", "b"], "7")


@pytest.mark.parametrize("at_once", [7, 10_000])
async def test_compressed_pages_are_read_in_their_order(api, lean, monkeypatch, at_once):
    monkeypatch.setattr(arriving, "AT_ONCE", at_once)
    for names, token in (("ab", "1"), ("cd", "2"), ("e", "")):
        text = gzip.compress(page(*map(client, names), token=token))
        sending(api, text[:20], text[20:], Content_Encoding="gzip")
    names, version = await lean.collect(lambda body: body["metadata"]["name"], CLIENT_CERTIFICATE, None)
    assert (names, version) == ([*"abcde"], "7")
    assert [each.query.get("continue") for each in api.asked] == [None, "1", "2"]


WHOLE = gzip.compress(page(client("a"), client("b")))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(page(client("a"), client("b"))[:-9], "identity", id="it ends early"),
        pytest.param(WHOLE[:-9], "gzip", id="its gzip ends early"),
        pytest.param(WHOLE + WHOLE, "gzip", id="its gzip does not end"),
        pytest.param(b"no gzip", "gzip", id="it is no gzip"),
        pytest.param(WHOLE, "br", id="another encoding"),
        pytest.param(b'{"items":[]}', "identity", id="no metadata"),
        pytest.param(b"[]", "identity", id="no page"),
        pytest.param(b"", "identity", id="nothing"),
    ],
)
async def test_what_does_not_arrive_whole_is_no_list(api, lean, text, encoding):
    sending(api, text, Content_Encoding=encoding)
    with pytest.raises(errors.Transient):
        await lean.list(CLIENT_CERTIFICATE, None)


async def test_an_answer_that_breaks_off_is_no_list(api, lean):
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(page(client("a"), client("b")))
        assert request.transport is not None
        request.transport.close()
        return response

    api.behave("GET", CLIENTS, handler)
    with pytest.raises(errors.Transient):
        await lean.list(CLIENT_CERTIFICATE, None)

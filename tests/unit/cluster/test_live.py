"""The gateway over HTTP: what is asked, what is made of the answers, and that no token and no key is ever in a message."""

import asyncio
import json
import traceback
from contextlib import aclosing
from datetime import timedelta
from email.utils import format_datetime

import pytest
import yaml
from aiohttp import web
from kubernetes.aio.config import ConfigException

from doorward.cluster import errors, live, steps
from doorward.cluster.gateway import APPLY_PATCH, CONFIG_MAP, INGRESS, ISSUED_CERTIFICATE, NAMESPACE, SECRET
from doorward.cluster.live import connect
from tests.unit.cluster.http_api import NOW, TOKEN, kubeconfig, status, stream

KEY = "key-that-nobody-may-read"
SECRETS = "/api/v1/namespaces/edge/secrets"
BODY = {"metadata": {"name": "a"}, "data": {"tls.key": KEY}}


async def watched(gateway, kind=SECRET, *, into=None, **options):
    """The events after version 7, also in `into`, which keeps them when the watch breaks."""
    events = [] if into is None else into
    async with aclosing(gateway.watch(kind, "edge", "7", **options)) as found:
        async for event in found:
            events.append(event)
    return events


def seen(kind, version):
    return {"type": kind, "object": {"metadata": {"name": "a", "resourceVersion": version}}}


async def test_a_request_carries_the_token_and_says_who_asks(api, gateway):
    api.answer("GET", f"{SECRETS}/a", BODY)
    assert await gateway.get(SECRET, "edge", "a") == BODY
    (request,) = api.asked
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["User-Agent"] == "doorward"


async def test_a_user_who_acts_as_another_is_refused_and_not_taken_for_the_one_behind(api, tmp_path):
    with pytest.raises(ConfigException, match="user me has `as:`"):
        await connect(kubeconfig(tmp_path / "config", api.url, **{"as": "ann"}))


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        pytest.param(SECRET, "edge", f"{SECRETS}/a", id="a Secret"),
        pytest.param(NAMESPACE, None, "/api/v1/namespaces/a", id="a Namespace"),
        pytest.param(NAMESPACE, "edge", "/api/v1/namespaces/a", id="a Namespace, which is in none"),
        pytest.param(INGRESS, "edge", "/apis/networking.k8s.io/v1/namespaces/edge/ingresses/a", id="an Ingress"),
        pytest.param(
            ISSUED_CERTIFICATE, "edge", "/apis/doorward.io/v1alpha1/namespaces/edge/issuedcertificates/a", id="a record"
        ),
    ],
)
async def test_the_path_is_that_of(api, gateway, kind, namespace, path):
    api.answer("GET", path, BODY)
    assert await gateway.get(kind, namespace, "a") == BODY


@pytest.mark.parametrize(
    ("call", "method", "path", "query"),
    [
        pytest.param(lambda g: g.create(SECRET, "edge", BODY), "POST", SECRETS, {}, id="to create"),
        pytest.param(lambda g: g.replace(SECRET, "edge", "a", BODY), "PUT", f"{SECRETS}/a", {}, id="to replace"),
        pytest.param(
            lambda g: g.patch(SECRET, "edge", "a", BODY, subresource="status"),
            "PATCH",
            f"{SECRETS}/a/status",
            {},
            id="to patch a status",
        ),
        pytest.param(
            lambda g: g.patch(SECRET, "edge", "a", BODY, content_type=APPLY_PATCH, query={"force": "true"}),
            "PATCH",
            f"{SECRETS}/a",
            {"force": "true"},
            id="to apply",
        ),
    ],
)
async def test_a_write_names_its_field_manager(api, gateway, call, method, path, query):
    api.answer(method, path, BODY)
    assert await call(gateway) == BODY
    assert dict(api.asked[0].query) == {"fieldManager": "doorward"} | query
    assert yaml.safe_load(api.bodies[0]) == BODY


@pytest.mark.parametrize(
    ("content_type", "options"),
    [
        pytest.param("application/merge-patch+json", {}, id="a merge"),
        pytest.param("application/apply-patch+yaml", {"content_type": APPLY_PATCH}, id="an apply"),
    ],
)
async def test_a_patch_is_sent_as(api, gateway, content_type, options):
    api.answer("PATCH", f"{SECRETS}/a", BODY)
    await gateway.patch(SECRET, "edge", "a", BODY, **options)
    assert api.asked[0].headers["Content-Type"] == content_type


async def test_a_delete_sends_no_body(api, gateway):
    api.answer("DELETE", f"{SECRETS}/a", status(200))
    await gateway.delete(SECRET, "edge", "a")
    assert api.bodies == [""]


async def test_the_event_loop_turns_while_a_page_and_its_objects_are_read(api, gateway, monkeypatch):
    def read(text):
        seen.append(turns)
        return json.loads(text)

    monkeypatch.setattr(steps, "STEP", 0.0)
    monkeypatch.setattr(live, "whole", read)
    items = [{"metadata": {"name": str(number)}} for number in range(20)]
    api.answer("GET", SECRETS, {"metadata": {"resourceVersion": "7"}, "items": items})
    turns, seen = 0, []

    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await gateway.collect(lambda _: seen.append(turns), SECRET, "edge")
    turning.cancel()
    assert len(set(seen)) == 1 + len(items)


async def test_a_list_is_read_page_by_page_with_its_selector(api, gateway):
    for name, token in (("a", "more"), ("b", "again"), ("c", "")):
        page = {"metadata": {"resourceVersion": "7", "continue": token}, "items": [{"metadata": {"name": name}}]}
        api.answer("GET", SECRETS, page)
    items, version = await gateway.list(SECRET, "edge", selector="a=b")
    assert ([item["metadata"]["name"] for item in items], version) == (["a", "b", "c"], "7")
    assert [request.query.get("continue") for request in api.asked] == [None, "more", "again"]
    assert {(request.query["labelSelector"], request.query["limit"]) for request in api.asked} == {("a=b", "250")}


async def test_an_empty_list_may_come_without_items(api, gateway):
    api.answer("GET", SECRETS, {"metadata": {"resourceVersion": "7"}, "items": None})
    assert await gateway.list(SECRET, "edge") == ([], "7")


async def test_a_page_that_is_too_old_is_gone_and_no_shorter_list(api, gateway):
    page = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]}
    api.answer("GET", SECRETS, page)
    api.answer("GET", SECRETS, status(410, reason="Expired", message="list again"), code=410)
    with pytest.raises(errors.Gone, match="list again"):
        await gateway.list(SECRET, "edge")


async def test_of_a_secret_that_is_watched_only_the_metadata_is_asked_for(api, gateway):
    api.answer("GET", SECRETS, {"metadata": {"resourceVersion": "7"}, "items": []})
    api.behave("GET", SECRETS, stream())
    await gateway.list(SECRET, "edge", metadata_only=True)
    await watched(gateway, metadata_only=True)
    accepted = [request.headers["Accept"] for request in api.asked]
    assert accepted == [
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    ]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        pytest.param(401, "Unauthorized", errors.Transient, id="401"),
        pytest.param(403, "Forbidden", errors.Forbidden, id="403"),
        pytest.param(404, "NotFound", errors.NotFound, id="404"),
        pytest.param(409, "AlreadyExists", errors.AlreadyExists, id="409, it exists"),
        pytest.param(409, "Conflict", errors.Conflict, id="409, it changed"),
        pytest.param(422, "Invalid", errors.Invalid, id="422"),
        pytest.param(429, "TooManyRequests", errors.Transient, id="429"),
        pytest.param(503, "ServiceUnavailable", errors.Transient, id="503"),
    ],
)
async def test_an_answer_that_is_no_success_raises_its_type(api, gateway, code, reason, kind):
    api.answer("POST", SECRETS, status(code, reason=reason, message="the server's own words"), code=code)
    with pytest.raises(kind, match="the server's own words") as caught:
        await gateway.create(SECRET, "edge", BODY)
    assert caught.value.status == code


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>bad gateway</html>", id="HTML of a balancer"),
        pytest.param("", id="nothing"),
        pytest.param("[]", id="JSON that is no object"),
    ],
)
async def test_an_error_whose_body_is_no_status_is_known_by_its_code(api, gateway, body):
    api.answer("GET", f"{SECRETS}/a", body, code=502)
    with pytest.raises(errors.Transient, match="HTTP 502"):
        await gateway.get(SECRET, "edge", "a")


async def test_a_long_message_of_the_server_is_cut(api, gateway):
    api.answer("GET", f"{SECRETS}/a", status(500, message="x" * 100_000), code=500)
    with pytest.raises(errors.Transient) as caught:
        await gateway.get(SECRET, "edge", "a")
    assert len(str(caught.value)) == 2000


async def stall(_request):
    """Never answers; the server cancels it when the caller has gone, or when it is closed."""
    await asyncio.Event().wait()


def stall_after(code, text):
    async def handler(request):
        answer = web.StreamResponse(status=code, headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(text)
        await stall(request)

    return handler


async def tear(request):
    request.transport.close()
    return web.Response()


async def html(_request):
    return web.Response(text=f"<html>{KEY}</html>")


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(stall, id="no answer comes"),
        pytest.param(stall_after(200, b'{"metadata"'), id="half an answer comes"),
        pytest.param(stall_after(500, b'{"kind"'), id="half an error comes"),
        pytest.param(tear, id="the connection is torn"),
        pytest.param(html, id="the answer is no JSON"),
    ],
)
async def test_it_may_pass_and_names_what_was_asked_but_no_secret_when(api, hasty_gateway, behaviour):
    api.behave("PUT", f"{SECRETS}/a", behaviour)
    with pytest.raises(errors.Transient) as caught:
        await hasty_gateway.replace(SECRET, "edge", "a", BODY)
    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in told
    assert KEY not in told


async def test_a_refused_connection_may_pass_and_names_what_was_asked_but_no_secret(api, gateway):
    await api.server.close()
    with pytest.raises(errors.Transient, match=f"POST {SECRETS}: ClientConnectorError") as caught:
        await gateway.create(SECRET, "edge", BODY)
    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in told
    assert KEY not in told


async def test_after_a_torn_connection_the_next_request_is_answered(api, gateway):
    api.behave("POST", SECRETS, tear)
    api.answer("POST", SECRETS, BODY)
    with pytest.raises(errors.Transient, match=f"POST {SECRETS}"):
        await gateway.create(SECRET, "edge", BODY)
    assert await gateway.create(SECRET, "edge", BODY) == BODY


@pytest.mark.parametrize(
    ("header", "skew"),
    [
        pytest.param(format_datetime(NOW, usegmt=True), timedelta(0), id="the same time"),
        pytest.param(format_datetime(NOW - timedelta(minutes=6), usegmt=True), timedelta(minutes=6), id="we are ahead"),
        pytest.param(format_datetime(NOW + timedelta(hours=1), usegmt=True), -timedelta(hours=1), id="we are behind"),
        pytest.param("yesterday", timedelta(0), id="no date at all"),
        pytest.param("Tue, 01 Sep 2026 12:00:00 -0000", timedelta(0), id="a date without a zone"),
        pytest.param(
            "Tue, 01 Sep 2026 12:00:00 +99999999999999999999", timedelta(0), id="a date in a zone that is nowhere"
        ),
    ],
)
async def test_the_skew_is_read_off_a_date_header_of(api, gateway, header, skew):
    api.answer("GET", f"{SECRETS}/a", BODY, headers={"Date": header})
    await gateway.get(SECRET, "edge", "a")
    assert gateway.skew() == skew


async def test_the_skew_is_heard_from_an_error_too(api, gateway):
    headers = {"Date": format_datetime(NOW - timedelta(minutes=6), usegmt=True)}
    api.answer("GET", f"{SECRETS}/a", status(500), code=500, headers=headers)
    with pytest.raises(errors.Transient):
        await gateway.get(SECRET, "edge", "a")
    assert gateway.skew() == timedelta(minutes=6)


async def test_a_skew_that_was_heard_holds_when_the_next_answer_says_nothing_of_use(api, gateway):
    for date in (format_datetime(NOW - timedelta(minutes=6), usegmt=True), "junk"):
        api.answer("GET", f"{SECRETS}/a", BODY, headers={"Date": date})
    await gateway.get(SECRET, "edge", "a")
    await gateway.get(SECRET, "edge", "a")
    assert gateway.skew() == timedelta(minutes=6)


async def test_a_watch_gives_the_events_after_its_version_until_the_server_ends_it(api, gateway):
    api.behave("GET", SECRETS, stream(seen("ADDED", "8"), seen("BOOKMARK", "9"), seen("DELETED", "10")))
    events = await watched(gateway, selector="a=b")
    assert [(event.type, event.object["metadata"]["resourceVersion"]) for event in events] == [
        ("ADDED", "8"),
        ("BOOKMARK", "9"),
        ("DELETED", "10"),
    ]
    query = api.asked[0].query
    assert (query["watch"], query["resourceVersion"], query["labelSelector"]) == ("1", "7", "a=b")
    assert query["allowWatchBookmarks"] == "true"


async def test_watches_of_a_hundred_namespaces_leave_room_for_other_requests(api, gateway):
    silent, hanging = asyncio.Event(), asyncio.Barrier(121)

    async def say_nothing(_request):
        await hanging.wait()
        await silent.wait()
        return web.Response()

    api.behave("GET", SECRETS, say_nothing)
    api.answer("GET", f"{SECRETS}/a", BODY)
    async with asyncio.TaskGroup() as watches:
        for _ in range(120):
            watches.create_task(watched(gateway))
        await asyncio.wait_for(hanging.wait(), 60)
        assert await gateway.get(SECRET, "edge", "a") == BODY
        silent.set()


async def test_a_watch_reads_an_object_as_large_as_etcd_takes(api, gateway):
    large = {"type": "ADDED", "object": {"metadata": {"resourceVersion": "8"}, "data": {"ca.crl": "x" * 1_500_000}}}
    api.behave("GET", "/api/v1/namespaces/edge/configmaps", stream(large))
    (event,) = await watched(gateway, CONFIG_MAP)
    assert event.object == large["object"]


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param(
            stream({"type": "ERROR", "object": status(410, reason="Expired")}), errors.Gone, id="too far behind"
        ),
        pytest.param(stream({"type": "ERROR", "object": status(500)}), errors.Transient, id="an error of the server"),
        pytest.param(stream({"type": "ERROR", "object": {}}), errors.Transient, id="an error that says nothing"),
        pytest.param(stream("", seen("ADDED", "8")), errors.Transient, id="an empty line"),
        pytest.param(stream("junk"), errors.Transient, id="a line that is no JSON"),
        pytest.param(stream("{}"), errors.Transient, id="a line that is no event"),
        pytest.param(stream(cut=True), errors.Transient, id="a line that is torn"),
    ],
)
async def test_a_watch_ends_in_an_error_by(api, gateway, behaviour, kind):
    api.behave("GET", SECRETS, behaviour)
    with pytest.raises(kind):
        await watched(gateway)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(403, errors.Forbidden, id="without the right"),
        pytest.param(404, errors.NotFound, id="of a kind that is not there"),
        pytest.param(410, errors.Gone, id="of a version that is too old"),
    ],
)
async def test_a_watch_is_refused(api, gateway, code, kind):
    api.answer("GET", SECRETS, status(code, message="no"), code=code)
    with pytest.raises(kind, match="no"):
        await watched(gateway)


async def test_what_came_before_a_watch_broke_was_given(api, gateway):
    api.behave("GET", SECRETS, stream(seen("ADDED", "8"), cut=True))
    events = []
    with pytest.raises(errors.Transient, match="watch secrets"):
        await watched(gateway, into=events)
    assert [event.type for event in events] == ["ADDED"]


@pytest.mark.parametrize("code", [409, 429, 500, 503, 504])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param(format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7, id="a date"),
        pytest.param("9" * 100, errors.LONGEST_RETRY_AFTER, id="for ever"),
    ],
)
async def test_an_answer_that_asks_to_wait_says_how_long(api, gateway, code, asked, seconds):
    headers = {"Retry-After": asked, "Date": format_datetime(NOW, usegmt=True)}
    api.answer("GET", f"{SECRETS}/a", status(code), code=code, headers=headers)
    with pytest.raises(errors.ApiError) as caught:
        await gateway.get(SECRET, "edge", "a")
    assert errors.retry_after(caught.value) == seconds


async def test_an_answer_that_does_not_ask_to_wait_asks_for_nothing(api, gateway):
    api.answer("GET", f"{SECRETS}/a", status(429), code=429)
    with pytest.raises(errors.Transient) as caught:
        await gateway.get(SECRET, "edge", "a")
    assert errors.retry_after(caught.value) == 0


async def test_a_date_until_which_to_wait_is_seen_from_the_servers_own_time(api, gateway):
    there = NOW - timedelta(hours=1)
    headers = {
        "Retry-After": format_datetime(there + timedelta(seconds=7), usegmt=True),
        "Date": format_datetime(there, usegmt=True),
    }
    api.answer("GET", f"{SECRETS}/a", status(503), code=503, headers=headers)
    with pytest.raises(errors.Transient) as caught:
        await gateway.get(SECRET, "edge", "a")
    assert errors.retry_after(caught.value) == 7


async def test_a_watch_that_is_refused_for_now_says_how_long(api, gateway):
    api.answer("GET", SECRETS, status(429), code=429, headers={"Retry-After": "7"})
    with pytest.raises(errors.Transient) as caught:
        await watched(gateway)
    assert errors.retry_after(caught.value) == 7

"""What is counted of writes: each once, by what came of it; reads are not, and no error is changed."""

import asyncio

import pytest

from doorward.cluster import errors
from doorward.cluster.gateway import CONFIG_MAP, EVENT, NAMESPACE
from doorward.cluster.metered import RESULTS, MeteredGateway
from tests.support.clock import FakeClock
from tests.support.gateway_contract import config_map
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit.given import NOW


class Counted:
    def __init__(self):
        self.writes = []
        self.refusals = []

    def wrote(self, kind, subresource, verb, result):
        self.writes.append((kind.name, subresource, verb, result))

    def refused(self, kind, subresource, code):
        self.refusals.append((kind.name, subresource, code))


@pytest.fixture
def inner():
    cluster = MemoryCluster(FakeClock(NOW))
    cluster.create(NAMESPACE, "", {"metadata": {"name": "edge"}}, "test")
    return MemoryGateway(cluster)


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def gateway(inner, counted):
    return MeteredGateway(inner, counted)


async def test_each_verb_is_counted_and_reads_are_not(gateway, counted):
    body = await gateway.create(CONFIG_MAP, "edge", config_map("a"))
    await gateway.replace(CONFIG_MAP, "edge", "a", body)
    await gateway.patch(CONFIG_MAP, "edge", "a", {"data": {"x": "y"}})
    await gateway.patch(CONFIG_MAP, "edge", "a", {"status": {}}, subresource="status")
    await gateway.get(CONFIG_MAP, "edge", "a")
    await gateway.list(CONFIG_MAP, "edge")
    await gateway.delete(CONFIG_MAP, "edge", "a")
    assert counted.writes == [
        ("ConfigMap", "", "create", "ok"),
        ("ConfigMap", "", "replace", "ok"),
        ("ConfigMap", "", "patch", "ok"),
        ("ConfigMap", "status", "patch", "ok"),
        ("ConfigMap", "", "delete", "ok"),
    ]
    assert counted.refusals == []


@pytest.mark.parametrize(
    ("error", "result", "code"),
    [
        pytest.param(errors.Forbidden("no", status=403), "forbidden", 403, id="a right is missing"),
        pytest.param(errors.Ending("no", status=403), "forbidden", 403, id="the namespace is ending"),
        pytest.param(errors.Invalid("no", status=422), "invalid", 422, id="a policy says no"),
        pytest.param(errors.Invalid("no", status=413), "invalid", 413, id="it is too large"),
        pytest.param(errors.Invalid("no"), "invalid", 422, id="invalid without a status"),
        pytest.param(errors.Conflict("no", status=409), "conflict", 409, id="it changed"),
        pytest.param(errors.AlreadyExists("no", status=409), "already_exists", 409, id="the name is taken"),
        pytest.param(errors.Transient("no", status=418), "failed", 418, id="a webhook says no in its own way"),
        pytest.param(errors.Transient("no", status=429), "failed", None, id="too many requests"),
        pytest.param(errors.Transient("no", status=500), "failed", None, id="a webhook does not answer"),
        pytest.param(errors.Transient("no"), "failed", None, id="no answer at all"),
        pytest.param(errors.NotFound("no", status=404), "not_found", None, id="it is gone"),
        pytest.param(errors.NoSuchKind("no", status=404), "not_found", None, id="its kind is gone"),
        pytest.param(errors.Gone("no", status=410), "failed", None, id="too far behind"),
        pytest.param(errors.NotLeading("no"), "not_leading", None, id="another leads"),
    ],
)
async def test_what_came_of_a_write_is_counted_and_passed_on(gateway, inner, counted, error, result, code):
    inner.refuse = lambda _: error
    with pytest.raises(type(error)) as raised:
        await gateway.create(EVENT, "edge", {"metadata": {"name": "a"}})
    assert raised.value is error
    assert counted.writes == [("Event", "", "create", result)]
    assert counted.refusals == ([] if code is None else [("Event", "", code)])
    assert result in RESULTS


async def test_a_write_that_nobody_waits_for_is_counted_as_abandoned(gateway, inner, counted):
    inner.latency = 60.0
    task = asyncio.create_task(gateway.create(EVENT, "edge", {"metadata": {"name": "a"}}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counted.writes == [("Event", "", "create", "abandoned")]


async def test_the_skew_is_that_of_the_gateway_within(gateway, inner):
    await gateway.list(CONFIG_MAP, "edge")
    assert gateway.skew() == inner.skew()

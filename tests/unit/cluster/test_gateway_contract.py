"""The gateway in memory does what the one over the API server does, and has the faults that tests ask for."""

import pytest

from doorward.cluster.errors import Gone, Transient
from doorward.cluster.gateway import CONFIG_MAP, NAMESPACE
from doorward.objects.meta import ObjectKey
from tests.support.clock import FakeClock
from tests.support.gateway_contract import GatewayContract, config_map, heard
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import Fault, MemoryGateway
from tests.unit.given import NOW


@pytest.fixture
def namespace():
    return "contract"


@pytest.fixture
def gateway(namespace):
    cluster = MemoryCluster(FakeClock(NOW))
    cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, "test")
    return MemoryGateway(cluster)


class TestMemoryGateway(GatewayContract):
    async def test_a_watch_from_before_what_the_server_remembers_is_gone(self, gateway, namespace):
        _, version = await gateway.list(CONFIG_MAP, namespace)
        await gateway.create(CONFIG_MAP, namespace, config_map())
        gateway.cluster.compact()
        with pytest.raises(Gone):
            await heard(gateway, namespace, version, 1)

    async def test_what_kubernetes_puts_into_a_new_namespace_is_not_among_what_is_heard(self, gateway, namespace):
        _, version = await gateway.list(CONFIG_MAP, namespace)
        await gateway.create(CONFIG_MAP, namespace, config_map("kube-root-ca.crt"))
        await self._change(gateway, namespace)
        events = await heard(gateway, namespace, version, 3)
        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]

    @pytest.mark.parametrize("done", [False, True])
    async def test_a_write_can_fail_with_or_without_being_done(self, gateway, namespace, done):
        gateway.faults[1] = Fault(Transient("timeout"), done=done)
        with pytest.raises(Transient):
            await gateway.create(CONFIG_MAP, namespace, config_map())
        found = gateway.cluster.find(CONFIG_MAP, ObjectKey(namespace, "thing"))
        assert (found is not None) is done

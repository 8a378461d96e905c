"""The gateway over the real API server keeps the contract that the one in memory keeps: what tests believe there is so."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from doorward.clock import SystemClock
from doorward.cluster.live import LiveGateway, connect
from tests.support.gateway_contract import GatewayContract
from tests.support.home import Home
from tests.support.kube import Person
from tests.testbed.controlplane import Cluster


@pytest.fixture
def namespace(admin: Person, tmp_path: Path) -> Iterator[str]:
    home = Home.found(admin, tmp_path, consent=False)
    yield home.namespace
    home.abandon()


@pytest.fixture
async def gateway(cluster: Cluster) -> AsyncIterator[LiveGateway]:
    made = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    yield made
    await made.close()


class TestLiveGateway(GatewayContract):
    async def test_the_clocks_of_one_machine_agree(self, gateway: LiveGateway, namespace: str):
        assert namespace
        assert abs(gateway.skew()) <= timedelta(seconds=1)

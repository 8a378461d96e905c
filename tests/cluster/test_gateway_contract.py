"""The gateway over the real API server keeps the contract that the one in memory keeps: what tests believe there is so."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from doorward.clock import SystemClock
from doorward.cluster.errors import NoSuchKind, NotFound
from doorward.cluster.gateway import ISSUER, Kind
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
    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            pytest.param(ISSUER, NotFound, id="it is not there"),
            pytest.param(replace(ISSUER, plural="gadgets"), NoSuchKind, id="its kind is not served"),
            pytest.param(Kind("example.com/v1", "Gadget", "gadgets"), NoSuchKind, id="nor its group"),
        ],
    )
    async def test_an_object_that_is_not_there_is_told_from_a_kind_that_is_not(
        self, gateway: LiveGateway, namespace: str, kind: Kind, error: type[NotFound]
    ):
        with pytest.raises(NotFound) as caught:
            await gateway.get(kind, namespace, "thing")
        assert type(caught.value) is error

    async def test_the_clocks_of_one_machine_agree(self, gateway: LiveGateway, namespace: str):
        assert namespace
        assert abs(gateway.skew()) <= timedelta(seconds=1)

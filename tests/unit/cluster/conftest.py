"""The gateway over an HTTP server that stands in for the API server."""

import pytest

from doorward.cluster.live import LiveGateway, connect
from tests.support.clock import FakeClock
from tests.unit.cluster.http_api import HASTY, LIMITS, NOW, HttpApi, kubeconfig


@pytest.fixture
async def api():
    http = HttpApi()
    async with http.server:
        yield http


@pytest.fixture
async def gateway(api, tmp_path):
    live = LiveGateway(await connect(kubeconfig(tmp_path / "config", api.url)), FakeClock(NOW), limits=LIMITS)
    yield live
    await live.close()


@pytest.fixture
async def hasty_gateway(api, tmp_path):
    """One that waits for an answer no longer than a test should."""
    live = LiveGateway(await connect(kubeconfig(tmp_path / "config", api.url)), FakeClock(NOW), limits=HASTY)
    yield live
    await live.close()

"""The gate service as a process: everything is made and joined here, once."""

import asyncio
import gc
import signal
from dataclasses import dataclass

from doorward import health
from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE
from doorward.cluster.identity import Identity
from doorward.cluster.lists import Lists
from doorward.cluster.live import LiveGateway, connect_as
from doorward.gate_service.metrics import Metrics
from doorward.gate_service.server import ENVOY, INGRESS_NGINX, Application, serve
from doorward.gate_service.service import GateService

PAGE = 5_000
"""Objects in one answer. Small pages cost the API server more: to list a hundred thousand objects of each of two kinds took 36 s
of its CPU in pages of 250, 24 s of 1,000, 22 s of 5,000 (measured). None is in memory as a whole."""
LISTS = Lists(page=PAGE, specs=frozenset({CLIENT_CERTIFICATE, ISSUED_CERTIFICATE}))
"""A hundred thousand of each are to be taken in within seconds, and in short steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says."""

    kubeconfig: str | None = None
    host: str = "0.0.0.0"  # noqa: S104 - proxies come from other nodes
    port: int = 8080
    health_port: int | None = 8081
    proxies: tuple[str, ...] = (INGRESS_NGINX,)
    """Those that may ask."""


async def run(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT."""
    # Full collections walk through all that is known, for hardly anything.
    gc.set_threshold(5_000, 2, 1_000)
    clock = SystemClock()
    identity = Identity(settings.kubeconfig, clock)
    gateway = LiveGateway(await connect_as(identity), clock, identity=identity, lists=LISTS)
    service = GateService(gateway, clock, sha256=ENVOY in settings.proxies)
    metrics = Metrics(service)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    following = asyncio.create_task(service.follow())
    runner = None
    try:
        if settings.health_port is not None:
            runner = await health.serve(settings.health_port, service.readiness, metrics.render, host=settings.host)
        application = Application(service.answer, metrics.answered, settings.proxies)
        await serve(application, settings.host, settings.port, stop, clock)
    finally:
        following.cancel()
        await asyncio.wait([following])
        if runner is not None:
            await runner.cleanup()
        await gateway.close()

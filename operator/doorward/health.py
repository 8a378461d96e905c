"""The health port: /healthz while the event loop turns, /readyz while the cluster is known as it is, and what is wrong with
that; /metrics.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What /readyz answers."""

    ready: bool
    part: str
    """What this process does beside others."""
    troubles: Sequence[str] = ()
    """What is not as it should be, a line each; with some of them it is ready all the same."""

    @property
    def text(self) -> str:
        """The part first, for those who only look for that."""
        return "\n".join((self.part, *self.troubles)) + "\n"


async def serve(
    port: int,
    readiness: Callable[[], Readiness],
    metrics: Callable[[], Awaitable[bytes]],
    host: str = "0.0.0.0",  # noqa: S104 - probes come from the node
) -> web.AppRunner:
    """Serve until the runner is cleaned up."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        said = readiness()
        return web.Response(status=200 if said.ready else 503, text=said.text)

    async def scraped(_: web.Request) -> web.Response:
        return web.Response(body=await metrics(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scraped)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner

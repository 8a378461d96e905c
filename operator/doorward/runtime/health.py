"""The health port: /healthz while the event loop turns, /readyz once the caches are filled, and who leads; /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from doorward.runtime.metrics import CONTENT_TYPE


async def serve(
    port: int,
    ready: Callable[[], bool],
    part: Callable[[], str],
    metrics: Callable[[], Awaitable[bytes]],
    host: str = "0.0.0.0",  # noqa: S104 - probes come from the node
) -> web.AppRunner:
    """Serve until the runner is cleaned up; `part` says what this process does beside others."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        said = f"{part()}\n"
        return web.Response(text=said) if ready() else web.Response(status=503, text=f"caches are being filled; {said}")

    async def scraped(_: web.Request) -> web.Response:
        return web.Response(body=await metrics(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scraped)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner

"""Between the operator and the API server: passes everything on, counts it, and fails as a test says.

Plain HTTP on loopback, in a thread and event loop of its own.
"""

import asyncio
import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp
from aiohttp import web

from tests.testbed import identity, ports
from tests.testbed.controlplane import Cluster

T = TypeVar("T")
NOT_PASSED_ON = (
    "Host",
    "Connection",
    "Transfer-Encoding",
    "Content-Length",
    "Content-Encoding",
    "Keep-Alive",
    "Accept-Encoding",
)
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Asked(NamedTuple):
    """One request; `at` is monotonic."""

    at: float
    method: str
    path: str
    watch: bool

    @property
    def write(self) -> bool:
        return self.method in WRITES


class Fault(NamedTuple):
    """What becomes of a request: `status` with `headers`; 0: its connection is cut; or only held back for `delay` seconds.

    `lost`: it is carried out all the same, and nobody hears of it.
    """

    status: int | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - a default that nobody changes
    delay: float = 0.0
    reason: str = ""
    lost: bool = False
    body: dict[str, Any] | None = None
    """In place of a Status."""


AWAY = Fault(status=0)
Choice = Callable[[Asked], Fault | None]


def status(code: int, reason: str) -> dict[str, Any]:
    """What the API server says with a failure."""
    said = {"code": code, "reason": reason, "message": "as a test wants it"}
    return {"apiVersion": "v1", "kind": "Status", "status": "Failure"} | said


EXPIRED = Fault(200, body={"type": "ERROR", "object": status(410, "Expired")})
"""What a watch from too long ago is told."""


class ApiProxy:
    """One proxy; `kubeconfig(...)` makes one that leads to it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._server, self._tls = _upstream(cluster)
        (self.port,) = self._ports = ports.lease(1)
        self.asked: list[Asked] = []
        self._choose: Choice = lambda _: None
        self._open: set[asyncio.BaseTransport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="API proxy", daemon=True)

    @classmethod
    @contextlib.contextmanager
    def running(cls, cluster: Cluster) -> Iterator["ApiProxy"]:
        """For the length of a block."""
        proxy = cls(cluster)
        proxy._thread.start()
        runner = proxy._do(proxy._start())
        try:
            yield proxy
        finally:
            proxy.cut_connections()
            proxy._do(runner.cleanup())
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            proxy._thread.join()
            proxy._loop.close()
            ports.give_back(proxy._ports)

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self) -> web.AppRunner:
        application = web.Application(client_max_size=8 << 20)
        application.cleanup_ctx.append(self._session)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return runner

    async def _session(self, _: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._client:
            yield

    def kubeconfig(self, path: Path, account: tuple[str, str]) -> Path:
        """For a service account, by way of the proxy."""
        content = json.loads(self._cluster.kubeconfig_for_service_account(*account).read_text())
        content["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        return identity.write_kubeconfig(path, content)

    # What a test asks for

    @contextlib.contextmanager
    def failing(self, choose: Choice) -> Iterator[None]:
        """So, for the length of a block."""
        self._choose = choose
        try:
            yield
        finally:
            self._choose = lambda _: None

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """No API server for the length of a block: every connection is cut, old and new."""
        with self.failing(lambda _: AWAY):
            self.cut_connections()
            yield

    def cut_connections(self) -> None:
        """Cut all that are open, watches and all."""

        async def cut() -> None:
            for transport in tuple(self._open):
                transport.abort()  # type: ignore[attr-defined]

        self._do(cut())

    def since(self, moment: float) -> list[Asked]:
        """What was asked since then (monotonic)."""
        return [asked for asked in tuple(self.asked) if asked.at >= moment]

    # What it does

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(time.monotonic(), request.method, request.path, "watch" in request.query)
        self.asked.append(asked)
        fault = self._choose(asked) or Fault()
        await asyncio.sleep(fault.delay)
        transport = request.transport
        if fault.lost:
            await self._carry_out(request)
        if fault.status == 0 and transport is not None:
            transport.abort()
        if fault.status is not None:
            body = fault.body or status(fault.status, fault.reason)
            return web.json_response(body, status=fault.status or 503, headers=fault.headers)
        if transport is not None:
            self._open.add(transport)
        try:
            return await self._pass_on(request)
        finally:
            self._open.discard(transport)  # type: ignore[arg-type]

    async def _upstream(self, request: web.Request) -> aiohttp.ClientResponse:
        headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
        return await self._client.request(
            request.method,
            self._server + request.path_qs,
            headers=headers,
            data=await request.read() or None,
            skip_auto_headers=("Content-Type", "Accept-Encoding"),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def _carry_out(self, request: web.Request) -> None:
        async with await self._upstream(request) as upstream:
            await upstream.read()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        async with await self._upstream(request) as upstream:
            kept = {name: value for name, value in upstream.headers.items() if name not in NOT_PASSED_ON}
            response = web.StreamResponse(status=upstream.status, headers=kept)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
        await response.write_eof()
        return response


def _upstream(cluster: Cluster) -> tuple[str, ssl.SSLContext]:
    """Where the API server is, and how it is known."""
    content = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json").stdout)
    found = content["clusters"][0]["cluster"]
    ca = base64.b64decode(found["certificate-authority-data"]).decode()
    return found["server"], ssl.create_default_context(cadata=ca)


def every(nth: int, fault: Fault, of: Callable[[Asked], bool]) -> Choice:
    """Every nth of these requests fails so."""
    count = 0

    def choose(asked: Asked) -> Fault | None:
        nonlocal count
        if not of(asked):
            return None
        count += 1
        return fault if count % nth == 0 else None

    return choose

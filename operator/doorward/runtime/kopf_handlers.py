"""The only import of Kopf: it watches the kinds that people write, and hands every event on.

Kopf stops as a whole when a list is forbidden or a CRD goes, and cancels what was started beside it (measured), so it
runs in a thread and event loop of its own, under supervision; handlers are `on.event` and write nothing.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import kopf
from kopf._cogs.structs.references import Insights

from doorward.cluster.gateway import Kind
from doorward.cluster.identity import Credentials
from doorward.logged import about

logger = logging.getLogger(__name__)
FIRST_REST = 1.0
LONGEST_REST = 30.0
STABLE = 30.0
"""Kopf gives up after 9 seconds where it may not list: who has run for so long listed everything."""
SLICE = 0.005
"""Seconds for which events are taken in at a time; one more may begin just before."""
CHUNK = 250
"""Objects of a list in one answer. Kopf would ask for all at once, which are 300 MB of dicts at 10,000 clients."""
IDLE = 0.1
"""Seconds for which Kopf keeps a task and the last event of each object. Its own 5 s are thousands of them in a storm."""
STOP_HEEDED_EVERY = 0.2
IDENTITY: Any = "doorward"
"""Without one Kopf asks for the name of the user, and a Pod's has none in /etc/passwd: then it never starts. Nobody else sees it."""
Handle = Callable[[str, str, dict[str, Any]], None]
"""Takes one event in, in the operator's own loop: plural of the kind, type of the event ("": Kopf's first listing), object."""
Login = Callable[[], Coroutine[Any, Any, Credentials]]
"""As whom to speak to the API server; called in the operator's own loop."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What Kopf is to watch; no namespaces: all of them."""

    kinds: tuple[Kind, ...]
    namespaces: Sequence[str]


class _NoDiffBase(kopf.DiffBaseStorage):
    """Kopf digests every object for handlers of changes, of which there are none (5 % of the CPU in a storm, measured)."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:  # noqa: ARG002 - Kopf's signature
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002 - Kopf's signature
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing to keep."""


class Health:
    """How Kopf's part does: whether it goes on, or stops again and again. Times are the loop's, in seconds."""

    def __init__(self) -> None:
        self.restarts = 0
        """How often it stopped by itself."""
        self._began: float | None = None
        self._troubled_since: float | None = None

    def began(self, now: float) -> None:
        """It was started."""
        self._began = now

    def ended(self, now: float, *, wanted: bool) -> None:
        """It stopped; `wanted`: because it was told to."""
        if self.troubled_for(now) == 0.0:
            self._troubled_since = None if wanted else now
        self._began = None
        self.restarts += not wanted

    def troubled_for(self, now: float) -> float:
        """For how many seconds it has been stopping again and again, or been down; 0: it runs."""
        stable = self._began is not None and now >= self._began + STABLE
        return 0.0 if stable or self._troubled_since is None else now - self._troubled_since


class Mailbox:
    """Events from Kopf's thread to the operator's loop, which is woken once for any number of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: Handle) -> None:
        self._loop = loop
        self._handle = handle
        self._lock = threading.Lock()
        self._events: deque[tuple[str, str, dict[str, Any]]] = deque()
        self._woken = False
        """Whether a delivery is on its way that will see what is put now."""

    def put(self, plural: str, event: str, body: dict[str, Any]) -> None:
        """From any thread."""
        with self._lock:
            self._events.append((plural, event, body))
            wake, self._woken = not self._woken, True
        if wake:
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        """For a few milliseconds at a time, so that neither a first listing nor a storm holds up the loop."""
        ends = self._loop.time() + SLICE
        while True:
            with self._lock:
                if not self._events:
                    self._woken = False
                    return
                plural, event, body = self._events.popleft()
            try:
                self._handle(plural, event, body)
            except Exception:
                logger.exception("an event of %s was not taken in", plural)
            if self._loop.time() >= ends:
                self._loop.call_soon(self._deliver)
                return


def connection_of(credentials: Credentials) -> kopf.ConnectionInfo:
    """The credentials of our own client, in Kopf's words."""
    scheme, _, token = (credentials.authorization or "").strip().partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_file,
        insecure=not credentials.verify,
        scheme=scheme or None,
        token=token or None,
        certificate_path=credentials.certificate_file,
        private_key_path=credentials.key_file,
        proxy_url=credentials.proxy,
        expiration=credentials.expires,
    )


def _registry(
    loop: asyncio.AbstractEventLoop, handle: Handle, login: Login, kinds: Sequence[Kind]
) -> kopf.OperatorRegistry:
    mailbox = Mailbox(loop, handle)
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        """Kopf asks again when they expire, and when the API server does not accept them."""
        return connection_of(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(login(), loop)))

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.persistence.diffbase_storage = _NoDiffBase()
        settings.scanning.disabled = True
        settings.watching.chunk_size = CHUNK
        settings.queueing.idle_timeout = IDLE
        settings.networking.error_backoffs = [0.2, 0.5, 1, 2, 5]
        settings.watching.server_timeout = 290
        settings.watching.connect_timeout = 5

    def forward(kind: Kind) -> None:
        group, _, version = kind.api_version.rpartition("/")

        @kopf.on.event(group, version, kind.plural, registry=registry)
        async def event(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - Kopf's name for it
            mailbox.put(kind.plural, type or "", dict(body))

    for kind in kinds:
        forward(kind)
    return registry


class NotServed(Exception):
    """Kinds that the API server does not serve, or not yet."""


def _unfound(found: Insights, kinds: Sequence[Kind]) -> list[str]:
    """The kinds that Kopf will not watch, by their plurals."""
    served = {(f"{at.group}/{at.version}".lstrip("/"), at.plural) for at in found.watched_resources}
    return [kind.plural for kind in kinds if (kind.api_version, kind.plural) not in served]


async def _run(
    registry: kopf.OperatorRegistry, watched: Watched, stop: threading.Event, again: threading.Event
) -> None:
    """Run Kopf until it is told to stop, or stops. NotServed: a kind was missing when Kopf looked for it, which it does once.

    It would go on and never watch that kind: a CRD that was taken away and given back, or that comes after the operator.
    """
    scope: dict[str, Any] = {"namespaces": list(watched.namespaces)} if watched.namespaces else {"clusterwide": True}
    over = asyncio.Event()
    found = Insights()
    unfound: list[str] = []

    async def heed() -> None:
        # Kopf would wait for a threading.Event in the loop's executor, and the loop's end for the executor: a Kopf that
        # stopped by itself would never be started again (measured).
        while not (stop.is_set() or again.is_set()):  # noqa: ASYNC110 - they are set from another thread
            await asyncio.sleep(STOP_HEEDED_EVERY)
        over.set()

    async def look() -> None:
        await found.ready_resources.wait()
        unfound.extend(_unfound(found, watched.kinds))
        if unfound:
            over.set()

    beside = [asyncio.create_task(heed()), asyncio.create_task(look())]
    try:
        await kopf.operator(
            registry=registry, insights=found, standalone=True, stop_flag=over, identity=IDENTITY, **scope
        )
    finally:
        for task in beside:
            task.cancel()
    if unfound:
        raise NotServed(f"the API server does not serve {', '.join(unfound)}")


async def supervise(
    handle: Handle,
    login: Login,
    watched: Watched,
    health: Health,
    *,
    stop: threading.Event,
    again: threading.Event,
    restarted: Callable[[], None],
) -> None:
    """Keep Kopf running until `stop`; `again`: it lists and watches anew. `restarted`: told when it stopped by itself."""
    loop = asyncio.get_running_loop()
    rest = FIRST_REST
    while not stop.is_set():
        begun = loop.time()
        health.began(begun)
        registry = _registry(loop, handle, login, watched.kinds)
        try:
            await asyncio.to_thread(lambda: asyncio.run(_run(registry, watched, stop, again)))  # noqa: B023 - it is awaited here
        except NotServed as error:
            logger.warning("kopf watcher stopped", extra=about("kopf", error=str(error)))
        except Exception:
            logger.warning("kopf watcher stopped", exc_info=True)
        health.ended(loop.time(), wanted=stop.is_set() or again.is_set())
        if stop.is_set():
            return
        if again.is_set():
            again.clear()
            continue
        restarted()
        rest = FIRST_REST if loop.time() - begun > LONGEST_REST * 2 else min(rest * 2, LONGEST_REST)
        logger.warning("kopf watcher restarts", extra=about("kopf", delay_seconds=round(rest)))
        await asyncio.sleep(rest)

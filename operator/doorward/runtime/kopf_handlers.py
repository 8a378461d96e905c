"""The only import of Kopf: it watches the kinds that people write, and hands every event on.

Kopf stops as a whole when a list is forbidden or a CRD goes, and cancels what was started beside it (measured), so it
runs in a thread and event loop of its own, under supervision; handlers are `on.event` and write nothing.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import kopf

from doorward.cluster.gateway import Kind
from doorward.view.resync import Handle

logger = logging.getLogger(__name__)
FIRST_REST = 1.0
LONGEST_REST = 30.0
MOST_AT_ONCE = 20
STOP_HEEDED_EVERY = 0.2


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


class _Mailbox:
    """Events from Kopf's thread to the operator's loop, which is woken once for any number of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: Handle) -> None:
        self._loop = loop
        self._handle = handle
        self._events: deque[tuple[str, str, dict[str, Any]]] = deque()

    def put(self, plural: str, event: str, body: dict[str, Any]) -> None:
        """From any thread."""
        first = not self._events
        self._events.append((plural, event, body))
        if first:
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        """A few at a time, so that a first listing does not hold up the loop."""
        for _ in range(MOST_AT_ONCE):
            if not self._events:
                return
            plural, event, body = self._events[0]
            try:
                self._handle(plural, event, body)
            except Exception:
                logger.exception("an event of %s was not taken in", plural)
            self._events.popleft()  # only now: while one is left, `put` need not wake anybody
        self._loop.call_soon(self._deliver)


def _registry(loop: asyncio.AbstractEventLoop, handle: Handle, kinds: Sequence[Kind]) -> kopf.OperatorRegistry:
    mailbox = _Mailbox(loop, handle)
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.persistence.diffbase_storage = _NoDiffBase()
        settings.scanning.disabled = True
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


async def _run(
    registry: kopf.OperatorRegistry, namespaces: Sequence[str], stop: threading.Event, again: threading.Event
) -> None:
    scope: dict[str, Any] = {"namespaces": list(namespaces)} if namespaces else {"clusterwide": True}
    over = asyncio.Event()

    async def heed() -> None:
        # Kopf would wait for a threading.Event in the loop's executor, and the loop's end for the executor: a Kopf that
        # stopped by itself would never be started again (measured).
        while not (stop.is_set() or again.is_set()):  # noqa: ASYNC110 - they are set from another thread
            await asyncio.sleep(STOP_HEEDED_EVERY)
        over.set()

    heeding = asyncio.create_task(heed())
    try:
        await kopf.operator(registry=registry, standalone=True, stop_flag=over, **scope)
    finally:
        heeding.cancel()


async def supervise(
    handle: Handle,
    watched: Watched,
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
        try:
            await asyncio.to_thread(
                lambda: asyncio.run(_run(_registry(loop, handle, watched.kinds), watched.namespaces, stop, again))
            )
        except Exception:
            logger.warning("Kopf's part stopped", exc_info=True)
        if stop.is_set():
            return
        if again.is_set():
            again.clear()
            continue
        restarted()
        rest = FIRST_REST if loop.time() - begun > LONGEST_REST * 2 else min(rest * 2, LONGEST_REST)
        logger.warning("Kopf's part is started again in %.0f s; everything else goes on", rest)
        await asyncio.sleep(rest)

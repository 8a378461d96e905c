"""One client of a cluster in memory: the Gateway protocol, with the faults that a test asks for.

A process that was killed gets no answer any more: every call of its gateway waits for ever.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeVar

from doorward.cluster.errors import ApiError, Forbidden
from doorward.cluster.gateway import APPLY_PATCH, MERGE_PATCH, Kind, Object, WatchEvent
from doorward.cluster.skew import Skew
from doorward.objects.meta import ObjectKey
from tests.support.memory_cluster import Change, MemoryCluster

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Write:
    """One write that was asked for; `name` is empty where the server is to find one."""

    verb: Literal["create", "replace", "patch", "delete"]
    kind: str
    namespace: str
    name: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of a write: `error` None kills the process; `done`: the write is carried out all the same."""

    error: ApiError | None = None
    done: bool = False


def killed(*, done: bool) -> Fault:
    """The process dies before the write, or (done) after it, and never hears the answer."""
    return Fault(done=done)


class MemoryGateway:
    """See `Gateway`. `latency` is each way, `lag` how far watches are behind, both in seconds."""

    def __init__(self, cluster: MemoryCluster, *, manager: str = "doorward", latency: float = 0.0) -> None:
        self.cluster = cluster
        self.manager = manager
        self.latency = latency
        self.lag = 0.0
        self.lag_of: Callable[[Kind], float] = lambda _: self.lag
        """How far the watches of a kind are behind, in seconds."""
        self.writes: list[Write] = []
        self.faults: dict[int, Fault] = {}
        """By number of the write, the first is 1."""
        self.refuse: Callable[[Write], ApiError | None] = lambda _: None
        self.refuse_reads: Callable[[Kind, str | None], ApiError | None] = lambda _kind, _namespace: None
        self.missing: Callable[[str, str, str | None], bool] = lambda _verb, _kind, _namespace: False
        """Whether this client lacks the right to a verb, as RBAC names it."""
        self.slow_lists: Callable[[Kind, str | None], float] = lambda _kind, _namespace: 0.0
        """Seconds that a list takes on top."""
        self.lists: list[tuple[Kind, str | None]] = []
        self.watching: Counter[tuple[Kind, str | None]] = Counter()
        """Watches that are open."""
        self.killed = asyncio.Event()
        self._epoch = self._marked = 0
        self._changed = asyncio.Event()
        self._skew = Skew(cluster.clock)
        cluster.listeners.append(self._changed.set)

    def skew(self) -> timedelta:
        return self._skew.now()

    def end_watches(self) -> None:
        """What a server does every few minutes: it ends the streams, without a word."""
        self._epoch += 1
        self._changed.set()

    def send_bookmarks(self) -> None:
        """What a server does every minute: it tells each watch which version it has reached."""
        self._marked += 1
        self._changed.set()

    def stop(self) -> None:
        """Listen no more."""
        self.cluster.listeners.remove(self._changed.set)

    async def _travel(self, *, date: bool = True) -> None:
        """One way; an answer, but no event of a watch, says what time it is to the server."""
        if self.killed.is_set():
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.latency)
        if self.killed.is_set():
            await asyncio.get_running_loop().create_future()
        if date:
            self._skew.hear(self.cluster.now().replace(microsecond=0))

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        await self._travel()
        self._read("get", kind, namespace)
        body = self.cluster.get(kind, ObjectKey(namespace or "", name))
        await self._travel()
        return body

    def _allowed(self, verb: str, kind: str, namespace: str | None) -> None:
        if self.missing(verb, kind, namespace):
            raise Forbidden(f"{kind} is forbidden: cannot {verb} in namespace {namespace}", status=403)

    def _read(self, verb: str, kind: Kind, namespace: str | None) -> None:
        self._allowed(verb, kind.name, namespace)
        if (error := self.refuse_reads(kind, namespace)) is not None:
            raise error

    async def list(
        self, kind: Kind, namespace: str | None, *, selector: str = "", metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        self.lists.append((kind, namespace))
        await self._travel()
        await asyncio.sleep(self.slow_lists(kind, namespace))
        self._read("list", kind, namespace)
        items = [body for body in self.cluster.all(kind, namespace) if _selected(body, selector)]
        version = str(self.cluster.version)
        await self._travel()
        return [_partial(body) if metadata_only else body for body in items], version

    async def collect(
        self,
        take: Callable[[Object], T],
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> tuple[Sequence[T], str]:
        items, version = await self.list(kind, namespace, selector=selector, metadata_only=metadata_only)
        return [take(item) for item in items], version

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        name = body["metadata"].get("name", "")
        return await self._write(
            Write("create", kind.name, namespace, name),
            lambda: self.cluster.create(kind, namespace, body, self.manager, dry_run=dry_run),
        )

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        return await self._write(
            Write("replace", kind.name, namespace, name),
            lambda: self.cluster.replace(kind, ObjectKey(namespace, name), body, self.manager),
        )

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        at = ObjectKey(namespace, name)
        manager = (query or {}).get("fieldManager", self.manager)
        force = (query or {}).get("force") == "true"

        def carry_out() -> Object:
            if (query or {}).get("dryRun") == "All":
                return self.cluster.would_patch(kind, at, body)
            if content_type == APPLY_PATCH:
                return self.cluster.apply_patch(kind, at, body, manager, force=force)
            return self.cluster.merge_patch(kind, at, body, manager, subresource)

        return await self._write(Write("patch", kind.name, namespace, name, subresource), carry_out)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        def carry_out() -> Object:
            self.cluster.delete(kind, ObjectKey(namespace, name), self.manager, version=version, uid=uid)
            return {}

        await self._write(Write("delete", kind.name, namespace, name), carry_out)

    async def _write(self, write: Write, carry_out: Callable[[], Object]) -> Object:
        await self._travel()
        self.writes.append(write)
        self._allowed("update" if write.verb == "replace" else write.verb, write.kind, write.namespace)
        if (refused := self.refuse(write)) is not None:
            raise refused
        fault = self.faults.pop(len(self.writes), None)
        if fault is None:
            answer = carry_out()
            await self._travel()
            return answer
        if fault.done:
            carry_out()
        if fault.error is not None:
            raise fault.error
        self.killed.set()
        return await asyncio.get_running_loop().create_future()

    async def watch(
        self, kind: Kind, namespace: str | None, version: str, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[WatchEvent]:
        await self._travel()
        self._read("watch", kind, namespace)
        self.watching[kind, namespace] += 1
        try:
            async for event in self._events(kind, namespace, int(version), selector):
                yield WatchEvent(event.type, _partial(event.object) if metadata_only else event.object)
        finally:
            self.watching[kind, namespace] -= 1

    async def _events(self, kind: Kind, namespace: str | None, heard: int, selector: str) -> AsyncIterator[WatchEvent]:
        epoch, marked = self._epoch, self._marked
        while epoch == self._epoch:
            changes = list(self.cluster.since(heard))
            if not changes and marked != self._marked:
                marked, heard = self._marked, max(heard, self.cluster.version)
                yield WatchEvent("BOOKMARK", {"kind": kind.name, "metadata": {"resourceVersion": str(heard)}})
                continue
            if not changes:
                self._changed.clear()
                await self._changed.wait()
                continue
            heard = changes[-1].version
            await asyncio.sleep(self.lag_of(kind))
            await self._travel(date=False)
            here = (c for c in changes if c.kind == kind and namespace in (None, c.at.namespace))
            for event in filter(None, (_event(change, selector) for change in here)):
                yield event


def _selected(body: Object | None, selector: str) -> bool:
    if body is None:
        return False
    labels = body["metadata"].get("labels") or {}
    return all(_fits(labels, term) for term in selector.split(",") if term)


def _fits(labels: Mapping[str, str], term: str) -> bool:
    """One term of a label selector: `a=b`, or `a!=b`."""
    name, unequal, value = term.partition("!=")
    if unequal:
        return labels.get(name) != value
    name, _, value = term.partition("=")
    return labels.get(name) == value


def _event(change: Change, selector: str) -> WatchEvent | None:
    """A change as those see it who watch by label: what leaves the selection is deleted to them."""
    was, is_now = _selected(change.was, selector), _selected(change.becomes, selector)
    if is_now:
        return WatchEvent("MODIFIED" if was else "ADDED", change.becomes)
    return WatchEvent("DELETED", change.was) if was else None


def _partial(body: Object) -> Object:
    return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": body["metadata"]}

"""One list and watch after the other, of one kind in one namespace, into a store; for ever, and loud about what goes wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from doorward.cluster.errors import ApiError, Forbidden, Gone, NotFound
from doorward.cluster.gateway import Gateway, Kind, Object
from doorward.cluster.steps import Pace
from doorward.cluster.store import Mark, Seen, Store, number_of, version_of
from doorward.logged import Once, about
from doorward.objects.meta import ObjectKey, key_of

logger = logging.getLogger(__name__)
FIRST_REST = 0.2  # seconds, as all of these
LONGEST_REST = 20.0
DENIED_REST = 30.0
EARLY = 1.0
"""A watch that ended sooner, without an event, is no watch: the next one waits."""
_WATCH = "watch"
DOUBTED_DENIALS = 5  # in a row, of what was allowed before: 6 seconds
Notice = Callable[[Kind, Mapping[ObjectKey, Any]], None]
"""Told where a list shows that the cluster was rolled back to an older state: the kind, and what was known of all that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list and watch, and what to tell of it."""

    kind: Kind
    namespace: str | None
    store: Store[Any]
    changed: Callable[[ObjectKey, Any, Any], None]
    """Key, what was known before, and what is known now; either may be None."""
    listed: Callable[[], None] = lambda: None
    """A full list was taken in."""
    denied: Callable[[Exception], None] = lambda _: None
    """The right is missing, and that is no hiccup."""
    failed: Callable[[Exception], None] = lambda _: None
    """It could not be listed or watched for any other reason."""
    keeps: Callable[[ObjectKey], bool] = lambda _: True
    """Whether an object is taken in at all."""
    selector: str = ""
    metadata_only: bool = False
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where rights may have been given: cuts the rest after a denial short."""
    rolled_back: Notice = lambda _kind, _before: None

    def __str__(self) -> str:
        return self.kind.plural + (f" in {self.namespace}" if self.namespace else "")


def _about(source: Source, **fields: object) -> dict[str, object]:
    return about(source, kind=source.kind.name, namespace=source.namespace, **fields)


class _Rest:
    """A pause that doubles until it is reset."""

    def __init__(self) -> None:
        self._next = FIRST_REST

    def reset(self) -> None:
        self._next = FIRST_REST

    async def take(self) -> None:
        rest, self._next = self._next, min(self._next * 2, LONGEST_REST)
        await asyncio.sleep(rest)


async def follow(gateway: Gateway, source: Source, *, allowed: bool = False) -> None:
    """List and watch for ever; `allowed`: it was until now, so that a denial is doubted at first."""
    rest, denials, may_watch = _Rest(), 0, True
    faults: Once[str] = Once()

    def synced() -> None:
        nonlocal denials, allowed, may_watch
        source.listed()
        denials, allowed, may_watch = 0, True, True
        if faults.over(_WATCH):
            logger.info("watch works again", extra=_about(source))

    while True:
        version = None
        try:
            version = await take_list(gateway, source)
            # Where the right to watch was missing, and that alone, a list says nothing: the watch must be seen to go on.
            async with _after(0 if may_watch else EARLY, synced):
                await _watch_on(gateway, source, version, rest)
        except Gone:
            await rest.take()
        except (Forbidden, NotFound) as error:
            denials += 1
            may_watch = may_watch and version is None
            # An API server that has just started knows no rights yet and denies everything: that is no withdrawal.
            allowed = allowed and denials <= DOUBTED_DENIALS
            (source.failed if allowed else source.denied)(error)
            if faults.is_new(_WATCH, error):
                logger.warning("watch denied", extra=_about(source, error=str(error)))
            if await _sleep(source.again, min(FIRST_REST * 2.0 ** min(denials - 1, 10), DENIED_REST)):
                denials = 0  # the authorizer hears of a new RoleBinding a moment after we do
        except ApiError as error:
            source.failed(error)
            if faults.is_new(_WATCH, error):
                logger.warning("watch broke", extra=_about(source, error=str(error)))
            await rest.take()
        except Exception as error:  # a bug here ends one watch for a while, not the process
            source.failed(error)
            if faults.is_new(_WATCH, error):
                logger.exception("watch failed", extra=_about(source))
            await rest.take()


@asynccontextmanager
async def _after(seconds: float, act: Callable[[], None]) -> AsyncIterator[None]:
    """Act once so much time has passed within the block; 0: before it."""
    if not seconds:
        act()
        yield
        return
    timer = asyncio.get_running_loop().call_later(seconds, act)
    try:
        yield
    finally:
        timer.cancel()


async def _sleep(again: asyncio.Event, seconds: float) -> bool:
    """Rest; True: `again` was set meanwhile, or before."""
    try:
        async with asyncio.timeout(seconds):
            await again.wait()
    except TimeoutError:
        return False
    again.clear()
    return True


async def take_list(gateway: Gateway, source: Source) -> str:
    """One full list into the store, in short steps; the version to watch from. Raises ApiError."""
    store = source.store
    asked = store.mark()
    items, version = await gateway.collect(
        store.seen, source.kind, source.namespace, selector=source.selector, metadata_only=source.metadata_only
    )
    number, pace = number_of(version), Pace()
    items = [seen async for seen in pace.over(items) if source.keeps(seen.key)]
    listed = {seen.key: seen.version async for seen in pace.over(items)}
    if await _shows_less(source, listed, number, asked, pace) and store.was_put_back(
        listed, number, asked, source.namespace
    ):
        # Nobody may act on a past that never was before all are told of it: in one step, however long it takes.
        source.rolled_back(source.kind, _taken(source, items, listed, number))
        return version
    store.shown(source.namespace, number)
    async for seen in pace.over(items):
        _take(source, seen)
    async for key in pace.over(store.keys(source.namespace)):
        if key not in listed:
            _remove(source, key, number)
    return version


async def _shows_less(source: Source, listed: Mapping[ObjectKey, int], version: int, asked: Mark, pace: Pace) -> bool:
    """Whether a list shows less than was known when it was asked for, found in short steps. What becomes known in between was
    not known then, so it changes no answer.
    """
    store = source.store
    async for key in pace.over(store.keys(source.namespace)):
        if store.is_ahead(key, listed.get(key, version), asked):
            return True
    return store.is_past(listed, version, asked)


def _taken(
    source: Source, items: Sequence[Seen[Any]], listed: Mapping[ObjectKey, int], number: int
) -> dict[ObjectKey, Any]:
    """Take in all of a list; what was known before of all that changed."""
    store = source.store
    before = {key: store.get(key) for key in store.keys(source.namespace)}
    store.shown(source.namespace, number)
    changed = {seen.key for seen in items if _take(source, seen)}
    for key in store.unlisted(listed, source.namespace):
        _remove(source, key, number)
        changed.add(key)
    return {key: before[key] for key in changed if before.get(key) is not None}


def _take(source: Source, seen: Seen[Any]) -> bool:
    before = source.store.get(seen.key)
    if not source.store.take(seen):
        return False
    _tell(source, seen.key, before)
    return True


def _remove(source: Source, key: ObjectKey, version: int) -> None:
    before = source.store.get(key)
    if source.store.remove(key, version):
        _tell(source, key, before)


def _tell(source: Source, key: ObjectKey, before: Any) -> None:
    """What goes wrong with one object is loud, and ends no watch: that would end the operator, for everybody."""
    try:
        source.changed(key, before, source.store.get(key))
    except Exception:
        logger.exception("cannot follow %s %s", source.kind.name, key)


async def _watch_on(gateway: Gateway, source: Source, version: str, rest: _Rest) -> None:
    """One watch after the other, for ever; servers end them every few minutes."""
    clock = asyncio.get_running_loop().time
    while True:
        begun, before = clock(), version
        try:
            version = await _watch(gateway, source, version)
        finally:
            if clock() >= begun + EARLY:
                rest.reset()
        if version == before and clock() < begun + EARLY:
            await rest.take()


async def _watch(gateway: Gateway, source: Source, version: str) -> str:
    """Until the server ends the stream; the version to go on from."""
    async for event in gateway.watch(
        source.kind, source.namespace, version, selector=source.selector, metadata_only=source.metadata_only
    ):
        version = event.object["metadata"]["resourceVersion"]
        number = number_of(version)
        if event.type == "BOOKMARK":
            source.store.hear(number)
        elif source.keeps(key_of(event.object)):
            take_in(source, event.type, event.object)
    return version


def take_in(source: Source, event: str, body: Object) -> None:
    """One event into the store; a body that cannot be read is loud and harms nobody else."""
    key = key_of(body)
    before = source.store.get(key)
    try:
        news = source.store.remove(key, version_of(body)) if event == "DELETED" else source.store.put(body)
    except (ValueError, KeyError, TypeError):
        logger.exception("cannot read %s %s", source.kind.name, key)
        return
    if news:
        _tell(source, key, before)

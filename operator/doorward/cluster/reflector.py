"""One list and watch after the other, of one kind in one namespace, into a store; for ever, and loud about what goes wrong."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.cluster.errors import ApiError, Forbidden, Gone, NotFound
from doorward.cluster.gateway import Gateway, Kind, Object
from doorward.cluster.store import Store, version_of
from doorward.objects.meta import ObjectKey, key_of

logger = logging.getLogger(__name__)
FIRST_REST = 0.2  # seconds, as all of these
LONGEST_REST = 20.0
DENIED_REST = 30.0
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
    heard: Callable[[bool], None] = lambda _: None
    """Whether the list was allowed."""
    selector: str = ""
    metadata_only: bool = False
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where rights may have been given: cuts the rest after a denial short."""
    rolled_back: Notice = lambda _kind, _before: None


async def follow(gateway: Gateway, source: Source, *, allowed: bool = False) -> None:
    """List and watch for ever; `allowed`: it was until now, so that a denial is doubted at first."""
    rest, denials = FIRST_REST, 0
    while True:
        try:
            version = await _list(gateway, source)
            source.heard(True)
            rest, denials, allowed = FIRST_REST, 0, True
            while True:
                version = await _watch(gateway, source, version)
        except Gone:
            continue
        except (Forbidden, NotFound) as error:
            denials += 1
            # An API server that has just started knows no rights yet and denies everything: that is no withdrawal.
            if not allowed or denials > DOUBTED_DENIALS:
                allowed = False
                source.heard(False)
            logger.warning("cannot watch %s%s: %s", source.kind.plural, _where(source), error)
            if await _sleep(source.again, min(FIRST_REST * 2.0 ** min(denials - 1, 10), DENIED_REST)):
                denials = 0  # the authorizer hears of a new RoleBinding a moment after we do
        except ApiError as error:
            logger.warning("watch of %s%s broke: %s", source.kind.plural, _where(source), error)
            await asyncio.sleep(rest)
            rest = min(rest * 2, LONGEST_REST)


def _where(source: Source) -> str:
    return f" in {source.namespace}" if source.namespace else ""


async def _sleep(again: asyncio.Event, seconds: float) -> bool:
    """Rest; True: `again` was set meanwhile, or before."""
    try:
        async with asyncio.timeout(seconds):
            await again.wait()
    except TimeoutError:
        return False
    again.clear()
    return True


async def _list(gateway: Gateway, source: Source) -> str:
    asked = source.store.mark()
    items, version = await gateway.collect(
        source.store.seen, source.kind, source.namespace, selector=source.selector, metadata_only=source.metadata_only
    )
    before = {key: source.store.get(key) for key in source.store.keys()}  # noqa: SIM118 - a Store is no dict
    listed = {seen.key: seen.version for seen in items}
    rolled_back = source.store.was_put_back(listed, int(version), asked, source.namespace)
    changed = source.store.take_list(items, int(version), source.namespace)
    for key in changed:
        _tell(source, key, before.get(key))
    if rolled_back:
        source.rolled_back(source.kind, {key: before[key] for key in changed if before.get(key) is not None})
    return version


def _tell(source: Source, key: ObjectKey, before: Any) -> None:
    """What goes wrong with one object is loud, and ends no watch: that would end the operator, for everybody."""
    try:
        source.changed(key, before, source.store.get(key))
    except Exception:
        logger.exception("cannot follow %s %s", source.kind.name, key)


async def _watch(gateway: Gateway, source: Source, version: str) -> str:
    """Until the server ends the stream; the version to go on from."""
    async for event in gateway.watch(
        source.kind, source.namespace, version, selector=source.selector, metadata_only=source.metadata_only
    ):
        version = event.object["metadata"]["resourceVersion"]
        if event.type == "BOOKMARK":
            source.store.hear(int(version))
            continue
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

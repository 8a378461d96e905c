"""The full lists: a watch may lose a deletion during a relist, and an event may be lost; a list every few minutes is the truth."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from doorward.cluster.cache import Store, version_of
from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER, Gateway, Kind, Object
from doorward.controllers.follow import Handle, Notice
from doorward.controllers.world import World
from doorward.objects.meta import key_of

logger = logging.getLogger(__name__)
EVERY = 300.0
FIRST_TRIES = 2.0
RELIST_TAKES = 2.0


async def sweep(
    world: World,
    gateway: Gateway,
    handle: Handle,
    namespaces: Sequence[str],
    notice: Notice,
    relisted: asyncio.Event,
) -> None:
    """List what people write, at the start, every five minutes, and when Kopf has `relisted`, which tells of no deletion."""
    while True:
        if await list_all(world, gateway, handle, namespaces, notice):
            await asyncio.sleep(FIRST_TRIES)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY):
                await relisted.wait()
                await asyncio.sleep(RELIST_TAKES)
        relisted.clear()


async def catch_up(world: World, gateway: Gateway, handle: Handle, namespaces: Sequence[str], notice: Notice) -> None:
    """List what people write until it was heard; a kind that this process may not list, or that is not there, is left out."""
    while True:
        failed = await list_all(world, gateway, handle, namespaces, notice)
        if all(isinstance(error, Forbidden | NotFound) for error in failed):
            return
        await asyncio.sleep(FIRST_TRIES)


async def list_all(
    world: World, gateway: Gateway, handle: Handle, namespaces: Sequence[str], notice: Notice
) -> list[ApiError]:
    """One list of each kind that people write; what is gone is told as deleted. What failed."""
    kinds: tuple[tuple[Kind, Store[Any]], ...] = (
        (ISSUER, world.issuers),
        (CLIENT_CERTIFICATE, world.certificates),
        (INGRESS, world.ingresses),
    )
    failed: list[ApiError] = []
    for kind, store in kinds:
        failures = len(failed)
        for namespace in namespaces or (None,):
            asked = store.mark()
            try:
                items, version = await gateway.list(kind, namespace)
            except ApiError as error:
                logger.warning("cannot list %s: %s", kind.plural, error)
                world.missing_since.clear()  # what cannot be listed may be there: nobody is missing yet
                failed.append(error)
                continue
            listed = {key_of(body): version_of(body) for body in items}
            if store.was_put_back(listed, int(version), asked, namespace):
                notice(kind, {})
            tell(kind, store, items, int(version), namespace, handle)
        if len(failed) == failures:
            store.synced = True
    return failed


def tell(
    kind: Kind,
    store: Store[Any],
    items: list[Object],
    version: int,
    namespace: str | None,
    handle: Handle,
) -> None:
    """Hand a full list of one kind on, and as deleted what is not in it."""
    listed = {key_of(body) for body in items}
    for body in items:
        try:
            handle(kind.plural, "MODIFIED", body)
        except Exception:  # one object ends no sweep: that would end the operator, for everybody
            logger.exception("cannot take in %s %s", kind.name, key_of(body))
    for key in store.keys():  # noqa: SIM118 - a Store is no dict
        if key not in listed and (namespace is None or key.namespace == namespace) and store.version(key) <= version:
            gone = {"metadata": {"namespace": key.namespace, "name": key.name, "resourceVersion": str(version)}}
            handle(kind.plural, "DELETED", gone)

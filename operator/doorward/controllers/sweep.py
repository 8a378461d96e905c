"""The full lists: a watch may lose a deletion during a relist, and an event may be lost; a list every few minutes is the truth."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from doorward.cluster.cache import Store
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER, Gateway, Kind, Object
from doorward.controllers.world import World
from doorward.objects.meta import key_of

logger = logging.getLogger(__name__)
EVERY = 300.0
FIRST_TRIES = 2.0


async def sweep(
    world: World,
    gateway: Gateway,
    handle: Callable[[str, str, dict[str, Any]], None],
    namespaces: Sequence[str],
) -> None:
    """List what people write, at the start and every five minutes; what is gone is told as deleted."""
    kinds: tuple[tuple[Kind, Store[Any]], ...] = (
        (ISSUER, world.issuers),
        (CLIENT_CERTIFICATE, world.certificates),
        (INGRESS, world.ingresses),
    )
    while True:
        complete = True
        for kind, store in kinds:
            for namespace in namespaces or (None,):
                try:
                    items, version = await gateway.list(kind, namespace)
                except ApiError as error:
                    logger.warning("cannot list %s: %s", kind.plural, error)
                    complete = False
                    continue
                tell(kind, store, items, int(version), namespace, handle)
            if complete:
                store.synced = True
        await asyncio.sleep(EVERY if complete else FIRST_TRIES)


def tell(
    kind: Kind,
    store: Store[Any],
    items: list[Object],
    version: int,
    namespace: str | None,
    handle: Callable[[str, str, dict[str, Any]], None],
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

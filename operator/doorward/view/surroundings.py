"""What decides how data planes serve their targets, beside the targets: Ingress classes, and the settings of a controller.

Both are read where they may be. What may not be read is known to be so, and is taken for the default.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, INGRESS_CLASS, Gateway, Object
from doorward.cluster.reflector import Source
from doorward.cluster.store import Store
from doorward.logged import Once, about
from doorward.objects.meta import ObjectKey

logger = logging.getLogger(__name__)
EVERY = 10.0
"""Seconds between two reads of a controller's settings: a watch of one ConfigMap would need a right to list them."""
LONGEST = 1_024
"""Characters of a setting, or of the name of a controller, that are kept."""
Settings = Mapping[str, str]


def controller_of(body: Object) -> str:
    """What is kept of an IngressClass: the name of the controller that serves it."""
    return str((body.get("spec") or {}).get("controller") or "")[:LONGEST]


class Surroundings:
    """What was last read of them. Only their readers write."""

    def __init__(self) -> None:
        self.classes: Store[str] = Store(controller_of)
        self.classes_denied = False
        self.settings: dict[ObjectKey, Settings | None] = {}
        """By ConfigMap that was asked for; None: it is not there, or may not be read."""

    def by_class(self) -> Mapping[str, str] | None:
        """The controller of each Ingress class; None: they may not be read."""
        if not self.classes.synced:
            return None
        return {key.name: found for key in self.classes.keys() if (found := self.classes.get(key)) is not None}  # noqa: SIM118 - a Store is no dict

    def heard(self, settings: ObjectKey | None) -> bool:
        """Whether both were read, or are known not to be readable; before that nothing follows from them."""
        return (self.classes.synced or self.classes_denied) and (settings is None or settings in self.settings)


def source_of_classes(surroundings: Surroundings, changed: Callable[[], None]) -> Source:
    """The list and watch of Ingress classes; `changed`: told where one serves by another controller than before."""
    store = surroundings.classes
    store.listed(None, heard=False)

    def answered(*, denied: bool) -> None:
        surroundings.classes_denied = denied
        store.listed(None, heard=not denied)

    return Source(
        kind=INGRESS_CLASS,
        namespace=None,
        store=store,
        changed=lambda _key, before, now: changed() if before != now else None,
        listed=partial(answered, denied=False),
        denied=lambda _error: answered(denied=True),
    )


class SettingsReader:
    """Reads the ConfigMaps of controllers again and again. `names`: which of their settings matter; `changed`: told of a change."""

    def __init__(
        self,
        surroundings: Surroundings,
        gateway: Gateway,
        configmaps: Mapping[ObjectKey, frozenset[str]],
        changed: Callable[[], None],
    ) -> None:
        self._surroundings = surroundings
        self._gateway = gateway
        self._configmaps = configmaps
        self._changed = changed
        self._faults: Once[ObjectKey] = Once()

    async def keep(self) -> None:
        """For ever; what cannot be read for a while stays as it was."""
        while True:
            for at in self._configmaps:
                await self._read(at)
            await asyncio.sleep(EVERY)

    async def _read(self, at: ObjectKey) -> None:
        known, found = self._surroundings.settings, None
        try:
            body = await self._gateway.get(CONFIG_MAP, at.namespace, at.name)
        except (Forbidden, NotFound) as error:
            self._fault(at, error)
        except ApiError as error:
            self._fault(at, error)
            return
        else:
            if self._faults.over(at):
                logger.info("settings of the controller are read", extra=about(f"ConfigMap {at}"))
            data = body.get("data") or {}
            found = {name: str(data[name])[:LONGEST] for name in sorted(self._configmaps[at] & data.keys())}
        if at not in known or known[at] != found:
            known[at] = found
            self._changed()

    def _fault(self, at: ObjectKey, error: Exception) -> None:
        if self._faults.is_new(at, error):
            extra = about(f"ConfigMap {at}", error=str(error))
            logger.info("settings of the controller are not read, its defaults are assumed", extra=extra)

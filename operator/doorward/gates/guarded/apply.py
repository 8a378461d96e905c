"""Writes the ConfigMap that names the guarded Services of a namespace."""

import logging
from datetime import datetime

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, FIELD_MANAGER, Gateway
from doorward.logged import about
from doorward.objects import guarded_services
from doorward.objects.comparison import unlike
from doorward.planning.plan import DeleteGuarded, WriteGuarded
from doorward.view.intake import Intake
from doorward.view.keys import Key

logger = logging.getLogger(__name__)


class GuardedApplier:
    """For the namespace that is worked on. `written`: when the ConfigMap of a namespace was written last, kept here."""

    def __init__(self, gateway: Gateway, intake: Intake, clock: Clock, written: dict[str, datetime]) -> None:
        self._clock = clock
        self._written = written
        self._gateway = gateway
        self._intake = intake

    async def write(self, key: Key, action: WriteGuarded) -> str:
        """Create it, or replace the version that was looked at. Which field of the answer is not as asked; empty: none."""
        namespace, name = key.at
        body = guarded_services.render(namespace, action.data, version=action.version)
        if action.version is None:
            try:
                written = await self._gateway.create(CONFIG_MAP, namespace, body)
            except AlreadyExists:
                written = await self._take_over(key, action)
        else:
            written = await self._gateway.replace(CONFIG_MAP, namespace, name, body)
        self._intake.written(CONFIG_MAP, written, by=key)
        self._written[namespace] = self._clock.now()
        logger.info("guarded services written", extra=about(key, namespace=namespace, services=len(action.data)))
        asked = {"metadata": {"labels": body["metadata"]["labels"]}, "data": body["data"]}
        return unlike(asked, written, me=FIELD_MANAGER)

    async def _take_over(self, key: Key, action: WriteGuarded) -> dict[str, object]:
        """The name is kept for the operator: what somebody planted there before the fence stood is replaced."""
        namespace, name = key.at
        planted = await self._gateway.get(CONFIG_MAP, namespace, name)
        version, uid = planted["metadata"]["resourceVersion"], planted["metadata"].get("uid")
        if planted.get("immutable"):
            await self._gateway.delete(CONFIG_MAP, namespace, name, version=version, uid=uid)
            body = guarded_services.render(namespace, action.data, version=None)
            return await self._gateway.create(CONFIG_MAP, namespace, body)
        body = guarded_services.render(namespace, action.data, version=version)
        return await self._gateway.replace(CONFIG_MAP, namespace, name, body)

    async def delete(self, key: Key, action: DeleteGuarded) -> None:
        """Delete the version that was looked at. Where that is forbidden, by a ClusterRole from before, it is emptied."""
        namespace, name = key.at
        self._written.pop(namespace, None)
        known = self._intake.store_of(CONFIG_MAP).version(key.at)
        try:
            await self._gateway.delete(CONFIG_MAP, namespace, name, version=action.version)
        except Forbidden:
            body = guarded_services.render(namespace, {}, version=action.version)
            self._intake.written(CONFIG_MAP, await self._gateway.replace(CONFIG_MAP, namespace, name, body), by=key)
            logger.info("guarded services emptied", extra=about(key, namespace=namespace))
            return
        except NotFound:
            pass
        self._intake.removed(CONFIG_MAP, key.at, known, by=key)
        logger.info("guarded services deleted", extra=about(key, namespace=namespace))

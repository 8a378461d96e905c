"""An issuer's actions to writes: its CA, its CRL, its gates."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import AlreadyExists, Conflict, Ending, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import CONFIG_MAP, SECRET, Gateway, Kind, Object
from doorward.controllers import authorities, publish, signing
from doorward.controllers.signing import KeySource
from doorward.controllers.world import Committed, GateView, Key, Refusal, World, digest
from doorward.objects import ca_secret, crl_configmap
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours, key_of
from doorward.planning import timing
from doorward.planning.plan import CreateCa, PublishCrl

logger = logging.getLogger(__name__)
GATE_RETRY = timedelta(seconds=15)


class IssuerApplier:
    """Makes CAs, publishes, and brings gates to what is published; `wake` makes another key ready."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        source: KeySource,
        clock: Clock,
        wake: Callable[[Key], None],
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._source = source
        self._clock = clock
        self._wake = wake

    async def create_ca(self, key: ObjectKey, action: CreateCa) -> None:
        now = self._clock.now()
        certificate, private_key = await signing.make_ca(
            self._source, action, not_before=now - timing.BACKDATE, not_after=now + action.lifetime
        )
        body = ca_secret.render(key, action.generation, certificate, private_key, rotate=action.rotate)
        try:
            written = await self._gateway.create(SECRET, key.namespace, body)
        except AlreadyExists:
            written = await self._gateway.get(SECRET, key.namespace, body["metadata"]["name"])
        self._world.secrets.put(written)
        logger.info(
            "CA generation %d made: %s", action.generation, action.because, extra={"object": f"MTLSIssuer {key}"}
        )

    async def publish(self, key: ObjectKey, action: PublishCrl) -> None:
        await publish.commit(self._world, self._gateway, self._clock, key, action)

    async def write_gate(self, issuer: ObjectKey, namespace: str) -> None:
        world = self._world
        committed = world.committed.get(issuer)
        if committed is None:
            return
        at = ObjectKey(namespace, gate_secret_name(issuer))
        known = world.secrets.get(at)
        if known is not None and is_ours(known, crl_configmap.GATE_ROLE) and not self._rises(at, known, committed):
            await self._hear_of_a_newer(issuer, at, committed)
            return
        version = known["metadata"]["resourceVersion"] if known else None
        before = world.gate_views.get(at)
        same = before is not None and known is not None and before.anchors == committed.bundle.anchors
        since = before.since if before is not None and same else self._clock.now()
        body = crl_configmap.render_gate(issuer, namespace, committed.bundle, since=since, version=version)
        try:
            if known is None:
                written = await self._gateway.create(SECRET, namespace, body)
            else:
                written = await self._gateway.replace(SECRET, namespace, at.name, body)
        except (AlreadyExists, Conflict, NotFound):
            await self._look_again(SECRET, at)
            return
        except (Ending, Forbidden, Invalid) as error:
            world.gate_refusals[at] = Refusal(str(error)[:300], self._clock.now() + GATE_RETRY)
            return
        world.gate_refusals.pop(at, None)
        world.secrets.put(written)
        world.gate_views[at] = GateView(
            version_of(written), digest(committed.bundle), committed.bundle.anchors, since, committed.number
        )
        if known is None:
            for ingress in world.ingresses.lookup("issuer", issuer):
                if ingress["metadata"]["namespace"] == namespace:
                    self._wake(Key("ingress", key_of(ingress)))

    def _rises(self, at: ObjectKey, known: Object, committed: Committed) -> bool:
        """Whether the gate as it is known was looked at, and holds no newer CRL: then it may be written onto."""
        view = self._world.gate_views.get(at)
        return view is not None and view.version == version_of(known) and view.number <= committed.number

    async def _hear_of_a_newer(self, issuer: ObjectKey, at: ObjectKey, committed: Committed) -> None:
        """The gate is ahead of what this process knows to be published: another published more, or the ConfigMap was set
        back; then what the gate holds is published again.
        """
        world = self._world
        configmap = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
        with suppress(NotFound):
            world.configmaps.put(await self._gateway.get(CONFIG_MAP, configmap.namespace, configmap.name))
        if world.configmaps.version(configmap) == committed.version:
            with suppress(NotFound, ValueError):
                copy = crl_configmap.parse_gate(await self._gateway.get(SECRET, at.namespace, at.name))
                authorities.remember_copy(world, issuer, copy)

    async def _look_again(self, kind: Kind, at: ObjectKey) -> None:
        """What is there after all: the next look plans with it."""
        try:
            self._world.secrets.put(await self._gateway.get(kind, at.namespace, at.name))
        except NotFound:
            self._world.secrets.remove(at)

    async def close_gate(self, issuer: ObjectKey, namespace: str) -> None:
        at = ObjectKey(namespace, gate_secret_name(issuer))
        try:
            await self._gateway.delete(SECRET, namespace, at.name)
        except NotFound:
            pass
        except (Forbidden, Invalid) as error:
            self._world.gate_refusals[at] = Refusal(str(error)[:300], self._clock.now() + GATE_RETRY)
            return
        self._world.secrets.remove(at)

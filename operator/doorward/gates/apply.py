"""A gate's and a target's actions to writes."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, Conflict, Ending, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import APPLY_PATCH, FIELD_MANAGER, SECRET, Gateway, Kind, Object
from doorward.cluster.store import version_of
from doorward.gates.memory import GateMemory, GateView, Refusal, WantedBundle
from doorward.objects import crl_configmap
from doorward.objects.comparison import unlike
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import ObjectKey, gate_secret_name, is_ours
from doorward.view.intake import Intake
from doorward.view.keys import Key, issuer_key
from doorward.view.stores import View

logger = logging.getLogger(__name__)
GATE_RETRY = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Newer:
    """The gate is ahead of what this process knows to be published, and was left as it is."""


class GateApplier:
    """Brings gates to what is published, and closes them."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake, clock: Clock) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake
        self._clock = clock

    async def write(
        self, issuer: ObjectKey, namespace: str, wanted: WantedBundle, memory: GateMemory
    ) -> GateMemory | Newer:
        """Bring the gate to `wanted`; what is known of it from then on."""
        at = ObjectKey(namespace, gate_secret_name(issuer))
        known = self._view.secrets.get(at)
        if known is not None and is_ours(known, crl_configmap.GATE_ROLE) and not _rises(known, memory, wanted):
            return Newer()
        before = memory.view
        same = before is not None and known is not None and before.anchors == wanted.bundle.anchors
        since = before.since if before is not None and same else self._clock.now()
        version = known["metadata"]["resourceVersion"] if known else None
        body = crl_configmap.render_gate(issuer, namespace, wanted.bundle, since=since, version=version)
        try:
            if known is None:
                written = await self._gateway.create(SECRET, namespace, body)
            else:
                written = await self._gateway.replace(SECRET, namespace, at.name, body)
        except (AlreadyExists, Conflict, NotFound):
            await self._look_again(issuer, at)
            return memory
        except (Ending, Forbidden, Invalid) as error:
            return self._refused(error)
        self._intake.written(SECRET, written, by=issuer_key(issuer))
        return GateMemory(
            view=GateView(version_of(written), wanted.digest, wanted.bundle.anchors, since, wanted.number)
        )

    def _refused(self, error: Exception) -> GateMemory:
        return GateMemory(refusal=Refusal(str(error)[:300], self._clock.now() + GATE_RETRY))

    async def _look_again(self, issuer: ObjectKey, at: ObjectKey) -> None:
        """What is there after all: the next look plans with it."""
        try:
            body = await self._gateway.get(SECRET, at.namespace, at.name)
        except NotFound:
            self._intake.removed(SECRET, at, by=issuer_key(issuer))
        else:
            self._intake.written(SECRET, body, by=issuer_key(issuer))

    async def copy(self, issuer: ObjectKey, namespace: str) -> TrustBundle | None:
        """What the gate holds, as the API server has it now; None: nothing that can be read."""
        with suppress(NotFound, ValueError):
            return crl_configmap.parse_gate(await self._gateway.get(SECRET, namespace, gate_secret_name(issuer)))
        return None

    async def close(self, issuer: ObjectKey, namespace: str) -> GateMemory:
        """Take the bundle away: the gate's hosts answer 403. What is known of it from then on."""
        at = ObjectKey(namespace, gate_secret_name(issuer))
        try:
            await self._gateway.delete(SECRET, namespace, at.name)
        except NotFound:
            pass
        except (Forbidden, Invalid) as error:
            return self._refused(error)
        self._intake.removed(SECRET, at, by=issuer_key(issuer))
        return GateMemory()


def _rises(known: Object, memory: GateMemory, wanted: WantedBundle) -> bool:
    """Whether the gate as it is known was looked at, and holds no newer CRL: then it may be written onto."""
    view = memory.view
    return view is not None and view.version == version_of(known) and view.number <= wanted.number


class TargetApplier:
    """Writes onto the objects of data planes."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake

    def _kind(self, key: Key) -> Kind:
        return self._view.target_kinds[key.plural].kind

    async def apply(self, key: Key, fields: Mapping[str, Any]) -> str:
        """Set our fields by server-side apply, whoever had them. Which field of the answer is not as asked; empty: none."""
        kind = self._kind(key)
        metadata = {"namespace": key.at.namespace, "name": key.at.name} | dict(fields.get("metadata") or {})
        body = {"apiVersion": kind.api_version, "kind": kind.name} | dict(fields) | {"metadata": metadata}
        written = await self._gateway.patch(
            kind,
            key.at.namespace,
            key.at.name,
            body,
            content_type=APPLY_PATCH,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
        )
        self._intake.written(kind, written, by=key)
        logger.info("target written", extra={"object": str(key)})
        return unlike(fields, written, me=FIELD_MANAGER)

    async def patch(self, key: Key, patch: Mapping[str, Any]) -> None:
        """Merge the patch into the target, onto the version that was looked at."""
        kind = self._kind(key)
        found = self._view.targets[key.plural].get(key.at)
        if found is None:
            return
        metadata = {"resourceVersion": found["metadata"]["resourceVersion"]} | dict(patch.get("metadata") or {})
        body = dict(patch) | {"metadata": metadata}
        self._intake.written(kind, await self._gateway.patch(kind, key.at.namespace, key.at.name, body), by=key)
        logger.info("target patched", extra={"object": str(key)})

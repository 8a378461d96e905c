"""A gate's and a target's actions to writes.

A gate that is to admit nobody is closed first, and deleted later. That a deletion succeeds does not mean that the Secret is gone:
it is gone when the API server says so, asked by name.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, Conflict, Ending, Forbidden, Invalid, NotFound, Transient
from doorward.cluster.gateway import APPLY_PATCH, FIELD_MANAGER, SECRET, Gateway, Kind, Object, get_if_there
from doorward.cluster.store import version_of
from doorward.gates.memory import Closed, GateMemory, GateView, Refusal, WantedBundle
from doorward.logged import about
from doorward.objects import closed_bundle, crl_configmap, trust_bundle
from doorward.objects.comparison import unlike
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import GATE_ANNOTATION, ObjectKey, gate_secret_name, is_deleting, is_ours
from doorward.pki.crls import next_number
from doorward.pki.key_source import KeySource
from doorward.view.intake import Intake
from doorward.view.keys import Key, issuer_key
from doorward.view.stores import View
from doorward.view.teller import Teller

logger = logging.getLogger(__name__)
GATE_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(minutes=2)
"""Of a gate that cannot be closed or deleted: it is tried again after GATE_RETRY, then after twice as long, up to this."""
_OF_ANOTHER = "metadata.uid"
"""In what the API server says to an apply by UID where another object has that name now: the field is immutable."""
MOST_NAMED = 3
"""Finalizers in a message."""


@dataclass(frozen=True, slots=True)
class Newer:
    """The gate is ahead of what this process knows to be published, and was left as it is."""


class GateApplier:
    """Brings gates to what is published, and closes them."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake, clock: Clock, source: KeySource) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake
        self._clock = clock
        self._source = source

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
        except (AlreadyExists, Conflict, NotFound) as error:
            return memory if await self._look_again(issuer, at) else self._refused(error, memory)
        except (Ending, Forbidden, Invalid) as error:
            return self._refused(error, memory)
        self._intake.written(SECRET, written, by=issuer_key(issuer))
        if is_deleting(written) and (kept := _finalizers(written)):
            return self._refused(Invalid(f"it was deleted, and {kept} keep it: remove them"), memory)
        view = GateView(version_of(written), wanted.digest, wanted.bundle.anchors, since, wanted.number)
        return replace(memory, view=view, refusal=None, closed=None)

    def _refused(self, error: Exception, memory: GateMemory) -> GateMemory:
        refusal = Refusal(str(error)[:300], self._clock.now() + GATE_RETRY)
        return replace(memory, view=None, refusal=refusal, closed=None)

    async def _look_again(self, issuer: ObjectKey, at: ObjectKey) -> bool:
        """What is there after all: the next look plans with it. False: it cannot be read, and the watch will tell."""
        try:
            body = await self._read(issuer, at)
        except (Forbidden, Transient):
            return False
        if body is not None:
            self._intake.written(SECRET, body, by=issuer_key(issuer))
        return True

    async def _read(self, issuer: ObjectKey, at: ObjectKey) -> Object | None:
        """The Secret as the API server has it now; None: it is gone, which is taken in."""
        known = self._view.secrets.version(at)
        body = await get_if_there(self._gateway, SECRET, at)
        if body is None:
            self._intake.removed(SECRET, at, known, by=issuer_key(issuer))
        return body

    async def copy(self, issuer: ObjectKey, namespace: str) -> TrustBundle | None:
        """What the gate holds, as the API server has it now; None: nothing that can be read."""
        with suppress(Forbidden, NotFound, Transient, ValueError):
            return crl_configmap.parse_gate(await self._gateway.get(SECRET, namespace, gate_secret_name(issuer)))
        return None

    async def close(self, issuer: ObjectKey, namespace: str, memory: GateMemory) -> GateMemory:
        """Write a bundle that admits nobody; where that cannot be written, delete the gate at once. What is known of it from
        then on.
        """
        at, now = ObjectKey(namespace, gate_secret_name(issuer)), self._clock.now()
        body = await self._as_it_is(issuer, at)
        if body is None:
            return GateMemory()
        number = self._above(body, memory)
        key, serial = self._source.key(closed_bundle.KEY_KIND), self._source.serial()
        bundle = closed_bundle.admits_nobody(key, serial, now, number=number)
        version, finalizers = body["metadata"]["resourceVersion"], body["metadata"].get("finalizers") or ()
        # Others' finalizers stay for now: who refuses that they go must not keep the gate open.
        wanted = crl_configmap.render_gate(issuer, namespace, bundle, since=now, version=version, finalizers=finalizers)
        try:
            written = await self._gateway.replace(SECRET, namespace, at.name, wanted)
        except (Conflict, NotFound) as error:
            return memory if await self._look_again(issuer, at) else self._not_removed(at, memory, str(error))
        except (Forbidden, Invalid, Transient) as error:
            return await self._remove(issuer, at, body, memory, still=f"it cannot be closed ({str(error)[:200]})")
        self._intake.written(SECRET, written, by=issuer_key(issuer))
        logger.info("gate closed", extra=_about(issuer, namespace=namespace))
        digest = trust_bundle.digest(bundle)
        view = GateView(version_of(written), digest, bundle.anchors, now, 0, opens_from=number)
        return replace(memory, view=view, closed=Closed(digest, now))

    def _above(self, body: Object, memory: GateMemory) -> int:
        """A number above that of each CRL that the gate held until now: every later one is as high, or higher."""
        view = memory.view
        if view is not None and view.number and view.version == version_of(body):
            return view.number + 1
        return next_number(None, self._clock.now_precise())

    async def remove(self, issuer: ObjectKey, namespace: str, memory: GateMemory) -> GateMemory:
        """Delete a gate that is closed, as it was when it was looked at. What is known of it from then on."""
        at = ObjectKey(namespace, gate_secret_name(issuer))
        body = await self._as_it_is(issuer, at)
        if body is None:
            return GateMemory()
        if memory.view is None or memory.view.version != version_of(body):
            self._intake.written(SECRET, body, by=issuer_key(issuer))
            return memory  # it is looked at again
        return await self._remove(issuer, at, body, memory, still="it admits nobody")

    async def _as_it_is(self, issuer: ObjectKey, at: ObjectKey) -> Object | None:
        """The Secret, or its metadata as the watch told it where it may not be read; None: it is gone, which is taken in."""
        try:
            return await self._read(issuer, at)
        except (Forbidden, Transient):
            return self._view.secrets.get(at)

    async def _remove(
        self, issuer: ObjectKey, at: ObjectKey, body: Object, memory: GateMemory, *, still: str
    ) -> GateMemory:
        """Delete this version of the Secret, see whether it is gone, and take off the finalizers that keep it; `still`: what
        it does for as long as it is there.
        """
        try:
            left = await self._delete(issuer, at, body)
        except Conflict as error:
            return memory if await self._look_again(issuer, at) else self._not_removed(at, memory, str(error))
        except (Forbidden, Invalid, Transient) as error:
            await self._look_again(issuer, at)
            return self._not_removed(at, memory, f"{still} and cannot be deleted: {error}")
        if left is None:
            logger.info("gate deleted", extra=_about(issuer, namespace=at.namespace))
            return GateMemory()
        self._intake.written(SECRET, left, by=issuer_key(issuer))
        if not is_deleting(left):
            return memory  # somebody made it again: it is looked at
        return self._not_removed(at, memory, f"{still} and was deleted, but {_finalizers(left)} keep it: remove them")

    async def _delete(self, issuer: ObjectKey, at: ObjectKey, body: Object) -> Object | None:
        """Delete this version, and take off the finalizers that keep it; what is there then. Raises what the writes raise."""
        metadata = body["metadata"]
        if not is_deleting(body):
            version, uid = metadata["resourceVersion"], metadata.get("uid")
            with suppress(NotFound):
                await self._gateway.delete(SECRET, at.namespace, at.name, version=version, uid=uid)
        left = await self._read(issuer, at)
        if left is None or not (is_deleting(left) and _finalizers(left)):
            return left
        metadata = {name: value for name, value in left["metadata"].items() if name != "finalizers"}
        with suppress(NotFound):
            await self._gateway.replace(SECRET, at.namespace, at.name, left | {"metadata": metadata})
        return await self._read(issuer, at)

    def _not_removed(self, at: ObjectKey, memory: GateMemory, why: str) -> GateMemory:
        """It is left alone for a while, twice as long each time."""
        before = memory.refusal.wait if memory.refusal is not None else timedelta(0)
        wait = min(max(GATE_RETRY, 2 * before), LONGEST_RETRY)
        detail = f"Secret {at.name}: {why}"[:300]
        if memory.refusal is None or memory.refusal.detail != detail:
            logger.warning("gate not deleted", extra=about(f"Secret {at}", namespace=at.namespace, error=why))
        return replace(memory, refusal=Refusal(detail, self._clock.now() + wait, wait))


def _finalizers(body: Object) -> str:
    """The finalizers that keep an object, as a message names them; empty: none."""
    names = body["metadata"].get("finalizers") or ()
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"finalizers {', '.join(names[:MOST_NAMED])}{more}" if names else ""


def _rises(known: Object, memory: GateMemory, wanted: WantedBundle) -> bool:
    """Whether the gate as it is known was looked at, and holds no newer CRL: then it may be written onto."""
    view = memory.view
    return view is not None and view.version == version_of(known) and view.number <= wanted.number


def _about(issuer: ObjectKey, **fields: object) -> dict[str, object]:
    return about(f"MTLSIssuer {issuer}", issuer=str(issuer), **fields)


def _said(fields: Mapping[str, Any]) -> Any:
    """What is written onto a target of how it is protected; None: nothing."""
    return ((fields.get("metadata") or {}).get("annotations") or {}).get(GATE_ANNOTATION)


class TargetApplier:
    """Writes onto the objects of data planes."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake, teller: Teller) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake
        self._teller = teller

    def _kind(self, key: Key) -> Kind:
        return self._view.target_kinds[key.plural].kind

    async def apply(self, key: Key, fields: Mapping[str, Any]) -> str:
        """Set our fields by server-side apply, whoever had them. Which field of the answer is not as asked; empty: none.

        By UID: one that was created again may ask for something else. Others may write into this one at any time, and must not
        hold up its protection, so no version is named.
        """
        kind = self._kind(key)
        before = self._view.targets[key.plural].get(key.at)
        if before is None:
            return ""
        metadata = {"namespace": key.at.namespace, "name": key.at.name, "uid": before["metadata"]["uid"]}
        metadata |= dict(fields.get("metadata") or {})
        body = {"apiVersion": kind.api_version, "kind": kind.name} | dict(fields) | {"metadata": metadata}
        try:
            written = await self._gateway.patch(
                kind,
                key.at.namespace,
                key.at.name,
                body,
                content_type=APPLY_PATCH,
                query={"fieldManager": FIELD_MANAGER, "force": "true"},
            )
        except Invalid as error:
            if _OF_ANOTHER in str(error):
                raise Conflict(f"{key} was created again in the meantime") from error
            raise
        self._intake.written(kind, written, by=key)
        logger.info("target written", extra=about(key, gate=_said(fields)))
        uid = written["metadata"]["uid"]
        self._teller.target_written(key, _said(before) or "", _said(fields) or "", uid=uid)
        return unlike(fields, written, me=FIELD_MANAGER)

    async def patch(self, key: Key, patch: Mapping[str, Any]) -> None:
        """Merge the patch into the target, onto the version that was looked at."""
        kind = self._kind(key)
        found = self._view.targets[key.plural].get(key.at)
        if found is None:
            return
        metadata = {"resourceVersion": found["metadata"]["resourceVersion"]} | dict(patch.get("metadata") or {})
        body = dict(patch) | {"metadata": metadata}
        written = await self._gateway.patch(kind, key.at.namespace, key.at.name, body)
        self._intake.written(kind, written, by=key)
        logger.info("target patched", extra=about(key, gate=_said(patch)))
        uid = written["metadata"]["uid"]
        self._teller.target_written(key, _said(found) or "", _said(patch) or "", uid=uid)

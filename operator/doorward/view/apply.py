"""The writes that issuers, certificates and the clean-up after them share: revocations, statuses and Events.

What a write answers goes into the stores, so that the next look needs no read.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from doorward.api.conditions import MAX_MESSAGE, instant
from doorward.cluster.errors import Conflict, Invalid
from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, FIELD_MANAGER, ISSUED_CERTIFICATE, ISSUER, Gateway
from doorward.logged import about
from doorward.objects import ledger_record
from doorward.objects.comparison import unlike
from doorward.objects.ledger_record import Record
from doorward.objects.meta import MISSING_ANNOTATION, SECRET_MISSING_ANNOTATION
from doorward.planning.notices import notice
from doorward.planning.plan import MarkMissing, MarkSecretMissing, Revoke, WriteStatus
from doorward.view import story
from doorward.view.intake import Intake
from doorward.view.keys import Key
from doorward.view.outbox import Waiting
from doorward.view.stores import View
from doorward.view.story import LedgerStory
from doorward.view.teller import Teller

logger = logging.getLogger(__name__)


class SharedWrites:
    """Each for the key that is worked on."""

    def __init__(self, view: View, gateway: Gateway, intake: Intake, ledger_story: LedgerStory, teller: Teller) -> None:
        self._story = ledger_story
        self._view = view
        self._gateway = gateway
        self._intake = intake
        self.teller = teller

    async def revoke(self, key: Key, action: Revoke) -> None:
        """Onto the record that the plan was made from: what a person wrote into it in the meantime is not written over.

        Raises Invalid where the answer is not as asked: it would be asked for again and again.
        """
        record, ledger = action.record, self._view.ledger
        if ledger.get(record.key) != record:
            raise Conflict(f"record {record.key} changed in the meantime")
        # A hold that is lifted later begins a wait of its own.
        marks = {MISSING_ANNOTATION: None} if record.missing_since is not None else {}
        marks |= {SECRET_MISSING_ANNOTATION: None} if record.secret_missing_since is not None else {}
        patch = {
            "metadata": {"resourceVersion": str(ledger.version(record.key))}
            | ({"annotations": marks} if marks else {}),
            "spec": {"revocation": ledger_record.render_revocation(action.revocation)},
        }
        with self._story.writing(record, action.revocation):
            body = await self._gateway.patch(ISSUED_CERTIFICATE, record.key.namespace, record.key.name, patch)
            self._intake.written(ISSUED_CERTIFICATE, body, by=key)
            if changed := unlike({"spec": patch["spec"]}, body, me=FIELD_MANAGER):
                raise Invalid(f"the API server answers with another revocation than was written: {changed}")

    async def mark_missing(self, key: Key, action: MarkMissing) -> None:
        """Onto the record that the plan was made from, as a revocation is."""
        await self._mark(key, action.record, MISSING_ANNOTATION, action.since)
        words = "client missing" if action.since is not None else "client back"
        logger.info(words, extra=about(key, client=str(key.at), serial=f"{action.record.serial:x}"))

    async def mark_secret_missing(self, key: Key, action: MarkSecretMissing) -> None:
        """The same; and an Event, since somebody may have deleted the Secret without knowing what follows."""
        for record in action.records:
            await self._mark(key, record, SECRET_MISSING_ANNOTATION, action.since)
            words = "secret missing" if action.since is not None else "secret back"
            logger.info(words, extra=about(key, client=str(key.at), serial=f"{record.serial:x}"))
        if action.until is not None:
            serials = ", ".join(f"{record.serial:x}" for record in action.records)
            values = {"why": action.why, "serials": serials, "until": instant(action.until)}
            self.teller.tell(key, (notice("ClientCertificate", "SecretMissing", **values),))

    async def _mark(self, key: Key, record: Record, annotation: str, since: datetime | None) -> None:
        ledger = self._view.ledger
        if ledger.get(record.key) != record:
            raise Conflict(f"record {record.key} changed in the meantime")
        metadata = {
            "resourceVersion": str(ledger.version(record.key)),
            "annotations": {annotation: instant(since) if since is not None else None},
        }
        body = await self._gateway.patch(
            ISSUED_CERTIFICATE, record.key.namespace, record.key.name, {"metadata": metadata}
        )
        self._intake.written(ISSUED_CERTIFICATE, body, by=key)

    def uid(self, key: Key) -> str:
        """Of the object that a key stands for, as it is known; empty: none is."""
        if key.kind in ("ledger", "guarded"):
            return ""
        if key.kind == "target":
            target = self._view.targets[key.plural].get(key.at)
            return "" if target is None else str(target["metadata"].get("uid", ""))
        found = self._intake.store_of(ISSUER if key.kind == "issuer" else CLIENT_CERTIFICATE).get(key.at)
        return "" if found is None else str(found.body["metadata"].get("uid", ""))

    def known_status(self, key: Key) -> tuple[Mapping[str, Any], int] | None:
        """The status of an MTLSIssuer or a ClientCertificate as it was seen last, and the generation of its object; None: there is
        none of either.
        """
        if key.kind not in ("issuer", "certificate"):
            return None
        found = self._intake.store_of(ISSUER if key.kind == "issuer" else CLIENT_CERTIFICATE).get(key.at)
        return None if found is None else (found.body.get("status") or {}, found.body["metadata"].get("generation", 0))

    async def status(self, key: Key, action: WriteStatus) -> str:
        """Replace the status of an MTLSIssuer or a ClientCertificate; nothing where it was deleted in the meantime. Which field
        of the answer is not as asked; empty: none.

        Onto the version that is known: the object may have been created again, and what is said is not said of that one. Of a
        custom resource's status the API server compares no UID.
        """
        kind = ISSUER if key.kind == "issuer" else CLIENT_CERTIFICATE
        found = self._intake.store_of(kind).get(key.at)
        if found is None:
            return ""
        before = found.body.get("status") or {}
        patch = {
            "metadata": {"resourceVersion": found.body["metadata"]["resourceVersion"]},
            "status": dict.fromkeys(before.keys() - action.status.keys()) | action.status,
        }
        body = await self._gateway.patch(kind, key.at.namespace, key.at.name, patch, subresource="status")
        self._intake.written(kind, body, by=key)
        story.tell_conditions(key, before.get("conditions") or (), action.status.get("conditions") or ())
        self.teller.status_written(key, before, action.status, uid=body["metadata"]["uid"])
        return unlike({"status": action.status}, body, me=FIELD_MANAGER)


class EventApplier:
    """Writes one Event."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def write(self, waiting: Waiting) -> None:
        """The Event, as of when its change was made."""
        at, told = instant(waiting.at), waiting.notice
        namespace = waiting.about["namespace"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "generateName": "doorward-"},
            "involvedObject": waiting.about,
            "type": "Warning" if told.warning else "Normal",
            "reason": told.reason,
            "message": told.message[:MAX_MESSAGE],
            "source": {"component": "doorward"},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        await self._gateway.create(EVENT, namespace, event)

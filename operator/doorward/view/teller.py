"""Who is told what: each Event that a change gives, with the object that it is about as it was at that moment."""

import logging
from collections.abc import Iterable

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER, Kind, Object
from doorward.logged import about
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import ObjectKey
from doorward.planning import notices
from doorward.planning.notices import Notice, Status
from doorward.view.keys import Key, certificate_key, target_key
from doorward.view.outbox import Outbox
from doorward.view.stores import View

logger = logging.getLogger(__name__)


class Teller:
    """Puts Events into the outbox: it waits for nothing and raises nothing."""

    def __init__(self, view: View, outbox: Outbox) -> None:
        self._view = view
        self._outbox = outbox

    def tell(self, key: Key, told: Iterable[Notice], *, uid: str | None = None) -> None:
        """Events about an MTLSIssuer, a ClientCertificate or a target; none where it is not there, or has not that UID any more."""
        try:
            if (reference := self._reference(key)) is not None and uid in (None, reference["uid"]):
                for each in told:
                    self._outbox.put(reference, each)
        except Exception:  # a bug here costs an Event, and not the work that it tells of
            logger.exception("event not made", extra=about(key))

    def status_written(self, key: Key, before: Status, after: Status, *, uid: str) -> None:
        """The MTLSIssuer or ClientCertificate with that UID has another status."""
        if key.kind == "certificate":
            self.tell(key, notices.of_client(before, after), uid=uid)
            return
        self.tell(key, notices.of_issuer(before, after), uid=uid)
        self._tell_targets(key.at, before, after)

    def _tell_targets(self, issuer: ObjectKey, before: Status, after: Status) -> None:
        try:
            for at, told in notices.of_enforcement(issuer, before, after):
                for target in self._view.target_kinds.values():
                    self.tell(target_key(target.kind, at), (told,))
        except Exception:  # as above
            logger.exception("event not made", extra=about(f"MTLSIssuer {issuer}"))

    def target_written(self, key: Key, before: str, after: str, *, uid: str) -> None:
        """Another text stands in the annotation `doorward.io/gate` of the target with that UID."""
        if (told := notices.of_annotation(before, after)) is not None:
            self.tell(key, (told,), uid=uid)

    def revocation(self, record: Record, now: Revocation, *, by_operator: bool) -> None:
        """A step of a serial, whose record was `record`."""
        if (told := notices.of_revocation(record, now, by_operator=by_operator)) is not None:
            self.tell(certificate_key(record.holder), (told,))

    def cut_off(self, client: ObjectKey, serials: tuple[int, ...], seconds: float) -> None:
        """All gates refuse these certificates of a client since so long after the cut-off began."""
        self.tell(certificate_key(client), (notices.complete(serials, seconds),))

    def cut_off_late(self, client: ObjectKey, issuer: ObjectKey, unreached: str) -> None:
        """Some gates, or the CRL, do not refuse a client that is to be cut off, for a while now."""
        self.tell(certificate_key(client), (notices.incomplete(issuer, unreached),))

    def _reference(self, key: Key) -> Object | None:
        """As an Event names its object; None: it is not there any more."""
        kind: Kind
        if key.kind == "target":
            body = self._view.targets[key.plural].get(key.at)
            kind = self._view.target_kinds[key.plural].kind
        elif key.kind == "issuer":
            issuer = self._view.issuers.get(key.at)
            body, kind = None if issuer is None else issuer.body, ISSUER
        else:
            client = self._view.certificates.get(key.at)
            body, kind = None if client is None else client.body, CLIENT_CERTIFICATE
        if body is None:
            return None
        return {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "namespace": key.at.namespace,
            "name": key.at.name,
            "uid": body["metadata"].get("uid", ""),
        }

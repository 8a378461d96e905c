"""What is known of a cluster, and what a question is answered by it: the gate service and `doorward why` both ask here."""

import sys
from datetime import datetime, timedelta
from typing import NamedTuple

from doorward.gate_service.ingresses import Ingresses
from doorward.gate_service.issuers import Issuer, Issuers
from doorward.gate_service.ledger import Client, Clients, Serial, Serials
from doorward.objects.access_list import Unreadable
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from doorward.planning.admission import Verdict, verdict
from doorward.planning.selection import is_selected


class Answer(NamedTuple):
    """What a question is answered."""

    verdict: Verdict
    gate: Gate | None = None
    """None: no gate of an MTLSIssuer that there is."""
    serial: Serial | None = None
    """Of whoever is admitted."""


class Knowledge:
    """MTLSIssuers, ClientCertificates, ledger records and Ingresses, as they were last seen."""

    def __init__(self, *, sha256: bool = False) -> None:
        """`sha256`: a proxy names certificates by their SHA-256."""
        self.clients = Clients()
        self.serials = Serials(self.clients, sha256=sha256)
        self.issuers = Issuers()
        self.ingresses = Ingresses()

    def answer(
        self,
        question: Question,
        certificate: Presented,
        *,
        silence: timedelta,
        now: datetime,
        ledger_version: int = sys.maxsize,
    ) -> Answer:
        """Whether a request with a verified certificate gets in; `silence`: since when the API server was not heard of,
        `ledger_version`: the resourceVersion as of which the ledger is known.
        """
        issuer = self.issuers.get(question.gate.issuer)
        gate = question.gate if issuer is not None else None
        serial = None
        for each in self.serials.find(certificate.digest, question.gate.issuer):
            if certificate.serial is not None and each.number != certificate.serial:
                continue
            said = verdict(issuer, each, each.client, silence=silence, now=now)
            if said is Verdict.ADMITTED and each.client.since > ledger_version:
                said = Verdict.LEDGER_BEHIND
            if said is not Verdict.ADMITTED:  # of several records of one certificate, each has to admit it
                return Answer(said, gate)
            serial = each
        if issuer is None or serial is None:
            return Answer(verdict(issuer, None, None, silence=silence, now=now), gate)
        said = self._selected(question, issuer, serial.client)
        return Answer(said, gate, serial if said is Verdict.ADMITTED else None)

    def _selected(self, question: Question, issuer: Issuer, client: Client) -> Verdict:
        """Whether the Ingress that asks admits a client whose certificate is good."""
        if question.ingress is None:
            return Verdict.ADMITTED
        if not question.ingress:
            asks_without = self.ingresses.any_list_in(question.gate.namespace)
            return Verdict.INGRESS_NOT_SAID if asks_without else Verdict.ADMITTED
        try:
            wanted = self.ingresses.access_list(question.gate.namespace, question.ingress)
        except KeyError:
            return Verdict.NO_INGRESS
        if wanted is None:
            return Verdict.ADMITTED
        if isinstance(wanted, Unreadable):
            return Verdict.LIST_NOT_READ
        selected = is_selected(wanted, client.key, client.labels, issuer.selectable)
        return Verdict.ADMITTED if selected else Verdict.NOT_SELECTED

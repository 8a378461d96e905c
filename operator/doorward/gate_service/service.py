"""What the gate service knows, and what it answers."""

import asyncio
from datetime import timedelta
from typing import NamedTuple

from doorward.clock import Clock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, Gateway
from doorward.gate_service.following import Follower
from doorward.gate_service.ingresses import Ingresses
from doorward.gate_service.issuers import Issuer, Issuers
from doorward.gate_service.ledger import Client, Clients, Serial, Serials
from doorward.health import Readiness
from doorward.objects.access_list import Unreadable
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate, Question
from doorward.planning.admission import FRESH, Verdict, verdict
from doorward.planning.selection import is_selected


class Answer(NamedTuple):
    """What a question is answered."""

    verdict: Verdict
    gate: Gate | None = None
    """None: no gate of an MTLSIssuer that there is."""
    serial: Serial | None = None
    """Of whoever is admitted."""


class GateService:
    """Follows four kinds, and answers by what it last knew of them. Used from one event loop."""

    def __init__(self, gateway: Gateway, clock: Clock, *, sha256: bool = False) -> None:
        """`sha256`: a proxy names certificates by their SHA-256."""
        self._clock = clock
        self._synced = False
        self.clients = Clients()
        self.serials = Serials(self.clients, sha256=sha256)
        self.issuers = Issuers()
        self.ingresses = Ingresses()
        self.followers = (
            Follower(gateway, clock, ISSUER, self.issuers),
            Follower(gateway, clock, CLIENT_CERTIFICATE, self.clients),
            Follower(gateway, clock, ISSUED_CERTIFICATE, self.serials),
            Follower(gateway, clock, INGRESS, self.ingresses, metadata_only=True),
        )

    async def follow(self) -> None:
        """Keep what is known as the API server has it, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for follower in self.followers:
                tasks.create_task(follower.follow())

    @property
    def synced(self) -> bool:
        """Whether all kinds were listed once: before that nobody is admitted."""
        if not self._synced:  # asked at every request; what was listed once stays so
            self._synced = all(follower.synced for follower in self.followers)
        return self._synced

    def silence(self) -> timedelta:
        """Since when at least one kind was not heard of."""
        heard = [each.heard_at for each in self.followers if each.heard_at is not None]
        return timedelta(seconds=self._clock.monotonic() - min(heard)) if heard else timedelta(0)

    def answer(self, question: Question | None) -> Answer:
        """Whether the request gets in; None: the question could not be read."""
        if question is None:
            return Answer(Verdict.NOT_READ)
        issuer = self.issuers.get(question.gate.issuer)
        gate = question.gate if issuer is not None else None
        if question.certificate is None:
            return Answer(Verdict.NOT_VERIFIED, gate)
        if not self.synced:
            return Answer(Verdict.NOT_SYNCED, gate)
        silence, now = self.silence(), self._clock.now()
        digest, number = question.certificate
        serial = None
        for each in self.serials.find(digest, question.gate.issuer):
            if number is not None and each.number != number:
                continue
            said = verdict(issuer, each, each.client, silence=silence, now=now)
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
        key = ObjectKey(question.gate.namespace, question.ingress)
        if key not in self.ingresses:
            return Verdict.NO_INGRESS
        wanted = self.ingresses.access_list(key)
        if wanted is None:
            return Verdict.ADMITTED
        if isinstance(wanted, Unreadable):
            return Verdict.LIST_NOT_READ
        selected = is_selected(wanted, client.key, client.labels, issuer.selectable)
        return Verdict.ADMITTED if selected else Verdict.NOT_SELECTED

    def readiness(self) -> Readiness:
        """Ready once all was listed. It stays ready while the API server is away: another replica would know no more."""
        troubles = []
        for follower in self.followers:
            silence = follower.silence()
            if not follower.synced:
                troubles.append(f"{follower.kind.plural}: not listed yet {follower.trouble}".rstrip())
            elif follower.trouble or silence > FRESH:
                seconds = int(silence.total_seconds())
                troubles.append(f"{follower.kind.plural}: not heard of for {seconds} s {follower.trouble}".rstrip())
        return Readiness(ready=self.synced, part="answers" if self.synced else "refuses everybody", troubles=troubles)

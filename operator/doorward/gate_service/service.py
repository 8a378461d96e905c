"""What the gate service knows, and what it answers."""

import asyncio
from datetime import timedelta

from doorward.clock import Clock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, Gateway
from doorward.gate_service.following import Follower
from doorward.gate_service.knowledge import Answer, Knowledge
from doorward.health import Readiness
from doorward.objects.proxy_requests.question import Question
from doorward.planning.admission import FRESH, Verdict


class GateService:
    """Follows four kinds, and answers by what it last knew of them. Used from one event loop."""

    def __init__(self, gateway: Gateway, clock: Clock, *, sha256: bool = False) -> None:
        """`sha256`: a proxy names certificates by their SHA-256."""
        self._clock = clock
        self._synced = False
        self._fresh_until = float("-inf")
        """Until then nothing that is known is taken for old, by the monotonic clock, whatever else is heard."""
        self._known = known = Knowledge(sha256=sha256)
        self.clients, self.serials = known.clients, known.serials
        self.issuers, self.ingresses = known.issuers, known.ingresses
        self._ledger = Follower(gateway, clock, ISSUED_CERTIFICATE, self.serials)
        self.followers = (
            Follower(gateway, clock, ISSUER, self.issuers),
            Follower(gateway, clock, CLIENT_CERTIFICATE, self.clients),
            self._ledger,
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
        """Since when at least one kind was not heard of; zero while that is no longer than `FRESH`, when no rule asks."""
        now = self._clock.monotonic()
        if now <= self._fresh_until:  # whatever was heard since then makes it later still
            return timedelta(0)
        heard = [each.heard_at for each in self.followers if each.heard_at is not None]
        if not heard:
            return timedelta(0)
        self._fresh_until = min(heard) + FRESH.total_seconds()
        return timedelta(seconds=now - min(heard)) if now > self._fresh_until else timedelta(0)

    def answer(self, question: Question | None) -> Answer:
        """Whether the request gets in; None: the question could not be read."""
        if question is None:
            return Answer(Verdict.NOT_READ)
        certificate = question.certificate
        if certificate is not None and self.synced:
            return self._known.answer(
                question,
                certificate,
                silence=self.silence(),
                now=self._clock.now(),
                ledger_version=self._ledger.version,
            )
        gate = question.gate if self.issuers.get(question.gate.issuer) is not None else None
        return Answer(Verdict.NOT_VERIFIED if certificate is None else Verdict.NOT_SYNCED, gate)

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

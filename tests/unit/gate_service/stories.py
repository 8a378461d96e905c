"""Random stories around a gate service: what is in the cluster at each moment, when the service hears of it, and what it answers.

The right answer is taken from the promises of docs/gate-service.md alone, and from the objects as JSON.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import product
from typing import Any, Self

from doorward.cluster.errors import Gone, Transient
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    Kind,
    Object,
    WatchEvent,
)
from doorward.gate_service.following import LONGEST_REST
from doorward.gate_service.service import GateService
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from doorward.planning.admission import Verdict
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.memory_cluster import Change, MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit import given as rules
from tests.unit.given import NOW

from . import given

FOLLOWED = (ISSUER, CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, INGRESS)
PARTNERS, EMPLOYEES = ObjectKey("issuers", "partners"), ObjectKey("issuers", "employees")
ALICE, BOB = ObjectKey("issuers", "alice"), ObjectKey("issuers", "bob")
TILL = ObjectKey("shop", "till")
FRESH = timedelta(seconds=90)
SOON = timedelta(seconds=40)
GONE = (Verdict.CLIENT_GONE, Verdict.CLIENT_DELETED, Verdict.CLIENT_REVOKED)
LISTS = (None, "issuers/alice", "role=ops", "role=ops,team=a issuers/bob", "issuers/alice,bad")
"""What `doorward.io/allow` of the Ingress may say."""
LABELS: tuple[dict[str, str], ...] = ({}, {"role": "ops"}, {"role": "ops", "team": "a"}, {"role": "dev"})


def _record(number: int, issuer: ObjectKey, holder: ObjectKey, **override: Any) -> Record:
    key = ObjectKey(issuer.namespace, f"{issuer.name}.1.{number:x}")
    return replace(rules.record(number), key=key, issuer=issuer, holder=holder, **override)


RECORDS = (
    _record(0xA1, PARTNERS, ALICE),
    _record(0xA2, PARTNERS, ALICE, not_after=NOW + SOON),
    _record(0xA3, EMPLOYEES, ALICE),
    _record(0xB1, PARTNERS, BOB),
)
CERTIFICATES = {record.sha1: record for record in RECORDS}
BY_HAND = ObjectKey("issuers", "restored-by-hand")
"""A second record of the first certificate, as a person may restore it."""
QUESTIONS = tuple(
    Question(Gate("shop", issuer), Presented(bytes.fromhex(record.sha1), record.serial), ingress)
    for record in RECORDS
    for issuer in (PARTNERS, EMPLOYEES)
    for ingress in (None, "", TILL.name)
)

HOLDERS = {
    asked: record.holder for asked, record in zip(QUESTIONS, (r for r in RECORDS for _ in range(6)), strict=True)
}

State = Mapping[tuple[Kind, ObjectKey], str]
"""All that there is at one moment, as JSON."""


@dataclass(frozen=True)
class Moment:
    """A state of the cluster, and what was changed last."""

    state: State
    version: int
    changed: frozenset[Kind]
    history: tuple[Change, ...]
    """What led to it, as watches tell it."""
    at: Mapping[int, int]
    """Which moment each version of that history was."""


# What is right


@lru_cache(maxsize=4096)
def _read(text: str) -> Object:
    body: Object = json.loads(text)
    return body


def _of(state: State, kind: Kind, at: ObjectKey) -> Object | None:
    text = state.get((kind, at))
    return None if text is None else _read(text)


def right(state: State, asked: Question, now: datetime) -> bool:
    """Whether the service has to admit this, as long as it hears of the cluster."""
    issuer = _of(state, ISSUER, asked.gate.issuer)
    if issuer is None:
        return False
    ledger = [_read(text) for (kind, _), text in state.items() if kind == ISSUED_CERTIFICATE]
    assert asked.certificate is not None
    its = [
        record["spec"]
        for record in ledger
        if record["spec"]["fingerprints"]["sha1"] == asked.certificate.digest.hex()
        and record["metadata"]["namespace"] == asked.gate.issuer.namespace
        and record["spec"]["issuerName"] == asked.gate.issuer.name
    ]
    return bool(its) and all(_admits(state, issuer, spec, asked, now) for spec in its)


def _admits(state: State, issuer: Object, record: Object, asked: Question, now: datetime) -> bool:
    revocation = record.get("revocation")
    if revocation is not None and not revocation.get("lifted"):
        return False
    if now >= datetime.fromisoformat(record["notAfter"]):
        return False
    if record["generation"] in issuer["spec"]["ca"].get("distrust", []):
        return False
    named = record["clientCertificate"]
    client = _of(state, CLIENT_CERTIFICATE, ObjectKey(named["namespace"], named["name"]))
    if client is None or "deletionTimestamp" in client["metadata"]:
        return False
    spec = client["spec"]
    if spec.get("revoked") or spec.get("suspended"):
        return False
    if (spec["issuerRef"]["namespace"], spec["issuerRef"]["name"]) != asked.gate.issuer:
        return False
    if not asked.ingress:
        return asked.ingress is None or not any(
            "doorward.io/allow" in _read(text)["metadata"]["annotations"]
            for (kind, at), text in state.items()
            if kind == INGRESS and at.namespace == asked.gate.namespace
        )
    return _selects(state, issuer, client, asked)


def _selects(state: State, issuer: Object, client: Object, asked: Question) -> bool:
    assert asked.ingress is not None
    ingress = _of(state, INGRESS, ObjectKey(asked.gate.namespace, asked.ingress))
    if ingress is None:
        return False
    text = ingress["metadata"]["annotations"].get("doorward.io/allow")
    if text is None:
        return True
    metadata = client["metadata"]
    if metadata["namespace"] not in issuer["spec"].get("gates", {}).get("selectableNamespaces", ["issuers"]):
        return False
    labels = metadata.get("labels") or {}
    for entry in text.split():
        if "," in entry and "=" not in entry:
            return False
        terms = [term.split("=") for term in entry.split(",")]
        if "=" in entry and all(labels.get(name) == value for name, value in terms):
            return True
        if entry == f"{metadata['namespace']}/{metadata['name']}":
            return True
    return False


def stale(state: State, issuer: ObjectKey, silence: timedelta, now: datetime) -> bool:
    """Whether nobody may be admitted by this any more, since nothing was heard for so long."""
    body = _of(state, ISSUER, issuer)
    if body is None or silence <= FRESH:
        return False
    limit = {"2m": timedelta(minutes=2), "1h": timedelta(hours=1)}.get(
        body["spec"].get("enforcement", {}).get("maxStaleness")
    )
    if limit is not None and silence > limit:
        return True
    crl = body["status"].get("crl")
    return crl is None or now >= datetime.fromisoformat(crl["nextUpdate"])


# What the service hears


class LateGateway(MemoryGateway):
    """Lists come in pages, watches are behind, break, repeat and are told that they are too old."""

    def __init__(self, cluster: MemoryCluster, told: Callable[[], None], moment_of: Callable[[int], int]) -> None:
        super().__init__(cluster)
        self._moment_of = moment_of
        self._told = told
        """Called after everything that the service took in."""
        self.page_delay: dict[Kind, float] = {}
        self.breaks: dict[Kind, type[Exception] | None] = {}
        """How the watch of a kind ends at its next event; None: without a word."""
        self.bookmarks: set[Kind] = set()
        """Kinds whose watch gets a bookmark next."""
        self.again: dict[Kind, int] = {}
        """How many of its last events the watch of a kind repeats."""
        self.heard: dict[Kind, int] = {}
        """The moment that the service knows a kind as of."""
        self.heard_at: dict[Kind, float] = {}
        self.expires: set[Kind] = set()
        """Kinds whose next page is too old."""
        self.quiet = False
        """While events are repeated, what is known goes back and forth."""
        self._listed: dict[Kind, int] = {}

    def _hear(self, kind: Kind, moment: int) -> None:
        self.heard[kind] = moment
        self.heard_at[kind] = self.cluster.clock.monotonic()

    async def collect(
        self,
        take: Callable[[Object], Any],
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> tuple[list[Any], str]:
        epoch = self._epoch
        items, version = await self.list(kind, namespace, selector=selector, metadata_only=metadata_only)
        moment = self._moment_of(int(version)) if epoch == self._epoch else 0
        for item in items:
            take(item)
            self._told()
            if delay := self.page_delay.get(kind):
                await asyncio.sleep(delay)
                if kind in self.expires:
                    self.expires.discard(kind)
                    raise Gone("the provided continue parameter is too old")
        if epoch != self._epoch:
            raise Transient("the server went away")
        self._listed[kind] = moment
        return [], version

    async def watch(
        self, kind: Kind, namespace: str | None, version: str, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[WatchEvent]:
        if kind in self._listed:
            self._hear(kind, self._listed.pop(kind))
            self._told()
        async for event in super().watch(kind, namespace, version, selector=selector, metadata_only=metadata_only):
            yield event
            self._hear(kind, self._moment_of(int(event.object["metadata"]["resourceVersion"])))
            self._told()

    async def _events(self, kind: Kind, namespace: str | None, heard: int, selector: str) -> AsyncIterator[WatchEvent]:
        assert (namespace, selector) == (None, "")
        epoch, last = self._epoch, []
        while epoch == self._epoch:
            if kind in self.breaks:
                if (error := self.breaks.pop(kind)) is not None:
                    raise error("the watch broke")
                return
            if kind in self.again:
                repeated = last[-self.again.pop(kind) :]
                for event in repeated:
                    self.quiet = event is not repeated[-1]
                    yield event
            changes = [c for c in self.cluster.since(heard) if c.kind == kind]
            if changes:
                change = changes[0]
                await asyncio.sleep(self.lag_of(kind))
                if epoch != self._epoch or kind in self.breaks:
                    continue
                heard = change.version
                event = (
                    WatchEvent("DELETED", change.was)
                    if change.after is None
                    else WatchEvent("MODIFIED", change.becomes)
                )
                last.append(event)
                yield event
                continue
            if kind in self.bookmarks:
                self.bookmarks.discard(kind)
                heard = max(heard, self.cluster.version)
                metadata = {"resourceVersion": str(heard), "creationTimestamp": None}
                yield WatchEvent("BOOKMARK", {"kind": kind.name, "metadata": metadata})
                continue
            self._changed.clear()
            await self._changed.wait()

    def wake(self) -> None:
        """The watches look at what is asked of them."""
        self._changed.set()


@dataclass
class Story:
    """A cluster that changes, a gate service that follows it, and all that there ever was."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def __post_init__(self) -> None:
        self.cluster = MemoryCluster(self.clock)
        for namespace in ("issuers", "shop"):
            self.cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, given.PEOPLE)
        first = self.cluster.version
        self.moments = [Moment({}, first, frozenset(FOLLOWED), tuple(self.cluster.history), {first: 0})]
        self._told = len(self.cluster.history)
        self._runner = virtual_loop.runner(self.clock)
        self._following: asyncio.Task[None] | None = None
        self.admitted = self.checks = 0
        """How often somebody was admitted, and how often everything was asked."""
        self._rolled_back = 0
        """The moment of the last backup. While the service knows the ledger of another history, its versions say nothing."""
        self._gone: dict[Question, int] = {}
        """The moment at which the service knew the clients when it last said that this one is deleted or revoked."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def start(self) -> None:
        """A new replica, which knows nothing; one that was there is gone."""

        async def begin() -> None:
            if self._following is not None:
                self._following.cancel()
                with suppress(asyncio.CancelledError):
                    await self._following
                self.gateway.stop()
            self._gone.clear()
            self.gateway = LateGateway(self.cluster, self.check, self.moment_of)
            self.service = GateService(self.gateway, self.clock)
            self._following = asyncio.create_task(self.service.follow())
            await asyncio.sleep(0.1)

        self._runner.run(begin())

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._runner.run(asyncio.sleep(seconds))
        assert self._following is not None
        assert not self._following.done()
        self.check()

    # The cluster

    def note(self) -> None:
        """Remember the states since last time."""
        for change in self.cluster.history[self._told :]:
            state = dict(self.moments[-1].state)
            if change.kind in FOLLOWED:
                if change.after is None:
                    state.pop((change.kind, change.at), None)
                else:
                    state[change.kind, change.at] = change.after
            before, here = self.moments[-1], len(self.moments)
            history, at = (*before.history, change), {**before.at, change.version: here}
            self.moments.append(Moment(state, change.version, frozenset({change.kind}), history, at))
        self._told = len(self.cluster.history)

    def roll_back(self, steps: int) -> None:
        """The API server is given a backup of its etcd, of that many changes ago, and ends all watches."""
        self.note()
        wanted = max(0, len(self.moments) - 1 - steps)
        before = self.moments[wanted]
        for kind in FOLLOWED:
            self.cluster._objects[kind] = {at: text for (of, at), text in before.state.items() if of == kind}
        self.cluster.version = before.version
        self.cluster.history[:] = before.history
        self._told = len(self.cluster.history)
        self.cluster.compacted = min(self.cluster.compacted, before.version)
        self._rolled_back = len(self.moments)
        at = {**before.at, before.version: self._rolled_back}
        self.moments.append(replace(before, changed=frozenset(FOLLOWED), at=at))
        self._gone.clear()

    # What is answered

    def _windows(self) -> dict[Kind, range]:
        """By kind: the moments since the newest of which the service has heard everything of that kind."""
        self.note()
        return {kind: range(self._known(kind), len(self.moments)) for kind in FOLLOWED}

    def _known(self, kind: Kind) -> int:
        for later in range(self.gateway.heard.get(kind, -1) + 1, len(self.moments)):
            if kind in self.moments[later].changed:
                return max(later - 1, 0)
        return len(self.moments) - 1

    def _possible(self, windows: Mapping[Kind, range]) -> Iterator[State]:
        """What the service may know: of each kind, what was there at one moment of its window.

        The second record of a certificate is looked at for itself: in the middle of a list, only one of them is new.
        """
        parts = []
        for kind, window in windows.items():
            moments = [self.moments[at] for at in window if at == window.start or kind in self.moments[at].changed]
            for by_hand in (False, True) if kind == ISSUED_CERTIFICATE else (False,):
                states = [
                    {k: v for k, v in m.state.items() if k[0] == kind and (k[1] == BY_HAND) == by_hand} for m in moments
                ]
                parts.append([each for at, each in enumerate(states) if each not in states[:at]])
        for state in product(*parts):
            yield {k: v for part in state for k, v in part.items()}

    def _said(self, client: ObjectKey) -> int:
        """The moment of the last change of a client that the service has heard of."""
        key, at = (CLIENT_CERTIFICATE, client), self.gateway.heard[CLIENT_CERTIFICATE]
        while at and self.moments[at - 1].state.get(key) == self.moments[at].state.get(key):
            at -= 1
        return at

    def moment_of(self, version: int) -> int:
        """The moment of a version of the present history."""
        self.note()
        return self.moments[-1].at[version]

    def silence(self) -> timedelta:
        heard = [self.gateway.heard_at.get(kind, self.clock.monotonic()) for kind in FOLLOWED]
        return timedelta(seconds=self.clock.monotonic() - min(heard))

    def check(self) -> None:
        """Nobody is admitted who could not be by what was there, of each kind at one moment since the one that the service knows.

        Where the service said that the client is deleted or revoked, the ledger of an earlier moment does not count any more.
        """
        if self.gateway.quiet:
            return
        windows, now, silence = self._windows(), self.clock.now(), self.silence()
        self.checks += 1
        for asked in QUESTIONS:
            answer = self.service.answer(asked).verdict
            if answer in GONE and self.gateway.heard.get(ISSUED_CERTIFICATE, -1) >= self._rolled_back:
                self._gone[asked] = self._said(HOLDERS[asked])
            if answer is not Verdict.ADMITTED:
                continue
            self.admitted += 1
            assert len(self.gateway.heard) == len(FOLLOWED), asked
            ledger = windows[ISSUED_CERTIFICATE]
            ledger = range(max(ledger.start, self._gone.get(asked, 0)), ledger.stop)
            assert any(
                right(state, asked, now) and not stale(state, asked.gate.issuer, silence, now)
                for state in self._possible(windows | {ISSUED_CERTIFICATE: ledger})
            ), (asked, windows, ledger)

    def settle(self) -> None:
        """Everything arrives."""
        gateway = self.gateway
        gateway.refuse_reads = lambda *_: None
        gateway.lag = 0.0
        gateway.lag_of = lambda _: 0.0
        gateway.slow_lists = lambda *_: 0.0
        gateway.page_delay.clear()
        gateway.wake()
        self.advance(2 * LONGEST_REST + 60)
        gateway.breaks.clear()
        gateway.bookmarks.update(FOLLOWED)
        gateway.wake()
        self.advance(2 * LONGEST_REST + 1)

    def wrong(self) -> Iterator[tuple[Question, str, bool]]:
        """Where the service does not answer what is right now."""
        self.note()
        for asked in QUESTIONS:
            answer = self.service.answer(asked).verdict.value
            wanted = right(self.moments[-1].state, asked, self.clock.now())
            if (answer == "admitted") != wanted:
                yield asked, answer, wanted

"""How long cut-offs take, stage by stage: API → ledger → CRL → gates.

A cut-off is that of one certificate. It begins when this process is told that the client is deleted, revoked or
suspended. Where a person revokes the ledger record itself, it begins with that. Its stages end when the ledger record is
refused, when a CRL that names the serial is committed, and when all gates hold the CRL.

A process that stands by follows the first stage only: after it has taken over, cut-offs that were begun before are timed
from their beginning.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from doorward.clock import Clock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET, Kind
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, parse_instant
from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning import revocation
from doorward.planning.observed import CertificateObserved, Unseen
from doorward.planning.timing import GATE_PATIENCE
from doorward.view.parsed import CertificateObject, gate_of
from doorward.view.trust_domains import TrustDomain

MOST = 20_000
"""Cut-offs in a stage that are followed; beyond that the oldest are forgotten."""
IMPRECISION = 2.0
"""Seconds: a deletionTimestamp, and the difference of the clocks, have whole seconds."""


class Stage(StrEnum):
    """What a cut-off waits for."""

    LEDGER = "ledger"
    CRL = "crl"
    GATES = "gates"


class CutOffMeter(Protocol):
    """Told of what ended."""

    def stage_ended(self, stage: Stage, seconds: float) -> None:
        """A stage of a cut-off took so long."""
        ...

    def cut_off(self, seconds: float) -> None:
        """A cut-off took so long, from its beginning until all gates held the CRL."""
        ...


class CutOffTeller(Protocol):
    """Told of what ended, and of what takes long, by client."""

    def cut_off(self, client: ObjectKey, serials: tuple[int, ...], seconds: float) -> None: ...

    def cut_off_late(self, client: ObjectKey, issuer: ObjectKey, unreached: str) -> None: ...


class TellsNobody:
    """See `CutOffTeller`."""

    def cut_off(self, client: ObjectKey, serials: tuple[int, ...], seconds: float) -> None: ...

    def cut_off_late(self, client: ObjectKey, issuer: ObjectKey, unreached: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """What is in one stage now."""

    count: int
    oldest: float
    """Seconds since the longest pending one began; 0 where there is none."""


class _Begun(NamedTuple):
    """The cut-off of a client of which a record may be live."""

    issuer: ObjectKey
    begun: float
    """In monotonic seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CutOff:
    """Of one certificate; all in monotonic seconds."""

    record: Record
    begun: float
    staged: float
    """Since when it is in its stage."""
    told: bool = False
    """Whether somebody was told that it takes long."""

    @property
    def issuer(self) -> ObjectKey:
        return self.record.issuer


V = TypeVar("V", _Begun, _CutOff)


class _Bounded(Generic[V]):
    """Cut-offs by key, with the one that began first and those of one issuer at hand; at most MOST."""

    def __init__(self) -> None:
        self._items: dict[ObjectKey, V] = {}
        self._keys: dict[ObjectKey, set[ObjectKey]] = {}
        self._order: list[tuple[float, ObjectKey]] = []
        """By when they began. They come in another order: at a start by name, and all that one CRL names at once."""

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._items

    def get(self, key: ObjectKey) -> V | None:
        return self._items.get(key)

    def pending(self, now: float) -> Pending:
        """How many there are at `now`, in monotonic seconds, and since when."""
        return Pending(len(self._items), now - self._order[0][0] if self._order else 0.0)

    def put(self, key: ObjectKey, value: V) -> None:
        self.drop(key)
        if len(self._items) >= MOST:
            _, oldest = self._order[0]
            self.drop(oldest)
        self._items[key] = value
        self._keys.setdefault(value.issuer, set()).add(key)
        insort(self._order, (value.begun, key))

    def drop(self, key: ObjectKey) -> None:
        if (value := self._items.pop(key, None)) is None:
            return
        del self._order[bisect_left(self._order, (value.begun, key))]
        self._keys[value.issuer].discard(key)
        if not self._keys[value.issuer]:
            del self._keys[value.issuer]

    def of(self, issuer: ObjectKey) -> Iterator[tuple[ObjectKey, V]]:
        return iter([(key, self._items[key]) for key in self._keys.get(issuer, ())])

    def has(self, issuer: ObjectKey) -> bool:
        return issuer in self._keys


class CutOffRecorder:
    """See `CutOffWatch`. `skew`: by how much the local clock is ahead of the API server's."""

    def __init__(
        self, clock: Clock, skew: Callable[[], timedelta], meter: CutOffMeter, teller: CutOffTeller | None = None
    ) -> None:
        self._clock = clock
        self._skew = skew
        self._meter = meter
        self._teller = teller or TellsNobody()
        self._out: _Bounded[_Begun] = _Bounded()
        """Clients that are to be cut off, until no record of theirs is live."""
        self._recorded: _Bounded[_CutOff] = _Bounded()
        """By record, those that the CRL does not name yet."""
        self._committed: _Bounded[_CutOff] = _Bounded()
        """By record, those that not all gates refuse yet."""
        self._wrote: dict[tuple[ObjectKey, Stage], float] = {}
        """When CRL or gates of an issuer changed last; only where something waits for that."""

    def pending(self) -> dict[Stage, Pending]:
        """By stage: clients whose records are not all refused, and certificates that CRL or gates do not refuse yet."""
        now = self._clock.monotonic()
        return {
            Stage.LEDGER: self._out.pending(now),
            Stage.CRL: self._recorded.pending(now),
            Stage.GATES: self._committed.pending(now),
        }

    def under_way_for(self) -> float | None:
        """Seconds since the longest pending one began; None: none is pending."""
        return max((each.oldest for each in self.pending().values() if each.count), default=None)

    def changed(self, kind: Kind, key: ObjectKey, before: Any, now: Any) -> None:
        """See `CutOffWatch`."""
        if kind == CLIENT_CERTIFICATE:
            self._client(key, before, now)
        elif kind == ISSUED_CERTIFICATE:
            self._record(key, before, now)
        elif kind == CONFIG_MAP:
            self._written(ObjectKey(key.namespace, key.name.removesuffix("-crl")), Stage.CRL)
        elif kind == SECRET:
            for issuer in {issuer for body in (before, now) if body is not None for issuer in gate_of(body)}:
                self._written(issuer, Stage.GATES)
        elif kind == ISSUER and now is None:
            self._drop(key)

    def _client(self, key: ObjectKey, before: CertificateObject | None, now: CertificateObject | None) -> None:
        if now is None or not now.out:
            self._out.drop(key)
        elif before is None or not before.out:
            self._out.put(key, _Begun(now.issuer, self._clock.monotonic() - self._late(now)))

    def _late(self, client: CertificateObject) -> float:
        """Seconds for which the client has been deleted already, as far as that is certain."""
        deleted = client.body["metadata"].get("deletionTimestamp")
        if not deleted:
            return 0.0
        age = self._clock.now_precise() - self._skew() - parse_instant(deleted)
        return max(0.0, age.total_seconds() - IMPRECISION)

    def _record(self, key: ObjectKey, before: Record | None, now: Record | None) -> None:
        if now is None or not now.refused:
            self._recorded.drop(key)
            self._committed.drop(key)
        elif before is not None and not before.refused:
            at = self._clock.monotonic()
            client = self._out.get(now.holder)
            if client is not None:
                self._meter.stage_ended(Stage.LEDGER, at - client.begun)
            self._recorded.put(key, _CutOff(record=now, begun=at if client is None else client.begun, staged=at))

    def looked(self, client: ObjectKey, seen: CertificateObserved | None) -> None:
        """A look at a ClientCertificate has ended: the first stage is over where no record of the client is live."""
        if seen is None:
            self._out.drop(client)
        elif client in self._out and not isinstance(seen.records, Unseen):
            now = self._clock.now()
            if not any(record.live(now) for record in seen.records):
                self._out.drop(client)

    def published(self, issuer: ObjectKey, before: TrustDomain | None, now: TrustDomain) -> None:
        """See `CutOffWatch`."""
        if self._recorded.has(issuer) and now.published is not None:
            self._look_at_crl(issuer, now.published, timed=before is not None)
        if self._committed.has(issuer) and not now.gates_behind:
            self._gates_are_current(issuer)
        self._tell_late(issuer, now.behind or "some gates")
        if not self._recorded.has(issuer) and not self._committed.has(issuer):
            self._forget_writes(issuer)

    def _look_at_crl(self, issuer: ObjectKey, trust: PublishedTrust, *, timed: bool) -> None:
        """`timed` False: nobody knows when what is published was committed."""
        waiting = dict(self._recorded.of(issuer))
        records = tuple(each.record for each in waiting.values())
        missing = {record.key for record in revocation.unpublished(records, trust, self._clock.now())}
        at = self._when(issuer, Stage.CRL)
        for key, each in waiting.items():
            if key in missing:
                continue
            self._recorded.drop(key)
            if timed:
                committed = max(each.staged, at)
                self._meter.stage_ended(Stage.CRL, committed - each.staged)
                self._committed.put(key, replace(each, staged=committed))

    def _gates_are_current(self, issuer: ObjectKey) -> None:
        at = self._wrote.get((issuer, Stage.GATES), 0.0)
        over: dict[ObjectKey, list[tuple[int, float]]] = {}
        for key, each in self._committed.of(issuer):
            self._committed.drop(key)
            current = max(each.staged, at)
            self._meter.stage_ended(Stage.GATES, current - each.staged)
            self._meter.cut_off(current - each.begun)
            over.setdefault(each.record.holder, []).append((each.record.serial, current - each.begun))
        for client, ended in over.items():
            self._teller.cut_off(client, tuple(serial for serial, _ in ended), max(seconds for _, seconds in ended))

    def _tell_late(self, issuer: ObjectKey, gates: str) -> None:
        """Once for each certificate, as long as this process follows it."""
        long_ago = self._clock.monotonic() - GATE_PATIENCE.total_seconds()
        for followed, unreached in ((self._recorded, "the CRL"), (self._committed, gates)):
            for key, each in followed.of(issuer):
                if not each.told and each.begun <= long_ago:
                    followed.put(key, replace(each, told=True))
                    self._teller.cut_off_late(each.record.holder, issuer, unreached)

    def _written(self, issuer: ObjectKey, stage: Stage) -> None:
        if self._recorded.has(issuer) or self._committed.has(issuer):
            self._wrote[issuer, stage] = self._clock.monotonic()

    def _when(self, issuer: ObjectKey, stage: Stage) -> float:
        return self._wrote.get((issuer, stage), self._clock.monotonic())

    def _drop(self, issuer: ObjectKey) -> None:
        """The issuer is gone: its gates are closed, and nothing is published any more."""
        stages: Iterable[_Bounded[_CutOff]] = (self._recorded, self._committed)
        for followed in stages:
            for key, _ in followed.of(issuer):
                followed.drop(key)
        self._forget_writes(issuer)

    def _forget_writes(self, issuer: ObjectKey) -> None:
        for stage in (Stage.CRL, Stage.GATES):
            self._wrote.pop((issuer, stage), None)

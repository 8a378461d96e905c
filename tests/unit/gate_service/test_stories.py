"""Objects come, go and change in any order while watches are late, break and repeat: what the gate service answers is right."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from doorward.api.conditions import instant
from doorward.cluster.errors import ApiError, Gone, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, Kind
from doorward.objects.meta import ObjectKey
from tests.unit.given import DAY, NOW

from . import given
from .stories import ALICE, BOB, BY_HAND, EMPLOYEES, FOLLOWED, LABELS, LISTS, PARTNERS, RECORDS, TILL, Story

NEXT_UPDATE = (NOW + timedelta(minutes=3), NOW + 7 * DAY)
REVOCATIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"reason": "certificateHold", "time": instant(NOW), "heldBy": "Deletion"},
    {"reason": "certificateHold", "time": instant(NOW), "heldBy": "Deletion", "lifted": True},
    {"reason": "certificateHold"},
    {"reason": "keyCompromise", "time": instant(NOW)},
)
BREAKS: tuple[Callable[[str], ApiError] | None, ...] = (None, Transient, Gone)


def names(*of: ObjectKey) -> st.SearchStrategy[ObjectKey]:
    return st.sampled_from(of)


KINDS = st.sampled_from(FOLLOWED)
PEOPLE = st.one_of(
    st.tuples(st.just("client"), names(ALICE, ALICE, BOB), names(PARTNERS, PARTNERS, EMPLOYEES)),
    st.tuples(st.just("say"), names(ALICE, ALICE, BOB), st.sampled_from(["suspended", "revoked"]), st.booleans()),
    st.tuples(st.just("label"), names(ALICE, BOB), st.sampled_from(LABELS)),
    st.tuples(st.just("finalizer"), names(ALICE, BOB), st.booleans()),
    st.tuples(st.just("delete"), st.just(CLIENT_CERTIFICATE), names(ALICE, ALICE, BOB)),
    st.tuples(st.just("issuer"), names(PARTNERS, EMPLOYEES)),
    st.tuples(st.just("delete"), st.just(ISSUER), names(PARTNERS, EMPLOYEES)),
    st.tuples(st.just("distrust"), st.booleans()),
    st.tuples(st.just("selectable"), st.sampled_from([["issuers"], ["shop"]])),
    st.tuples(st.just("staleness"), st.sampled_from([None, "2m", "1h"])),
    st.tuples(st.just("crl"), st.sampled_from(NEXT_UPDATE)),
    st.tuples(st.just("record"), st.sampled_from(range(len(RECORDS)))),
    st.tuples(st.just("revoke"), st.sampled_from(range(len(RECORDS))), st.sampled_from(REVOCATIONS)),
    st.tuples(st.just("delete"), st.just(ISSUED_CERTIFICATE), st.sampled_from([each.key for each in RECORDS])),
    st.tuples(st.just("by hand"), st.sampled_from(REVOCATIONS)),
    st.tuples(st.just("delete"), st.just(ISSUED_CERTIFICATE), st.just(BY_HAND)),
    st.tuples(st.just("list"), st.sampled_from(LISTS)),
    st.tuples(st.just("delete"), st.just(INGRESS), st.just(TILL)),
)
LATE = st.sampled_from([None, 3.0, 30.0])
"""By how much the ledger's watch is behind from now on; None: as it was."""
PAUSE = st.sampled_from([0.0, 0.1, 1.0, 10.0])
ACCESS = st.one_of(
    st.tuples(st.just("created again"), st.booleans(), PAUSE, LATE),
    st.tuples(st.just("revoked for a while"), st.booleans(), PAUSE, LATE),
    st.tuples(st.just("suspended for a while"), st.booleans(), PAUSE),
    st.tuples(st.just("label"), st.just(ALICE), st.sampled_from(LABELS)),
    st.tuples(st.just("list"), st.sampled_from(LISTS)),
    st.tuples(st.just("silence"), st.sampled_from([119.0, 121.0, 3599.0, 3601.0])),
)
LINES = st.one_of(
    st.tuples(st.just("late"), KINDS, st.sampled_from([0.0, 0.3, 3.0, 30.0])),
    st.tuples(st.just("break_"), KINDS, st.sampled_from(BREAKS)),
    st.tuples(st.just("again"), KINDS, st.integers(1, 4)),
    st.tuples(st.just("bookmark"), KINDS),
    st.tuples(st.just("end")),
    st.tuples(st.just("compact")),
    st.tuples(st.just("pages"), KINDS, st.sampled_from([0.0, 0.05, 1.0])),
    st.tuples(st.just("page too old"), KINDS),
    st.tuples(st.just("go away"), KINDS),
    st.tuples(st.just("back")),
    st.tuples(st.just("roll back"), st.integers(1, 12), st.booleans()),
    st.tuples(st.just("restart")),
    st.tuples(st.just("clock"), st.sampled_from([-3600, -60, -1, 1, 60, 3600])),
)
TIME = st.tuples(st.just("wait"), st.sampled_from([0.0, 0.1, 0.1, 1.0, 7.0, 40.0, 100.0]))
LINE = st.one_of(PEOPLE, PEOPLE, ACCESS, ACCESS, LINES, TIME)
STORIES = st.integers(1, 40).flatmap(lambda number: st.lists(LINE, min_size=number, max_size=number))


class Teller:
    """Does what a story says."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.cluster = story.cluster
        self.away: set[Kind] = set()
        self.lag: dict[Kind, float] = {}

    def begin(self) -> None:
        """Alice and Bob have access."""
        for issuer in (PARTNERS, EMPLOYEES):
            self.issuer(issuer)
        for client in (ALICE, BOB):
            self.client(client, PARTNERS)
        for number in range(len(RECORDS)):
            self.record(number)
        self.list(None)
        self.restart()

    def tell(self, what: str, *how: Any) -> None:
        """One line of it."""
        getattr(self, what.replace(" ", "_"))(*how)

    def _patch(self, kind: Kind, at: ObjectKey, patch: dict[str, Any], subresource: str = "") -> None:
        if self.cluster.find(kind, at) is not None:
            self.cluster.merge_patch(kind, at, patch, given.PEOPLE, subresource)

    def _create(self, kind: Kind, at: ObjectKey, body: dict[str, Any]) -> None:
        if self.cluster.find(kind, at) is None:
            self.cluster.create(kind, at.namespace, body, given.PEOPLE)

    # People, and the operator

    def client(self, at: ObjectKey, of: ObjectKey) -> None:
        self._create(CLIENT_CERTIFICATE, at, given.client(at, of))

    def say(self, at: ObjectKey, what: str, so: bool) -> None:
        self._patch(CLIENT_CERTIFICATE, at, {"spec": {what: so}})

    def label(self, at: ObjectKey, labels: dict[str, str]) -> None:
        self._patch(CLIENT_CERTIFICATE, at, {"metadata": {"labels": {"role": None, "team": None} | labels}})

    def finalizer(self, at: ObjectKey, there: bool) -> None:
        found = self.cluster.find(CLIENT_CERTIFICATE, at)
        if found is not None and not (there and "deletionTimestamp" in found["metadata"]):
            self._patch(
                CLIENT_CERTIFICATE, at, {"metadata": {"finalizers": ["doorward.io/cut-off"] if there else None}}
            )

    def delete(self, kind: Kind, at: ObjectKey) -> None:
        if self.cluster.find(kind, at) is not None:
            self.cluster.delete(kind, at, given.PEOPLE)

    def issuer(self, at: ObjectKey) -> None:
        body = given.issuer(at)
        self._create(ISSUER, at, body)
        self._patch(ISSUER, at, {"status": body["status"]}, "status")

    def distrust(self, so: bool) -> None:
        self._patch(ISSUER, PARTNERS, {"spec": {"ca": {"distrust": [1] if so else []}}})

    def selectable(self, namespaces: list[str]) -> None:
        self._patch(ISSUER, PARTNERS, {"spec": {"gates": {"selectableNamespaces": namespaces}}})

    def staleness(self, limit: str | None) -> None:
        self._patch(ISSUER, PARTNERS, {"spec": {"enforcement": {"maxStaleness": limit}}})

    def crl(self, until: Any) -> None:
        self._patch(ISSUER, PARTNERS, {"status": {"crl": {"nextUpdate": instant(until)}}}, "status")

    def record(self, number: int) -> None:
        record = RECORDS[number]
        self._create(ISSUED_CERTIFICATE, record.key, given.record(record))

    def revoke(self, number: int, how: dict[str, Any] | None) -> None:
        gone = {"time": None, "heldBy": None, "lifted": None}
        self._patch(ISSUED_CERTIFICATE, RECORDS[number].key, {"spec": {"revocation": how and gone | how}})

    def by_hand(self, how: dict[str, Any] | None) -> None:
        body = given.record(RECORDS[0])
        body["metadata"]["name"] = BY_HAND.name
        body["spec"] |= {"revocation": how} if how else {}
        self._create(ISSUED_CERTIFICATE, BY_HAND, body)

    def list(self, allow: str | None) -> None:
        self._create(INGRESS, TILL, given.ingress(TILL.name, allow))
        self._patch(INGRESS, TILL, {"metadata": {"annotations": {"doorward.io/allow": allow}}})

    def created_again(self, by_operator: bool, pause: float, late: float | None) -> None:
        """Alice is deleted, and somebody gets that name."""
        self._ledger_is(late)
        self.finalizer(ALICE, by_operator)
        self.delete(CLIENT_CERTIFICATE, ALICE)
        self.wait(pause)
        for number in (0, 1, 2) if by_operator else ():
            self.revoke(number, REVOCATIONS[1])
        self.wait(pause)
        self.finalizer(ALICE, False)
        self.wait(pause)
        self.client(ALICE, PARTNERS)
        self.wait(pause)

    def _ledger_is(self, late: float | None) -> None:
        if late is not None:
            self.late(ISSUED_CERTIFICATE, late)

    def revoked_for_a_while(self, by_operator: bool, pause: float, late: float | None) -> None:
        self._ledger_is(late)
        self.say(ALICE, "revoked", True)
        self.wait(pause)
        for number in (0, 1, 2) if by_operator else ():
            self.revoke(number, REVOCATIONS[4])
        self.wait(pause)
        self.say(ALICE, "revoked", False)
        self.wait(pause)

    def suspended_for_a_while(self, by_operator: bool, pause: float) -> None:
        self.say(ALICE, "suspended", True)
        self.wait(pause)
        for number in (0, 1, 2) if by_operator else ():
            self.revoke(number, REVOCATIONS[3])
        self.say(ALICE, "suspended", False)
        self.wait(pause)
        for number in (0, 1, 2) if by_operator else ():
            self.revoke(number, REVOCATIONS[2])

    def silence(self, seconds: float) -> None:
        """Nothing is heard of the API server for so long."""
        before, self.away = self.away, set(FOLLOWED)
        self.end()
        self.wait(seconds)
        self.away = before

    # The lines to the API server

    def late(self, kind: Kind, seconds: float) -> None:
        self.lag[kind] = seconds

    def break_(self, kind: Kind, error: Callable[[str], ApiError] | None) -> None:
        self.story.gateway.breaks[kind] = error
        self.story.gateway.wake()

    def again(self, kind: Kind, events: int) -> None:
        self.story.gateway.again[kind] = events
        self.story.gateway.wake()

    def bookmark(self, kind: Kind) -> None:
        self.story.gateway.bookmarks.add(kind)
        self.story.gateway.wake()

    def end(self) -> None:
        self.story.gateway.end_watches()

    def compact(self) -> None:
        self.cluster.compact()

    def pages(self, kind: Kind, delay: float) -> None:
        self.story.gateway.page_delay[kind] = delay

    def page_too_old(self, kind: Kind) -> None:
        self.story.gateway.expires.add(kind)

    def go_away(self, kind: Kind) -> None:
        self.away.add(kind)

    def back(self) -> None:
        self.away.clear()

    def roll_back(self, changes: int, without_a_word: bool) -> None:
        """Whoever restores a cluster stops its API servers before; without a word, the watches of another one just end."""
        gateway, before = self.story.gateway, self.cluster.version
        self.story.roll_back(changes)
        if not without_a_word or self.cluster.version >= before:
            gateway.refuse_reads = lambda *_: Transient("connection refused")
        gateway.end_watches()
        self.wait(31.0)  # the latest watch has ended
        gateway.refuse_reads = self.refuse_reads

    def refuse_reads(self, kind: Kind, _: str | None) -> ApiError | None:
        return Transient("connection refused") if kind in self.away else None

    def restart(self) -> None:
        self.story.start()
        gateway = self.story.gateway
        gateway.lag_of = lambda kind: self.lag.get(kind, 0.0)
        gateway.refuse_reads = self.refuse_reads

    def clock(self, seconds: float) -> None:
        self.story.clock.set(self.story.clock.now_precise() + timedelta(seconds=seconds))

    def wait(self, seconds: float) -> None:
        self.story.advance(seconds)


@settings(max_examples=100, deadline=None)
@for_any(lines=STORIES)
def test_whatever_happens_nobody_is_admitted_who_should_not_be_and_in_the_end_every_answer_is_right(
    lines: list[tuple[Any, ...]],
) -> None:
    with Story() as story:
        teller = Teller(story)
        teller.begin()
        for what, *how in lines:
            teller.tell(what, *how)
            story.check()
        story.settle()
        assert list(story.wrong()) == []

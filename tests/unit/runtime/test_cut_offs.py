"""How long cut-offs take, told change by change, with a clock that stands still in between."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.api.conditions import instant
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, INGRESS, ISSUED_CERTIFICATE, SECRET
from doorward.cluster.gateway import ISSUER as ISSUERS
from doorward.objects.crl_configmap import GATE_ROLE
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, labels
from doorward.planning.observed import Unseen
from doorward.runtime import cut_offs
from doorward.runtime.cut_offs import CutOffRecorder, Pending, Stage
from doorward.view.parsed import CertificateObject
from doorward.view.trust_domains import TrustDomain
from tests.support.clock import FakeClock
from tests.unit import given
from tests.unit.given import ALICE, ISSUER, NOW

CRL = ObjectKey(ISSUER.namespace, crl_configmap_name(ISSUER.name))
GATE = ObjectKey("edge", gate_secret_name(ISSUER))
EMPTY = TrustDomain(published=given.published())


def client(*, deleted=None, name=ALICE.name, **spec):
    metadata = {"namespace": ALICE.namespace, "name": name, "uid": given.UID}
    if deleted is not None:
        metadata["deletionTimestamp"] = instant(deleted)
    reference = {"name": ISSUER.name, "namespace": ISSUER.namespace}
    return CertificateObject.parse({"metadata": metadata, "spec": {"issuerRef": reference, "commonName": name} | spec})


def gate_secret():
    metadata = {"namespace": GATE.namespace, "name": GATE.name, "labels": labels(GATE_ROLE)}
    return {"metadata": metadata}


class Heard:
    """What clients are told."""

    def __init__(self):
        self.over = []
        self.late = []

    def cut_off(self, client, serials, seconds):
        self.over.append((client, set(serials), pytest.approx(seconds)))

    def cut_off_late(self, client, issuer, unreached):
        self.late.append((client, issuer, unreached))


class Told:
    """A recorder, what it is told, and what it said."""

    def __init__(self, *, looked=True):
        self.clock = FakeClock(NOW)
        self.skew = timedelta(0)
        self.heard = Heard()
        self.recorder = CutOffRecorder(self.clock, lambda: self.skew, self, self.heard)
        self.stages = []
        self.whole = []
        self._domain = None
        if looked:
            self.looks_at_issuer(EMPTY)

    def stage_ended(self, stage, seconds):
        self.stages.append((stage.value, pytest.approx(seconds)))

    def cut_off(self, seconds):
        self.whole.append(pytest.approx(seconds))

    def later(self, seconds):
        self.clock.advance(seconds=seconds)

    def client(self, before, now, name=ALICE.name):
        self.recorder.changed(CLIENT_CERTIFICATE, ObjectKey(ALICE.namespace, name), before, now)

    def record(self, before, now):
        self.recorder.changed(ISSUED_CERTIFICATE, (now or before).key, before, now)

    def refuse(self, record):
        self.record(record, replace(record, revocation=given.hold()))

    def crl_written(self):
        self.recorder.changed(CONFIG_MAP, CRL, {}, {})

    def gate_written(self, before=None, now=None):
        self.recorder.changed(SECRET, GATE, before, now or gate_secret())

    def looks_at_issuer(self, domain):
        before, self._domain = self._domain, domain
        self.recorder.published(ISSUER, before, domain)

    def publishes(self, *serials, behind=False):
        trust = given.published(*(given.entry(serial) for serial in serials))
        self.looks_at_issuer(TrustDomain(published=trust, gates_behind=behind))

    def counts(self):
        return {stage.value: pending.count for stage, pending in self.recorder.pending().items()}


@pytest.fixture
def told():
    return Told()


RECORD = given.record(0xA1)


def test_each_stage_is_timed_and_the_whole(told):
    told.client(client(), client(revoked=True))
    told.later(1)
    told.refuse(RECORD)
    told.later(2)
    told.crl_written()
    told.later(0.5)
    told.publishes(0xA1, behind=True)
    told.later(3.5)
    told.gate_written()
    told.later(0.5)
    told.publishes(0xA1)
    assert told.stages == [("ledger", 1), ("crl", 2), ("gates", 4)]
    assert told.whole == [7]
    assert told.counts() == {"ledger": 1, "crl": 0, "gates": 0}


def test_a_client_is_told_once_of_all_its_serials_when_the_gates_have_them(told):
    told.client(client(), client(revoked=True))
    told.refuse(RECORD)
    told.later(1)
    told.refuse(given.record(0xA2))
    told.crl_written()
    told.publishes(0xA1, 0xA2)
    told.publishes(0xA1, 0xA2)
    assert told.heard.over == [(ALICE, {0xA1, 0xA2}, 1)]
    assert told.heard.late == []


def test_a_client_is_told_once_of_the_gates_that_take_long_and_of_their_end(told):
    told.client(client(), client(revoked=True))
    told.refuse(RECORD)
    told.crl_written()
    trust = given.published(given.entry(0xA1))
    waits = TrustDomain(published=trust, gates_behind=True, behind="the gate in namespace far")
    told.looks_at_issuer(waits)
    told.later(29)
    told.looks_at_issuer(waits)
    assert told.heard.late == []
    for _ in range(3):
        told.later(15)
        told.looks_at_issuer(waits)
    assert told.heard.late == [(ALICE, ISSUER, "the gate in namespace far")]
    told.publishes(0xA1)
    assert [(at, serials) for at, serials, _ in told.heard.over] == [(ALICE, {0xA1})]


def test_a_client_is_told_once_that_the_crl_takes_long(told):
    told.client(client(), client(revoked=True))
    told.refuse(RECORD)
    for _ in range(3):
        told.later(31)
        told.looks_at_issuer(EMPTY)
    assert told.heard.late == [(ALICE, ISSUER, "the CRL")]


def test_it_is_known_for_how_long_the_longest_is_under_way(told):
    assert told.recorder.under_way_for() is None
    told.client(client(), client(revoked=True))
    assert told.recorder.under_way_for() == 0
    told.later(3)
    assert told.recorder.under_way_for() == pytest.approx(3)


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(client(revoked=True), id="revoked"),
        pytest.param(client(suspended=True), id="suspended"),
        pytest.param(client(deleted=NOW), id="deleted"),
    ],
)
def test_a_cut_off_begins_when_the_client_is_to_be_out(told, out):
    told.client(client(), out)
    told.later(1)
    told.refuse(RECORD)
    assert told.stages == [("ledger", 1)]


def test_a_client_that_is_out_already_begins_nothing_when_it_is_deleted(told):
    told.client(client(), client(suspended=True))
    told.recorder.looked(ALICE, given.certificate(records=()))
    told.client(client(suspended=True), client(deleted=NOW, suspended=True))
    assert told.counts()["ledger"] == 0


def test_a_record_that_a_person_revokes_begins_with_the_ledger(told):
    told.refuse(RECORD)
    told.later(1)
    told.publishes(0xA1)
    assert (told.stages, told.whole) == ([("crl", 1), ("gates", 0)], [1])


@pytest.mark.parametrize(
    ("ago", "skew", "begun"),
    [
        pytest.param(0.0, 0.0, 0, id="just now"),
        pytest.param(1.9, 0.0, 0, id="as long ago as whole seconds leave open"),
        pytest.param(62.0, 0.0, 60, id="a minute ago, while nobody listened"),
        pytest.param(62.0, 60.0, 0, id="by a clock that is a minute ahead"),
        pytest.param(-62.0, 0.0, 0, id="in the future"),
        pytest.param(2.0, -60.0, 60, id="by a clock that is a minute behind"),
    ],
)
def test_a_deletion_began_when_the_api_server_says(told, ago, skew, begun):
    told.skew = timedelta(seconds=skew)
    told.client(None, client(deleted=NOW - timedelta(seconds=ago)))
    told.refuse(RECORD)
    assert told.stages == [("ledger", begun)]


def test_two_serials_of_a_client_are_two_cut_offs(told):
    told.client(client(), client(revoked=True))
    told.refuse(RECORD)
    told.later(1)
    told.refuse(given.record(0xB2))
    told.publishes(0xA1, 0xB2)
    assert [seconds for stage, seconds in told.stages if stage == "ledger"] == [0, 1]
    assert told.whole == [1, 1]


def test_a_crl_that_does_not_name_the_serial_ends_nothing(told):
    told.refuse(RECORD)
    told.publishes(0xB2)
    assert told.stages == []
    assert told.counts()["crl"] == 1


def test_a_ca_generation_that_is_not_trusted_needs_no_entry(told):
    told.refuse(given.record(0xA1, generation=2, key=ObjectKey(ISSUER.namespace, f"{ISSUER.name}.2.a1")))
    told.publishes()
    assert told.stages == [("crl", 0), ("gates", 0)]


def test_gates_that_are_behind_are_waited_for(told):
    told.refuse(RECORD)
    told.publishes(0xA1, behind=True)
    told.publishes(0xA1, behind=True)
    assert (told.counts()["gates"], told.whole) == (1, [])


def test_a_gate_that_was_written_before_the_commit_ends_no_stage_early(told):
    told.refuse(RECORD)
    told.gate_written()
    told.later(5)
    told.crl_written()
    told.publishes(0xA1)
    assert told.stages == [("crl", 5), ("gates", 0)]


def test_a_gate_that_is_closed_counts_as_written(told):
    told.refuse(RECORD)
    told.publishes(0xA1, behind=True)
    told.later(2)
    told.recorder.changed(SECRET, GATE, gate_secret(), None)
    told.later(1)
    told.publishes(0xA1)
    assert told.stages[-1] == ("gates", 2)


def test_a_crl_that_was_written_before_the_record_does_not_turn_time_back(told):
    told.refuse(given.record(0xB2))
    told.crl_written()
    told.later(1)
    told.refuse(RECORD)
    told.publishes(0xA1, 0xB2)
    assert told.stages[0] == ("crl", 0)


@pytest.mark.parametrize(
    "now",
    [pytest.param(client(), id="is not to be out any more"), pytest.param(None, id="is gone")],
)
def test_a_client_that_nobody_cuts_off_any_more_is_not_pending(told, now):
    told.client(client(), client(suspended=True))
    told.client(client(suspended=True), now)
    assert told.counts()["ledger"] == 0


def test_a_client_is_pending_while_a_record_of_it_is_live(told):
    told.client(client(), client(revoked=True))
    told.later(3600)
    told.recorder.looked(ALICE, given.certificate(records=(RECORD,), spec=given.spec(revoked=True)))
    assert told.recorder.pending()[Stage.LEDGER] == Pending(1, 3600)


def test_a_client_is_pending_while_the_ledger_is_not_synced(told):
    told.client(client(), client(revoked=True))
    told.recorder.looked(ALICE, given.certificate(records=Unseen.UNKNOWN))
    assert told.counts()["ledger"] == 1


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(given.certificate(records=(given.record(0xA1, revocation=given.hold()),)), id="all refused"),
        pytest.param(given.certificate(records=(), secret=Unseen.ABSENT), id="none"),
        pytest.param(None, id="no object any more"),
    ],
)
def test_the_first_stage_is_over_when_no_record_is_live(told, seen):
    told.client(None, client(revoked=True))
    told.recorder.looked(ALICE, seen)
    assert told.counts()["ledger"] == 0


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(replace(RECORD, revocation=given.hold(lifted=True)), id="lifted"),
        pytest.param(None, id="gone"),
    ],
)
@pytest.mark.parametrize("behind", [False, True], ids=["before the CRL", "before the gates"])
def test_a_record_that_refuses_nobody_any_more_is_not_pending(told, after, behind):
    told.refuse(RECORD)
    if behind:
        told.publishes(0xA1, behind=True)
    told.record(replace(RECORD, revocation=given.hold()), after)
    assert set(told.counts().values()) == {0}


@pytest.mark.parametrize("before", [None, replace(RECORD, revocation=given.hold())], ids=["new", "refused before"])
def test_a_record_that_was_refused_before_this_process_knew_it_is_no_cut_off(told, before):
    told.record(before, replace(RECORD, revocation=given.revocation()))
    assert told.counts()["crl"] == 0


def test_what_is_published_at_the_first_look_is_not_timed():
    told = Told(looked=False)
    told.refuse(RECORD)
    told.refuse(given.record(0xB2))
    told.later(3600)
    told.publishes(0xA1)
    assert (told.stages, told.counts()["crl"]) == ([], 1)
    told.publishes(0xA1, 0xB2)
    assert told.stages == [("crl", 3600), ("gates", 0)]


def test_where_no_gate_had_to_be_written_the_last_stage_takes_no_time(told):
    told.refuse(RECORD)
    told.later(1)
    told.crl_written()
    told.later(0.5)
    told.publishes(0xA1)
    assert (told.stages, told.whole) == ([("crl", 1), ("gates", 0)], [1])


def test_while_nothing_is_published_not_even_an_expired_certificate_is_cut_off(told):
    told.refuse(RECORD)
    told.clock.advance(days=100)
    told.looks_at_issuer(TrustDomain())
    assert told.stages == []


def test_a_change_of_the_issuer_ends_nothing(told):
    told.refuse(RECORD)
    told.recorder.changed(ISSUERS, ISSUER, object(), object())
    assert told.counts()["crl"] == 1


def test_an_issuer_that_is_gone_leaves_nothing_behind(told):
    told.refuse(RECORD)
    told.publishes(0xA1, behind=True)
    told.refuse(given.record(0xB2))
    told.crl_written()
    told.gate_written()
    told.recorder.changed(ISSUERS, ISSUER, object(), None)
    assert set(told.counts().values()) == {0}
    assert told.recorder._wrote == {}


def test_what_concerns_no_cut_off_is_not_kept(told):
    told.crl_written()
    told.gate_written()
    told.recorder.changed(INGRESS, GATE, {}, {})
    assert told.recorder._wrote == {}
    told.refuse(RECORD)
    told.crl_written()
    told.publishes(0xA1)
    assert told.recorder._wrote == {}


def test_memory_is_bounded_and_the_oldest_go_first(told, monkeypatch):
    monkeypatch.setattr(cut_offs, "MOST", 3)
    for number in range(1, 6):
        told.client(client(), client(revoked=True), name=f"c{number}")
        told.later(1)
        told.refuse(given.record(number))
    assert told.recorder.pending()[Stage.LEDGER] == Pending(3, 3)
    assert told.counts()["crl"] == 3
    told.publishes(*range(1, 6))
    assert len(told.whole) == 3


def test_the_oldest_that_is_pending_is_told_by_stage(told):
    told.refuse(RECORD)
    told.later(5)
    told.publishes(0xA1, behind=True)
    told.refuse(given.record(0xB2))
    told.later(1)
    assert told.recorder.pending() == {
        Stage.LEDGER: Pending(0, 0),
        Stage.CRL: Pending(1, 1),
        Stage.GATES: Pending(1, 6),
    }


class TestOldest:
    """The one that is told has waited longest, in whichever order they came: an alert asks for it."""

    def test_at_a_start_clients_come_by_name(self, told):
        for number, ago in enumerate((10, 3600, 60)):
            told.client(None, client(deleted=NOW - timedelta(seconds=ago + cut_offs.IMPRECISION)), name=f"c{number}")
        assert told.recorder.pending()[Stage.LEDGER] == Pending(3, 3600)
        told.client(client(deleted=NOW), None, name="c1")
        assert told.recorder.pending()[Stage.LEDGER] == Pending(2, 60)

    def test_one_whose_lateness_was_told_keeps_its_place(self, told):
        told.refuse(RECORD)
        told.later(20)
        told.refuse(given.record(0xB2))
        told.later(10)
        told.looks_at_issuer(EMPTY)
        assert told.heard.late == [(ALICE, ISSUER, "the CRL")]
        assert told.recorder.pending()[Stage.CRL] == Pending(2, 30)

    @pytest.mark.parametrize("count", [2, 3, 10])
    def test_one_crl_commits_many_at_once(self, told, count):
        for number in range(count):
            told.refuse(given.record(number + 1))
            told.later(1)
        told.publishes(*range(1, count + 1), behind=True)
        assert told.recorder.pending()[Stage.GATES] == Pending(count, count)

    def test_beyond_the_bound_the_oldest_is_forgotten(self, told, monkeypatch):
        monkeypatch.setattr(cut_offs, "MOST", 2)
        for number, ago in enumerate((60, 3600, 120)):
            told.client(None, client(deleted=NOW - timedelta(seconds=ago + cut_offs.IMPRECISION)), name=f"c{number}")
        assert told.recorder.pending()[Stage.LEDGER] == Pending(2, 120)

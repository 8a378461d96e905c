"""The life of a certificate, through the whole operator: issue, renew, cut off, hold, lift; in the order it promises."""

import itertools
from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, SECRET
from tests.support import promises
from tests.support.memory_gateway import killed
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, events_of, of_certificates, record, said, serial


def order(bed, *, since=0):
    """Kind and name of what was written, each once, in order."""
    written = [
        (change.kind.name, change.at.name)
        for change in bed.cluster.history
        if change.version > since and change.by == promises.OPERATOR and change.kind != ISSUER
    ]
    return list(dict.fromkeys(written))


# Issue


def test_a_client_gets_a_certificate_that_is_recorded_and_told(bed):
    bed.apply("alice")
    bed.settle()
    assert said(bed, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert record(bed, serial(bed, "alice"))["spec"]["clientCertificate"]["name"] == "alice"
    assert promises.live_serials(bed.cluster, bed.cluster.now()) == {serial(bed, "alice")}


@pytest.mark.promise(2)
def test_a_serial_is_recorded_before_anybody_holds_it(bed):
    since = bed.cluster.version
    bed.apply("alice")
    bed.settle()
    assert [kind for kind, _ in order(bed, since=since)] == [
        "IssuedCertificate",
        "Secret",
        "ClientCertificate",
        "Event",
    ]


WRITES = [
    ("create", "IssuedCertificate", ""),
    ("create", "Secret", ""),
    ("patch", "ClientCertificate", "status"),
]


def test_a_certificate_costs_three_writes_and_an_event_where_the_policy_puts_the_finalizer_on(bed):
    writes = bed.writes_of(lambda: bed.apply("alice"))
    assert (of_certificates(writes), events_of(writes)) == (WRITES, 1)


def test_a_certificate_costs_four_writes_elsewhere(bed):
    bed.finalizer_at_creation = False
    finalizer = ("patch", "ClientCertificate", "")
    assert of_certificates(bed.writes_of(lambda: bed.apply("alice"))) == [finalizer, *WRITES]


@pytest.mark.promise(6)
def test_a_restart_with_nothing_changed_writes_nothing(served):
    served.apply("bob", revoked=True)
    served.settle()
    version = served.cluster.version
    served.restart()
    served.settle()
    assert (served.gateway.writes, served.cluster.version) == ([], version)


def test_a_certificate_is_renewed_and_the_old_one_stays_good(served):
    first = serial(served, "alice")
    served.jump(days=61)
    served.settle()
    assert serial(served, "alice") != first
    assert first in promises.live_serials(served.cluster, served.cluster.now())


@pytest.mark.parametrize(("policy", "same"), [("Always", False), ("Never", True)], ids=["new", "the same"])
def test_a_certificate_is_renewed_when_its_spec_says_with_a_key_that_is(bed, policy, same):
    bed.apply("alice", duration="24h", renewBefore="3h", privateKey={"rotationPolicy": policy})
    bed.settle()
    first, key = serial(bed, "alice"), bed.find(SECRET, "alice-mtls")["data"]["tls.key"]
    bed.jump(hours=20, minutes=50)
    bed.settle()
    assert serial(bed, "alice") == first
    bed.advance(600)
    assert serial(bed, "alice") != first
    assert (bed.find(SECRET, "alice-mtls")["data"]["tls.key"] == key) is same


def test_an_issuer_counts_its_certificates(served):
    served.apply("bob", revoked=True)
    served.settle()
    counts = served.find(ISSUER, ISSUER_AT.name)["status"]["counts"]
    assert counts == {"live": 1, "revoked": 1, "expired": 0}


# Cut off


@pytest.mark.promise(1)
def test_a_revoked_client_is_named_by_crl_and_gate_and_nobody_else_is(served):
    served.apply("alice", revoked=True, revocationReason="keyCompromise")
    served.settle()
    assert promises.newest_crl(served.cluster) == {serial(served, "alice")}
    assert promises.gate_crls(served.cluster) == {NAMESPACE_NAME: {serial(served, "alice")}}
    assert said(served, "alice") == {"Ready": "CutOff", "Admitted": "Revoked"}
    assert said(served, "bob") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(1)
def test_a_deleted_client_is_cut_off_in_the_order_ledger_crl_gate_finalizer(served):
    number, since = serial(served, "alice"), served.cluster.version
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    name = f"{ISSUER_AT.name}.1.{number:x}"
    written = order(served, since=since)
    assert written[:3] == [("IssuedCertificate", name), ("ConfigMap", CRL), ("Secret", GATE)]
    assert written[3] == ("ClientCertificate", "alice")
    assert served.find(CLIENT_CERTIFICATE, "alice") is None
    assert promises.newest_crl(served.cluster) == {number}


def test_the_hold_of_a_deleted_client_becomes_final_after_a_day(served):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    assert record(served, number)["spec"]["revocation"]["reason"] == "certificateHold"
    served.jump(hours=24)
    served.settle()
    assert record(served, number)["spec"]["revocation"]["reason"] == "cessationOfOperation"
    assert number in promises.newest_crl(served.cluster)


def test_a_hold_that_is_lifted_lets_the_client_in_again(served):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.edit(ISSUED_CERTIFICATE, f"{ISSUER_AT.name}.1.{number:x}", {"spec": {"revocation": {"lifted": True}}})
    served.settle()
    assert number not in promises.newest_crl(served.cluster)


@pytest.mark.promise(1)
def test_a_name_that_is_created_again_lifts_nothing(served):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.apply("alice")
    served.settle()
    assert number in promises.newest_crl(served.cluster)
    assert serial(served, "alice") in promises.live_serials(served.cluster, served.cluster.now())


@pytest.mark.promise(1)
def test_a_serial_that_is_revoked_in_the_ledger_by_hand_is_named(served):
    number = serial(served, "alice")
    revocation = {"reason": "keyCompromise", "time": "2026-09-01T12:00:00Z"}
    served.edit(ISSUED_CERTIFICATE, f"{ISSUER_AT.name}.1.{number:x}", {"spec": {"revocation": revocation}})
    served.settle()
    assert number in promises.newest_crl(served.cluster)
    assert serial(served, "alice") != number


@pytest.mark.promise(1)
@pytest.mark.parametrize("ahead", ["minutes", "days"])
def test_a_client_is_cut_off_though_the_clock_was_wrong(served, ahead):
    number = serial(served, "alice")
    served.set_wrong(timedelta(**{ahead: 200}))
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.set_wrong(timedelta(0))
    served.settle()
    assert number in promises.newest_crl(served.cluster)
    assert served.find(CLIENT_CERTIFICATE, "alice") is None


@pytest.mark.promise(1)
@pytest.mark.parametrize("seconds", [0.01, 0.2, 0.45, 0.55])
def test_a_client_that_is_revoked_while_it_is_issued_is_cut_off_though_watches_lag(bed, seconds):
    bed.lag = 0.5
    bed.restart()
    bed.advance(5)
    bed.apply("alice")
    bed.advance(seconds)
    bed.apply("alice", revoked=True)
    bed.settle()
    assert promises.live_serials(bed.cluster, bed.cluster.now()) == set()
    assert said(bed, "alice")["Ready"] == "CutOff"


@pytest.mark.parametrize("ahead", ["minutes", "days"])
def test_what_waited_by_a_wrong_clock_goes_on_when_it_is_set_right(bed, ahead):
    bed.set_wrong(timedelta(**{ahead: 200}))
    bed.apply("alice")
    bed.settle()
    assert said(bed, "alice")["Ready"] == "ClockSkewed"
    bed.set_wrong(timedelta(0))
    bed.advance(30)
    assert said(bed, "alice")["Ready"] == "Issued"


def test_what_waited_for_a_wrong_server_goes_on_when_that_is_set_right(bed):
    bed.cluster.set_clock(timedelta(hours=1))
    bed.restart()
    bed.apply("alice")
    bed.settle()
    assert said(bed, "alice")["Ready"] == "ClockSkewed"
    bed.cluster.set_clock(timedelta(hours=-1))
    bed.advance(30)
    assert said(bed, "alice")["Ready"] == "Issued"


@pytest.mark.promise(1)
def test_many_revocations_are_few_crls(bed):
    bed.latency = 0.005
    bed.restart()
    names = [f"client-{n}" for n in range(40)]
    for name in names:
        bed.apply(name)
    bed.settle()
    before = len(list(promises.crls(bed.cluster)))
    for name in names:
        bed.delete(CLIENT_CERTIFICATE, name)
    bed.settle()
    assert len(promises.newest_crl(bed.cluster)) == 40
    assert len(list(promises.crls(bed.cluster))) - before <= 5


@pytest.mark.promise(1)
@pytest.mark.promise(2)
def test_two_operators_that_both_believe_they_lead_forget_nothing(served):
    served.latency = 0.01
    served.start()
    served.apply("alice", revoked=True)
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.apply("carol")
    served.settle()
    assert promises.broken(served.cluster) == []
    assert promises.live_serials(served.cluster, served.cluster.now()) == {serial(served, "carol")}


def _killed_at(number: int, *, done: bool) -> bool:
    """One client stays, one is revoked, one deleted, by an operator that dies at that write; False: it never got there."""
    with OperatorBed(given.NOW) as bed:
        first = bed.gateway
        first.faults[number] = killed(done=done)
        bed.issuer()
        bed.ingress()
        for name in ("alice", "bob", "carol"):
            bed.apply(name)
        bed.settle()
        bed.apply("alice", revoked=True)
        bed.delete(CLIENT_CERTIFICATE, "bob")
        bed.settle()
        assert [*promises.broken(bed.cluster), *promises.numbers_that_fall(bed.cluster)] == [], number
        live = promises.live_serials(bed.cluster, bed.cluster.now())
        assert live - promises.without_secret(bed.cluster) == {serial(bed, "carol")}, number
        assert bed.find(CLIENT_CERTIFICATE, "bob") is None, number
        return not first.faults


@pytest.mark.promise(6)
@pytest.mark.parametrize("done", [False, True], ids=["before it", "after it"])
def test_an_operator_killed_at_each_of_its_writes_reaches_the_same_end(done):
    numbers = itertools.takewhile(lambda number: _killed_at(number, done=done), itertools.count(1))
    assert len(list(numbers)) > 20

"""Suspended and let in again, revoked and taken back, one serial of two: the ledger's stories, through the whole operator."""

import pytest

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, SECRET
from tests.support import promises
from tests.support.memory_gateway import Fault
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME
from tests.unit import given
from tests.unit.runtime.looks import events_of, live, of_certificates, person_writes, record, said, serial

NEVER = {"privateKey": {"rotationPolicy": "Never"}}


def revocation(bed, number):
    return record(bed, number)["spec"].get("revocation")


def apply(bed, name="alice", **spec):
    bed.apply(name, **spec)
    bed.settle()


def key_of(bed, name="alice"):
    return bed.find(SECRET, f"{name}-mtls")["data"]["tls.key"]


@pytest.fixture
def suspended(served):
    """alice is suspended; bob is in."""
    apply(served, suspended=True)
    return served


@pytest.mark.promise(1)
def test_a_suspended_client_is_named_by_crl_and_gate_and_nobody_else_is(suspended):
    number = serial(suspended, "alice")
    assert promises.newest_crl(suspended.cluster) == {number}
    assert promises.gate_crls(suspended.cluster) == {NAMESPACE_NAME: {number}}
    assert said(suspended, "alice") == {"Ready": "Suspended", "Admitted": "OnHold"}
    assert said(suspended, "bob") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_client_that_was_suspended_gets_in_again_with_the_very_same_secret(served):
    before = served.find(SECRET, "alice-mtls")
    apply(served, suspended=True)
    apply(served, suspended=False)
    assert served.find(SECRET, "alice-mtls") == before
    assert promises.newest_crl(served.cluster) == frozenset()
    assert promises.gate_crls(served.cluster) == {NAMESPACE_NAME: frozenset()}
    assert said(served, "alice") == {"Ready": "Issued", "Admitted": "Live"}


def test_both_serials_of_a_renewed_client_are_held_and_let_in_again(served):
    first = serial(served, "alice")
    served.jump(days=61)
    served.settle()
    both = {first, serial(served, "alice")}
    apply(served, suspended=True)
    assert live(served) & both == set()
    apply(served, suspended=False)
    assert live(served) >= both


@pytest.mark.parametrize("to", [True, False], ids=["suspending", "letting in again"])
def test_it_costs_one_record_one_crl_one_gate_and_two_statuses(served, to):
    apply(served, suspended=not to)
    made = served.writes_of(lambda: served.apply("alice", suspended=to))
    writes = of_certificates(made)
    assert events_of(made) == (2 if to else 1)
    statuses = [write for write in writes if write[2] == "status"]
    assert [write for write in writes if write[2] != "status"] == [
        ("patch", "IssuedCertificate", ""),
        ("replace", "ConfigMap", ""),
        ("replace", "Secret", ""),
    ]
    assert len(statuses) <= 2


@pytest.mark.parametrize("to", [True, False], ids=["suspending", "letting in again"])
def test_it_goes_before_a_storm_of_new_clients(served, to):
    apply(served, suspended=not to)
    served.latency = 0.02
    served.restart()
    served.settle()
    since = served.cluster.version
    for number in range(150):
        served.apply(f"client-{number}")
    served.apply("alice", suspended=to)
    served.settle()
    after = [change for change in served.cluster.history if change.version > since]
    overtaken = next(n for n, change in enumerate(after) if change.kind == ISSUED_CERTIFICATE and change.before)
    assert len([change for change in after[:overtaken] if change.kind == SECRET]) < 64


@pytest.mark.promise(1)
def test_two_operators_whose_watches_lag_never_let_in_whom_the_other_holds_again(served):
    served.lag, served.latency = 0.3, 0.01
    served.restart()
    served.start()
    apply(served, suspended=True)
    for to in (False, True, False, True):
        served.apply("alice", suspended=to)
        served.advance(0.35)
    served.settle()
    assert promises.broken(served.cluster) == []
    assert promises.newest_crl(served.cluster) == {serial(served, "alice")}


def test_a_restart_writes_nothing_of_a_suspended_client(suspended):
    version = suspended.cluster.version
    suspended.restart()
    suspended.settle()
    assert (suspended.gateway.writes, suspended.cluster.version) == ([], version)


def test_nothing_is_issued_while_suspended_and_what_expired_is_renewed_afterwards(suspended):
    number = serial(suspended, "alice")
    suspended.jump(days=91)
    suspended.settle()
    assert serial(suspended, "alice") == number
    apply(suspended, suspended=False)
    assert serial(suspended, "alice") != number
    assert said(suspended, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(1)
def test_a_secret_that_goes_while_suspended_revokes_nobody_until_it_is_decided(suspended):
    number = serial(suspended, "alice")
    suspended.delete(SECRET, "alice-mtls")
    suspended.settle()
    assert revocation(suspended, number)["reason"] == "certificateHold"
    apply(suspended, suspended=False)
    assert live(suspended) >= {number, serial(suspended, "alice")}
    assert number != serial(suspended, "alice")
    suspended.jump(hours=25)
    suspended.settle()
    assert revocation(suspended, number)["reason"] == "superseded"
    assert list(promises.let_in_again(suspended.cluster)) == []


def test_the_hold_of_a_suspended_client_that_is_deleted_becomes_final_after_a_day(suspended):
    number = serial(suspended, "alice")
    suspended.delete(CLIENT_CERTIFICATE, "alice")
    suspended.settle()
    assert suspended.find(CLIENT_CERTIFICATE, "alice") is None
    assert revocation(suspended, number)["heldBy"] == "Deletion"
    suspended.jump(hours=24)
    suspended.settle()
    assert revocation(suspended, number)["reason"] == "cessationOfOperation"


@pytest.mark.promise(1)
def test_a_suspended_client_that_is_deleted_and_made_again_lets_the_old_serial_in_no_more(suspended):
    number = serial(suspended, "alice")
    suspended.delete(CLIENT_CERTIFICATE, "alice")
    suspended.settle()
    apply(suspended)
    assert number in promises.newest_crl(suspended.cluster)
    assert said(suspended, "alice") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_suspended_client_whose_deletion_is_undone_is_suspended_by_its_spec(
    suspended,
):
    number = serial(suspended, "alice")
    suspended.delete(CLIENT_CERTIFICATE, "alice")
    suspended.settle()
    person_writes(suspended, number, lifted=True)
    apply(suspended, suspended=True)
    assert revocation(suspended, number)["heldBy"] == "Suspension"
    assert number in promises.newest_crl(suspended.cluster)


@pytest.mark.promise(1)
def test_a_suspended_client_that_is_gone_by_force_is_held_as_by_a_deletion_and_let_in_by_no_namesake(suspended):
    number = serial(suspended, "alice")
    suspended.kill()
    suspended.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})
    suspended.delete(CLIENT_CERTIFICATE, "alice")
    suspended.start()
    suspended.settle()
    suspended.jump(minutes=11)
    suspended.settle()
    assert revocation(suspended, number)["heldBy"] == "Deletion"
    apply(suspended)
    assert number in promises.newest_crl(suspended.cluster)


@pytest.mark.promise(1)
def test_a_client_is_suspended_though_its_ca_is_gone_by_the_key_that_was_loaded_last(served):
    number = serial(served, "alice")
    served.delete(SECRET, f"{ISSUER_AT.name}-ca-1")
    served.settle()
    apply(served, suspended=True)
    assert revocation(served, number)["heldBy"] == "Suspension"
    assert number in promises.newest_crl(served.cluster)
    assert said(served, "alice") == {"Ready": "Suspended", "Admitted": "OnHold"}


# Revoked, and taken back


@pytest.mark.promise(1)
@pytest.mark.parametrize("reason", ["keyCompromise", "unspecified"])
def test_a_client_whose_revocation_is_taken_back_gets_a_new_key_and_the_old_serial_stays_revoked(served, reason):
    apply(served, **NEVER)
    number, key = serial(served, "alice"), key_of(served)
    apply(served, **NEVER, revoked=True, revocationReason=reason)
    apply(served, **NEVER, revoked=False)
    assert said(served, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert serial(served, "alice") in live(served)
    assert key_of(served) != key
    assert number in promises.newest_crl(served.cluster)


def test_a_suspended_client_that_is_revoked_is_out_for_good(suspended):
    number = serial(suspended, "alice")
    apply(suspended, suspended=True, revoked=True, revocationReason="privilegeWithdrawn")
    apply(suspended, suspended=False, revoked=False)
    assert revocation(suspended, number)["reason"] == "privilegeWithdrawn"
    assert number in promises.newest_crl(suspended.cluster)


@pytest.mark.promise(1)
def test_a_key_that_was_compromised_is_certified_for_nobody_again(served):
    apply(served, "carol", request=given.csr())
    apply(served, "carol", request=given.csr(), revoked=True)
    apply(served, "carol", request=given.csr(), revoked=True, revocationReason="keyCompromise")
    apply(served, "carol", request=given.csr(), revoked=False)
    apply(served, "dave", request=given.csr())
    assert said(served, "carol")["Ready"] == "KeyCompromised"
    assert said(served, "dave") == {"Ready": "KeyCompromised", "Admitted": "NotIssued"}
    apply(served, "carol", request=given.csr(8), revoked=False)
    assert said(served, "carol") == {"Ready": "Issued", "Admitted": "Live"}


# One serial


@pytest.mark.promise(1)
@pytest.mark.parametrize("policy", ["Always", "Never"])
def test_the_current_serial_that_a_person_revokes_is_replaced_with_a_new_key(served, policy):
    apply(served, privateKey={"rotationPolicy": policy})
    number, key = serial(served, "alice"), key_of(served)
    person_writes(served, number, reason="keyCompromise")
    assert revocation(served, number)["time"].startswith("2026-09-01T12:0")
    assert number in promises.newest_crl(served.cluster)
    assert key_of(served) != key
    assert said(served, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.fixture
def renewed(served):
    """alice has two serials, the first of them superseded."""
    first = serial(served, "alice")
    served.jump(days=61)
    served.settle()
    return served, first


@pytest.mark.promise(1)
def test_a_superseded_serial_that_a_person_revokes_is_named_and_nothing_else_happens(renewed):
    bed, first = renewed
    before = bed.find(SECRET, "alice-mtls")
    person_writes(bed, first, reason="keyCompromise")
    assert promises.newest_crl(bed.cluster) == {first}
    assert bed.find(SECRET, "alice-mtls") == before


@pytest.mark.promise(1)
@pytest.mark.parametrize("reason", ["keyCompromise", "certificateHold"])
def test_a_serial_that_a_person_refused_stays_so_when_a_suspension_is_lifted(renewed, reason):
    bed, first = renewed
    person_writes(bed, first, reason=reason)
    apply(bed, suspended=True)
    apply(bed, suspended=False)
    assert promises.newest_crl(bed.cluster) == {first}
    assert said(bed, "alice") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_persons_hold_stays_until_that_person_lifts_it(renewed):
    bed, first = renewed
    person_writes(bed, first, reason="certificateHold")
    bed.jump(days=20)
    bed.settle()
    assert first in promises.newest_crl(bed.cluster)
    person_writes(bed, first, lifted=True)
    assert first in live(bed)


@pytest.mark.promise(1)
def test_a_persons_hold_after_a_suspension_is_a_persons(renewed):
    bed, first = renewed
    apply(bed, suspended=True)
    apply(bed, suspended=False)
    person_writes(bed, first, reason="certificateHold", lifted=False)
    assert promises.newest_crl(bed.cluster) == {first}


@pytest.mark.promise(1)
def test_a_key_that_is_kept_is_changed_when_an_older_serial_of_it_was_compromised(served):
    apply(served, **NEVER)
    first, key = serial(served, "alice"), key_of(served)
    served.jump(days=61)
    served.settle()
    assert (serial(served, "alice") != first, key_of(served)) == (True, key)
    person_writes(served, first, reason="keyCompromise")
    assert key_of(served) != key
    assert said(served, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(1)
def test_what_a_person_writes_at_the_same_time_is_not_written_over(served):
    served.lag = 0.5
    served.restart()
    served.settle()
    number = serial(served, "alice")
    name = f"{ISSUER_AT.name}.1.{number:x}"
    served.apply("alice", suspended=True)
    served.advance(0.45)
    served.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"reason": "certificateHold"}}})
    served.settle()
    assert "heldBy" not in revocation(served, number)


# Reissue on demand


def annotation(bed):
    return bed.find(SECRET, "alice-mtls")["metadata"]["annotations"].get("doorward.io/reissue")


def test_a_changed_reissue_gives_one_new_certificate_and_the_old_one_stays_good(served):
    first = serial(served, "alice")
    writes = of_certificates(served.writes_of(lambda: served.apply("alice", reissue="today")))
    assert writes == [
        ("create", "IssuedCertificate", ""),
        ("replace", "Secret", ""),
        ("patch", "ClientCertificate", "status"),
    ]
    assert annotation(served) == "today"
    assert live(served) >= {first, serial(served, "alice")}


def test_a_reissue_that_is_taken_away_issues_nothing(served):
    apply(served, reissue="today")
    second = serial(served, "alice")
    apply(served, reissue=None)
    apply(served, reissue="today")
    assert (serial(served, "alice"), annotation(served)) == (second, "today")


def test_a_secret_that_is_rewritten_keeps_the_reissue_of_its_certificate(served):
    apply(served, reissue="today")
    second = serial(served, "alice")
    served.edit(SECRET, "alice-mtls", {"data": {"keystore.p12": None}})
    served.settle()
    assert bool(served.find(SECRET, "alice-mtls")["data"].get("keystore.p12"))
    assert (serial(served, "alice"), annotation(served)) == (second, "today")


def test_a_reissue_asked_for_while_suspended_waits_until_the_client_is_let_in(served):
    first = serial(served, "alice")
    apply(served, suspended=True, reissue="today")
    assert serial(served, "alice") == first
    apply(served, suspended=False)
    assert serial(served, "alice") != first
    assert live(served) >= {first, serial(served, "alice")}


# Whom a record lets in while the client itself is out


def refusals_end(bed, number, since):
    """CRLs after that version that do not name the serial."""
    return [
        crl for crl in promises.crls(bed.cluster) if crl.change.version > since and number not in crl.bundle.serials
    ]


def fail_next_write(bed):
    bed.gateway.faults[len(bed.gateway.writes) + 1] = Fault(Transient("timeout"))


@pytest.mark.promise(1)
def test_a_suspensions_hold_that_a_person_lifts_lets_nobody_in_for_a_moment(suspended):
    number, since = serial(suspended, "alice"), suspended.cluster.version
    fail_next_write(suspended)
    person_writes(suspended, number, lifted=True)
    assert refusals_end(suspended, number, since) == []
    assert revocation(suspended, number)["lifted"] is False
    apply(suspended, suspended=False)
    assert number in live(suspended)

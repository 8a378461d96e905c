"""The rules of one ClientCertificate: rows of a sentence, a world, and the plan."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.planning import certificate, issuance
from doorward.planning.observed import Unseen
from doorward.planning.plan import Plan
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
HELD = given.record(of=LEAF, revocation=given.hold())
REVOKED = given.record(of=LEAF, revocation=given.revocation("keyCompromise"))
REVOKED_SPEC = given.spec(revoked=True, revocationReason="keyCompromise")
NAMED = given.issuer(published=given.published(given.entry(LEAF.serial)))
NO_CA = given.issuer(authority=None, published=None)
JUST_NOW = NOW - SECOND
LONG_AGO = NOW - HOUR


def _plan(now=NOW, **world):
    return certificate.plan(given.certificate(**world), now)


def _names(**world):
    return given.names(_plan(**world).actions)


def _status(**world):
    (action,) = _plan(**world).actions
    return action.status


def _reasons(**world):
    return given.reasons(_status(**world))


def _after(world):
    """The plan once the status it asks for is written."""
    return _plan(**world, status=_status(**world))


# What is unknown


@pytest.mark.parametrize("deleting", [None, LONG_AGO])
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"records": Unseen.UNKNOWN}, id="the ledger"),
        pytest.param({"secret": Unseen.UNKNOWN}, id="the Secret"),
        pytest.param({"issuer": Unseen.UNKNOWN}, id="the issuer"),
    ],
)
def test_nothing_is_decided_before_it_is_heard_of(world, deleting):
    assert _plan(**world, deleting_since=deleting) == Plan(due=NOW + 5 * SECOND)


# Issuing


def test_a_new_client_gets_its_finalizer_before_its_certificate():
    assert _names(secret=Unseen.ABSENT, has_finalizer=False) == ["AddFinalizer", "Issue"]


def test_a_client_with_a_finalizer_gets_its_certificate():
    assert _names(secret=Unseen.ABSENT) == ["Issue"]


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"issuer": NO_CA}, id="the issuer cannot sign"),
        pytest.param({"issuer": Unseen.ABSENT}, id="there is no issuer"),
        pytest.param({"skew": timedelta(minutes=6)}, id="the clocks disagree"),
        pytest.param({"rival": "older"}, id="its Secret is another's"),
        pytest.param({"issuer": given.issuer(authority=given.authority(not_after=NOW + HOUR))}, id="the CA ends"),
    ],
)
def test_nothing_is_signed_where(world):
    assert "Issue" not in _names(secret=Unseen.ABSENT, **world)


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param({"issuer": NO_CA}, "IssuerNotReady", id="the issuer cannot sign"),
        pytest.param({"issuer": Unseen.ABSENT}, "IssuerNotFound", id="there is no issuer"),
        pytest.param({"skew": timedelta(minutes=6)}, "ClockSkewed", id="the clocks disagree"),
        pytest.param(
            {"issuer": given.issuer(authority=given.authority(not_after=NOW + HOUR))},
            "IssuerNotReady",
            id="the CA ends",
        ),
    ],
)
def test_a_client_without_a_certificate_is_told_why(world, reason):
    assert _reasons(secret=Unseen.ABSENT, **world) == {"Ready": reason, "Admitted": "NotIssued"}


def test_skewed_clocks_are_looked_at_again():
    assert _plan(secret=Unseen.ABSENT, skew=timedelta(minutes=6)).due == NOW + 5 * SECOND


def test_a_settled_client_with_a_problem_of_its_own_is_still_shown_as_admitted():
    assert _reasons(issuer=Unseen.ABSENT) == {"Ready": "IssuerNotFound", "Admitted": "Live"}


# A certificate that is signed and not delivered


def _pending(**override):
    wanted = issuance.wanted(given.spec(), None, given.authority())
    return given.pending(wanted=wanted, **override)


def test_a_signed_certificate_is_delivered_not_signed_again():
    assert _names(secret=Unseen.ABSENT, pending=_pending()) == ["Deliver"]


def test_a_signed_certificate_for_another_spec_gives_way():
    assert _names(secret=Unseen.ABSENT, pending=given.pending()) == ["Issue"]


def test_a_secret_that_was_refused_is_tried_again_only_when_it_is_time():
    refused = _pending(refusal="quota", retry_at=NOW + SECOND)
    assert _reasons(secret=Unseen.ABSENT, pending=refused)["Ready"] == "SecretRefused"
    assert _plan(secret=Unseen.ABSENT, pending=refused).due == NOW + SECOND
    assert _names(secret=Unseen.ABSENT, pending=replace(refused, retry_at=NOW)) == ["Deliver"]


def test_the_record_of_a_certificate_on_its_way_is_no_orphan():
    pending = _pending(serial=0xB2)
    assert _names(secret=Unseen.ABSENT, pending=pending, records=(given.record(0xB2),)) == ["Deliver"]


# What was lost


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(Unseen.ABSENT, id="the Secret is gone"),
        pytest.param(given.broken(), id="it holds no certificate"),
        pytest.param(given.secret(LEAF, has_key=False), id="its key does not fit"),
    ],
)
def test_a_serial_that_was_lost_is_superseded_before_the_next_is_signed(secret):
    (revoke,) = _plan(secret=secret, records=(LIVE,)).actions
    assert (revoke.record, revoke.revocation.reason, revoke.revocation.time) == (LIVE, "superseded", NOW)


def test_an_unreadable_secret_revokes_nobody():
    assert _reasons(secret=Unseen.DENIED, records=(LIVE,))["Ready"] == "NotPermitted"


def test_a_serial_newer_than_the_secrets_was_never_shown_and_is_superseded():
    orphan = given.record(0xB2, issued_at=NOW - HOUR)
    (revoke,) = _plan(records=(LIVE, orphan)).actions
    assert (revoke.record, revoke.revocation.reason) == (orphan, "superseded")


def test_a_serial_older_than_the_secrets_stays_good():
    older = given.record(0xB2, issued_at=NOW - 2 * DAY)
    assert _names(records=(LIVE, older)) == ["WriteStatus"]


def _lost_often(count):
    return tuple(
        given.record(n, issued_at=NOW - n * SECOND, revocation=given.revocation()) for n in range(1, count + 1)
    )


def test_a_client_whose_secret_is_lost_in_a_loop_waits():
    world = {"secret": Unseen.ABSENT, "records": _lost_often(8)}
    assert _reasons(**world)["Ready"] == "ReissueBudgetSpent"
    assert _plan(**world).due == NOW + 59 * SECOND


def test_a_client_whose_serials_are_revoked_in_a_loop_waits():
    held = given.leaf(serial=0xA1)
    records = (given.record(revocation=given.revocation(), **given.leaf_facts(held)), *_lost_often(8))
    assert _reasons(secret=given.secret(held), records=records)["Ready"] == "ReissueBudgetSpent"


def test_a_client_that_lost_seven_does_not_wait():
    assert _names(secret=Unseen.ABSENT, records=_lost_often(7)) == ["Issue"]


# The ledger is mended first


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("world", "first"),
    [
        pytest.param({}, "RecordAgain", id="settled"),
        pytest.param({"has_finalizer": False}, "AddFinalizer", id="without a finalizer"),
        pytest.param({"spec": given.spec(commonName="bob")}, "RecordAgain", id="about to be reissued"),
        pytest.param({"spec": REVOKED_SPEC}, "RecordAgain", id="revoked"),
        pytest.param({"deleting_since": JUST_NOW}, "RecordAgain", id="on its way out"),
    ],
)
def test_a_certificate_without_a_record_is_recorded_first_of_a_client_that_is(world, first):
    names = _names(records=(), **world)
    assert (names[0], names[-1]) == (first, "RecordAgain")


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"spec": REVOKED_SPEC}, id="revoked"),
        pytest.param({"deleting_since": JUST_NOW}, id="on its way out"),
    ],
)
def test_what_the_ledger_knows_is_cut_off_before_a_planted_certificate_is_recorded_of_a_client_that_is(world):
    assert _names(records=(given.record(7),), **world) == ["Revoke", "RecordAgain"]


@pytest.mark.parametrize("ours", [False, None])
def test_a_certificate_that_is_not_known_to_be_ours_is_not_recorded(ours):
    assert "RecordAgain" not in _names(records=(), leaf_is_ours=ours)


# Settled


def test_a_settled_client_is_told_so_and_looked_at_when_its_renewal_is_due():
    assert _reasons() == {"Ready": "Issued", "Admitted": "Live"}
    assert _plan().due == NOW + 59 * DAY


def test_a_settled_status_is_not_written_again():
    assert _after({}) == Plan(due=NOW + 59 * DAY)


def test_a_status_shows_the_certificate_in_the_secret():
    status = _status()
    assert (status["serialNumber"], status["secretName"]) == ("a1", given.SECRET)
    assert (status["notAfter"], status["renewalTime"]) == ("2026-11-29T12:00:00Z", "2026-10-30T12:00:00Z")


@pytest.mark.parametrize(
    ("secret", "because"),
    [
        pytest.param({"keystore_profile": None}, "keystore.p12", id="the keystore does not open"),
        pytest.param({"keystore_profile": "LegacyDES"}, "another profile", id="the keystore has another profile"),
        pytest.param({"own_password": False}, "keystore.password", id="the password is gone"),
        pytest.param({"ca": b"junk"}, "ca.crt", id="ca.crt is not the issuer's"),
    ],
)
def test_a_secret_is_written_anew_around_its_certificate_where(secret, because):
    (action,) = _plan(secret=given.secret(**secret)).actions
    assert because in action.because


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_a_secret_is_written_anew_where_its_template_asks_for(kind):
    wanted = given.spec(secretTemplate={kind: {"a": "1"}})
    assert _names(spec=wanted) == ["RewriteSecret"]
    assert _names(spec=wanted, secret=given.secret(**{kind: {"a": "1", "b": "2"}})) == ["WriteStatus"]


def test_a_key_beside_a_certificate_from_a_csr_is_taken_out():
    leaf = given.leaf(private_key=given.key(7))
    spec = given.spec(request=given.csr())
    assert _names(spec=spec, secret=given.secret(leaf, has_key=False, any_key=True)) == ["RewriteSecret"]
    assert _names(spec=spec, secret=given.secret(leaf, has_key=False)) == ["WriteStatus"]


def test_an_own_password_goes_when_the_spec_names_one():
    spec = given.spec(keystores={"pkcs12": {"passwordSecretRef": {"name": "p"}}})
    assert _names(spec=spec) == ["RewriteSecret"]
    assert _names(spec=spec, secret=given.secret(own_password=False)) == ["WriteStatus"]


# Superseded serials

GRACE = given.issuer(spec=given.issuer_spec(certificates={"supersededGracePeriod": "48h"}))
OLDER = given.record(0xB2, issued_at=NOW - 30 * DAY)


def test_a_superseded_serial_is_revoked_when_its_grace_period_is_over():
    (revoke,) = _plan(NOW + DAY, issuer=GRACE, records=(LIVE, OLDER)).actions
    assert (revoke.record, revoke.revocation.reason) == (OLDER, "superseded")


def test_a_superseded_serial_stays_good_within_its_grace_period():
    plan = _plan(issuer=GRACE, records=(LIVE, OLDER))
    assert (given.names(plan.actions), plan.due) == (["WriteStatus"], NOW + DAY)


def test_without_a_grace_period_a_superseded_serial_runs_out_by_itself():
    assert _plan(records=(LIVE, OLDER)).due == NOW + 59 * DAY


# Revoked


@pytest.mark.promise(1)
def test_a_revoked_client_has_every_live_serial_revoked():
    plan = _plan(spec=REVOKED_SPEC, records=(LIVE, OLDER))
    assert [action.record for action in plan.actions] == [LIVE, OLDER]
    assert {action.revocation.reason for action in plan.actions} == {"keyCompromise"}


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"issuer": Unseen.ABSENT}, id="its issuer is gone"),
        pytest.param({"issuer": NO_CA}, id="its CA is gone"),
        pytest.param({"secret": Unseen.DENIED}, id="its Secret may not be read"),
        pytest.param({"rival": "older"}, id="another has its Secret"),
        pytest.param({"skew": timedelta(hours=1)}, id="the clocks disagree"),
        pytest.param({"has_finalizer": False}, id="it has no finalizer"),
    ],
)
def test_a_client_is_revoked_whatever_else_is_wrong_when(world):
    assert "Revoke" in _names(spec=REVOKED_SPEC, records=(LIVE,), **world)


def test_a_hold_becomes_final_when_its_client_is_revoked():
    (action,) = _plan(spec=REVOKED_SPEC, records=(HELD,)).actions
    assert (action.revocation.reason, action.revocation.time) == ("keyCompromise", HELD.revocation.time)


@pytest.mark.parametrize(
    ("world", "admitted"),
    [
        pytest.param({"records": (REVOKED,)}, "CuttingOff", id="the CRL does not name it yet"),
        pytest.param({"records": (REVOKED,), "issuer": NO_CA}, "CuttingOff", id="there is no CRL"),
        pytest.param({"records": (REVOKED,), "issuer": NAMED}, "Revoked", id="the CRL names it"),
        pytest.param({"records": (), "secret": Unseen.ABSENT}, "NotIssued", id="it never had a certificate"),
    ],
)
def test_a_revoked_client_is_ready_and_shown_as(world, admitted):
    assert _reasons(spec=REVOKED_SPEC, **world) == {"Ready": "CutOff", "Admitted": admitted}


def test_a_daily_crl_is_no_reason_to_write_a_revoked_clients_status():
    world = {"spec": REVOKED_SPEC, "records": (REVOKED,)}
    before = _status(**world, issuer=NAMED)
    tomorrow = given.issuer(published=given.published(given.entry(LEAF.serial), signed=NOW))
    assert _plan(**world, issuer=tomorrow, status=before).actions == ()


def test_a_revoked_clients_status_says_since_when():
    assert _status(spec=REVOKED_SPEC, records=(REVOKED,), issuer=NAMED)["revokedAt"] == "2026-09-01T11:00:00Z"


@pytest.mark.promise(2)
def test_nothing_is_signed_or_delivered_for_a_revoked_client():
    names = _names(spec=REVOKED_SPEC, secret=Unseen.ABSENT, pending=_pending(), records=())
    assert names == ["WriteStatus"]


# Deleted


def test_a_deleted_client_without_our_finalizer_is_left_alone():
    assert _plan(deleting_since=JUST_NOW, has_finalizer=False) == Plan()


@pytest.mark.promise(1)
def test_a_deleted_client_is_held_for_the_issuers_window():
    issuer = given.issuer(spec=given.issuer_spec(revocation={"undoWindow": "2h"}))
    (action,) = _plan(deleting_since=JUST_NOW, issuer=issuer).actions
    assert (action.revocation.reason, action.revocation.final_at) == ("certificateHold", NOW + 2 * HOUR)


def test_a_deleted_client_whose_issuer_is_gone_is_held_for_a_day():
    (action,) = _plan(deleting_since=JUST_NOW, issuer=Unseen.ABSENT).actions
    assert action.revocation.final_at == NOW + DAY


def test_a_deleted_client_that_was_revoked_is_cut_off_for_good():
    (action,) = _plan(deleting_since=JUST_NOW, spec=REVOKED_SPEC).actions
    assert action.revocation.reason == "keyCompromise"


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "since",
    [
        pytest.param(JUST_NOW, id="just deleted"),
        pytest.param(NOW - 10 * SECOND, id="deleted ten seconds ago"),
        pytest.param(LONG_AGO, id="deleted an hour ago"),
    ],
)
def test_a_deleted_client_is_cut_off_before_its_finalizer_goes(since):
    assert "RemoveFinalizer" not in _names(deleting_since=since, records=(HELD,))


@pytest.mark.parametrize(
    ("world", "unreached"),
    [
        pytest.param({"records": (HELD,), "issuer": NAMED}, "", id="the CRL names it"),
        pytest.param({"records": (HELD,), "issuer": Unseen.ABSENT}, "", id="its issuer is gone"),
        pytest.param({"records": (), "secret": Unseen.ABSENT}, "", id="it never had a certificate"),
        pytest.param({"records": (given.expired(since=SECOND),), "secret": Unseen.ABSENT}, "", id="all have expired"),
        pytest.param({"records": (HELD,), "issuer": replace(NAMED, gates_behind=True)}, "some gates", id="gates lag"),
        pytest.param(
            {"records": (HELD,), "issuer": NO_CA}, "the CRL (its CA Secret is missing)", id="its CA is gone for good"
        ),
    ],
)
def test_the_finalizer_goes_where(world, unreached):
    (action,) = _plan(deleting_since=LONG_AGO, **world).actions
    assert (given.names([action]), action.unreached) == (["RemoveFinalizer"], unreached)


@pytest.mark.parametrize(
    ("world", "due"),
    [
        pytest.param({"issuer": replace(NAMED, gates_behind=True)}, NOW + 29 * SECOND, id="its gates are behind"),
        pytest.param({"issuer": NO_CA}, NOW + 4 * SECOND, id="its CA is gone, at first without a word"),
        pytest.param({}, NOW + 4 * SECOND, id="the CRL is on its way"),
    ],
)
def test_a_deletion_waits_half_a_minute_at_most_where(world, due):
    plan = _plan(deleting_since=JUST_NOW, records=(HELD,), **world)
    assert (plan.actions, plan.due) == ((), due)


def test_a_deletion_that_takes_longer_says_why():
    reasons = _reasons(deleting_since=NOW - 10 * SECOND, records=(HELD,))
    assert reasons == {"Ready": "Deleting", "Admitted": "CuttingOff"}


def test_a_deleted_client_with_a_spec_nobody_can_read_is_cut_off_all_the_same():
    assert _names(deleting_since=JUST_NOW, spec="spec: junk") == ["Revoke"]


@pytest.mark.promise(2)
def test_a_deleted_client_is_issued_nothing():
    assert _names(deleting_since=JUST_NOW, secret=Unseen.ABSENT, pending=_pending()) == ["RemoveFinalizer"]

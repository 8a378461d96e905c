"""The rules of a client that is cut off: revoked, suspended or deleted; rows of a sentence, a world, and the plan."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.planning.observed import Unseen
from doorward.planning.plan import Plan
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND
from tests.unit.planning.plans import asked, on_its_way, planned, status_of, told

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
OLDER = given.record(0xB2, issued_at=NOW - 30 * DAY)
HELD = given.record(of=LEAF, revocation=given.hold())
SUSPENDED = given.record(of=LEAF, revocation=given.suspension())
REVOKED = given.record(of=LEAF, revocation=given.revocation("keyCompromise"))
REVOKED_SPEC = given.spec(revoked=True, revocationReason="keyCompromise")
SUSPENDED_SPEC = given.spec(suspended=True)
NAMED = given.issuer(published=given.published(given.entry(LEAF.serial)))
NO_CA = given.issuer(authority=None, published=None)
JUST_NOW = NOW - SECOND
LONG_AGO = NOW - HOUR
MINUTE = 60 * SECOND
LIFTED = given.own_hold(lifted=True)
EXPIRED_LEAF = given.leaf(issued=NOW - 91 * DAY)
EXPIRED = given.record(of=EXPIRED_LEAF)

# Revoked


@pytest.mark.promise(1)
def test_a_revoked_client_has_every_live_serial_revoked():
    plan = planned(spec=REVOKED_SPEC, records=(LIVE, OLDER))
    assert [action.record for action in plan.actions] == [LIVE, OLDER]
    assert {action.revocation.reason for action in plan.actions} == {"keyCompromise"}


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", [REVOKED_SPEC, SUSPENDED_SPEC], ids=["revoked", "suspended"])
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"issuer": Unseen.ABSENT}, id="its issuer is gone"),
        pytest.param({"issuer": Unseen.UNKNOWN}, id="its issuer cannot be read"),
        pytest.param({"issuer": NO_CA}, id="its CA is gone"),
        pytest.param({"secret": Unseen.DENIED}, id="its Secret may not be read"),
        pytest.param({"secret": Unseen.UNKNOWN}, id="its Secret cannot be read"),
        pytest.param({"secret": given.foreign()}, id="its Secret is somebody else's"),
        pytest.param({"rival": "older"}, id="another has its Secret"),
        pytest.param({"skew": timedelta(hours=1)}, id="the clocks disagree"),
        pytest.param({"has_finalizer": False}, id="it has no finalizer"),
    ],
)
def test_a_client_is_cut_off_whatever_else_is_wrong_when(how, world):
    assert "Revoke" in asked(spec=how, records=(LIVE,), **world)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"spec": REVOKED_SPEC}, id="revoked"),
        pytest.param({"spec": SUSPENDED_SPEC}, id="suspended"),
        pytest.param({"deleting_since": LONG_AGO}, id="deleted"),
    ],
)
@pytest.mark.parametrize("what", ["secret", "issuer"])
def test_more_than_the_ledger_waits_until_all_is_heard_of_of_a_client_that_is(how, what):
    assert planned(records=(REVOKED,), **{what: Unseen.UNKNOWN}, **how) == Plan(due=NOW + 5 * SECOND)


def test_a_hold_becomes_final_when_its_client_is_revoked():
    (action,) = planned(spec=REVOKED_SPEC, records=(HELD,)).actions
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
    changing = {"Reconciling": "AccessChanging"} if admitted == "CuttingOff" else {}
    assert told(spec=REVOKED_SPEC, **world) == {"Ready": "CutOff", "Admitted": admitted} | changing


JUST_REVOKED = given.record(of=LEAF, revocation=given.revocation("keyCompromise", time=JUST_NOW))
JUST_HELD = given.record(of=LEAF, revocation=given.suspension(time=JUST_NOW))
JUST_OUT = [
    pytest.param(REVOKED_SPEC, JUST_REVOKED, id="revoked"),
    pytest.param(SUSPENDED_SPEC, JUST_HELD, id="suspended"),
]


@pytest.mark.parametrize(("how", "record"), JUST_OUT)
def test_a_status_waits_five_seconds_for_the_crl_that_names_the_client_just(how, record):
    assert planned(spec=how, records=(record,)) == Plan(due=JUST_NOW + 5 * SECOND)


@pytest.mark.parametrize(("how", "record"), JUST_OUT)
@pytest.mark.parametrize(
    ("world", "admitted"),
    [
        pytest.param({"issuer": NAMED}, ("Revoked", "OnHold"), id="once the CRL names the client"),
        pytest.param(
            {"issuer": given.issuer(published=None)}, ("CuttingOff", "CuttingOff"), id="where there is no CRL"
        ),
        pytest.param(
            {"issuer": given.issuer(authority=None)}, ("CuttingOff", "CuttingOff"), id="where nobody can sign a CRL"
        ),
    ],
)
def test_a_status_is_written_at_once(how, record, world, admitted):
    assert told(spec=how, records=(record,), **world)["Admitted"] == admitted[how is SUSPENDED_SPEC]


@pytest.mark.parametrize("seconds", [-1, 5], ids=["in the future", "five seconds ago"])
def test_a_status_is_written_before_the_crl_where_the_client_was_revoked(seconds):
    record = given.record(of=LEAF, revocation=given.revocation("keyCompromise", time=NOW - seconds * SECOND))
    assert told(spec=REVOKED_SPEC, records=(record,))["Admitted"] == "CuttingOff"


def test_a_daily_crl_is_no_reason_to_write_a_revoked_clients_status():
    world = {"spec": REVOKED_SPEC, "records": (REVOKED,)}
    before = status_of(**world, issuer=NAMED)
    tomorrow = given.issuer(published=given.published(given.entry(LEAF.serial), signed=NOW))
    assert planned(**world, issuer=tomorrow, status=before).actions == ()


def test_a_revoked_clients_status_says_since_when():
    assert status_of(spec=REVOKED_SPEC, records=(REVOKED,), issuer=NAMED)["revokedAt"] == "2026-09-01T11:00:00Z"


@pytest.mark.promise(2)
def test_nothing_is_signed_or_delivered_for_a_revoked_client():
    names = asked(spec=REVOKED_SPEC, secret=Unseen.ABSENT, pending=on_its_way(), records=())
    assert names == ["WriteStatus"]


# Suspended


def _revocations(**world):
    """What it asks to be written into each serial's record."""
    return [(action.record.serial, action.revocation) for action in planned(**world).actions]


@pytest.mark.promise(1)
def test_a_suspended_client_has_every_live_serial_held_without_an_end():
    hold = given.suspension(time=NOW)
    assert _revocations(spec=SUSPENDED_SPEC, records=(LIVE, OLDER)) == [(0xA1, hold), (0xB2, hold)]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(SUSPENDED, id="held already"),
        pytest.param(HELD, id="held by a deletion"),
        pytest.param(given.record(of=LEAF, revocation=given.own_hold()), id="held by a person"),
        pytest.param(REVOKED, id="revoked"),
    ],
)
def test_a_suspension_leaves_a_serial_as_it_is_that_is(record):
    assert asked(spec=SUSPENDED_SPEC, records=(record,)) == ["WriteStatus"]


def test_a_serial_whose_hold_a_person_lifted_is_held_again_while_its_client_is_suspended():
    lifted = given.record(of=LEAF, revocation=given.suspension(lifted=True))
    assert _revocations(spec=SUSPENDED_SPEC, records=(lifted,)) == [(0xA1, given.suspension(time=NOW))]


@pytest.mark.parametrize(
    ("world", "admitted"),
    [
        pytest.param({"records": (SUSPENDED,)}, "CuttingOff", id="the CRL does not name it yet"),
        pytest.param({"records": (SUSPENDED,), "issuer": NO_CA}, "CuttingOff", id="there is no CRL"),
        pytest.param({"records": (SUSPENDED,), "issuer": NAMED}, "OnHold", id="the CRL names it"),
        pytest.param({"records": (), "secret": Unseen.ABSENT}, "NotIssued", id="it never had a certificate"),
        pytest.param(
            {"records": (EXPIRED,), "secret": given.secret(EXPIRED_LEAF)}, "Expired", id="its certificate has expired"
        ),
    ],
)
def test_a_suspended_client_is_ready_and_shown_as(world, admitted):
    changing = {"Reconciling": "AccessChanging"} if admitted == "CuttingOff" else {}
    assert told(spec=SUSPENDED_SPEC, **world) == {"Ready": "Suspended", "Admitted": admitted} | changing


def test_a_daily_crl_is_no_reason_to_write_a_suspended_clients_status():
    world = {"spec": SUSPENDED_SPEC, "records": (SUSPENDED,)}
    before = status_of(**world, issuer=NAMED)
    tomorrow = given.issuer(published=given.published(given.entry(LEAF.serial), signed=NOW))
    assert planned(**world, issuer=tomorrow, status=before) == Plan()


def test_a_second_suspension_within_the_hour_says_since_when():
    first = status_of(spec=SUSPENDED_SPEC, records=(SUSPENDED,), issuer=NAMED)
    again = given.record(of=LEAF, revocation=given.suspension(time=NOW - 59 * MINUTE))
    (action,) = planned(spec=SUSPENDED_SPEC, records=(again,), issuer=NAMED, status=first).actions
    assert "on hold since 2026-09-01T11:01:00Z" in str(action.status)


def test_a_suspended_clients_status_names_no_renewal():
    status = status_of(spec=SUSPENDED_SPEC, records=(SUSPENDED,), issuer=NAMED)
    assert ("renewalTime" in status, "revokedAt" in status, status["serialNumber"]) == (False, False, "a1")


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"secret": Unseen.ABSENT}, id="its Secret is gone"),
        pytest.param({"secret": Unseen.ABSENT, "pending": on_its_way()}, id="a certificate is on its way"),
        pytest.param({"secret": given.secret(given.leaf(issued=NOW - 60 * DAY))}, id="its renewal is due"),
        pytest.param({"secret": given.secret(keystore_profile=None)}, id="its keystore is broken"),
        pytest.param({"spec": given.spec(suspended=True, commonName="bob")}, id="its spec asks for another name"),
        pytest.param({"spec": given.spec(suspended=True, reissue="now")}, id="its spec asks for another certificate"),
    ],
)
def test_nothing_is_written_for_a_suspended_client_though(world):
    assert asked(**{"spec": SUSPENDED_SPEC, "records": (SUSPENDED,)} | world) == ["WriteStatus"]


def test_revoked_goes_before_suspended():
    both = given.spec(suspended=True, revoked=True, revocationReason="keyCompromise")
    assert _revocations(spec=both, records=(SUSPENDED,)) == [(0xA1, given.revocation("keyCompromise"))]


# Let in again


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="all is well"),
        pytest.param({"issuer": NO_CA}, id="its CA is gone"),
        pytest.param({"issuer": Unseen.ABSENT}, id="its issuer is gone"),
        pytest.param({"secret": Unseen.DENIED}, id="its Secret may not be read"),
        pytest.param({"secret": given.foreign()}, id="its Secret is somebody else's"),
        pytest.param({"rival": "older"}, id="another has its Secret"),
        pytest.param({"skew": timedelta(hours=1)}, id="the clocks disagree"),
    ],
)
def test_a_suspension_that_is_over_lifts_its_hold_where(world):
    assert _revocations(records=(SUSPENDED,), **world) == [(0xA1, LIFTED)]


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "hold",
    [
        pytest.param(given.hold(), id="a deletion"),
        pytest.param(given.own_hold(), id="a person"),
        pytest.param(given.revocation(), id="a revocation, which is final"),
    ],
)
def test_a_suspension_that_is_over_lifts_nothing_that_was_put_by(hold):
    records = (SUSPENDED, given.record(0xB2, revocation=hold))
    assert _revocations(records=records) == [(0xA1, LIFTED)]


def test_a_serial_that_came_back_from_a_deletion_and_was_then_suspended_is_that_again():
    restored = given.record(0xB2, revocation=given.suspension(), holder_uid="another")
    lifted = given.own_hold(held_by="Deletion", lifted=True)
    assert _revocations(secret=Unseen.ABSENT, records=(restored,)) == [(0xB2, lifted)]


def test_the_serial_in_a_secret_that_was_restored_under_another_uid_is_lifted():
    restored = given.record(of=LEAF, revocation=given.suspension(), holder_uid="another")
    assert _revocations(records=(restored,)) == [(0xA1, LIFTED)]


@pytest.mark.promise(2)
def test_a_serial_is_superseded_and_not_lifted_beside_which_another_key_was_put_meanwhile():
    exchanged = given.secret(LEAF, has_key=False, any_key=True)
    assert _revocations(secret=exchanged, records=(SUSPENDED,)) == [(0xA1, given.revocation("superseded"))]


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(Unseen.ABSENT, id="deleted"),
        pytest.param(given.broken(), id="emptied"),
        pytest.param(given.secret(LEAF, has_key=False), id="robbed of its key"),
    ],
)
def test_a_serial_is_lifted_whose_secret_was_meanwhile(secret):
    assert _revocations(secret=secret, records=(SUSPENDED,)) == [(0xA1, LIFTED)]


def test_a_serial_that_nobody_was_shown_is_lifted_like_the_others():
    orphan = given.record(0xB2, issued_at=NOW - HOUR, revocation=given.suspension())
    assert _revocations(records=(SUSPENDED, orphan)) == [(0xA1, LIFTED), (0xB2, LIFTED)]


def test_a_serial_that_was_on_its_way_is_lifted_and_then_delivered():
    world = {"secret": Unseen.ABSENT, "pending": on_its_way(serial=0xB2)}
    assert _revocations(records=(given.record(0xB2, revocation=given.suspension()),), **world) == [(0xB2, LIFTED)]
    assert asked(records=(given.record(0xB2, revocation=LIFTED),), **world) == ["Deliver"]


@pytest.mark.promise(2)
def test_a_certificate_on_its_way_is_not_delivered_once_its_serial_is_revoked():
    revoked = given.record(0xB2, revocation=given.revocation())
    assert asked(secret=Unseen.ABSENT, pending=on_its_way(serial=0xB2), records=(revoked,)) == ["Issue"]


def test_a_client_is_not_called_admitted_before_the_crl_lets_it_in():
    lifted = (given.record(of=LEAF, revocation=LIFTED),)
    assert told(records=lifted, issuer=NAMED) == {
        "Ready": "Issued",
        "Admitted": "LettingIn",
        "Reconciling": "AccessChanging",
    }
    assert told(records=lifted) == {"Ready": "Issued", "Admitted": "Live"}


def test_a_certificate_that_expired_while_its_client_was_suspended_is_renewed_with_the_key_that_it_may_keep():
    spec = given.spec(privateKey={"rotationPolicy": "Never"})
    world = {"spec": spec, "secret": given.secret(EXPIRED_LEAF)}
    assert _revocations(records=(replace(EXPIRED, revocation=given.suspension()),), **world) == [(0xA1, LIFTED)]
    (action,) = planned(records=(replace(EXPIRED, revocation=LIFTED),), **world).actions
    assert (action.because, action.keep_key) == ("its renewal is due", True)


# In a namespace that ends


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="its Secret is there"),
        pytest.param({"secret": Unseen.ABSENT, "records": (LIVE,)}, id="its Secret is deleted already"),
        pytest.param({"secret": given.broken(), "records": (LIVE,)}, id="its Secret is spoilt"),
        pytest.param({"records": (SUSPENDED,)}, id="it was suspended"),
        pytest.param({"issuer": NO_CA}, id="its issuer cannot sign"),
    ],
)
def test_a_client_whose_namespace_ends_is_held_as_at_a_deletion_when(world):
    (action,) = planned(namespace_ends=True, **world).actions
    assert (action.revocation.reason, action.revocation.held_by) == ("certificateHold", "Deletion")


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"secret": Unseen.ABSENT, "records": ()}, id="it never had a certificate"),
        pytest.param({"secret": Unseen.ABSENT, "records": (), "pending": on_its_way()}, id="one is on its way"),
        pytest.param({"secret": Unseen.ABSENT, "records": (HELD,)}, id="its Secret is deleted"),
        pytest.param({"records": (HELD,), "spec": given.spec(reissue="now")}, id="another is asked for"),
    ],
)
def test_nothing_is_issued_in_a_namespace_that_ends_when(world):
    assert asked(namespace_ends=True, **world) == ["WriteStatus"]


def test_a_client_whose_namespace_ends_says_so():
    world = {"namespace_ends": True, "records": (HELD,)}
    assert told(**world) == {"Ready": "NamespaceTerminating", "Admitted": "CuttingOff"}
    assert told(**world, issuer=NAMED) == {"Ready": "NamespaceTerminating", "Admitted": "OnHold"}


def test_a_revoked_client_whose_namespace_ends_is_out_for_good():
    (action,) = planned(namespace_ends=True, spec=REVOKED_SPEC).actions
    assert action.revocation.reason == "keyCompromise"


def test_more_than_the_ledger_waits_in_a_namespace_that_ends_until_all_is_heard_of():
    assert planned(namespace_ends=True, records=(HELD,), secret=Unseen.UNKNOWN) == Plan(due=NOW + 5 * SECOND)


# Deleted


def test_a_deleted_client_without_our_finalizer_is_left_alone():
    assert planned(deleting_since=JUST_NOW, has_finalizer=False) == Plan()


@pytest.mark.promise(1)
def test_a_deleted_client_is_held_for_the_issuers_window():
    issuer = given.issuer(spec=given.issuer_spec(revocation={"undoWindow": "2h"}))
    (action,) = planned(deleting_since=JUST_NOW, issuer=issuer).actions
    assert (action.revocation.reason, action.revocation.final_at) == ("certificateHold", NOW + 2 * HOUR)


def test_a_deleted_client_whose_issuer_is_gone_is_held_for_a_day():
    (action,) = planned(deleting_since=JUST_NOW, issuer=Unseen.ABSENT).actions
    assert action.revocation.final_at == NOW + DAY


def test_a_deleted_client_that_was_revoked_is_cut_off_for_good():
    (action,) = planned(deleting_since=JUST_NOW, spec=REVOKED_SPEC).actions
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
    assert "RemoveFinalizer" not in asked(deleting_since=since, records=(HELD,))


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
    (action,) = planned(deleting_since=LONG_AGO, **world).actions
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
    plan = planned(deleting_since=JUST_NOW, records=(HELD,), **world)
    assert (plan.actions, plan.due) == ((), due)


def test_a_deletion_that_takes_longer_says_why():
    reasons = told(deleting_since=NOW - 10 * SECOND, records=(HELD,))
    assert reasons == {"Ready": "Deleting", "Admitted": "CuttingOff"}


def test_a_deleted_client_with_a_spec_nobody_can_read_is_cut_off_all_the_same():
    assert asked(deleting_since=JUST_NOW, spec="spec: junk") == ["Revoke"]


@pytest.mark.promise(2)
def test_a_deleted_client_is_issued_nothing():
    assert asked(deleting_since=JUST_NOW, secret=Unseen.ABSENT, pending=on_its_way()) == ["RemoveFinalizer"]

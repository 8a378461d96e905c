"""What is left alone: an issuer's gates are closed, a client's live serials are held; and who is only thought to be gone."""

from dataclasses import replace

import pytest

from doorward.objects.ledger_record import Revocation
from doorward.planning import gone, timing
from doorward.planning.gone import GRACE, IssuerGone, Strays
from doorward.planning.observed import GateState
from doorward.planning.plan import CloseGate, MarkMissing, Plan, RemoveGate
from tests.unit import given
from tests.unit.given import HOUR, NOW, SECOND

LONG_AGO = NOW - HOUR


def gate(namespace="edge", state=GateState.STALE):
    return given.gate(namespace, targets=(), allowed=False, state=state)


def missing(serial, since=LONG_AGO, **record):
    return replace(given.record(serial, **record), missing_since=since)


def strays(**override):
    found = {
        "records": (missing(1),),
        "back": (),
        "gone": True,
        "undo_windows": {given.ISSUER: 2 * HOUR},
        "skew": 0 * SECOND,
    }
    return Strays(**found | override)


# The gates of an issuer


def test_every_gate_of_an_issuer_that_is_gone_is_closed():
    plan = gone.close(IssuerGone(sure=True, gates=(gate("edge"), gate("shop"))), NOW)
    assert plan.actions == (CloseGate(namespace="edge"), CloseGate(namespace="shop"))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(IssuerGone(sure=False, gates=(gate(),)), id="the API server does not say that it is gone"),
        pytest.param(IssuerGone(sure=True, gates=(gate(state=GateState.REFUSED),)), id="the last try was refused"),
        pytest.param(IssuerGone(sure=True, gates=(gate(state=GateState.UNKNOWN),)), id="it was not looked at yet"),
    ],
)
def test_a_gate_is_left_for_now_where(seen):
    plan = gone.close(seen, NOW)
    assert plan.actions == ()
    assert NOW < plan.due <= NOW + timing.LOOK_AGAIN


def test_a_gate_that_admits_nobody_is_deleted_once_its_data_plane_has_taken_that():
    closed = replace(gate(state=GateState.CLOSED), removable_at=NOW + SECOND)
    assert gone.close(IssuerGone(sure=True, gates=(closed,)), NOW) == Plan(due=NOW + SECOND)
    (action,) = gone.close(IssuerGone(sure=True, gates=(closed,)), NOW + SECOND).actions
    assert action == RemoveGate(namespace="edge")


def test_an_issuer_that_left_no_gate_needs_nothing():
    assert gone.close(IssuerGone(sure=True, gates=()), NOW).due is None


# The serials of a client


def test_a_live_serial_without_a_client_certificate_is_held_as_at_a_deletion():
    (revoke,) = gone.hold(strays(), NOW).actions
    held = Revocation(reason="certificateHold", time=NOW, final_at=NOW + 2 * HOUR, held_by="Deletion")
    assert revoke.revocation == held


def test_it_is_held_for_a_day_where_its_issuer_is_gone_too():
    (revoke,) = gone.hold(strays(undo_windows={}), NOW).actions
    assert revoke.revocation.final_at == NOW + 24 * HOUR


def test_a_serial_that_was_lifted_is_held_again():
    (revoke,) = gone.hold(strays(records=(missing(1, revocation=given.hold(lifted=True)),)), NOW).actions
    assert not revoke.revocation.lifted


@pytest.mark.parametrize(
    ("seen", "due"),
    [
        pytest.param({"records": (missing(1, NOW - SECOND),)}, NOW - SECOND + GRACE, id="it is missing for a second"),
        pytest.param(
            {"records": (missing(1, NOW + HOUR),)},
            NOW + GRACE,
            id="it is missing from the future on: a clock was wrong",
        ),
        pytest.param({"gone": False}, NOW + gone.ASK_AGAIN, id="the API server does not say that it is gone"),
        pytest.param({"records": ()}, None, id="nobody is missing"),
        pytest.param({"skew": HOUR}, NOW + timing.LOOK_AGAIN, id="the clocks disagree"),
    ],
)
def test_nobody_is_held_while(seen, due):
    plan = gone.hold(strays(**seen), NOW)
    assert (plan.actions, plan.due) == ((), due)


def test_a_record_whose_client_certificate_is_found_missing_first_is_marked_and_waits():
    new, old = given.record(1), missing(2)
    plan = gone.hold(strays(records=(new, old)), NOW)
    mark, revoke = plan.actions
    assert mark == MarkMissing(record=new, since=NOW)
    assert (revoke.record, plan.due) == (old, LONG_AGO + GRACE)


def test_nobody_is_marked_who_is_not_known_to_be_gone():
    assert gone.hold(strays(records=(given.record(1),), gone=False), NOW).actions == ()


def test_a_record_whose_client_certificate_is_back_is_not_marked_any_more():
    assert gone.hold(strays(records=(), back=(missing(1),)), NOW).actions == (
        MarkMissing(record=missing(1), since=None),
    )

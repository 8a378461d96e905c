"""When a gate is closed, when it is deleted, and what is said of one that cannot be."""

from dataclasses import replace

import pytest

from doorward.planning import closing, timing
from doorward.planning.observed import GateState
from doorward.planning.plan import CloseGate, RemoveGate
from tests.unit import given
from tests.unit.given import NOW, SECOND

CLOSE, REMOVE = (CloseGate(namespace="edge"),), (RemoveGate(namespace="edge"),)
NOBODY_ASKS = {"targets": ()}
pytestmark = pytest.mark.promise(3)


@pytest.mark.parametrize(
    ("gate", "everywhere", "expected"),
    [
        pytest.param({"allowed": False}, False, CLOSE, id="its namespace is not allowed"),
        pytest.param({"allowed": False} | NOBODY_ASKS, False, CLOSE, id="not allowed, and nobody asks for it"),
        pytest.param({}, True, CLOSE, id="no CA may be trusted"),
        pytest.param(NOBODY_ASKS, True, CLOSE, id="no CA may be trusted, and nobody asks for it"),
        pytest.param(NOBODY_ASKS | {"idle_until": NOW}, False, CLOSE, id="nobody has asked for it for a while"),
        pytest.param(
            NOBODY_ASKS | {"idle_until": NOW, "state": GateState.STALE}, False, CLOSE, id="nor is it up to date"
        ),
        pytest.param(NOBODY_ASKS | {"idle_until": NOW + SECOND}, False, (), id="nobody has asked for it for a moment"),
        pytest.param({"allowed": None}, True, CLOSE, id="no CA may be trusted, and the labels are unknown"),
        pytest.param({"allowed": None}, False, (), id="whether it is allowed is unknown"),
        pytest.param({}, False, (), id="it is allowed"),
        pytest.param({"allowed": False, "state": GateState.STALE}, False, CLOSE, id="an old bundle"),
        pytest.param(
            {"allowed": False, "state": GateState.UNREADABLE}, False, CLOSE, id="a bundle that cannot be read"
        ),
        pytest.param({"allowed": False, "state": GateState.DENIED}, False, CLOSE, id="seen before the consent went"),
        pytest.param({"allowed": False, "state": GateState.DENIED, "held": False}, False, (), id="never seen at all"),
        pytest.param({"allowed": False, "state": GateState.FOREIGN}, False, CLOSE, id="a planted one"),
        pytest.param({"allowed": False, "state": GateState.FOREIGN} | NOBODY_ASKS, False, (), id="another's own"),
        pytest.param({"allowed": False, "state": GateState.ABSENT}, False, (), id="there is none"),
        pytest.param({"allowed": False, "state": GateState.REFUSED}, False, (), id="a write was refused a moment ago"),
        pytest.param(
            {"allowed": False, "state": GateState.NOT_CLOSED}, False, (), id="it could not be closed a moment ago"
        ),
        pytest.param({"allowed": False, "state": GateState.UNKNOWN}, False, (), id="it was not looked at yet"),
    ],
)
def test_a_gate_is_closed_where(gate, everywhere, expected):
    assert tuple(closing.actions((given.gate(**gate),), NOW, everywhere=everywhere)) == expected


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        pytest.param({"allowed": False}, REMOVE, id="it is not allowed"),
        pytest.param(NOBODY_ASKS, REMOVE, id="nobody asks for it"),
        pytest.param({"allowed": False} | NOBODY_ASKS, REMOVE, id="neither"),
        pytest.param({}, (), id="it is allowed again: then it is opened"),
        pytest.param({"allowed": None}, (), id="whether it is allowed again is unknown"),
    ],
)
def test_a_closed_gate_is_deleted_when_its_data_plane_has_taken_that_and(gate, expected):
    closed = given.gate(state=GateState.CLOSED, removable_at=NOW, **gate)
    assert tuple(closing.actions((closed,), NOW)) == expected
    assert tuple(closing.actions((closed,), NOW - SECOND)) == ()
    assert closing.due((closed,), NOW - SECOND) == (NOW if expected else None)


def test_one_that_nobody_asks_for_is_looked_at_when_its_time_is_over():
    idle = given.gate(targets=(), idle_until=NOW)
    assert closing.due((idle,), NOW - SECOND) == NOW
    assert closing.due((idle,), NOW) is None
    assert closing.due((replace(idle, state=GateState.CLOSED),), NOW - SECOND) is None


@pytest.mark.parametrize("state", [GateState.REFUSED, GateState.NOT_CLOSED, GateState.UNKNOWN])
def test_one_that_is_not_closed_yet_is_looked_at_again(state):
    soon = NOW + timing.LOOK_AGAIN
    assert closing.due((given.gate(state=state, allowed=False),), NOW) == soon
    assert closing.due((given.gate(state=state),), NOW, everywhere=True) == soon
    assert closing.due((given.gate(state=state),), NOW) is None
    assert closing.due((given.gate("two"), given.gate(state=state, allowed=False)), NOW) == soon


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        pytest.param({"state": GateState.NOT_CLOSED}, True, id="it was tried, and refused"),
        pytest.param({"state": GateState.NOT_CLOSED} | NOBODY_ASKS, True, id="so it was, and nobody asks for it"),
        pytest.param(
            {"state": GateState.REFUSED, "allowed": False}, True, id="a write was refused, and it is not allowed"
        ),
        pytest.param({"state": GateState.DENIED, "allowed": False}, True, id="the consent was withdrawn"),
        pytest.param({"state": GateState.UNREADABLE, "allowed": False}, True, id="it cannot be read"),
        pytest.param({"state": GateState.DENIED, "allowed": False, "held": False}, False, id="it was never seen"),
        pytest.param({"state": GateState.CLOSED, "allowed": False}, False, id="it admits nobody, and is deleted soon"),
        pytest.param({"state": GateState.ABSENT, "allowed": False}, False, id="it is gone"),
        pytest.param({"state": GateState.REFUSED}, False, id="it is to admit clients"),
    ],
)
def test_it_is_told_that_a_gate_is_not_closed_where(gate, told):
    seen = given.gate(**gate)
    assert bool(closing.not_closed((seen,))) is told


REFUSING = given.gate(left_alone_until=NOW + 15 * SECOND)


def test_a_gate_that_refused_to_be_closed_is_left_alone_until_it_is_due_again():
    others = given.gate("two")
    assert [a.namespace for a in closing.actions((REFUSING, others), NOW, everywhere=True)] == ["two"]
    assert closing.due((REFUSING,), NOW, everywhere=True) == NOW + 15 * SECOND
    later = closing.actions((REFUSING,), NOW + 15 * SECOND, everywhere=True)
    assert [a.namespace for a in later] == [REFUSING.namespace]


def test_a_gate_that_refused_and_may_admit_clients_again_is_due_for_nothing():
    assert closing.due((REFUSING,), NOW) is None

"""Which gates get what is published, and which of them wait for a new CRL first."""

import pytest

from doorward.planning import issuer, opening
from doorward.planning.observed import GateState
from doorward.planning.plan import CloseGate, PublishCrl, WriteGate
from tests.unit import given
from tests.unit.given import NOW, SECOND

NOW_NUMBER = int(NOW.timestamp() * 1000)
PUBLISHED = NOW_NUMBER - 3_600_000
"""An hour ago."""


@pytest.mark.parametrize(
    ("opens_from", "published", "waits"),
    [
        pytest.param(0, PUBLISHED, False, id="it was never closed"),
        pytest.param(PUBLISHED + 1, PUBLISHED, True, id="it held the published CRL when it was closed"),
        pytest.param(PUBLISHED, PUBLISHED, False, id="it held the one before"),
        pytest.param(PUBLISHED - 9, PUBLISHED, False, id="it held an old one"),
        pytest.param(NOW_NUMBER - 1, PUBLISHED, True, id="closed later, and what it held is unknown"),
        pytest.param(NOW_NUMBER, PUBLISHED, True, id="closed now, and what it held is unknown"),
        pytest.param(NOW_NUMBER, NOW_NUMBER, False, id="published since"),
        pytest.param(NOW_NUMBER + 1, PUBLISHED, False, id="no CRL of now has this number"),
        pytest.param(1 << 158, PUBLISHED, False, id="no CRL will ever have this number"),
        pytest.param(NOW_NUMBER + 8, NOW_NUMBER + 7, True, id="it held the published CRL, whose number is ahead"),
        pytest.param(NOW_NUMBER + 9, NOW_NUMBER + 7, False, id="the next CRL is not high enough"),
    ],
)
def test_a_gate_waits_for_a_new_crl_where(opens_from, published, waits):
    assert opening.must_publish((given.gate(opens_from=opens_from),), published, NOW) == waits


def _plan(*gates, now=NOW):
    return issuer.decide(given.trust_domain(gates=gates), now).plan


def _closed(namespace="edge", **override):
    number = given.published().number
    return given.gate(namespace, **{"state": GateState.CLOSED, "opens_from": number + 1} | override)


@pytest.mark.parametrize("state", [GateState.CLOSED, GateState.STALE], ids=["it was closed", "by an operator before"])
def test_a_closed_gate_that_held_what_is_published_is_opened_with_a_new_crl(state):
    (action,) = _plan(_closed(state=state)).actions
    assert isinstance(action, PublishCrl)


def test_one_crl_is_enough_for_all_gates_that_open():
    number = given.published().number
    gates = [_closed(str(n), opens_from=number + 1 - n) for n in range(3)]
    assert given.names(_plan(*gates).actions) == ["PublishCrl"]
    later = given.published(number=number + 1)
    plan = issuer.decide(given.trust_domain(gates=tuple(gates), published=later), NOW).plan
    assert plan.actions == tuple(WriteGate(namespace=gate.namespace) for gate in gates)


def test_a_gate_that_must_close_does_not_wait_for_that_crl():
    assert _plan(_closed(), given.gate("other", allowed=False)).actions == (CloseGate(namespace="other"),)


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({"targets": ()}, id="nobody asks for it"),
        pytest.param({"targets": (), "state": GateState.STALE}, id="nor did before the operator started again"),
        pytest.param({"allowed": False}, id="it is not allowed"),
        pytest.param({"allowed": None}, id="whether it is allowed is unknown"),
        pytest.param({"state": GateState.REFUSED}, id="it was refused a moment ago"),
    ],
)
def test_no_crl_is_published_for_a_closed_gate_where(gate):
    assert given.names(_plan(_closed(**gate)).actions) == ["WriteStatus"]


def test_a_closed_gate_that_nobody_asks_for_is_not_opened_for_a_while_when_the_operator_starts_again():
    gate = _closed(state=GateState.STALE, targets=(), idle_until=NOW + SECOND)
    assert _plan(gate).actions == (CloseGate(namespace="edge"),)


@pytest.mark.parametrize(
    ("gate", "written"),
    [
        pytest.param({"state": GateState.ABSENT}, True, id="it is not there"),
        pytest.param({"state": GateState.FOREIGN}, True, id="it is somebody else's"),
        pytest.param({"state": GateState.STALE}, True, id="it holds an old CRL"),
        pytest.param({"state": GateState.CURRENT}, False, id="it holds what is published"),
        pytest.param({"state": GateState.STALE, "targets": ()}, True, id="an old CRL, and nobody asks for it"),
        pytest.param({"state": GateState.CURRENT, "targets": ()}, False, id="it is current, and nobody asks for it"),
        pytest.param({"state": GateState.ABSENT, "targets": ()}, False, id="it is not there, and nobody asks for it"),
        pytest.param(
            {"state": GateState.STALE, "targets": (), "idle_until": NOW},
            False,
            id="nobody has asked for it for a while",
        ),
        pytest.param({"state": GateState.STALE, "allowed": False}, False, id="it is not allowed"),
    ],
)
def test_a_gate_gets_what_is_published_where(gate, written):
    made = given.gate(**gate)
    assert list(opening.to_write([made], NOW)) == ([made] if written else [])

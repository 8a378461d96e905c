"""What an MTLSIssuer says of its targets while this process does not know all of them yet."""

from dataclasses import replace

import pytest

from doorward.planning.enforcement import Probed
from doorward.planning.observed import Gate, GateState
from doorward.planning.targets_status import conditions, enforcement
from doorward.planning.targets_told import Told
from tests.unit.given import NOW, trust_domain

SAID = [
    {"type": "HostsProtected", "reason": "SomeNotProtected", "message": "edge/shop: PlainHTTP"},
    {"type": "Enforced", "reason": "ProbesRefused", "message": "all refuse"},
    {"type": "ServicesGuarded", "reason": "ServicesUnprotected", "message": "edge/preview"},
]
LISTED = [{"namespace": "edge", "target": "shop", "host": "shop.example", "enforced": "True"}]
GATE = Gate(namespace="edge", state=GateState.CURRENT, targets=("edge/shop",), allowed=True)


def observed(**more):
    return replace(trust_domain(status={"conditions": SAID, "enforcement": LISTED}), probed=Probed(), **more)


def test_what_was_said_stays_until_all_targets_were_heard_of():
    seen = observed(gates=(), gates_known=False)
    assert [(c.reason.name, c.message) for c in conditions(seen, NOW)] == [(s["reason"], s["message"]) for s in SAID]
    assert enforcement(seen, NOW) == LISTED


@pytest.mark.parametrize(
    ("counts", "stays"), [({}, True), ({"Protected": 1}, False)], ids=["not looked at", "looked at"]
)
def test_what_probes_showed_and_targets_were_told_stays_until_all_were_looked_at(counts, stays):
    seen = observed(gates=(GATE,), told=Told(counts=counts))
    reasons = {c.reason.name for c in conditions(seen, NOW)}
    assert ("ProbesRefused" in reasons, "SomeNotProtected" in reasons) == (stays, stays)
    assert (enforcement(seen, NOW) == LISTED) == stays


def test_of_targets_that_are_gone_nothing_is_said():
    assert list(conditions(observed(gates=()), NOW)) == []

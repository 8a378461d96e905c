"""What an Ingress is told of the gate service: it is asked, or the issuer chose otherwise, or somebody keeps it from being asked."""

import pytest

from doorward.planning import gate
from doorward.planning.observed import Unseen
from tests.unit import given
from tests.unit.given import NOW

FIX = "remove the annotation x"


def decided(mode: str, unasked: str = ""):
    return gate.decide(given.target(issuer=given.issuer_spec(enforcement={"mode": mode}), unasked=unasked), NOW)


@pytest.mark.parametrize(("mode", "every_request"), [("EveryRequest", True), ("Handshake", False)])
def test_the_issuer_chooses_when_it_is_decided(mode, every_request):
    made = decided(mode)
    assert made.protection is not None
    assert made.protection.every_request is every_request
    assert made.said is not None
    assert made.said.reason.name == "Protected"


def test_every_request_is_the_default_also_while_the_issuer_is_not_there():
    for issuer in (given.issuer_spec(), Unseen.ABSENT):
        made = gate.decide(given.target(issuer=issuer), NOW)
        assert made.protection is not None
        assert made.protection.every_request


def test_who_keeps_the_gate_service_from_being_asked_is_told_and_the_rest_is_protected():
    made = decided("EveryRequest", FIX)
    assert made.protection is not None
    assert made.said is not None
    assert made.said.reason.name == "NotAsked"
    assert FIX in made.said.message


def test_where_the_handshake_decides_nobody_has_to_ask():
    made = decided("Handshake", FIX)
    assert made.said is not None
    assert made.said.reason.name == "Protected"

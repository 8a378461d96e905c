"""A CRL that does not fit into its ConfigMap is never truncated: the issuer stops, and says why."""

import pytest

from doorward.planning import issuer
from doorward.planning.plan import PublishCrl, WriteGate
from tests.unit import given

REVOKED = tuple(given.record(serial, revocation=given.revocation()) for serial in (1, 2, 3))
PUBLISHED = given.published(given.entry(1), given.entry(2))


def world(**override):
    return given.trust_domain(**{"records": REVOKED, "published": PUBLISHED, "overflow": 3} | override)


def ready(plan):
    (write,) = plan.actions
    return given.reasons(write.status)["Ready"]


def test_an_issuer_whose_crl_did_not_fit_says_so_and_looks_again():
    plan = issuer.decide(world(), given.NOW).plan
    assert ready(plan) == "CrlFull"
    assert given.NOW < plan.due <= given.NOW + issuer.FULL_AGAIN


def test_an_issuer_whose_crl_did_not_fit_signs_no_more():
    assert issuer.decide(world(), given.NOW).signing.reason.name == "CrlFull"


@pytest.mark.parametrize(
    "override",
    [
        pytest.param({"overflow": None}, id="none was too large"),
        pytest.param({"overflow": 4}, id="the ledger asks for fewer entries than did not fit"),
    ],
)
def test_a_crl_is_published_when(override):
    (action,) = issuer.decide(world(**override), given.NOW).plan.actions
    assert isinstance(action, PublishCrl)
    assert issuer.decide(world(**override), given.NOW).signing == given.authority()


def test_gates_still_get_the_crl_that_was_published_last():
    stale = given.gate(state=given.GateState.STALE)
    (action,) = issuer.decide(world(gates=(stale,)), given.NOW).plan.actions
    assert action == WriteGate(namespace="edge")


def test_what_a_ca_that_is_over_had_to_refuse_takes_no_room():
    two = given.authority(generation=2)
    old = given.trust({2: (two, given.crl())})
    o = world(authority=two, published=old, overflow=3)
    decision = issuer.decide(o, given.NOW)
    assert "PublishCrl" not in given.names(decision.plan.actions)
    assert decision.signing == two

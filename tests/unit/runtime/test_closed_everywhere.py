"""A CA that is distrusted leaves all gates at once; one that cannot be closed holds up nobody else, and is told."""

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import ISSUER_AT, PEOPLE, host_spec
from tests.unit.runtime.looks import GATE, issuer_said, live, said, serial

OUTSIDE = ObjectKey("outside", GATE)


@pytest.fixture
def refusing(served):
    """A gate of alice's and bob's issuer in a namespace that takes no write any more."""
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": OUTSIDE.namespace}}, PEOPLE)
    annotations = {"doorward.io/issuer": str(ISSUER_AT)}
    body = {"metadata": {"name": "shop", "annotations": annotations}, "spec": host_spec("outside.example")}
    served.cluster.create(INGRESS, OUTSIDE.namespace, body, PEOPLE)
    served.settle()
    refused = Forbidden("a policy", status=403)
    served.gateway.refuse = lambda write: refused if write.namespace == OUTSIDE.namespace else None
    return served


def test_clients_get_certificates_from_the_next_ca_though_one_gate_refuses_to_be_closed(refusing):
    stolen = serial(refusing, "alice")
    refusing.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    refusing.advance(120)
    assert said(refusing, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert serial(refusing, "alice") != stolen
    told = issuer_said(refusing)
    assert (told["Ready"], told["GatesCurrent"] in ("GatesNotClosed", "SomeNotCurrent")) == ("Signing", True)


def test_the_gate_gets_the_next_ca_as_soon_as_it_takes_it(refusing):
    stolen = serial(refusing, "alice")
    refusing.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    refusing.advance(120)
    refusing.gateway.refuse = lambda _: None
    refusing.advance(180)
    assert issuer_said(refusing)["GatesCurrent"] == "AllCurrent"
    assert refusing.cluster.find(SECRET, OUTSIDE)["data"] == refusing.find(SECRET, GATE)["data"]
    assert stolen not in live(refusing)


def test_an_unused_gate_that_refuses_to_be_closed_is_told_and_holds_up_no_cut_off(refusing):
    refusing.cluster.delete(INGRESS, ObjectKey(OUTSIDE.namespace, "shop"), PEOPLE)
    refusing.advance(1200)
    assert issuer_said(refusing) == issuer_said(refusing) | {"Ready": "Signing", "GatesCurrent": "GatesNotClosed"}
    refusing.apply("alice", revoked=True)
    refusing.advance(10)
    assert said(refusing, "alice")["Admitted"] == "Revoked"

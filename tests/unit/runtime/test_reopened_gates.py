"""A gate that was closed opens with bytes that it never held before, for one CRL, whoever opens it."""

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CONFIG_MAP, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.objects import closed_bundle
from doorward.objects.crl_configmap import parse_gate, render_gate
from doorward.objects.meta import ObjectKey
from doorward.pki.keys import generate
from tests.support.operator_bed import ISSUER_AT, PEOPLE, host_spec
from tests.unit.given import NOW
from tests.unit.runtime.looks import CRL, GATE, issuer_said

HOUR = 3600


@pytest.fixture
def far(served):
    """Two other namespaces that are allowed, each with a host."""
    allow(served, "All")
    for namespace in ("far", "away"):
        served.cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, PEOPLE)
        host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
        served.cluster.create(INGRESS, namespace, {"metadata": host, "spec": host_spec(f"{namespace}.example")}, PEOPLE)
    served.settle()
    return served


def allow(bed, namespaces):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": namespaces}}}})


def closed(bed):
    allow(bed, "Same")
    bed.advance(5)
    assert closed_bundle.has_this_form(held(bed).anchors)


def held(bed, namespace="far"):
    return parse_gate(bed.cluster.find(SECRET, ObjectKey(namespace, GATE)))


def crl(bed):
    return bed.find(CONFIG_MAP, CRL)["data"]["ca.crl"].encode()


def publications(bed):
    """How many versions of the CRL there were."""
    changes = [change for change in bed.cluster.history if (change.kind, change.at.name) == (CONFIG_MAP, CRL)]
    return len(changes)


def former(bed):
    """All that the gate has held."""
    changes = [c for c in bed.cluster.history if (c.kind, c.at) == (SECRET, ObjectKey("far", GATE)) and c.becomes]
    return [parse_gate(change.becomes).crl for change in changes]


@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
def test_all_gates_that_open_again_hold_one_new_crl(far, restart):
    before, publication = held(far).crl, publications(far)
    closed(far)
    if restart:
        far.kill()
    allow(far, "All")
    if restart:
        far.start()
    far.settle()
    assert {held(far).crl, held(far, "away").crl} == {crl(far)}
    assert crl(far) != before
    assert former(far).count(crl(far)) == 1
    assert publications(far) == publication + 1
    assert issuer_said(far)["GatesCurrent"] == "AllCurrent"


def test_after_that_a_restart_writes_nothing(far):
    closed(far)
    allow(far, "All")
    far.settle()
    far.restart()
    far.settle()
    assert far.writes(far.gateway) == []


def test_a_crl_that_was_published_while_the_gate_was_closed_is_new_enough(far):
    closed(far)
    far.apply("bob", revoked=True)
    far.advance(5)
    publication = publications(far)
    allow(far, "All")
    far.settle()
    assert (held(far).crl, publications(far)) == (crl(far), publication)


@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
def test_a_gate_that_cannot_be_written_for_an_hour_costs_one_crl(far, restart):
    publication = publications(far)
    closed(far)
    refused = Forbidden("may not update", status=403)

    def refuse():
        far.gateway.refuse = lambda write: refused if (write.namespace, write.kind) == ("far", "Secret") else None

    refuse()
    allow(far, "All")
    far.advance(HOUR / 2)
    if restart:
        far.restart()
        refuse()
    far.advance(HOUR / 2)
    assert closed_bundle.has_this_form(held(far).anchors)
    assert publications(far) == publication + 1
    far.gateway.refuse = lambda _: None
    far.settle()
    assert (held(far).crl, publications(far)) == (crl(far), publication + 1)


def test_a_gate_that_could_not_be_read_when_it_was_closed_opens_with_a_new_crl_too(far):
    before = held(far).crl
    far.gateway.refuse_reads = lambda kind, namespace: (
        Forbidden("may not get", status=403) if (kind, namespace) == (SECRET, "far") else None
    )
    label = {"metadata": {"labels": {"a": "b"}}}
    far.cluster.merge_patch(SECRET, ObjectKey("far", GATE), label, PEOPLE, "")  # it is another version than was read
    far.advance(1)
    closed(far)
    far.gateway.refuse_reads = lambda *_: None
    allow(far, "All")
    far.settle()
    assert held(far).crl == crl(far) != before


@pytest.mark.parametrize("number", [1, 1 << 62, (1 << 159) - 1])
def test_a_closed_bundle_with_any_number_costs_one_crl_at_most(far, number):
    publication = publications(far)
    forged = closed_bundle.admits_nobody(generate(closed_bundle.KEY_KIND), 7, NOW, number=number)
    data = render_gate(ISSUER_AT, "far", forged, since=NOW, version=None)["data"]
    far.cluster.merge_patch(SECRET, ObjectKey("far", GATE), {"data": data}, PEOPLE, "")
    far.settle()
    assert held(far).crl == crl(far)
    assert publications(far) <= publication + 1


def test_a_gate_that_was_deleted_by_hand_needs_no_new_crl(far):
    before = held(far).crl
    far.cluster.delete(SECRET, ObjectKey("far", GATE), PEOPLE)
    far.settle()
    assert held(far).crl == crl(far) == before

"""An Ingress is closed at once and told last: ingress-nginx, hearing of Secret and Ingress at once, may keep the older view."""

import pytest

from doorward.cluster.gateway import INGRESS, SECRET
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.objects.meta import parse_instant
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW

GATE_NAME = f"doorward.{NAMESPACE_NAME}.{ISSUER_AT.name}"
CLOSED = {ingress_nginx.SECRET: f"{NAMESPACE_NAME}/{GATE_NAME}"}


@pytest.fixture
def bed():
    """An issuer that signs; nobody has opted in yet."""
    with OperatorBed(NOW) as made:
        made.issuer()
        made.settle()
        yield made


def annotations(bed):
    return bed.find(INGRESS, "shop")["metadata"]["annotations"]


def close(bed):
    """An Ingress as the admission policy leaves it: closed from its creation."""
    named = {"doorward.io/issuer": str(ISSUER_AT)} | CLOSED
    body = {"metadata": {"name": "shop", "annotations": named}, "spec": {}}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)


def seconds_of_gate(bed):
    made = bed.find(SECRET, GATE_NAME)["metadata"]["creationTimestamp"]
    return (bed.cluster.now() - parse_instant(made)).total_seconds()


def told_after(bed):
    """How old the gate is, in seconds, when the Ingress is told."""
    for _ in range(200):
        if ingress_nginx.GATE in annotations(bed):
            return seconds_of_gate(bed)
        bed.advance(0.1)
    raise AssertionError("it is never told")


@pytest.mark.promise(3)
def test_where_no_policy_closed_it_it_is_closed_at_once(bed):
    bed.ingress()
    bed.advance(0.1)
    assert annotations(bed).items() >= CLOSED.items()
    assert ingress_nginx.GATE not in annotations(bed)


@pytest.mark.parametrize("make", [OperatorBed.ingress, close], ids=["without a policy", "closed by the policy"])
def test_it_is_told_when_its_gate_has_been_there_for_two_seconds(bed, make):
    make(bed)
    assert 2 <= told_after(bed) < 4


def test_what_the_policy_closed_is_not_written_before_its_gate_is_there(bed):
    close(bed)
    bed.advance(0.1)
    assert seconds_of_gate(bed) < 1
    assert [write for write in bed.gateway.writes if write.kind == "Ingress"] == []


def test_one_that_opts_in_beside_an_old_gate_is_told_at_once(bed):
    bed.ingress("office")
    bed.settle()
    bed.ingress()
    bed.advance(0.1)
    assert annotations(bed)[ingress_nginx.GATE].startswith("Protected: ")

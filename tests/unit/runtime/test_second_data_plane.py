"""A data plane that is made up here: what it takes to add one is a class of the interface, and nothing else."""

from datetime import timedelta

import pytest

from doorward.cluster.gateway import ISSUER, SECRET, Kind
from doorward.gates.interface import Target
from doorward.gates.registry import PLANES
from doorward.objects.meta import gate_secret_name, key_of
from doorward.planning.openings import Openings
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW

ROUTE = Kind("routes.example/v1", "Route", "routes")
GATE_NAME = f"doorward.{NAMESPACE_NAME}.{ISSUER_AT.name}"


class Routes:
    """Its targets name their issuer in an annotation, and are told their trust bundle in another."""

    kind = ROUTE
    settling_time = timedelta(seconds=5)
    settings_at = None
    asks = False

    def keep(self, body):
        return dict(body)

    def read(self, body):
        marks = body["metadata"].get("annotations") or {}
        return Target(key=key_of(body), reference=marks.get("issuer"), wants_optional=False, other_secret=False)

    def openings(self, body, sharing, around):  # noqa: ARG002 - it has none
        return Openings()

    def wanted(self, body, decision):
        if decision.protection is None:
            return None
        told = decision.said.reason.name if decision.said is not None else ""
        wanted = {"clients": gate_secret_name(decision.protection.issuer), "told": told}
        return (
            None if body["metadata"]["annotations"].items() >= wanted.items() else {"metadata": {"annotations": wanted}}
        )

    def leftovers(self, body):
        ours = {"clients", "told"} & (body["metadata"].get("annotations") or {}).keys()
        return {"metadata": {"annotations": dict.fromkeys(ours)}} if ours else None


@pytest.fixture
def bed():
    with OperatorBed(NOW, planes=(*PLANES, Routes())) as made:
        made.issuer()
        made.settle()
        yield made


def open_route(bed, issuer=str(ISSUER_AT)):
    body = {"metadata": {"name": "api", "annotations": {"issuer": issuer}}, "spec": {}}
    bed.cluster.create(ROUTE, NAMESPACE_NAME, body, PEOPLE)
    bed.settle()


def test_its_targets_get_a_gate_and_are_told_of_it(bed):
    open_route(bed)
    told = {"issuer": str(ISSUER_AT), "clients": GATE_NAME, "told": "Protected"}
    assert bed.find(ROUTE, "api")["metadata"]["annotations"] == told
    assert bed.find(SECRET, GATE_NAME) is not None


def test_its_gates_hold_what_is_published(bed):
    open_route(bed)
    bed.apply("alice")
    bed.settle()
    before = bed.find(SECRET, GATE_NAME)["data"]["ca.crl"]
    bed.apply("alice", revoked=True)
    bed.settle()
    assert bed.find(SECRET, GATE_NAME)["data"]["ca.crl"] != before


def test_a_target_that_opts_out_is_released(bed):
    open_route(bed)
    bed.edit(ROUTE, "api", {"metadata": {"annotations": {"issuer": None}}})
    bed.settle()
    assert not bed.find(ROUTE, "api")["metadata"].get("annotations")


def test_two_data_planes_in_one_namespace_share_its_gate(bed):
    bed.ingress()
    open_route(bed)
    status = bed.find(ISSUER, ISSUER_AT.name)["status"]
    assert [gate["namespace"] for gate in status["gates"]] == [NAMESPACE_NAME]
    assert sorted(status["gates"][0]["targets"]) == ["api", "shop"]

"""Whether clients of other hosts are kept from those of an issuer, as the running operator finds it: the condition HostsSeparated."""

import pytest

from doorward.cluster.gateway import INGRESS, ISSUER
from doorward.gates.registry import planes
from doorward.planning.enforcement import Heard
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit import given
from tests.unit.given import NOW
from tests.unit.runtime.test_probes import AWAY, REFUSED, Told, enforced

ALERT = Heard(alert="tlsv1 unrecognized name")
OTHER_CA = Heard(authorities=frozenset({b"theirs"}))
SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def bed(told):
    with OperatorBed(NOW, finalizer_at_creation=True, prober=told) as made:
        made.issuer()
        made.ingress()
        made.settle()
        yield made


@pytest.fixture
def asked(told):
    """The gate service is installed."""
    with OperatorBed(NOW, planes=planes(SERVICE), prober=told, gate_service=SERVICE) as made:
        made.issuer()
        made.ingress()
        made.settle()
        yield made


def separated(bed):
    return enforced(bed, "HostsSeparated")[:2]


@pytest.mark.promise(3)
def test_each_change_of_the_controller_is_said_within_seconds(bed, told):
    assert separated(bed) == ("Unknown", "SeparationNotVerified")
    told.greeted = OTHER_CA
    bed.advance(20)
    assert separated(bed) == ("False", "OtherCAWithoutSNI")
    assert "replica 192.0.2.7 asks for certificates" in enforced(bed, "HostsSeparated")[2]
    told.greeted = ALERT
    bed.advance(20)
    assert separated(bed) == ("True", "UnknownNamesRefused")
    told.greeted = Heard(trouble="cannot be reached on port 443 (refused)", connected=False)
    bed.advance(20)
    assert separated(bed) == ("Unknown", "SeparationNotVerified")


@pytest.mark.promise(3)
def test_with_the_gate_service_it_is_so_whatever_handshakes_show(asked, told):
    told.greeted = OTHER_CA
    asked.advance(20)
    assert separated(asked) == ("True", "EveryRequestChecked")
    asked.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "Handshake"}}})
    asked.settle()
    assert separated(asked) == ("False", "OtherCAWithoutSNI")
    asked.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "EveryRequest"}}})
    asked.settle()
    assert separated(asked) == ("True", "EveryRequestChecked")


@pytest.mark.promise(3)
def test_one_ingress_that_does_not_ask_the_gate_service_is_enough(asked):
    mark = {"nginx.ingress.kubernetes.io/auth-url": "http://oauth.example/"}
    asked.edit(INGRESS, "shop", {"metadata": {"annotations": mark}})
    asked.settle()
    assert asked.find(INGRESS, "shop")["metadata"]["annotations"]["doorward.io/gate"].startswith("NotAsked")
    assert separated(asked) == ("Unknown", "SeparationNotVerified")


@pytest.mark.promise(3)
def test_annotations_are_not_believed_where_no_probe_shows_that_the_host_is_served(asked, told):
    told.finds = AWAY
    asked.advance(30)
    assert separated(asked) == ("Unknown", "SeparationNotVerified")
    told.finds = REFUSED
    asked.advance(30)
    assert separated(asked) == ("True", "EveryRequestChecked")


def test_a_probe_that_fails_by_a_fault_of_ours_is_tried_again(bed, told):
    told.greeted = RuntimeError("a bug")
    bed.restart()
    bed.advance(120)
    assert separated(bed) == ("Unknown", "SeparationNotVerified")
    told.greeted = ALERT
    bed.advance(20)
    assert separated(bed) == ("True", "UnknownNamesRefused")


def test_a_settled_operator_writes_nothing_and_a_restart_keeps_what_was_said(bed, told):
    told.greeted = ALERT
    bed.advance(20)
    before = bed.find(ISSUER, ISSUER_AT.name)["status"]
    assert bed.writes_of(lambda: bed.advance(600)) == []
    bed.restart()
    bed.settle()
    assert bed.writes(bed.gateway) == []
    assert bed.find(ISSUER, ISSUER_AT.name)["status"] == before


def test_every_issuer_with_a_gate_is_told_and_no_other(bed, told):
    for name in ("staff", "nobody"):
        body = {"metadata": {"name": name}, "spec": {"ca": {"generate": {"commonName": name}}}}
        bed.cluster.create(ISSUER, NAMESPACE_NAME, body, PEOPLE)
    cafe = {"metadata": {"name": "cafe", "annotations": {"doorward.io/issuer": f"{NAMESPACE_NAME}/staff"}}}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, cafe | {"spec": host_spec("cafe.example")}, PEOPLE)
    bed.settle()
    told.greeted = ALERT
    bed.advance(20)
    said = {name: given.reasons(bed.find(ISSUER, name)["status"]) for name in (ISSUER_AT.name, "staff", "nobody")}
    assert said[ISSUER_AT.name]["HostsSeparated"] == said["staff"]["HostsSeparated"] == "UnknownNamesRefused"
    assert "HostsSeparated" not in said["nobody"]


def test_without_probes_it_is_not_verified():
    with OperatorBed(NOW) as bed:
        bed.issuer()
        bed.ingress()
        bed.settle()
        assert separated(bed) == ("Unknown", "SeparationNotVerified")
        assert "--controller" in enforced(bed, "HostsSeparated")[2]

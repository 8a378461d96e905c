"""Issuers and clients that are gone, through the whole operator: the gates are closed, nobody gets in, and nobody is taken for gone."""

import pytest

from doorward.cluster.errors import Ending, Forbidden, NoSuchKind
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE
from tests.unit.runtime.looks import GATE, live, person_writes, record, serial

GRACE = {"minutes": 11}


def closed(bed):
    return bed.find(SECRET, GATE) is None


def forced_out(bed, name):
    """The finalizer is stripped, and the object goes, while the operator is down."""
    bed.kill()
    bed.edit(CLIENT_CERTIFICATE, name, {"metadata": {"finalizers": []}})
    bed.delete(CLIENT_CERTIFICATE, name)
    bed.start()


# Issuers


@pytest.mark.promise(3)
def test_the_gates_of_a_deleted_issuer_are_closed(served):
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    assert closed(served)


@pytest.mark.promise(3)
def test_the_gates_of_an_issuer_that_was_deleted_while_the_operator_was_down_are_closed(served):
    served.kill()
    served.delete(ISSUER, ISSUER_AT.name)
    served.start()
    served.settle()
    assert closed(served)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden("no", status=403), id="may not be read"),
        pytest.param(NoSuchKind("404 page not found", status=404), id="are of a kind that is not served"),
    ],
)
def test_no_gate_is_closed_while_issuers(served, error):
    served.kill()
    served.start(refuse_reads=lambda kind, _: error if kind == ISSUER else None)
    served.advance(400)
    assert not closed(served)


@pytest.mark.promise(1)
def test_an_issuer_made_again_opens_its_gates_to_the_same_clients_and_forgets_nobody(served):
    alice, bob = serial(served, "alice"), serial(served, "bob")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    served.issuer()
    served.settle()
    assert promises.gate_crls(served.cluster) == {NAMESPACE_NAME: {alice}}
    assert live(served) == {bob}


@pytest.mark.promise(1)
def test_a_client_that_is_deleted_while_its_issuer_is_gone_is_on_the_crl_once_it_is_back(served):
    alice = serial(served, "alice")
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    assert served.find(CLIENT_CERTIFICATE, "alice") is None
    served.issuer()
    served.settle()
    assert promises.gate_crls(served.cluster) == {NAMESPACE_NAME: {alice}}


# Clients


def test_the_client_of_an_object_that_went_by_force_is_held(served):
    alice = serial(served, "alice")
    forced_out(served, "alice")
    served.settle()
    assert alice in live(served)
    served.jump(**GRACE)
    served.settle()
    assert live(served) == {serial(served, "bob")}
    assert promises.newest_crl(served.cluster) == {alice}
    assert "finalAt" in record(served, alice)["spec"]["revocation"]


@pytest.mark.promise(1)
def test_a_start_does_not_begin_the_ten_minutes_again(served):
    alice = serial(served, "alice")
    forced_out(served, "alice")
    for _ in range(4):
        served.advance(10)
        assert alice in live(served)
        served.kill()
        served.jump(minutes=2, seconds=30)
        served.start()
    served.settle()
    assert alice not in live(served)
    assert promises.newest_crl(served.cluster) == {alice}


def test_the_ten_minutes_count_from_when_an_operator_first_misses_it(served):
    served.kill()
    served.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.jump(hours=5)
    served.start()
    served.settle()
    assert len(live(served)) == 2
    served.jump(**GRACE)
    served.settle()
    assert len(live(served)) == 1


def test_nobody_is_asked_for_by_name_before_all_were_listed(served):
    alice = serial(served, "alice")
    forced_out(served, "alice")
    served.kill()
    served.start(refuse_reads=lambda kind, _: Forbidden("no", status=403) if kind == CLIENT_CERTIFICATE else None)
    served.gateway.refuse_reads = lambda *_: None
    served.gateway.missing = lambda verb, kind, _: (verb, kind) == ("list", CLIENT_CERTIFICATE.name)
    served.advance(900)
    served.jump(**GRACE)
    served.advance(60)
    assert (alice in live(served), missing_since(served, alice)) == (True, None)
    served.gateway.missing = lambda *_: False
    served.advance(120)
    assert missing_since(served, alice)


def missing_since(bed, number):
    return record(bed, number)["metadata"].get("annotations", {}).get("doorward.io/missing-since")


def test_one_that_is_back_in_time_has_ten_minutes_when_it_is_forced_out_again(served):
    alice = serial(served, "alice")
    served.edit(SECRET, "alice-mtls", {"metadata": {"ownerReferences": None}})  # so that it is not collected
    forced_out(served, "alice")
    served.settle()
    assert missing_since(served, alice)
    served.jump(minutes=8)
    served.apply("alice")
    served.settle()
    assert (missing_since(served, alice), alice in live(served)) == (None, True)
    served.edit(SECRET, "alice-mtls", {"metadata": {"ownerReferences": None}})
    forced_out(served, "alice")
    served.advance(300)
    assert alice in live(served)
    served.jump(**GRACE)
    served.settle()
    assert alice not in live(served)


def test_a_hold_that_is_lifted_without_its_object_has_ten_minutes_of_its_own(served):
    alice = serial(served, "alice")
    forced_out(served, "alice")
    served.settle()
    served.jump(**GRACE)
    served.settle()
    assert (alice in live(served), missing_since(served, alice)) == (False, None)
    person_writes(served, alice, lifted=True)
    served.advance(300)
    assert alice in live(served)
    served.jump(**GRACE)
    served.settle()
    assert alice not in live(served)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden("no", status=403), id="may not be read"),
        pytest.param(NoSuchKind("404 page not found", status=404), id="are of a kind that is not served"),
    ],
)
def test_nobody_is_held_while_client_certificates(served, error):
    served.kill()
    served.start(refuse_reads=lambda kind, _: error if kind == CLIENT_CERTIFICATE else None)
    served.advance(900)
    served.jump(**GRACE)
    served.advance(900)
    assert len(live(served)) == 2


def test_an_object_that_was_restored_with_a_new_uid_is_not_gone(served):
    before = live(served)
    served.kill()
    served.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.apply("alice")
    owner = served.find(SECRET, "alice-mtls")["metadata"]["ownerReferences"][0]
    owner["uid"] = served.find(CLIENT_CERTIFICATE, "alice")["metadata"]["uid"]
    served.edit(SECRET, "alice-mtls", {"metadata": {"ownerReferences": [owner]}})
    served.start()
    served.jump(**GRACE)
    served.settle()
    assert live(served) == before


def test_a_serial_whose_client_was_made_again_below_another_issuer_is_held(served):
    alice = serial(served, "alice")
    forced_out(served, "alice")
    served.apply("alice", issuerRef={"name": "others"})
    served.settle()
    served.jump(**GRACE)
    served.settle()
    assert alice not in live(served)


# Namespaces that end, and gates that cannot be written


@pytest.fixture
def far(served):
    """The gate of another namespace, which is on its way out."""
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far", "finalizers": ["kubernetes"]}}, PEOPLE)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    host = served.find(INGRESS, "shop")
    served.cluster.create(
        INGRESS, "far", {"metadata": {"name": "shop", "annotations": host["metadata"]["annotations"]}}, PEOPLE
    )
    served.cluster.delete(NAMESPACE, ObjectKey("", "far"), PEOPLE)
    served.settle()
    return served


def test_a_namespace_on_its_way_out_gets_no_gate(far):
    assert far.cluster.find(SECRET, ObjectKey("far", GATE)) is None


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Ending("is being terminated", status=403), id="the namespace is on its way out"),
        pytest.param(Forbidden("exceeded quota: none", status=403), id="a quota refuses it"),
    ],
)
def test_a_gate_that_is_not_there_holds_no_deletion_back_where(served, error):
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
    served.gateway.refuse = lambda write: error if write.namespace == "far" and write.kind == "Secret" else None
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
    served.cluster.create(INGRESS, "far", {"metadata": host}, PEOPLE)
    served.advance(5)
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.advance(5)
    assert served.find(CLIENT_CERTIFICATE, "alice") is None
    assert len(promises.gate_crls(served.cluster)[NAMESPACE_NAME]) == 1

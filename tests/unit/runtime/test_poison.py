"""One object that somebody planted harms no other: the operator goes on, and starts again beside it."""

from unittest import mock

import pytest

from doorward.cluster import reflector
from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
)
from doorward.cluster.store import Store
from doorward.objects.crl_configmap import GATE_ROLE
from doorward.objects.meta import ISSUER_ANNOTATION, ObjectKey, labels
from doorward.view.parsed import metadata_only
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import CRL, GATE, live, record, said, serial

NEIGHBOUR = "neighbour"


def _planted(name="x", **annotations):
    return {"metadata": {"name": name, "labels": labels(GATE_ROLE), "annotations": annotations}, "type": "Opaque"}


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="without an issuer"),
        pytest.param({ISSUER_ANNOTATION: "no-namespace"}, id="with half an issuer"),
        pytest.param({ISSUER_ANNOTATION: "a/b/c"}, id="with more than an issuer"),
    ],
)
def test_a_secret_that_is_marked_as_a_gate_stops_nobody(served, annotations):
    served.cluster.create(SECRET, NAMESPACE_NAME, _planted(**annotations), PEOPLE)
    served.settle()
    served.restart()
    served.apply("carol")
    served.settle()
    assert said(served, "carol")["Ready"] == "Issued"


def test_a_gate_that_lost_its_annotation_still_gets_the_next_crl(served):
    served.edit(SECRET, GATE, {"metadata": {"annotations": {ISSUER_ANNOTATION: None}}})
    served.settle()
    served.apply("alice", revoked=True)
    served.settle()
    held = served.find(SECRET, GATE)
    assert held["metadata"]["annotations"][ISSUER_ANNOTATION] == str(ISSUER_AT)


@pytest.mark.promise(5)
def test_of_a_neighbours_secret_nothing_is_kept_that_could_be_a_key_or_fill_the_memory():
    marks = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"tls.key": "c2VjcmV0"}}'}
    theirs = {"labels": {"app": "shop"}, "annotations": marks, "resourceVersion": "1", "managedFields": [{}]}
    kept = metadata_only({"metadata": {"namespace": NAMESPACE_NAME, "name": "theirs"} | theirs})["metadata"]
    assert (kept["labels"], kept["annotations"], kept.get("managedFields")) == ({}, {}, None)


def test_a_watch_outlives_what_goes_wrong_with_one_object(caplog):
    store = Store(lambda body: body)
    told = mock.Mock(side_effect=[RuntimeError("a bug"), None])
    source = reflector.Source(kind=SECRET, namespace=None, store=store, changed=told)
    for name in ("first", "second"):
        reflector.take_in(source, "ADDED", {"metadata": {"namespace": "a", "name": name, "resourceVersion": "1"}})
    assert told.call_count == 2
    assert "a/first" in caplog.text


async def test_a_list_outlives_what_goes_wrong_with_one_object(caplog):
    bodies = [{"metadata": {"namespace": "a", "name": name, "resourceVersion": "1"}} for name in ("first", "second")]
    told = mock.Mock(side_effect=[RuntimeError("a bug"), None])
    gateway = mock.Mock(collect=mock.AsyncMock(side_effect=lambda take, *_, **__: (list(map(take, bodies)), "2")))
    source = reflector.Source(kind=CLIENT_CERTIFICATE, namespace=None, store=Store(lambda body: body), changed=told)
    await reflector.take_list(gateway, source)
    assert told.call_count == 2
    assert "a/first" in caplog.text


@pytest.fixture
def neighboured(served):
    """Another namespace has a gate of the issuer, too."""
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": NEIGHBOUR}}, PEOPLE)
    ingress = {"metadata": {"name": "shop", "annotations": {ISSUER_ANNOTATION: str(ISSUER_AT)}}, "spec": {}}
    served.cluster.create(INGRESS, NEIGHBOUR, ingress, PEOPLE)
    served.settle()
    assert served.cluster.find(SECRET, ObjectKey(NEIGHBOUR, GATE)) is not None
    return served


def _without_the_neighbour(kind, namespace):
    return Forbidden("no consent", status=403) if namespace == NEIGHBOUR and kind in (SECRET, CONFIG_MAP) else None


@pytest.mark.promise(1)
def test_a_crl_that_was_deleted_comes_back_though_a_namespace_withdrew_its_consent(neighboured):
    neighboured.apply("alice", revoked=True)
    neighboured.settle()
    neighboured.gateway.refuse_reads = _without_the_neighbour
    neighboured.gateway.end_watches()
    neighboured.advance(60)
    neighboured.delete(CONFIG_MAP, CRL)
    neighboured.settle()
    assert promises.newest_crl(neighboured.cluster) == {serial(neighboured, "alice")}


@pytest.mark.promise(1)
def test_a_revocation_of_a_year_that_no_crl_can_say_keeps_nobody_elses_from_being_published(served):
    lost = {serial(served, name) for name in ("alice", "bob")}
    name = record(served, serial(served, "alice"))["metadata"]["name"]
    revocation = {"reason": "keyCompromise", "time": "1900-01-01T00:00:00Z", "lifted": False}
    served.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": revocation}})
    served.apply("bob", revoked=True)
    served.settle()
    assert lost <= promises.newest_crl(served.cluster)


@pytest.mark.promise(1)
def test_a_loop_that_deletes_one_secret_a_thousand_times_leaves_room_for_whoever_is_revoked(served):
    lost = serial(served, "bob")
    for _ in range(1000):
        if served.find(SECRET, "alice-mtls") is not None:
            served.delete(SECRET, "alice-mtls")
        served.jump(minutes=1)
        served.advance(1)
    looped = promises.newest_crl(served.cluster)
    served.apply("bob", revoked=True)
    served.settle()
    assert len(looped) < 30
    assert promises.newest_crl(served.cluster) >= looped | {lost}


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_of_three_with_one_secret_name_one_is_served_and_no_serial_is_left_over(gap):
    slow = OperatorBed(NOW, finalizer_at_creation=True)
    slow.latency = 0.05
    with slow as bed:
        bed.issuer()
        bed.settle()
        for name in ("alice", "bob", "carol"):
            bed.apply(name, secretName="shared")
            bed.advance(gap)
        bed.settle()
        ready = sorted(said(bed, name)["Ready"] for name in ("alice", "bob", "carol"))
        assert ready == ["Issued", "SecretNameTaken", "SecretNameTaken"]
        assert live(bed) == {promises.held_serial(bed.find(SECRET, "shared"))}

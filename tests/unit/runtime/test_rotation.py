"""One CA after the other, through the whole operator: whoever should get in does, all the time, and nobody else."""

import base64
import json
from datetime import timedelta

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import GENERATIONS_ANNOTATION, ObjectKey
from doorward.pki.certificates import build_ca
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import Subject
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, issuer_said, serial


def generation(bed, name):
    """Of the certificate in the client's Secret, by the ledger."""
    number = serial(bed, name)
    records = bed.cluster.all(ISSUED_CERTIFICATE)
    (found,) = [r["spec"]["generation"] for r in records if int(r["spec"]["serialNumber"], 16) == number]
    return found


def trusted(bed):
    return sorted(promises.newest_bundle(bed.cluster).lists)


def edit_ca(bed, **fields):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": fields}})


def rotate(bed, value="now"):
    edit_ca(bed, generate={"rotate": value})
    bed.settle()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rotate": "2026-09"}, id="on demand"),
        pytest.param({"commonName": "Partners CA 2"}, id="for another subject"),
        pytest.param({"privateKey": {"algorithm": "ECDSA", "size": 384}}, id="for another key"),
        pytest.param({"renewBefore": "8736h"}, id="because its renewal is due"),
    ],
)
def test_a_ca_is_followed_by_the_next(served, change):
    served.jump(days=1)
    served.settle()
    edit_ca(served, generate=change)
    served.settle()
    assert [generation(served, name) for name in ("alice", "bob")] == [2, 2]
    assert served.find(ISSUER, ISSUER_AT.name)["status"]["ca"]["generation"] == 2
    assert issuer_said(served)["CASettled"] == "ClientsMoving"


@pytest.mark.promise(3)
def test_the_next_ca_signs_only_when_the_gates_have_held_it_for_a_while(served):
    edit_ca(served, generate={"rotate": "now"})
    served.advance(29)
    served.apply("carol")
    served.advance(0.5)
    assert (trusted(served), generation(served, "carol")) == ([1, 2], 1)
    conditions = served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    (settled,) = [each for each in conditions if each["type"] == "CASettled"]
    assert settled["reason"] == "NextCaShown"
    assert settled["message"].endswith("; until then generation 1 signs")


@pytest.mark.promise(3)
def test_a_gate_that_cannot_be_written_holds_the_next_ca_back(served):
    served.gateway.refuse = lambda write: Forbidden("quota") if write.name == GATE else None
    edit_ca(served, generate={"rotate": "now"})
    served.advance(120)
    assert (trusted(served), generation(served, "alice")) == ([1, 2], 1)
    assert issuer_said(served)["CASettled"] == "NextCaAwaitsGates"


def test_old_and_new_certificates_get_in_until_the_old_ones_are_over(served):
    old = promises.live_serials(served.cluster, served.cluster.now())
    rotate(served)
    assert old < promises.live_serials(served.cluster, served.cluster.now())
    served.jump(days=89)
    served.settle()
    assert 1 in trusted(served)
    served.jump(days=2)
    served.settle()
    assert trusted(served) == [2]
    assert "CASettled" not in issuer_said(served)


@pytest.mark.promise(1)
def test_a_client_revoked_during_the_rotation_is_refused_by_both_crls(served):
    rotate(served)
    served.apply("alice", revoked=True)
    served.settle()
    refused = promises.newest_bundle(served.cluster).lists
    assert (len(refused[1]), len(refused[2])) == (1, 1)


def test_a_superseded_grace_period_retires_the_old_ca_early(served):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"certificates": {"supersededGracePeriod": "1h"}}})
    rotate(served)
    served.jump(hours=2)
    served.settle()
    assert trusted(served) == [2]


def test_a_client_that_is_held_keeps_its_ca_in_the_gates(served):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"certificates": {"supersededGracePeriod": "1h"}}})
    served.delete(CLIENT_CERTIFICATE, "bob")
    rotate(served)
    served.jump(hours=2)
    served.settle()
    assert trusted(served) == [1, 2]
    served.jump(hours=23)
    served.settle()
    assert trusted(served) == [2]


@pytest.mark.promise(1)
def test_a_distrusted_ca_is_out_of_every_gate_at_once_and_its_clients_get_new_certificates(served):
    stolen = promises.live_serials(served.cluster, served.cluster.now())
    edit_ca(served, distrust=[1])
    served.advance(1)
    assert trusted(served) == [2]
    served.settle()
    live = promises.live_serials(served.cluster, served.cluster.now())
    assert live == {serial(served, name) for name in ("alice", "bob")}
    assert not live & stolen


def test_a_revoked_client_is_said_to_be_out_when_its_ca_is_distrusted_before_a_crl_names_it(served):
    served.gateway.refuse = lambda write: Forbidden("quota") if write.name == CRL else None
    served.apply("bob", revoked=True)
    served.advance(1)
    edit_ca(served, distrust=[1])
    served.advance(1)
    served.gateway.refuse = lambda _: None
    served.settle()
    assert given.reasons(served.find(CLIENT_CERTIFICATE, "bob")["status"])["Admitted"] == "Revoked"


@pytest.mark.promise(1)
def test_a_ca_that_is_distrusted_after_a_clock_was_set_back_leaves_the_gates_too(served):
    served.set_wrong(timedelta(minutes=4))
    served.apply("bob", revoked=True)
    served.settle()
    served.set_wrong(timedelta(0))
    rotate(served)
    assert trusted(served) == [1, 2]
    edit_ca(served, distrust=[1])
    served.settle()
    assert trusted(served) == [2]
    assert promises.gate_crls(served.cluster) == {"edge": promises.newest_crl(served.cluster)}


def test_a_client_of_a_ca_that_signed_before_it_was_published_is_said_to_get_in(served):
    hold = {"spec": {"revocation": {"reason": "certificateHold"}}}
    served.edit(ISSUED_CERTIFICATE, served.cluster.all(ISSUED_CERTIFICATE)[0]["metadata"]["name"], hold)
    served.apply("carol")
    edit_ca(served, distrust=[1])
    served.settle()
    assert given.reasons(served.find(CLIENT_CERTIFICATE, "carol")["status"])["Admitted"] == "Live"


def test_the_ca_before_signs_until_the_next_when_the_newest_is_distrusted(served):
    rotate(served)
    edit_ca(served, distrust=[2])
    served.advance(10)
    assert (trusted(served), generation(served, "alice")) == ([1, 3], 1)
    served.settle()
    assert (trusted(served), generation(served, "alice")) == ([1, 3], 3)


def test_a_ca_that_is_over_is_not_trusted_again_when_its_successor_is_distrusted(served):
    rotate(served)
    served.jump(days=91)
    served.settle()
    edit_ca(served, distrust=[2])
    served.settle()
    assert (trusted(served), generation(served, "alice")) == ([3], 3)


def test_a_missing_key_of_the_ca_that_signs_is_said_and_nothing_is_moved(served):
    rotate(served)
    served.delete(SECRET, f"{ISSUER_AT.name}-ca-2")
    served.settle()
    assert (generation(served, "alice"), issuer_said(served)["Ready"]) == (2, "CaSecretMissing")
    assert trusted(served) == [1, 2]


def test_another_key_in_the_secret_of_a_generated_ca_stops_it(served):
    rotate(served)
    other = served.find(SECRET, f"{ISSUER_AT.name}-ca-1")["data"]
    served.edit(SECRET, f"{ISSUER_AT.name}-ca-2", {"data": other})
    served.settle()
    assert issuer_said(served)["Ready"] == "CaReplaced"
    assert generation(served, "alice") == 2


@pytest.mark.parametrize(
    ("taken", "makes"),
    [pytest.param(2, 3, id="in the way"), pytest.param(999_999, 2, id="far above, which would use up the numbers")],
)
def test_a_secret_of_somebodys_own_whose_name_looks_like_a_cas_is_passed_over(served, taken, makes):
    body = {"metadata": {"name": f"{ISSUER_AT.name}-ca-{taken}"}, "data": {"tls.crt": "anVuaw=="}}
    served.cluster.create(SECRET, ISSUER_AT.namespace, body, "kubectl")
    rotate(served)
    assert (issuer_said(served)["Ready"], generation(served, "alice")) == ("Signing", makes)


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "says",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"1": "2", "2": "1"}, id="the one for the other"),
        pytest.param({"7": "1", "9": "2"}, id="other numbers"),
        pytest.param({"1": "1", "2": "2", "3": "no key"}, id="one more"),
    ],
)
@pytest.mark.parametrize(
    "restarts", [pytest.param(False, id="while it runs"), pytest.param(True, id="while it is down")]
)
def test_whatever_the_configmap_is_made_to_say_of_its_generations_the_revoked_stay_out(served, says, restarts):
    served.apply("bob", revoked=True)
    rotate(served)
    before = promises.newest_bundle(served.cluster).lists
    known = json.loads(served.find(CONFIG_MAP, CRL)["metadata"]["annotations"][GENERATIONS_ANNOTATION])
    edited = json.dumps({number: known.get(of, of) for number, of in says.items()})
    if restarts:
        served.kill()
    served.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {GENERATIONS_ANNOTATION: edited}}})
    if restarts:
        served.start()
    served.settle()
    assert promises.newest_bundle(served.cluster).lists == before
    assert (generation(served, "alice"), issuer_said(served)["Ready"]) == (2, "Signing")


def test_a_restart_in_the_middle_changes_nothing(served):
    rotate(served)
    served.restart()
    served.settle()
    assert served.gateway.writes == []


def test_a_rotation_asks_for_no_more_than_the_writes_of_its_certificates(served):
    writes = served.writes_of(lambda: edit_ca(served, generate={"rotate": "now"}))
    of_certificates = [write for write in writes if write.kind in ("IssuedCertificate", "ClientCertificate")]
    assert len(of_certificates) == 4
    assert len([write for write in writes if write.kind == "ConfigMap"]) == 1


def test_who_asks_for_a_certificate_need_not_wait_for_those_who_move_to_the_next_ca():
    slow = OperatorBed(given.NOW, finalizer_at_creation=True)
    slow.latency = 0.05
    with slow as bed:
        bed.issuer()
        crowd = [f"client-{number}" for number in range(60)]
        for name in crowd:
            bed.apply(name)
        bed.settle()
        edit_ca(bed, generate={"rotate": "now"})
        until(bed, lambda: any(generation(bed, name) == 2 for name in crowd))
        bed.apply("carol")
        until(bed, lambda: bed.find(SECRET, "carol-mtls") is not None)
        assert any(generation(bed, name) == 1 for name in crowd)


def until(bed, condition):
    """Let the operator work until that is so."""
    for _ in range(1_000):
        if condition():
            return
        bed.advance(0.05)
    raise AssertionError("not within 50 s")


# A person's own CA


CLUSTER_CAS = {"metadata": {"name": "extension-apiserver-authentication"}, "data": {}}
OWN = {"secretRef": {"name": "mine"}}


def put_own(bed, number, name="Mine"):
    """A person puts a CA into their Secret, and all that follows is done."""
    put_data(bed, number, name)
    bed.settle()


def put_data(bed, number, name="Mine"):
    made = given.ca(number, name)
    data = {
        "tls.crt": base64.b64encode(certificate_pem(made.certificate)).decode(),
        "tls.key": base64.b64encode(private_key_pem(given.key(number)).reveal()).decode(),
    }
    if bed.find(SECRET, "mine") is None:
        body = {"metadata": {"name": "mine"}, "type": "kubernetes.io/tls", "data": data}
        bed.cluster.create(SECRET, ISSUER_AT.namespace, body, "kubectl")
    else:
        bed.edit(SECRET, "mine", {"data": data})


@pytest.fixture
def own():
    """An issuer with a person's own CA, an Ingress, and the clients alice and bob."""
    with OperatorBed(given.NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "kube-system"}}, "kube-apiserver")
        bed.cluster.create(CONFIG_MAP, "kube-system", CLUSTER_CAS, "kube-apiserver")
        put_own(bed, 201)
        bed.issuer(ca=OWN)
        bed.ingress()
        bed.apply("alice")
        bed.apply("bob")
        bed.settle()
        yield bed


def test_clients_move_to_the_ca_that_a_person_puts_into_their_secret(own):
    old = promises.live_serials(own.cluster, own.cluster.now())
    put_own(own, 202)
    assert [generation(own, name) for name in ("alice", "bob")] == [2, 2]
    assert old < promises.live_serials(own.cluster, own.cluster.now())


@pytest.mark.promise(1)
def test_a_replaced_ca_whose_client_must_be_refused_is_trusted_no_longer(own):
    put_own(own, 202)
    own.apply("bob", revoked=True)
    own.settle()
    assert trusted(own) == [2]
    assert generation(own, "alice") == 2


@pytest.mark.promise(1)
def test_the_crl_of_a_replaced_ca_is_carried_for_as_long_as_it_is_good(own):
    own.apply("bob", revoked=True)
    own.settle()
    put_own(own, 202)
    assert trusted(own) == [1, 2]
    own.jump(days=8)
    own.settle()
    assert trusted(own) == [2]


@pytest.mark.promise(1)
def test_a_ca_that_comes_back_refuses_whom_it_refused_before(own):
    own.apply("bob", revoked=True)
    own.settle()
    put_own(own, 202)
    own.jump(days=8)
    own.settle()
    put_own(own, 201)
    refused = own.find(CONFIG_MAP, CRL)
    assert refused is not None
    bob = [r for r in own.cluster.all(ISSUED_CERTIFICATE) if r["spec"]["clientCertificate"]["name"] == "bob"]
    assert not any(promises.newest_bundle(own.cluster).lets_in(record) for record in bob)
    assert {int(record["spec"]["serialNumber"], 16) for record in bob} <= promises.newest_crl(own.cluster)


def test_a_ca_that_is_renewed_over_the_same_key_moves_nobody(own):
    renewed = replace_certificate(own, given.ca(201, "Mine"))
    assert trusted(own) == [1]
    assert generation(own, "alice") == 1
    gate = base64.b64decode(own.find(SECRET, GATE)["data"]["ca.crt"])
    assert gate == renewed


def replace_certificate(bed, ca):
    """The Secret `mine` with a certificate that ends a day later, over the same key; that certificate, PEM."""
    renewed = build_ca(
        subject=Subject(common_name="Mine"),
        key=ca.signer.key,
        serial=999,
        not_before=ca.certificate.not_valid_before_utc,
        not_after=ca.certificate.not_valid_after_utc + timedelta(days=1),
    )
    pem = certificate_pem(renewed)
    bed.edit(SECRET, "mine", {"data": {"tls.crt": base64.b64encode(pem).decode()}})
    bed.settle()
    return pem


def test_a_ca_that_is_put_back_before_its_successor_has_signed_goes_on(own):
    own.gateway.refuse = lambda write: Forbidden("quota") if write.name == GATE else None
    put_data(own, 202)
    own.advance(60)
    own.gateway.refuse = lambda _: None
    put_own(own, 201)
    assert (trusted(own), generation(own, "alice")) == ([1], 1)
    assert issuer_said(own)["Ready"] == "Signing"


def test_an_issuer_that_is_made_again_in_the_middle_of_a_rotation_goes_on_with_it(served):
    rotate(served)
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    served.issuer(ca={"generate": {"commonName": "Partners CA", "rotate": "now"}})
    served.settle()
    assert (trusted(served), generation(served, "alice")) == ([1, 2], 2)


@pytest.mark.promise(1)
def test_cut_offs_go_on_after_a_restart_that_cannot_ask_for_the_clusters_own_cas(own):
    own.cluster.delete(CONFIG_MAP, ObjectKey("kube-system", CLUSTER_CAS["metadata"]["name"]), "kubectl")
    own.restart()
    own.apply("bob", revoked=True)
    own.settle()
    assert promises.newest_crl(own.cluster) == {serial(own, "bob")}


def test_a_distrusted_ca_of_a_persons_own_closes_the_gates_until_another_is_there(own):
    edit_ca(own, distrust=[1])
    own.settle()
    assert (own.find(SECRET, GATE), issuer_said(own)["Ready"]) == (None, "CaDistrusted")
    put_own(own, 202)
    assert (trusted(own), generation(own, "alice")) == ([2], 2)
    assert own.find(SECRET, GATE) is not None

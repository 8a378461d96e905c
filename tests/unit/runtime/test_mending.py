"""What is deleted or edited by hand comes back; what cannot be done is said, costs no second serial, and heals."""

import base64

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    ROLE_BINDING,
    SECRET,
)
from doorward.objects.meta import ObjectKey
from doorward.workqueue.backoff import LONGEST_CUT_OFF
from tests.support import promises
from tests.support.memory_gateway import Write
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import HOUR, NOW
from tests.unit.runtime.looks import CRL, GATE, RECORDS, issuer_said, live, record, said, serial


@pytest.fixture
def cut(served):
    """Alice is revoked, bob is not."""
    served.apply("alice", revoked=True)
    served.settle()
    return served


# Client Secrets


@pytest.mark.promise(1)
def test_a_serial_whose_key_somebody_exchanged_in_the_secret_is_revoked_at_once(served):
    lost = serial(served, "alice")
    served.edit(SECRET, "alice-mtls", {"data": {"tls.key": "anVuaw=="}})
    served.settle()
    assert promises.newest_crl(served.cluster) == {lost}
    assert live(served) == {serial(served, "alice"), serial(served, "bob")}


@pytest.mark.parametrize("name", ["keystore.p12", "keystore.password", "ca.crt"])
def test_what_can_be_made_again_from_a_secret_is_mended_without_a_new_serial(served, name):
    before = serial(served, "alice")
    served.edit(SECRET, "alice-mtls", {"data": {name: None}})
    served.settle()
    assert served.find(SECRET, "alice-mtls")["data"][name]
    assert serial(served, "alice") == before


def test_a_secret_that_is_lost_again_and_again_has_to_wait(served):
    for _ in range(9):
        served.find(SECRET, "alice-mtls") and served.delete(SECRET, "alice-mtls")
        served.settle()
    assert said(served, "alice")["Ready"] == "ReissueBudgetSpent"
    served.jump(hours=7)
    served.settle()
    assert said(served, "alice")["Ready"] == "Issued"


def test_a_secret_that_is_somebody_elses_is_left_alone(bed):
    theirs = {"metadata": {"name": "alice-mtls"}, "type": "Opaque", "data": {"a": "YQ=="}}
    bed.cluster.create(SECRET, NAMESPACE_NAME, theirs, PEOPLE)
    bed.apply("alice")
    bed.settle()
    assert bed.find(SECRET, "alice-mtls")["data"] == {"a": "YQ=="}
    assert (said(bed, "alice")["Ready"], bed.cluster.all(ISSUED_CERTIFICATE)) == ("SecretUnmanaged", [])


# The CRL


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is down"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="the CRL is deleted"),
        pytest.param({"ca.crl": "junk"}, id="the CRL is junk"),
        pytest.param({"ca.crl": ""}, id="the CRL is emptied"),
        pytest.param({"ca.crl": None}, id="the CRL is taken out"),
        pytest.param({"ca.crt": ""}, id="the anchor is emptied"),
    ],
)
def test_a_crl_that_is_spoilt_comes_back_when(cut, data, restart):
    if restart:
        cut.kill()
    if data is None:
        cut.delete(CONFIG_MAP, CRL)
    else:
        cut.edit(CONFIG_MAP, CRL, {"data": data})
    if restart:
        cut.start()
    cut.settle()
    assert promises.newest_crl(cut.cluster) == {serial(cut, "alice")}
    assert [*promises.broken(cut.cluster), *promises.numbers_that_fall(cut.cluster)] == []


@pytest.mark.promise(1)
def test_an_older_crl_that_is_put_back_is_replaced(cut):
    first, *_ = promises.crls(cut.cluster)
    cut.edit(CONFIG_MAP, CRL, {"data": first.change.becomes["data"]})
    cut.settle()
    assert promises.newest_crl(cut.cluster) == {serial(cut, "alice")}
    assert promises.gate_crls(cut.cluster) == {NAMESPACE_NAME: {serial(cut, "alice")}}


@pytest.mark.promise(1)
@pytest.mark.promise(6)
def test_with_ledger_and_crl_lost_a_new_process_learns_from_the_gates_who_is_refused(cut):
    number = serial(cut, "alice")
    cut.kill()
    cut.delete(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}")
    cut.delete(SECRET, "alice-mtls")
    cut.delete(CONFIG_MAP, CRL)
    cut.start()
    cut.settle()
    assert number in promises.newest_crl(cut.cluster)


@pytest.mark.promise(4)
def test_a_crl_is_renewed_daily(cut):
    before = len(list(promises.crls(cut.cluster)))
    cut.jump(hours=25)
    cut.settle()
    assert len(list(promises.crls(cut.cluster))) == before + 1
    assert promises.broken(cut.cluster) == []


# The ledger


@pytest.mark.promise(2)
def test_a_record_that_is_deleted_is_written_again(served):
    number = serial(served, "alice")
    served.delete(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}")
    served.settle()
    assert record(served, number)["spec"]["clientCertificate"]["name"] == "alice"
    assert number in live(served)


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it was restarted"])
def test_deleting_the_record_of_a_refused_client_lets_nobody_in(cut, restart):
    number = serial(cut, "alice")
    cut.delete(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}")
    if restart:
        cut.restart()
    cut.settle()
    cut.jump(hours=25)
    cut.settle()
    assert number in promises.newest_crl(cut.cluster)
    assert promises.broken(cut.cluster) == []


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it was restarted"])
def test_deleting_the_record_of_a_deleted_client_lets_nobody_in(served, restart):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.delete(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}")
    if restart:
        served.restart()
    served.jump(hours=25)
    served.settle()
    served.apply("bob", revoked=True)
    served.settle()
    assert promises.newest_crl(served.cluster) == {number, serial(served, "bob")}


# Gates


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="it is deleted"),
        pytest.param({"ca.crl": "anVuaw=="}, id="its CRL is junk"),
        pytest.param({"ca.crl": None}, id="its CRL is taken out"),
        pytest.param({"tls.key": "anVuaw=="}, id="a key is put into it"),
    ],
)
def test_a_gate_holds_the_published_bundle_again_when(cut, data):
    if data is None:
        cut.delete(SECRET, GATE)
    else:
        cut.edit(SECRET, GATE, {"data": data})
    cut.settle()
    gate, published = cut.find(SECRET, GATE)["data"], cut.find(CONFIG_MAP, CRL)["data"]
    assert {name: base64.b64decode(value).decode() for name, value in gate.items()} == published


def test_an_annotation_that_is_taken_off_comes_back(served):
    name = "nginx.ingress.kubernetes.io/auth-tls-secret"
    served.edit(INGRESS, "shop", {"metadata": {"annotations": {name: None}}})
    served.settle()
    annotations = served.find(INGRESS, "shop")["metadata"]["annotations"]
    assert annotations[name] == f"{NAMESPACE_NAME}/{GATE}"


def test_an_ingress_that_opts_out_keeps_nothing_of_ours(served):
    served.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": None}}})
    served.settle()
    assert served.find(INGRESS, "shop")["metadata"].get("annotations") is None


# What is refused


def _refuse_secrets(write: Write):
    return Forbidden("exceeded quota: secrets") if (write.verb, write.kind) == ("create", "Secret") else None


@pytest.mark.promise(2)
def test_a_secret_that_is_refused_again_and_again_costs_one_serial(bed):
    bed.gateway.refuse = _refuse_secrets
    bed.apply("alice")
    bed.advance(3600)
    assert said(bed, "alice")["Ready"] == "SecretRefused"
    bed.gateway.refuse = lambda _: None
    bed.advance(600)
    assert said(bed, "alice")["Ready"] == "Issued"
    assert len(bed.cluster.all(ISSUED_CERTIFICATE)) == 1


def _without_secrets(kind, _namespace):
    return Forbidden("secrets is forbidden", status=403) if kind == SECRET else None


def test_a_namespace_that_withdraws_its_consent_is_told_and_heals_when_it_gives_it(served):
    before = serial(served, "alice")
    served.kill()
    served.start(refuse_reads=_without_secrets)
    served.settle()
    assert said(served, "alice")["Ready"] == "NotPermitted"
    served.gateway.refuse_reads = lambda _kind, _namespace: None
    served.cluster.create(ROLE_BINDING, NAMESPACE_NAME, {"metadata": {"name": "doorward-secrets"}}, PEOPLE)
    served.advance(2)
    assert said(served, "alice")["Ready"] == "Issued"
    assert serial(served, "alice") == before


@pytest.mark.promise(1)
def test_a_crl_that_cannot_be_written_holds_a_deletion_back_without_turning_the_loop(served):
    served.gateway.refuse = lambda write: Forbidden("no") if write.kind == "ConfigMap" else None
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.advance(600)
    assert said(served, "alice") == {"Ready": "Deleting", "Admitted": "CuttingOff"}
    assert len(served.gateway.writes) < 600 / LONGEST_CUT_OFF + 40
    served.gateway.refuse = lambda _: None
    served.advance(LONGEST_CUT_OFF + 1)
    assert served.find(CLIENT_CERTIFICATE, "alice") is None


def test_the_ca_of_an_issuer_that_has_signed_is_not_made_anew(served):
    served.delete(SECRET, f"{ISSUER_AT.name}-ca-1")
    served.settle()
    conditions = {c["type"]: c["reason"] for c in served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]}
    assert (conditions["Ready"], served.find(SECRET, f"{ISSUER_AT.name}-ca-1")) == ("CaSecretMissing", None)


def test_a_ca_that_is_made_after_all_others_were_lost_or_distrusted_has_a_number_of_its_own(bed):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    bed.settle()
    bed.delete(SECRET, f"{ISSUER_AT.name}-ca-2")
    bed.settle()
    assert list(promises.newest_bundle(bed.cluster).lists) == [3]
    assert promises.gate_crls(bed.cluster) == {NAMESPACE_NAME: frozenset()}


def test_the_gates_follow_where_ca_and_crl_were_replaced_by_older_ones_of_a_backup(served):
    """Nothing that is left was signed by the CA whose CRL the gates hold, and its number is the higher one."""
    with OperatorBed(NOW - HOUR, finalizer_at_creation=True) as old:
        other = {"metadata": {"name": "other"}, "spec": {"ca": {"generate": {"commonName": "Other CA"}}}}
        old.cluster.create(ISSUER, NAMESPACE_NAME, other, PEOPLE)
        old.settle()
        old.issuer()
        old.apply("alice")
        old.settle()
        brought = [(kind, old.find(kind, name)) for kind, name in ((SECRET, "partners-ca-1"), (CONFIG_MAP, CRL))]
    for kind, body in brought:
        at = ObjectKey(NAMESPACE_NAME, body["metadata"]["name"])
        now = served.cluster.find(kind, at)
        metadata = now["metadata"] | {"annotations": body["metadata"]["annotations"]}
        served.cluster.replace(kind, at, {**now, "data": body["data"], "metadata": metadata}, PEOPLE)
    served.settle()
    assert issuer_said(served)["GatesCurrent"] == "AllCurrent"
    gate = served.find(SECRET, GATE)["data"]["ca.crt"]
    assert base64.b64decode(gate).decode() == brought[1][1]["data"]["ca.crt"]

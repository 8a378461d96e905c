"""An account that may write Secrets in the issuer's namespace makes a CA of its own look like the operator's."""

import base64
import copy
import json

import pytest

from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
)
from doorward.objects import backup
from doorward.objects.meta import ObjectKey, key_of, labels
from doorward.pki.certificates import LeafTemplate, build_ca, build_leaf
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import AltNames, Subject
from tests.support import promises
from tests.support.gate_clients import admits, held
from tests.support.operator_bed import ISSUER_AT, PEOPLE, OperatorBed, host_spec
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW
from tests.unit.runtime.looks import CRL, GATE, issuer_said

MALLORY = "mallory"
ISSUER_NOTE = {"doorward.io/issuer": str(ISSUER_AT)}


def own_ca(number=66, subject="Partners CA"):
    """The attacker's CA: as the operator's, but for the key."""
    key = given.key(number)
    certificate = build_ca(
        subject=Subject(common_name=subject), key=key, serial=number, not_before=NOW - HOUR, not_after=NOW + 300 * DAY
    )
    return given.CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=KeySigner(key))


def data_of(number=66):
    ca = own_ca(number)
    pem, key = certificate_pem(ca.certificate), private_key_pem(given.key(number)).reveal()
    values = {"tls.crt": pem, "tls.key": key, "ca.crt": pem}
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


def forged(number=66):
    """A client certificate that the attacker signed."""
    template = LeafTemplate(
        subject=Subject(common_name="admin"),
        alt_names=AltNames(),
        public_key=given.key(67).public_key(),
        serial=4711,
        not_before=NOW - HOUR,
        not_after=NOW + 90 * DAY,
    )
    return build_leaf(template, own_ca(number))


def plant(bed, name, *, marks=True, data=None, **metadata):
    body = {
        "metadata": {"name": name, "annotations": ISSUER_NOTE} | ({"labels": labels("ca")} if marks else {}) | metadata,
        "type": "kubernetes.io/tls",
        "data": data or data_of(),
    }
    bed.cluster.create(SECRET, ISSUER_AT.namespace, body, MALLORY)


def rotate(bed, value="now"):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": value}}}})
    bed.settle()


def generation(bed, name):
    number = held(bed.find(SECRET, f"{name}-mtls")).serial_number
    records = [r["spec"] for r in bed.cluster.all(ISSUED_CERTIFICATE)]
    (found,) = [spec["generation"] for spec in records if int(spec["serialNumber"], 16) == number]
    return found


def trusted(bed):
    return sorted(promises.newest_bundle(bed.cluster).lists)


def assert_refused(bed, *numbers):
    """Nobody has access with what the attacker signed, at any time since; the issuer's clients have it."""
    for change in bed.cluster.history:
        if change.kind == SECRET and change.at.name == GATE and change.after:
            assert not admits(json.loads(change.after), forged())
    assert admits(bed.find(SECRET, GATE), held(bed.find(SECRET, "alice-mtls")))
    assert trusted(bed) == list(numbers)
    assert issuer_said(bed)["Ready"] == "Signing"


def until_now(bed):
    bed.settle()
    bed.restart()
    bed.settle()


@pytest.mark.promise(3)
@pytest.mark.parametrize("number", [2, 3, 100, 101, 9_999, 999_999, 1_000_000, 1_000_001, 9_999_999])
def test_a_labelled_secret_is_no_generation(served, number):
    plant(served, f"partners-ca-{number}")
    until_now(served)
    assert_refused(served, 1)
    assert issuer_said(served)["CAOrigin"] == "CaSecretUnproven"
    rotate(served)
    made = generation(served, "alice")
    assert_refused(served, 1, made)
    assert made == (3 if number == 2 else 2)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "suffix", ["0", "-1", "-2", "01", "+3", "1e3", "99999999", "9" * 60, "2.2", "2-ca-3", "²", "٣"]
)
def test_a_labelled_secret_with_a_number_of_another_form_is_none_either(served, suffix):
    plant(served, f"partners-ca-{suffix}")
    until_now(served)
    rotate(served)
    assert_refused(served, 1, 2)


@pytest.mark.promise(3)
def test_the_first_ca_is_not_the_one_that_somebody_put_there_before_the_issuer():
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        plant(bed, "partners-ca-1")
        bed.settle()
        bed.issuer()
        bed.ingress()
        bed.apply("alice")
        until_now(bed)
        assert_refused(bed, 2)
        assert issuer_said(bed)["CAOrigin"] == "CaSecretUnproven"


@pytest.mark.promise(3)
def test_an_unlabelled_secret_of_the_first_cas_name_does_not_keep_the_issuer_from_working():
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        plant(bed, "partners-ca-1", marks=False)
        bed.issuer()
        bed.ingress()
        bed.apply("alice")
        until_now(bed)
        assert_refused(bed, 2)
        assert "CAOrigin" not in issuer_said(bed)


@pytest.mark.promise(3)
def test_labels_that_are_put_onto_another_secret_make_no_generation(served):
    plant(served, "partners-ca-2", marks=False)
    served.settle()
    served.edit(SECRET, "partners-ca-2", {"metadata": {"labels": labels("ca")}})
    until_now(served)
    assert_refused(served, 1)


@pytest.mark.promise(3)
@pytest.mark.parametrize("marks", [True, False])
def test_taken_names_do_not_keep_a_ca_from_being_rotated(served, marks):
    for number in range(2, 140):
        plant(served, f"partners-ca-{number}", marks=marks)
    rotate(served)
    made = generation(served, "alice")
    assert_refused(served, 1, made)
    assert made == 140
    rotate(served, "again")
    assert generation(served, "alice") == 141


@pytest.mark.promise(3)
def test_a_name_that_is_taken_at_the_last_moment_is_passed_over(served, monkeypatch):
    create = served.cluster.create
    taken = []

    def first(kind, namespace, body, manager, *rest, **more):
        if (
            kind == SECRET
            and manager != MALLORY
            and body["metadata"]["name"].startswith("partners-ca-")
            and len(taken) < 3
        ):
            taken.append(body["metadata"]["name"])
            plant(served, body["metadata"]["name"])
        return create(kind, namespace, body, manager, *rest, **more)

    monkeypatch.setattr(served.cluster, "create", first)
    rotate(served)
    assert taken == [f"partners-ca-{n}" for n in (2, 3, 4)]
    assert_refused(served, 1, 5)


@pytest.mark.promise(3)
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_another_key_in_the_secret_of_any_generation_is_not_trusted(served, number, restarts):
    rotate(served)
    if restarts:
        served.kill()
    served.edit(SECRET, f"partners-ca-{number}", {"data": data_of()})
    if restarts:
        served.start()
    served.settle()
    assert not admits(served.find(SECRET, GATE), forged())
    assert issuer_said(served)["Ready"] == ("CaReplaced" if number == 2 else "Signing")
    assert trusted(served) == [1, 2]


@pytest.mark.promise(3)
def test_a_copy_of_a_generation_under_another_number_changes_nothing(served):
    plant(served, "partners-ca-7", data=served.find(SECRET, "partners-ca-1")["data"])
    until_now(served)
    assert_refused(served, 1)
    rotate(served)
    plant(served, "partners-ca-3", data=served.find(SECRET, "partners-ca-1")["data"])
    until_now(served)
    assert generation(served, "alice") == 2


@pytest.mark.promise(3)
@pytest.mark.parametrize("restarts", [False, True])
def test_where_the_configmap_is_lost_the_ledger_tells_the_generations(served, restarts):
    rotate(served)
    plant(served, "partners-ca-3")
    if restarts:
        served.kill()
    served.cluster.delete(CONFIG_MAP, ObjectKey(ISSUER_AT.namespace, CRL), PEOPLE)
    if restarts:
        served.start()
    until_now(served)
    assert_refused(served, 1, 2)


def lose_crl_and_ledger(bed):
    bed.cluster.delete(CONFIG_MAP, ObjectKey(ISSUER_AT.namespace, CRL), PEOPLE)
    for record in bed.cluster.all(ISSUED_CERTIFICATE):
        bed.cluster.delete(ISSUED_CERTIFICATE, key_of(record), PEOPLE)


@pytest.mark.promise(1)
@pytest.mark.parametrize("planted", [(), ("partners-ca-2", "partners-ca-70")], ids=["alone", "beside planted ones"])
def test_where_configmap_and_ledger_are_lost_the_gates_tell_the_generations(served, planted):
    before = held(served.find(SECRET, "alice-mtls"))
    served.edit(CLIENT_CERTIFICATE, "bob", {"spec": {"revoked": True}})
    served.settle()
    out = held(served.find(SECRET, "bob-mtls"))
    for name in planted:
        plant(served, name)
    served.kill()
    lose_crl_and_ledger(served)
    served.start()
    until_now(served)
    assert_refused(served, 1)
    assert admits(served.find(SECRET, GATE), before)
    assert not admits(served.find(SECRET, GATE), out)


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(lambda kind, _: 20.0 if kind == INGRESS else 0.0, id="of Ingresses"),
        pytest.param(lambda kind, at: 20.0 if (kind, at) == (SECRET, "far") else 0.0, id="of its namespace's Secrets"),
    ],
)
def test_a_gate_that_was_not_heard_of_yet_is_waited_for_while_a_list_is_slow(served, slow):
    before = held(served.find(SECRET, "alice-mtls"))
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
    served.cluster.create(INGRESS, "far", {"metadata": host, "spec": host_spec("far.example")}, PEOPLE)
    served.delete(INGRESS, "shop")
    served.settle()
    served.kill()
    served.cluster.delete(SECRET, ObjectKey(ISSUER_AT.namespace, GATE), PEOPLE)
    lose_crl_and_ledger(served)
    served.start(slow_lists=slow)
    served.advance(60)
    until_now(served)
    assert admits(served.cluster.find(SECRET, ObjectKey("far", GATE)), before)
    assert trusted(served) == [1]


def test_no_gate_tells_of_a_ca_that_it_does_not_trust(served):
    plant(served, "partners-ca-2")
    served.kill()
    lose_crl_and_ledger(served)
    served.cluster.delete(SECRET, ObjectKey(ISSUER_AT.namespace, "partners-ca-1"), PEOPLE)
    served.start()
    served.settle()
    assert not admits(served.find(SECRET, GATE), forged())


@pytest.mark.promise(3)
def test_nothing_is_trusted_where_only_a_planted_ca_is_left(served):
    plant(served, "partners-ca-2")
    served.kill()
    served.cluster.delete(CONFIG_MAP, ObjectKey(ISSUER_AT.namespace, CRL), PEOPLE)
    served.cluster.delete(SECRET, ObjectKey(ISSUER_AT.namespace, "partners-ca-1"), PEOPLE)
    served.start()
    served.settle()
    assert issuer_said(served)["Ready"] == "CaSecretMissing"
    assert not admits(served.find(SECRET, GATE), forged())


def test_a_distrust_that_is_taken_back_is_no_reason_to_call_a_generation_planted(served):
    before = held(served.find(SECRET, "alice-mtls"))
    rotate(served)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    served.settle()
    assert not admits(served.find(SECRET, GATE), before)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": []}}})
    until_now(served)
    assert admits(served.find(SECRET, GATE), before)
    assert "CAOrigin" not in issuer_said(served)


@pytest.mark.promise(6)
def test_a_process_that_ends_between_the_secret_and_its_publication_leaves_a_secret_that_nobody_trusts(served):
    create = served.cluster.create

    def and_die(kind, namespace, body, manager, *rest, **more):
        made = create(kind, namespace, body, manager, *rest, **more)
        if kind == SECRET and body["metadata"]["name"] == "partners-ca-2":
            served.gateway.killed.set()
        return made

    served.cluster.create = and_die
    rotate(served)
    served.settle()
    assert_refused(served, 1, 3)
    assert issuer_said(served)["CAOrigin"] == "CaSecretUnproven"


# Generations from before this rule, and from another cluster


def without_notes(bed):
    """The CRL ConfigMap as versions before this one wrote it."""
    body = copy.deepcopy(bed.find(CONFIG_MAP, CRL))
    body["metadata"]["annotations"].pop("doorward.io/ca-known", None)
    return body


@pytest.mark.parametrize("rotates", [False, True])
def test_what_an_older_version_published_goes_on(served, rotates):
    if rotates:
        rotate(served)
    served.kill()
    served.cluster.replace(CONFIG_MAP, ObjectKey(ISSUER_AT.namespace, CRL), without_notes(served), PEOPLE)
    served.start()
    served.settle()
    assert_refused(served, *((1, 2) if rotates else (1,)))
    assert [write.kind for write in served.gateway.writes] == []


@pytest.mark.promise(1)
@pytest.mark.parametrize("plants", [False, True])
def test_a_backup_is_enough_for_another_cluster(served, plants):
    served.apply("bob", revoked=True)
    rotate(served)
    serial = held(served.find(SECRET, "alice-mtls")).serial_number
    bob = held(served.find(SECRET, "bob-mtls"))
    kinds = (ISSUED_CERTIFICATE, CONFIG_MAP, SECRET, ISSUER, CLIENT_CERTIFICATE)
    bodies = [body | {"kind": kind.name} for kind in kinds for body in served.cluster.all(kind)]
    with OperatorBed(served.clock.now(), finalizer_at_creation=True) as other:
        other.kill()
        if plants:
            plant(other, "partners-ca-3")
        for body in bodies:
            if not backup.why_left(body):
                kind = next(kind for kind in kinds if kind.name == body["kind"])
                other.cluster.create(kind, ISSUER_AT.namespace, backup.fresh(body), PEOPLE)
        other.ingress()
        other.start()
        other.settle()
        assert held(other.find(SECRET, "alice-mtls")).serial_number == serial
        assert not admits(other.find(SECRET, GATE), bob)
        assert_refused(other, 1, 2)


def test_a_ca_that_is_all_that_is_left_is_used_by_reference(served):
    secret = served.find(SECRET, "partners-ca-1")
    with OperatorBed(NOW, finalizer_at_creation=True) as other:
        other.cluster.create(SECRET, ISSUER_AT.namespace, backup.fresh(secret), PEOPLE)
        other.cluster.create(NAMESPACE, "", {"metadata": {"name": "kube-system"}}, PEOPLE)
        other.cluster.create(
            CONFIG_MAP, "kube-system", {"metadata": {"name": "extension-apiserver-authentication"}}, PEOPLE
        )
        other.issuer(ca={"secretRef": {"name": "partners-ca-1"}})
        other.ingress()
        other.settle()
        assert admits(other.find(SECRET, GATE), held(served.find(SECRET, "alice-mtls")))
        assert "CAOrigin" not in issuer_said(other)

"""A state that ends at a known time ends then, and not at the next edit: hours and days pass, and nobody touches anything."""

import base64
from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import build_ca
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import Subject
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW
from tests.unit.runtime.looks import issuer_said, said, serial

MINUTE = timedelta(minutes=1)
CLUSTER_CAS = ObjectKey("kube-system", "extension-apiserver-authentication")


def passes(bed, time):
    """So much time, in which the operator may work."""
    bed.advance(time.total_seconds())


def own_ca(bed, *, begins=NOW - DAY, ends=NOW + 90 * DAY, number=201):
    """A person's CA with these dates, and an issuer that has it."""
    made = build_ca(
        subject=Subject(common_name="Mine"), key=given.key(number), serial=7, not_before=begins, not_after=ends
    )
    data = {"tls.crt": certificate_pem(made), "tls.key": private_key_pem(given.key(number)).reveal()}
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    bed.cluster.create(SECRET, NAMESPACE_NAME, {"metadata": {"name": "mine"}, "data": encoded}, PEOPLE)
    bed.issuer(ca={"secretRef": {"name": "mine"}})
    bed.apply("alice")
    bed.settle()
    return made


@pytest.fixture
def fresh():
    """A cluster without an issuer."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": CLUSTER_CAS.namespace}}, "kube-apiserver")
        body = {"metadata": {"name": CLUSTER_CAS.name}, "data": {}}
        bed.cluster.create(CONFIG_MAP, CLUSTER_CAS.namespace, body, "kube-apiserver")
        yield bed


# MTLSIssuers


def test_a_ca_that_is_not_valid_yet_signs_as_soon_as_it_is(fresh):
    own_ca(fresh, begins=NOW + 3 * HOUR)
    assert issuer_said(fresh)["Ready"] == "CaNotYetValid"
    assert said(fresh, "alice")["Ready"] == "IssuerNotReady"
    passes(fresh, 2 * HOUR)
    assert issuer_said(fresh)["Ready"] == "CaNotYetValid"
    passes(fresh, HOUR + MINUTE)
    assert issuer_said(fresh)["Ready"] == "Signing"
    assert said(fresh, "alice") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_ca_of_a_persons_own_is_said_to_have_expired_when_it_does(fresh):
    own_ca(fresh, ends=NOW + 30 * HOUR)
    fresh.edit(ISSUER, ISSUER_AT.name, {"spec": {"crl": {"validity": "1440h", "renewEvery": "720h"}}})
    passes(fresh, 29 * HOUR)
    assert issuer_said(fresh)["Ready"] == "Signing"
    passes(fresh, HOUR + MINUTE)
    assert issuer_said(fresh)["Ready"] == "CaExpired"


def test_a_ca_is_no_longer_the_clusters_own_when_the_cluster_has_another(fresh):
    made = given.ca(201, "Mine")
    fresh.cluster.merge_patch(
        CONFIG_MAP, CLUSTER_CAS, {"data": {"client-ca-file": certificate_pem(made.certificate).decode()}}, PEOPLE, ""
    )
    own_ca(fresh)
    assert issuer_said(fresh)["Ready"] == "ClusterCa"
    fresh.cluster.merge_patch(CONFIG_MAP, CLUSTER_CAS, {"data": {"client-ca-file": None}}, PEOPLE, "")
    passes(fresh, 11 * MINUTE)
    assert issuer_said(fresh)["Ready"] == "Signing"


def test_a_configmap_in_the_way_is_missed_when_somebody_moves_it(fresh):
    at = ObjectKey(NAMESPACE_NAME, f"{ISSUER_AT.name}-crl")
    fresh.cluster.create(CONFIG_MAP, NAMESPACE_NAME, {"metadata": {"name": at.name}, "data": {}}, PEOPLE)
    fresh.issuer()
    fresh.settle()
    assert issuer_said(fresh)["Ready"] == "CrlUnmanaged"
    fresh.cluster.delete(CONFIG_MAP, at, PEOPLE)
    passes(fresh, 2 * MINUTE)
    assert issuer_said(fresh)["Ready"] == "Signing"


def test_a_crl_that_nobody_can_renew_is_said_to_have_expired_when_it_does(served):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"crl": {"validity": "4h", "renewEvery": "2h"}}})
    passes(served, 3 * HOUR)
    served.delete(SECRET, f"{ISSUER_AT.name}-ca-1")
    served.restart()
    served.settle()
    assert issuer_said(served)["CRLCurrent"] == "Published"
    passes(served, 5 * HOUR)
    assert issuer_said(served)["CRLCurrent"] == "NotPublished"


# ClientCertificates


def test_a_certificate_is_renewed_when_its_time_comes(served):
    served.apply("carol", duration="4h")
    served.settle()
    first = serial(served, "carol")
    passes(served, 3 * HOUR)
    assert serial(served, "carol") != first


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"commonName": "system:masters"}, "InvalidSpec"),
        ({"duration": "90000h"}, "DurationTooLong"),
        ({"keystores": {"pkcs12": {"passwordSecretRef": {"name": "nothing"}}}}, "PasswordMissing"),
    ],
)
def test_a_client_that_cannot_be_renewed_is_said_to_have_no_access_when_its_certificate_expires(served, change, reason):
    served.apply("carol", duration="4h")
    served.settle()
    served.apply("carol", **change)
    served.settle()
    assert said(served, "carol") == {"Ready": reason, "Admitted": "Live"}
    passes(served, 5 * HOUR)
    assert said(served, "carol") == {"Ready": reason, "Admitted": "Expired"}


def test_a_secret_name_is_free_when_the_client_that_had_it_goes_though_there_was_never_a_secret(served):
    served.apply("older", secretName="wanted", duration="90000h")
    served.settle()
    served.jump(seconds=10)
    served.apply("younger", secretName="wanted")
    served.settle()
    assert (said(served, "older")["Ready"], said(served, "younger")["Ready"]) == ("DurationTooLong", "SecretNameTaken")
    served.delete(CLIENT_CERTIFICATE, "older")
    served.settle()
    assert said(served, "younger")["Ready"] == "Issued"


def test_a_client_that_used_up_its_budget_is_issued_to_when_it_has_one_again(served):
    for number in range(12):
        served.apply("carol", reissue=str(number))
        served.settle()
    assert said(served, "carol")["Ready"] == "ReissueBudgetSpent"
    before = serial(served, "carol")
    passes(served, DAY)
    assert (said(served, "carol")["Ready"], serial(served, "carol") != before) == ("Issued", True)

"""What is kept of the objects that people write: all that rules ask for, at a size that ten thousand of them may have."""

import tracemalloc

import pytest

from doorward.api.kinds import ClientCertificateSpec
from doorward.view.parsed import CertificateObject, IssuerObject

METADATA = {
    "namespace": "edge",
    "name": "alice",
    "uid": "3d5f0b62-8d50-4a86-9e5f-7a2c9c1f5a11",
    "resourceVersion": "17",
    "generation": 2,
    "creationTimestamp": "2026-09-01T12:00:00Z",
    "deletionTimestamp": "2026-09-02T12:00:00Z",
    "finalizers": ["doorward.io/cut-off", "example.com/other"],
}
UNREAD = {
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    "labels": {"team": "edge"},
}
STATUS = {"conditions": [{"type": "Ready", "status": "True"}], "notAfter": "2026-09-30T12:00:00Z"}
SPEC = {
    "issuerRef": {"name": "partners"},
    "commonName": "alice.example",
    "duration": "720h",
    "keystores": {"pkcs12": {"profile": "Modern2023"}},
    "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
}
TEMPLATE = {"secretTemplate": {"labels": {"team": "edge"}, "annotations": {}}}


def written(name="alice", **spec):
    return {"metadata": METADATA | UNREAD | {"name": name}, "spec": SPEC | spec, "status": STATUS}


@pytest.mark.parametrize("parse", [CertificateObject.parse, IssuerObject.parse], ids=["a client's", "an issuer's"])
def test_of_metadata_and_status_all_is_kept_that_is_read(parse):
    found = parse(written())
    assert found.body == {"metadata": METADATA, "status": STATUS}
    assert tuple(found.key) == ("edge", "alice")


def test_an_object_without_a_status_has_an_empty_one():
    body = written()
    del body["status"]
    assert CertificateObject.parse(body).body["status"] == {}


def test_what_is_told_can_be_changed_and_what_is_kept_is_not():
    found = CertificateObject.parse(written())
    found.body["status"].clear()
    assert found.body["status"] == STATUS


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="as most are"),
        pytest.param({"revoked": True, "revocationReason": "keyCompromise"}, id="revoked"),
        pytest.param(TEMPLATE, id="with labels for its Secret"),
        pytest.param({"privateKey": {"algorithm": "RSA", "size": 3072, "rotationPolicy": "Never"}}, id="another key"),
    ],
)
def test_a_spec_says_the_same_beside_thousands_with_shared_parts(spec):
    others = [CertificateObject.parse(written(f"client-{number}")) for number in range(3)]
    found = CertificateObject.parse(written(**spec))
    plain = ClientCertificateSpec.model_validate(SPEC | spec)
    assert found.spec == plain
    assert found.spec.model_dump() == plain.model_dump()
    assert found.spec.model_fields_set == plain.model_fields_set
    assert all(other.spec == ClientCertificateSpec.model_validate(SPEC) for other in others)


def test_a_client_takes_three_kilobytes_of_memory():
    bodies = [written(f"client-{number}", commonName=f"client-{number}.example") for number in range(500)]
    CertificateObject.parse(bodies[0])
    tracemalloc.start()
    try:
        kept = [CertificateObject.parse(body) for body in bodies]
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used / len(kept) < 3000

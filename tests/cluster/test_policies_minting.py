"""Handing out access takes the verb `issue` on the issuer; taking it back does not."""

from collections.abc import Iterator

import pytest

from doorward.objects.meta import FINALIZER
from tests.support import older
from tests.support.kube import (
    CERTIFICATES,
    ROLES,
    Answer,
    Object,
    Person,
    bind,
    eventually,
)

from .policies_support import (
    Place,
    certificate,
    client_with_finalizer,
    without_finalizer_policy,
)

MTLSISSUERS = CERTIFICATES._replace(plural="mtlsissuers")


def grant(edge: Place, namespace: str, issuer: str, verb: str = "issue") -> None:
    rule = {"apiGroups": ["doorward.io"], "resources": ["mtlsissuers"], "resourceNames": [issuer], "verbs": [verb]}
    assert edge.admin.create(
        ROLES, {"metadata": {"namespace": namespace, "name": f"issue-{issuer}"}, "rules": [rule]}
    ).ok
    bind(edge.admin, namespace, edge.person.name, f"issue-{issuer}", kind="Role")
    eventually(lambda: edge.person.may("issue", MTLSISSUERS, namespace, name=issuer), "the grant is seen")


def test_edit_alone_mints_nothing_and_is_told_what_is_missing(edge):
    answer = edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"}))
    assert answer.status == 403
    assert f"kubectl -n {edge.namespace} create role issue-partners --verb=issue" in answer.message
    assert "--resource=mtlsissuers.doorward.io --resource-name=partners" in answer.message


def test_issue_on_the_issuer_mints(edge):
    grant(edge, edge.namespace, "partners")
    assert edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"})).ok


def test_issue_on_one_issuer_says_nothing_of_another(edge):
    grant(edge, edge.namespace, "partners")
    assert edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "staff"})).status == 403


def test_issue_counts_in_the_issuers_namespace(edge):
    grant(edge, edge.namespace, "partners")
    elsewhere = {"name": "partners", "namespace": "default"}
    answer = edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer=elsewhere))
    assert answer.status == 403
    assert "mtlsissuers.doorward.io partners in namespace default" in answer.message


def test_an_issuer_named_with_the_objects_own_namespace_is_the_same_one(edge):
    grant(edge, edge.namespace, "partners")
    issuer = {"name": "partners", "namespace": edge.namespace}
    assert edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer=issuer)).ok


def test_a_star_includes_issue(edge):
    grant(edge, edge.namespace, "partners", verb="*")
    assert edge.person.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"})).ok


def test_an_apply_that_creates_is_minting(edge):
    body = certificate(edge.namespace, issuer={"name": "partners"})
    assert edge.person.apply(CERTIFICATES, body, manager="gitops").status == 403


def test_admin_of_the_namespace_issues(edge):
    boss = edge.admin.alias(f"boss.{edge.namespace}")
    bind(edge.admin, edge.namespace, boss.name, "admin")
    eventually(lambda: boss.may("issue", MTLSISSUERS, edge.namespace), "admin includes doorward-issuer-admin")
    assert boss.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"})).ok


@pytest.mark.parametrize(
    "change",
    [
        {"commonName": "mallory.example"},
        {"subject": {"organizations": ["ACME"]}},
        {"dnsNames": ["mallory.example"]},
        {"emailAddresses": ["mallory@example.com"]},
        {"uris": ["spiffe://example/mallory"]},
        {"duration": "8760h"},
        {"renewBefore": "1h"},
        {"privateKey": {"algorithm": "RSA"}},
        {"keystores": {"pkcs12": {"profile": "LegacyDES"}}},
        {"reissue": "today"},
        {"reissue": "today", "suspended": True},
        {"commonName": "mallory.example", "revoked": True},
    ],
)
def test_changing_what_is_certified_is_minting(edge, change):
    answer = edge.person.patch(CERTIFICATES, client_with_finalizer(edge), {"spec": change})
    assert answer.status == 403
    assert "you may only revoke, suspend or delete" in answer.message


def test_replacing_a_request_is_minting(edge):
    body = client_with_finalizer(edge, request="-" * 64)
    assert edge.person.patch(CERTIFICATES, body, {"spec": {"request": "+" * 64}}).status == 403


def test_taking_a_field_away_is_minting(edge):
    body = client_with_finalizer(edge, duration="24h")
    assert edge.person.patch(CERTIFICATES, body, {"spec": {"duration": None}}).status == 403


@pytest.mark.parametrize("change", [{"revoked": True, "revocationReason": "keyCompromise"}, {"suspended": True}])
def test_cutting_off_needs_no_issue(edge, change):
    answer = edge.person.patch(CERTIFICATES, client_with_finalizer(edge), {"spec": change})
    assert answer.ok, answer.message
    assert change.items() <= answer.body["spec"].items()


@pytest.mark.parametrize("field", ["revoked", "suspended"])
def test_letting_in_again_is_minting(edge, field):
    body = client_with_finalizer(edge, **{field: True})
    assert edge.person.patch(CERTIFICATES, body, {"spec": {field: False}}).status == 403
    assert edge.person.patch(CERTIFICATES, body, {"spec": {field: None}}).status == 403
    grant(edge, edge.namespace, "partners")
    assert edge.person.patch(CERTIFICATES, body, {"spec": {field: False}}).ok


def test_labels_of_the_secret_and_of_the_object_are_free(edge):
    change = {"metadata": {"labels": {"a": "b"}}, "spec": {"secretTemplate": {"labels": {"a": "b"}}}}
    assert edge.person.patch(CERTIFICATES, client_with_finalizer(edge), change).ok


def test_deleting_needs_no_issue(edge):
    assert edge.person.delete(CERTIFICATES, client_with_finalizer(edge)).ok


def test_the_operator_changes_finalizers_and_no_spec(edge):
    body = client_with_finalizer(edge)
    answer = edge.operator.patch(CERTIFICATES, body, {"metadata": {"finalizers": [FINALIZER]}})
    assert answer.ok, answer.message
    assert edge.operator.patch(CERTIFICATES, body, {"spec": {"commonName": "mallory.example"}}).status == 403
    assert (
        edge.operator.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "staff"}, name="b")).status
        == 403
    )


# --- the finalizer


@pytest.mark.mutating
def test_a_client_is_born_with_the_finalizer(edge):
    assert client_with_finalizer(edge)["metadata"]["finalizers"] == [FINALIZER]


@pytest.mark.mutating
@pytest.mark.parametrize("finalizers", [[], ["example.com/x"], [FINALIZER], ["example.com/x", FINALIZER]])
def test_other_finalizers_stay(edge, finalizers):
    body = certificate(edge.namespace, issuer={"name": "partners"})
    body["metadata"]["finalizers"] = finalizers
    created = edge.admin.create(CERTIFICATES, body).body
    assert sorted(created["metadata"]["finalizers"]) == sorted({*finalizers, FINALIZER})
    edge.admin.patch(CERTIFICATES, body, {"metadata": {"finalizers": [FINALIZER]}})


def test_applying_a_client_again_changes_nothing(edge):
    body = certificate(edge.namespace, issuer={"name": "partners"})
    # Nobody has written a status here: the first write after the creation stores the one that the CRD gives.
    _, second, third = (edge.admin.apply(CERTIFICATES, body, manager="gitops") for _ in range(3))
    assert second.body["metadata"]["resourceVersion"] == third.body["metadata"]["resourceVersion"]
    assert (third.body["metadata"].get("finalizers") == [FINALIZER]) is older.mutates()


LEFT_OUT = [{"finalizers": None}, {"finalizers": []}, {"finalizers": ["example.com/x"]}]


def _stripped(person: Person, body: Object, metadata: Object) -> Iterator[Answer]:
    """The ways to write the object without the finalizer."""
    yield person.patch(CERTIFICATES, body, {"metadata": metadata})
    current = person.get(CERTIFICATES, body["metadata"]["namespace"], body["metadata"]["name"]).body
    whole = {name: value for name, value in current["metadata"].items() if name != "finalizers"}
    given = {name: value for name, value in metadata.items() if value is not None}
    yield person.replace(CERTIFICATES, current | {"metadata": whole | given})


@pytest.mark.promise(1)
@pytest.mark.parametrize("who", ["person", "admin", "operator"])
@pytest.mark.parametrize("metadata", LEFT_OUT)
def test_nobody_takes_the_finalizer_off_before_the_client_is_deleted(edge, who, metadata):
    person, body = getattr(edge, who), client_with_finalizer(edge)
    for answer in _stripped(person, body, metadata):
        assert answer.status in {200, 403, 422}
        now = edge.admin.get(CERTIFICATES, edge.namespace, "alice").body
        assert FINALIZER in now["metadata"]["finalizers"]


@pytest.mark.mutating
def test_a_manifest_without_the_finalizer_replaces_a_client(edge):
    grant(edge, edge.namespace, "partners")
    body = client_with_finalizer(edge)
    metadata = {name: value for name, value in body["metadata"].items() if name != "finalizers"}
    answer = edge.person.replace(CERTIFICATES, body | {"metadata": metadata | {"labels": {"a": "b"}}})
    assert (answer.status, answer.body["metadata"]["finalizers"]) == (200, [FINALIZER])


@pytest.mark.promise(1)
@pytest.mark.parametrize("metadata", LEFT_OUT[:2])
def test_where_no_mutating_policy_is_served_the_finalizer_stays_all_the_same(edge, metadata):
    grant(edge, edge.namespace, "partners")
    body = client_with_finalizer(edge)
    probe = certificate(edge.namespace, issuer={"name": "partners"}, name="probe")
    with without_finalizer_policy(edge.admin, probe):
        for answer in _stripped(edge.person, body, metadata):
            assert (answer.status, "stays on a ClientCertificate" in answer.message) == (403, True)
        assert edge.person.patch(CERTIFICATES, body, {"metadata": {"labels": {"a": "b"}}}).ok
        assert edge.person.delete(CERTIFICATES, body).ok
        for answer in _stripped(edge.person, body, metadata):
            assert (answer.status, "not revoked yet" in answer.message) == (403, True)


@pytest.mark.parametrize("who", ["person", "admin"])
def test_of_a_deleted_client_only_the_operator_takes_the_finalizer_off(edge, who):
    body = client_with_finalizer(edge)
    assert edge.person.delete(CERTIFICATES, body).ok
    answer = getattr(edge, who).patch(CERTIFICATES, body, {"metadata": {"finalizers": None}})
    assert (answer.status, "not revoked yet" in answer.message) == (403, True)
    assert edge.operator.patch(CERTIFICATES, body, {"metadata": {"finalizers": None}}).ok
    assert edge.admin.get(CERTIFICATES, edge.namespace, "alice").status == 404

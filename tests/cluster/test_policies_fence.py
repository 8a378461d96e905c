"""The operator writes only what is its own; nobody else writes gates, CRLs and the ledger; deletion never hangs."""

from dataclasses import dataclass
from typing import Any

import pytest

from doorward.objects.meta import labels
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    NAMESPACES,
    RECORDS,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    Kind,
    Object,
    bind,
    eventually,
)

from .policies_support import (
    GATE,
    OURS,
    Place,
    ca_secret,
    client_secret,
    client_with_finalizer,
    configmap,
    crl,
    gate,
    record,
    secret,
    unbound,
)


def crl_named(edge: Place, name: str, *, data: str = "one") -> Object:
    """A CRL's ConfigMap as the operator writes it, of another issuer."""
    body = crl(edge.namespace)
    return body | {
        "metadata": body["metadata"] | {"name": f"{name}-crl"},
        "data": {"ca.crt": "anchors", "ca.crl": data},
    }


def unlabelled(body: Object) -> Object:
    return body | {"metadata": body["metadata"] | {"labels": {}}}


EITHER = pytest.mark.parametrize(("kind", "make"), [(SECRETS, client_secret), (CONFIGMAPS, crl_named)])
EVERYBODY = pytest.mark.parametrize("who", ["person", "admin"])


def written(edge: Place, kind: Kind, body: Object) -> Object:
    """An object as the operator wrote it."""
    answer = edge.operator.create(kind, body)
    assert answer.ok, answer.message
    return answer.body


def unfenced(edge: Place, kind: Kind, body: Object) -> Object:
    """An object as the operator wrote it before its own writes were fenced."""
    policy = "fence-operator-writes.doorward.io" if kind is RECORDS else "fence-operator-objects.doorward.io"
    probe = {"metadata": {"namespace": edge.namespace, "name": "a.1.2"}, "spec": record(edge.namespace)["spec"]}
    probe |= {"apiVersion": "doorward.io/v1alpha1", "kind": "IssuedCertificate"} if kind is RECORDS else {"spec": None}
    with unbound(edge.admin, policy, lambda: edge.operator.create(kind, probe, dry_run=True)):
        return written(edge, kind, body)


def ledger(edge: Place) -> Place:
    """The same namespace, where the person may also revoke in the ledger."""
    bind(edge.admin, edge.namespace, edge.person.name, "doorward-issuer-admin")
    eventually(lambda: edge.person.may("patch", RECORDS, edge.namespace), "the ledger is open to the person")
    return edge


# --- the operator


@EITHER
def test_the_operator_creates_only_what_carries_its_label(edge, kind, make):
    assert edge.operator.create(kind, unlabelled(make(edge, "unmarked"))).status == 403
    answer = edge.operator.create(kind, make(edge, "marked"))
    assert answer.ok, answer.message


@EITHER
def test_the_operator_changes_what_carries_its_label(edge, kind, make):
    written(edge, kind, make(edge, "a"))
    answer = edge.operator.replace(kind, make(edge, "a", data="two"))
    assert answer.ok, answer.message


@EITHER
def test_the_operator_changes_nothing_of_others(edge, kind, make):
    edge.person.create(kind, unlabelled(make(edge, "theirs")))
    answer = edge.operator.replace(kind, make(edge, "theirs", data="two"))
    assert answer.status == 403
    assert "Doorward may change only what carries the label app.kubernetes.io/managed-by: doorward" in answer.message


@EITHER
def test_the_operator_takes_its_label_off_nothing(edge, kind, make):
    written(edge, kind, make(edge, "a"))
    assert edge.operator.replace(kind, unlabelled(make(edge, "a"))).status == 403


@EITHER
def test_even_with_every_right_the_operator_reads_and_deletes_nothing_of_others(edge, kind, make):
    bind(edge.admin, edge.namespace, edge.operator.name, "edit")
    eventually(lambda: edge.operator.may("delete", kind, edge.namespace), "every right")
    body = edge.person.create(kind, unlabelled(make(edge, "theirs"))).body
    assert edge.operator.delete(kind, body).status == 403
    assert edge.operator.patch(kind, body, {}).status == 403
    named = {"namespace": edge.namespace, "name": body["metadata"]["name"]}
    probe = {"apiVersion": "v1", "kind": body["kind"], "metadata": named}
    assert edge.operator.apply(kind, probe, manager="probe").status == 403
    assert edge.operator.ask("DELETE", kind.path(edge.namespace), query="dryRun=All").status == 403


@pytest.mark.parametrize("make", [client_secret, ca_secret])
def test_the_operator_deletes_no_secret_but_a_gate(edge, make):
    body = written(edge, SECRETS, make(edge, "alice-mtls" if make is client_secret else "partners-ca-1"))
    assert edge.operator.delete(SECRETS, body).status == 403
    assert edge.operator.delete(SECRETS, written(edge, SECRETS, gate(edge.namespace))).ok


def test_even_with_every_right_the_operator_deletes_no_crl(edge):
    bind(edge.admin, edge.namespace, edge.operator.name, "edit")
    eventually(lambda: edge.operator.may("delete", CONFIGMAPS, edge.namespace), "every right")
    assert edge.operator.delete(CONFIGMAPS, written(edge, CONFIGMAPS, crl(edge.namespace))).status == 403


def test_a_secret_planted_under_a_gates_name_is_replaced(edge):
    planted = secret(edge.namespace, GATE, data="mallory")
    with unbound(
        edge.admin, "fence-gates.doorward.io", lambda: edge.person.create(SECRETS, gate(edge.namespace), dry_run=True)
    ):
        edge.person.create(SECRETS, planted)
        edge.person.create(SECRETS, secret(edge.namespace, "a-" + GATE))
    assert edge.operator.replace(SECRETS, gate(edge.namespace)).ok
    assert edge.person.delete(SECRETS, secret(edge.namespace, "a-" + GATE)).ok


# --- gates


@EVERYBODY
@pytest.mark.parametrize("name", [GATE, "a-doorward.x", "a.b-doorward.x.y", "doorward.x"])
def test_nobody_else_creates_a_secret_of_a_reserved_name(edge, who, name):
    answer = getattr(edge, who).create(SECRETS, secret(edge.namespace, name))
    assert answer.status == 403
    assert "kept for Doorward's gates: choose another name" in answer.message


def test_a_generated_name_is_no_way_round(edge):
    body = {"metadata": {"namespace": edge.namespace, "generateName": "doorward.x-"}}
    assert edge.person.create(SECRETS, body).status == 403


@EVERYBODY
@pytest.mark.parametrize(
    "change",
    [
        {"data": {"ca.crl": None}},
        {"stringData": {"ca.crl": "mine"}},
        {"stringData": {"tls.key": "mine"}},
        {"immutable": True},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "mallory"}}},
        {"metadata": {"labels": {"doorward.io/role": None}}},
        {"metadata": {"labels": {"doorward.io/other": "x"}}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}},
    ],
)
def test_nobody_else_changes_a_gate(edge, who, change):
    body = written(edge, SECRETS, gate(edge.namespace))
    answer = getattr(edge, who).patch(SECRETS, body, change)
    assert answer.status == 403, answer.message
    assert edge.admin.get(SECRETS, edge.namespace, GATE).body == body


@pytest.mark.promise(3)
@EVERYBODY
def test_nobody_else_deletes_a_gate(edge, who):
    body = written(edge, SECRETS, gate(edge.namespace))
    answer = getattr(edge, who).delete(SECRETS, body)
    assert answer.status == 403
    assert "remove doorward.io/issuer from the Ingress" in answer.message
    assert getattr(edge, who).ask("DELETE", SECRETS.path(edge.namespace)).status == 403
    assert edge.admin.get(SECRETS, edge.namespace, GATE).ok


def test_the_rest_of_a_gate_is_free(edge):
    body = written(edge, SECRETS, gate(edge.namespace))
    change = {"metadata": {"labels": {"team": "edge"}, "annotations": {"a": "b"}}}
    assert edge.person.patch(SECRETS, body, change).ok


@pytest.mark.parametrize("name", ["mine", "doorward", "doorwards.x", "mydoorward.x", "a.doorward.x", "doorward-x"])
def test_a_secret_of_another_name_is_untouched(edge, name):
    body = edge.person.create(SECRETS, secret(edge.namespace, name)).body
    assert edge.person.patch(SECRETS, body, {"stringData": {"ca.crl": "two"}, "immutable": True}).ok
    assert edge.person.delete(SECRETS, body).ok


def test_secrets_of_clients_are_left_to_rbac(edge):
    body = edge.admin.create(SECRETS, secret(edge.namespace, "alice-mtls", labels=labels("client"))).body
    assert edge.person.patch(SECRETS, body, {"stringData": {"tls.crt": "mine"}}).ok
    assert edge.person.delete(SECRETS, body).ok
    assert edge.person.create(SECRETS, secret(edge.namespace, "alice-mtls", labels=labels("client"))).ok


# --- CRLs


def test_a_person_creates_no_configmap_with_our_label(edge):
    answer = edge.person.create(CONFIGMAPS, crl(edge.namespace))
    assert answer.status == 403
    assert "leave it out" in answer.message


def test_an_administrator_restores_a_crl(edge):
    assert edge.admin.create(CONFIGMAPS, crl(edge.namespace)).ok


@EVERYBODY
def test_our_label_is_put_on_no_configmap(edge, who):
    body = edge.person.create(CONFIGMAPS, configmap(edge.namespace, "mine")).body
    assert getattr(edge, who).patch(CONFIGMAPS, body, {"metadata": {"labels": OURS}}).status == 403


@EVERYBODY
@pytest.mark.parametrize(
    "change",
    [
        {"data": {"ca.crl": ""}},
        {"data": None},
        {"binaryData": {"x": "YQ=="}},
        {"immutable": True},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
        {"metadata": {"labels": {"doorward.io/role": "x"}}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}},
    ],
)
def test_nobody_else_changes_a_crl(edge, who, change):
    body = written(edge, CONFIGMAPS, crl(edge.namespace))
    answer = getattr(edge, who).patch(CONFIGMAPS, body, change)
    assert answer.status == 403, answer.message
    assert edge.admin.get(CONFIGMAPS, edge.namespace, "partners-crl").body == body


@pytest.mark.promise(1)
@EVERYBODY
def test_nobody_else_deletes_a_crl(edge, who):
    assert getattr(edge, who).delete(CONFIGMAPS, written(edge, CONFIGMAPS, crl(edge.namespace))).status == 403


def test_a_configmap_of_others_is_untouched(edge):
    body = edge.person.create(CONFIGMAPS, configmap(edge.namespace, "theirs-crl")).body
    change = {"data": {"x": "y"}, "metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "immutable": True}
    assert edge.person.patch(CONFIGMAPS, body, change).ok
    assert edge.person.delete(CONFIGMAPS, body).ok


# --- the ledger


def test_a_person_writes_no_record(edge):
    rules = [{"apiGroups": ["doorward.io"], "resources": ["issuedcertificates"], "verbs": ["create", "delete"]}]
    edge.admin.create(ROLES, {"metadata": {"namespace": edge.namespace, "name": "writer"}, "rules": rules})
    bind(edge.admin, edge.namespace, edge.person.name, "writer", kind="Role")
    eventually(lambda: edge.person.may("delete", RECORDS, edge.namespace), "the grant is seen")
    assert "create a ClientCertificate" in edge.person.create(RECORDS, record(edge.namespace)).message
    assert "Records are kept" in edge.person.delete(RECORDS, written(edge, RECORDS, record(edge.namespace))).message


def test_an_administrator_restores_a_record_and_deletes_none(edge):
    body = edge.admin.create(RECORDS, record(edge.namespace)).body
    assert edge.admin.delete(RECORDS, body).status == 403
    assert edge.admin.ask("DELETE", RECORDS.path(edge.namespace)).status == 403


def test_a_person_revokes_and_lifts_a_hold(edge):
    body = written(ledger(edge), RECORDS, record(edge.namespace))
    hold = {"reason": "certificateHold", "time": "2026-02-01T00:00:00Z"}
    assert edge.person.patch(RECORDS, body, {"spec": {"revocation": hold}}).ok
    answer = edge.person.patch(RECORDS, body, {"spec": {"revocation": {"lifted": True}}})
    assert answer.ok, answer.message


def test_edit_alone_does_not_revoke_in_the_ledger(edge):
    body = written(edge, RECORDS, record(edge.namespace))
    change = {"spec": {"revocation": {"reason": "unspecified", "time": "2026-02-01T00:00:00Z"}}}
    assert edge.person.patch(RECORDS, body, change).status == 403


@EVERYBODY
@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"subject": "CN=bob"}},
        {"spec": {"fingerprints": {"sha1": "d" * 40}}},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
        {"metadata": {"labels": {"doorward.io/role": "x"}}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}},
    ],
)
def test_nobody_changes_what_a_record_says(edge, who, change):
    body = written(ledger(edge), RECORDS, record(edge.namespace))
    assert getattr(edge, who).patch(RECORDS, body, change).status in {403, 422}


def test_labels_of_ones_own_on_a_record_are_free(edge):
    body = written(ledger(edge), RECORDS, record(edge.namespace))
    assert edge.person.patch(RECORDS, body, {"metadata": {"labels": {"audit": "seen"}}}).ok


def test_the_operator_revokes_and_deletes_nothing_that_is_valid(edge):
    body = written(edge, RECORDS, record(edge.namespace))
    change = {"spec": {"revocation": {"reason": "superseded", "time": "2026-02-01T00:00:00Z"}}}
    assert edge.operator.patch(RECORDS, body, change).ok
    assert edge.operator.delete(RECORDS, body).status == 403


# --- garbage collection and namespaces


@dataclass(frozen=True)
class Owned:
    """A fenced object that has an owner, as the operator might have written it."""

    kind: Kind
    body: Object
    owner: Object

    def there(self, edge: Place) -> Object | None:
        answer = edge.admin.get(self.kind, edge.namespace, self.body["metadata"]["name"])
        return answer.body if answer.ok else None


def owned(edge: Place, kind: Kind, body: Object) -> Owned:
    owner = edge.person.create(CONFIGMAPS, configmap(edge.namespace, "owner")).body
    reference: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    body["metadata"]["ownerReferences"] = [reference | {"blockOwnerDeletion": True}]
    return Owned(kind, unfenced(edge, kind, body), owner)


FENCED = pytest.mark.parametrize(("kind", "make"), [(SECRETS, gate), (CONFIGMAPS, crl), (RECORDS, record)])


@FENCED
@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_an_owner_takes_a_fenced_object_with_it(edge, kind, make, propagation):
    child = owned(edge, kind, make(edge.namespace))
    assert edge.person.delete(CONFIGMAPS, child.owner, propagation=propagation).ok
    eventually(lambda: child.there(edge) is None, "the child is collected")
    eventually(lambda: not edge.admin.get(CONFIGMAPS, edge.namespace, "owner").ok, "the owner is gone")


@FENCED
def test_an_orphaned_fenced_object_stays_and_its_owner_goes(edge, kind, make):
    child = owned(edge, kind, make(edge.namespace))
    assert edge.person.delete(CONFIGMAPS, child.owner, propagation="Orphan").ok
    eventually(lambda: not edge.admin.get(CONFIGMAPS, edge.namespace, "owner").ok, "the owner is gone")
    kept = child.there(edge)
    assert kept is not None
    assert "ownerReferences" not in kept["metadata"]


def test_a_namespace_with_everything_in_it_can_be_deleted(edge):
    for kind, make in ((SECRETS, gate), (CONFIGMAPS, crl), (RECORDS, record)):
        written(edge, kind, make(edge.namespace))
    client = client_with_finalizer(edge)
    edge.admin.delete(NAMESPACES, {"metadata": {"name": edge.namespace}})
    eventually(
        lambda: "deletionTimestamp" in edge.admin.get(CERTIFICATES, edge.namespace, "alice").body["metadata"], "it ends"
    )
    assert edge.operator.patch(CERTIFICATES, client, {"metadata": {"finalizers": None}}).ok
    eventually(lambda: not edge.admin.get(NAMESPACES, None, edge.namespace).ok, "the namespace is gone")


# --- what would keep an object, or take it away


def archive(namespace: str) -> Object:
    body = configmap(namespace, "partners-archive-2026-01", labels=OURS | {"doorward.io/role": "archive"})
    return body | {"data": {}, "binaryData": {"records.jsonl.xz": "YQ=="}}


OF_OURS = pytest.mark.parametrize(
    ("kind", "make"),
    [
        pytest.param(SECRETS, gate, id="a gate"),
        pytest.param(CONFIGMAPS, crl, id="a CRL"),
        pytest.param(CONFIGMAPS, archive, id="an archive"),
        pytest.param(RECORDS, record, id="a record"),
    ],
)
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}
HOLDS = pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"finalizers": ["example.com/keep"]}, id="a finalizer"),
        pytest.param({"finalizers": ["foregroundDeletion"]}, id="a finalizer of Kubernetes"),
        pytest.param({"finalizers": ["doorward.io/cut-off"]}, id="a finalizer of ours"),
        pytest.param({"ownerReferences": [OWNER]}, id="an owner"),
        pytest.param({"ownerReferences": [OWNER | {"controller": True}]}, id="a controller"),
        pytest.param(
            {"annotations": {"doorward.io/anchors-since": "2020-01-01T00:00:00Z"}}, id="an annotation of ours"
        ),
    ],
)


@pytest.mark.promise(3)
@EVERYBODY
@OF_OURS
@HOLDS
def test_nobody_else_adds_what_holds_an_object_of_ours(edge, who, kind, make, metadata):
    person = getattr(ledger(edge) if kind is RECORDS else edge, who)
    body = written(edge, kind, make(edge.namespace))
    named = {"namespace": edge.namespace, "name": body["metadata"]["name"]}
    apply = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": named | metadata}
    answers = (
        person.patch(kind, body, {"metadata": metadata}),
        person.replace(kind, body | {"metadata": body["metadata"] | metadata}),
        person.apply(kind, apply, manager="mallory"),
        person.apply(kind, apply, manager="doorward"),
    )
    assert [answer.status for answer in answers] == [403] * 4
    assert edge.admin.get(kind, edge.namespace, named["name"]).body == body


@OF_OURS
@pytest.mark.parametrize("metadata", [{"finalizers": ["example.com/keep"]}, {"ownerReferences": [OWNER]}])
def test_what_is_restored_brings_nothing_that_holds_it(edge, kind, make, metadata):
    body = make(edge.namespace)
    answer = edge.admin.create(kind, body | {"metadata": body["metadata"] | metadata})
    assert answer.status == 403


@OF_OURS
def test_a_finalizer_from_before_the_fence_may_be_taken_off(edge, kind, make):
    body = make(edge.namespace)
    body = unfenced(edge, kind, body | {"metadata": body["metadata"] | {"finalizers": ["example.com/keep"]}})
    answer = edge.admin.patch(kind, body, {"metadata": {"finalizers": None}})
    assert answer.ok, answer.message


# --- rights


@pytest.mark.parametrize("kind", [SECRETS, CONFIGMAPS])
@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "patch", "delete"])
def test_without_consent_the_operator_has_no_right_on_secrets(edge, kind, verb):
    assert not edge.operator.may(verb, kind, "default")


def test_consent_says_nothing_of_deleting_configmaps(edge):
    assert edge.operator.may("update", CONFIGMAPS, edge.namespace)
    assert not edge.operator.may("delete", CONFIGMAPS, edge.namespace)


def test_an_admin_of_the_namespace_can_give_consent(edge):
    boss = edge.admin.alias(f"boss.{edge.namespace}")
    bind(edge.admin, edge.namespace, boss.name, "admin")
    eventually(lambda: boss.may("create", ROLEBINDINGS, edge.namespace), "admin is bound")
    eventually(lambda: boss.may("create", SECRETS, edge.namespace), "admin has what it gives")
    bind(boss, edge.namespace, "system:serviceaccount:doorward-system:another", "doorward-secrets")

"""Whoever stole the operator's token may write what the operator writes, and nothing else: every other write is tried."""

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doorward.api.event_reasons import BY_SUBJECT
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ISSUERS,
    MERGE,
    NAMESPACES,
    RECORDS,
    ROLEBINDINGS,
    SECRETS,
    Kind,
    Object,
    eventually,
)

from .policies_support import (
    BUNDLE,
    CHOICE,
    GATE,
    ISSUER,
    NGINX,
    OURS,
    SECRET,
    VERIFY,
    Place,
    ca_secret,
    certificate,
    client_secret,
    client_with_finalizer,
    configmap,
    crl,
    encoded,
    gate,
    ingress,
    record,
    secret,
)

EVENTS = Kind("api/v1", "events")
LEASES = Kind("apis/coordination.k8s.io/v1", "leases")
TOKEN = {"kubernetes.io/service-account.name": "default"}
"""The annotation with which a Secret of type service-account-token becomes that account's token."""
PARTNERS = "issuers/partners"

Change = Callable[[Object], None]


def with_changes(body: Object, *changes: Change) -> Object:
    made = copy.deepcopy(body)
    for change in changes:
        change(made)
    return made


def without(*names: str) -> Change:
    def change(body: Object) -> None:
        for name in names:
            body["data"].pop(name, None)

    return change


def data(**values: str) -> Change:
    return lambda body: body["data"].update(encoded(values))


def metadata(**fields: Any) -> Change:
    return lambda body: body["metadata"].update(fields)


def label(name: str, value: str) -> Change:
    return lambda body: body["metadata"]["labels"].update({name: value})


def fields(**values: Any) -> Change:
    return lambda body: body.update(values)


KEY = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1"}
HELD = [
    fields(immutable=True),
    metadata(finalizers=["example.com/keep"]),
    label("doorward.io/role", "other"),
    label("doorward.io/role", ""),
    label("app.kubernetes.io/managed-by", "mallory"),
]
"""What the operator does to no Secret and to no ConfigMap."""
TYPES = (
    "kubernetes.io/service-account-token",
    "kubernetes.io/dockerconfigjson",
    "bootstrap.kubernetes.io/token",
    "mine",
)
OF_SECRETS = [*HELD, *(fields(type=kind) for kind in TYPES)]
OF_A_GATE = [
    *OF_SECRETS,
    metadata(ownerReferences=[OWNER]),
    without("ca.crl"),
    without("ca.crt"),
    without("ca.crl", "ca.crt"),
    data(**{"ca.crl": ""}),
    data(**{"ca.crt": ""}),
    data(**{"tls.key": KEY}),
    data(**{"tls.crt": "one"}),
    *(data(**{"ca.crt": BUNDLE["ca.crt"] + space + KEY}) for space in ("", "\n", "\n\n")),
    data(other="one"),
    label("doorward.io/role", "client"),
    label("doorward.io/role", "ca"),
]
OF_A_CA = [
    *OF_SECRETS,
    metadata(ownerReferences=[OWNER]),
    metadata(name="partners"),
    metadata(name="partners-ca-0"),
    without("tls.key"),
    data(token="one"),
    label("doorward.io/role", "gate"),
]
OF_A_CLIENT = [
    *OF_SECRETS,
    metadata(ownerReferences=[OWNER]),
    metadata(name="partners-ca-1"),
    metadata(name="a-doorward.x.y"),
    fields(type="Opaque"),
    data(token="one"),
    label("doorward.io/role", "ca"),
    label("doorward.io/role", "gate"),
]
OF_A_CRL = [
    *HELD,
    metadata(ownerReferences=[OWNER]),
    metadata(name="kube-root-ca.crt"),
    lambda body: body["data"].update({"ca.crl": ""}),
    lambda body: body["data"].update({"ca.crt": ""}),
    lambda body: body["data"].pop("ca.crl"),
    lambda body: body["data"].update({"other": "one"}),
    fields(binaryData={"other": "YQ=="}),
    label("doorward.io/role", "archive"),
    label("doorward.io/role", "gate"),
]


def legal(edge: Place) -> dict[str, tuple[Kind, Object, list[Change]]]:
    """What the operator writes, by role, and changes that make it something else."""
    return {
        "gate": (SECRETS, gate(edge.namespace), OF_A_GATE),
        "ca": (SECRETS, ca_secret(edge, "partners-ca-1"), OF_A_CA),
        "client": (SECRETS, client_secret(edge, "alice-mtls"), OF_A_CLIENT),
        "crl": (CONFIGMAPS, crl(edge.namespace), OF_A_CRL),
    }


@pytest.mark.parametrize("role", ["gate", "ca", "client", "crl"])
def test_nothing_but_what_the_operator_writes_is_created(edge, role):
    kind, body, changes = legal(edge)[role]
    assert edge.operator.create(kind, body, dry_run=True).ok
    passed = [
        made for change in changes if edge.operator.create(kind, made := with_changes(body, change), dry_run=True).ok
    ]
    assert passed == []


@pytest.mark.parametrize("role", ["gate", "ca", "client", "crl"])
def test_nothing_is_changed_into_what_the_operator_does_not_write(edge, role):
    kind, body, changes = legal(edge)[role]
    assert edge.operator.create(kind, body).ok
    assert edge.operator.replace(kind, body).ok
    name = body["metadata"]["name"]
    for change in changes:
        made = with_changes(body, change)
        if made["metadata"]["name"] == name:
            path = kind.path(edge.namespace, name)
            assert not edge.operator.ask("PUT", path, made, query="dryRun=All").ok, made


def test_a_ca_is_never_changed(edge):
    assert edge.operator.create(SECRETS, ca_secret(edge, "partners-ca-1")).ok
    assert edge.operator.replace(SECRETS, ca_secret(edge, "partners-ca-1", data="two")).status == 403


def test_no_token_of_an_account_is_made(edge):
    bodies = [gate(edge.namespace), secret(edge.namespace, "mine"), ca_secret(edge, "x-ca-1"), client_secret(edge, "x")]
    for body, marks in itertools.product(bodies, ({}, OURS, OURS | {"doorward.io/role": "client"})):
        made = with_changes(body, metadata(labels=marks, annotations=TOKEN), fields(type=TYPES[0]))
        for content in (made, made | {"data": {}}):
            assert edge.operator.create(SECRETS, content).status == 403
        del made["data"]
        assert edge.operator.create(SECRETS, made).status == 403


def test_a_marked_secret_of_another_is_no_way_in(edge):
    theirs = secret(edge.namespace, "theirs", labels=OURS | {"doorward.io/role": "client"})
    assert edge.admin.create(SECRETS, theirs).ok
    assert edge.operator.replace(SECRETS, theirs).status == 403
    theirs = configmap(edge.namespace, "theirs", labels=OURS)
    assert edge.admin.create(CONFIGMAPS, theirs).ok
    assert edge.operator.replace(CONFIGMAPS, theirs).status == 403


# --- Ingresses


def protected(edge: Place, reference: str = PARTNERS, **annotations: str) -> Object:
    body = ingress(edge.namespace, {ISSUER: reference, **annotations})
    answer = edge.person.create(INGRESSES, body)
    assert answer.ok, answer.message
    return answer.body


def ingress_changes(edge: Place) -> Iterator[dict[str, str | None]]:
    yield {ISSUER: None}
    yield {ISSUER: "issuers/other"}
    yield {ISSUER: None, SECRET: None}
    yield {CHOICE: "optional"}
    yield {SECRET: None}
    yield {SECRET: ""}
    for value in ("other/ca", "{}/ca", "{}/doorward.issuers.staff", "other/doorward.issuers.partners"):
        yield {SECRET: value.format(edge.namespace)}
    for value in ("off", "optional_no_ca", "", "On", "on ", "none"):
        yield {VERIFY: value}
    for value in ("0", "11", "-1", "one", ""):
        yield {NGINX + "auth-tls-verify-depth": value}
    for value in ("/sorry", "@named", "https://a.example/ b", "https://a.example/;", ""):
        yield {NGINX + "auth-tls-error-page": value}
    for value in ("false", "True", "1", ""):
        yield {NGINX + "auth-tls-pass-certificate-to-upstream": value}
    for name in (
        "auth-url",
        "auth-snippet",
        "auth-signin",
        "auth-tls-match-cn",
        "auth-cache-key",
        "auth-secret",
        "auth-realm",
    ):
        yield {NGINX + name: "http://mallory.example/"}
    for name in (
        "server-snippet",
        "configuration-snippet",
        "ssl-passthrough",
        "rewrite-target",
        "canary",
        "server-alias",
    ):
        yield {NGINX + name: "true"}
    yield {"doorward.io/other": "x"}
    yield {"kubernetes.io/ingress.class": "other"}
    yield {"theirs": None}


@pytest.mark.promise(3)
def test_no_protection_is_removed_redirected_or_weakened(edge):
    body = protected(edge, theirs="1")
    gate_of_edge = f"{edge.namespace}/{GATE}"
    path = INGRESSES.path(edge.namespace, "app")
    for change in ingress_changes(edge):
        merge = {"metadata": {"annotations": change}}
        for where in (path, f"{path}/status"):
            answer = edge.operator.ask("PATCH", where, merge, content=MERGE)
            # The mutating policy puts back what only it could be.
            assert answer.status in (403, 422) or (
                change == {SECRET: None} and answer.annotations[SECRET] == gate_of_edge
            ), change
    assert edge.admin.get(INGRESSES, edge.namespace, "app").body == body


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"ingressClassName": "other"}},
        {"spec": {"rules": None, "defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"finalizers": ["example.com/keep"]}},
        {"metadata": {"ownerReferences": [OWNER]}},
    ],
)
def test_nothing_else_of_an_ingress_is_changed(edge, change):
    assert edge.operator.patch(INGRESSES, protected(edge), change).status == 403


def test_what_stands_on_an_ingress_that_never_opted_in_stays(edge):
    theirs = {SECRET: f"{edge.namespace}/{GATE}", VERIFY: "on"}
    body = edge.person.create(INGRESSES, ingress(edge.namespace, theirs)).body
    for change in ({SECRET: None}, {VERIFY: "off"}, {ISSUER: PARTNERS}, {"doorward.io/gate": "x"}):
        assert edge.operator.patch(INGRESSES, body, {"metadata": {"annotations": change}}).status == 403


def test_after_opting_out_the_operator_only_removes(edge):
    body = protected(edge)
    told = {"metadata": {"annotations": {"doorward.io/gate": "Protected: x", VERIFY: "on"}}}
    assert edge.operator.patch(INGRESSES, body, told).ok
    assert edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: None}}}).ok
    for change in ({VERIFY: "optional"}, {SECRET: "other/ca"}, {"doorward.io/gate": "other"}, {ISSUER: PARTNERS}):
        answer = edge.operator.patch(INGRESSES, body, {"metadata": {"annotations": change}})
        assert answer.status in (403, 422), change
    gone = {"metadata": {"annotations": {VERIFY: None, SECRET: None, "doorward.io/gate": None}}}
    assert edge.operator.patch(INGRESSES, body, gone).ok


def test_optional_is_written_only_where_the_issuer_of_the_namespace_allows_it(edge):
    for name, spec in {
        "strict": {},
        "asked": {"gates": {"allowOptional": True}},
        "open": {"gates": {"allowOptional": True}, "ingress": {"verifyClient": "optional"}},
    }.items():
        body = {
            "metadata": {"namespace": edge.namespace, "name": name},
            "spec": {"ca": {"generate": {"commonName": "CA"}}} | spec,
        }
        answer = edge.admin.create(ISSUERS, body | {"apiVersion": "doorward.io/v1alpha1", "kind": "MTLSIssuer"})
        assert answer.ok, answer.message

    def writes(reference: str, **choice: str) -> bool:
        body = protected(edge, reference, **choice)
        optional = {"metadata": {"annotations": {VERIFY: "optional"}}}
        answer = edge.operator.patch(INGRESSES, body, optional)
        assert edge.person.delete(INGRESSES, body).ok
        return answer.ok

    choice = {CHOICE: "optional"}
    eventually(lambda: writes("open"), "the policy sees the issuers")
    eventually(lambda: not writes("strict", **choice), "all of them")
    eventually(lambda: not writes("asked"), "all of them")
    assert writes("asked", **choice)
    assert writes(f"{edge.namespace}/open")
    assert not writes(f"{edge.namespace}/strict", **choice)


def test_ingresses_are_neither_created_nor_deleted(edge):
    assert edge.operator.create(INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS})).status == 403
    body = protected(edge)
    assert edge.operator.delete(INGRESSES, body).status == 403
    apply = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": edge.namespace, "name": "new"},
    }
    assert edge.operator.apply(INGRESSES, apply, manager="doorward").status in (403, 422)


# --- our own kinds


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"revoked": True}},
        {"spec": {"suspended": True}},
        {"spec": {"commonName": "mallory.example"}},
        {"spec": {"secretTemplate": {"labels": {"a": "b"}}}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"metadata": {"ownerReferences": [OWNER]}},
        {"metadata": {"finalizers": ["doorward.io/cut-off", "example.com/keep"]}},
    ],
)
def test_of_a_client_nothing_but_the_finalizer_is_changed(edge, change):
    body = edge.admin.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"})).body
    assert edge.operator.patch(CERTIFICATES, body, change).status == 403
    assert edge.admin.get(CERTIFICATES, edge.namespace, "alice").body == body


@pytest.mark.mutating
def test_the_finalizer_of_a_client_that_is_there_comes_back_by_itself(edge):
    """Where mutating policies are served; elsewhere the removal is refused: tests/cluster/test_policies_minting.py."""
    body = edge.admin.create(CERTIFICATES, certificate(edge.namespace, issuer={"name": "partners"})).body
    edge.operator.patch(CERTIFICATES, body, {"metadata": {"finalizers": None}})
    after = edge.admin.get(CERTIFICATES, edge.namespace, "alice").body
    # The first write after a creation stores the default status, with a version of its own.
    for either in (body, after):
        del either["metadata"]["resourceVersion"], either["metadata"]["managedFields"]
    assert after == body


def test_the_finalizer_is_removed_from_a_client_that_is_being_deleted(edge):
    body = client_with_finalizer(edge)
    assert edge.admin.delete(CERTIFICATES, body).ok
    assert edge.operator.patch(CERTIFICATES, body, {"metadata": {"finalizers": None}}).ok


def test_clients_and_issuers_are_not_written(edge):
    body = certificate(edge.namespace, issuer={"name": "partners"})
    assert edge.operator.create(CERTIFICATES, body).status == 403
    made = edge.admin.create(CERTIFICATES, body).body
    assert edge.operator.delete(CERTIFICATES, made).status == 403
    for verb in ("create", "update", "patch", "delete"):
        assert not edge.operator.may(verb, ISSUERS, edge.namespace)


HOLDS: dict[str, Object] = {
    "a person's": {"reason": "certificateHold"},
    "a deletion's": {"reason": "certificateHold", "heldBy": "Deletion", "finalAt": "2036-01-01T00:00:00Z"},
    "none, but final": {"reason": "keyCompromise"},
}


def held(edge: Place, revocation: Object) -> Object:
    body = edge.operator.create(RECORDS, record(edge.namespace)).body
    answer = edge.admin.patch(RECORDS, body, {"spec": {"revocation": {"time": "2026-02-01T00:00:00Z"} | revocation}})
    assert answer.ok, answer.message
    return answer.body


@pytest.mark.promise(1)
@pytest.mark.parametrize("revocation", HOLDS.values(), ids=HOLDS)
def test_no_hold_is_lifted_but_that_of_a_suspension(edge, revocation):
    body = held(edge, revocation)
    for change in (
        {"lifted": True},
        {"lifted": True, "heldBy": "Suspension"},
        {"heldBy": "Suspension"},
        {"lifted": True, "reason": "certificateHold", "heldBy": None},
        {"reason": "certificateHold", "heldBy": "Suspension", "finalAt": None},
        None,
    ):
        answer = edge.operator.patch(RECORDS, body, {"spec": {"revocation": change}})
        assert answer.status in (403, 422), change
    assert edge.admin.get(RECORDS, edge.namespace, body["metadata"]["name"]).body == body


def test_the_hold_of_a_suspension_is_put_and_lifted(edge):
    body = edge.operator.create(RECORDS, record(edge.namespace)).body
    hold = {"reason": "certificateHold", "time": "2026-02-01T00:00:00Z", "heldBy": "Suspension", "lifted": False}
    for revocation in (hold, hold | {"heldBy": None, "lifted": True}, hold):
        answer = edge.operator.patch(RECORDS, body, {"spec": {"revocation": revocation}})
        assert answer.ok, answer.message


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"metadata": {"ownerReferences": [OWNER]}},
        {"metadata": {"finalizers": ["example.com/keep"]}},
        {"spec": {"subject": "CN=mallory"}},
        {"spec": {"clientCertificate": {"name": "mallory"}}},
        {"spec": {"notAfter": "2020-01-01T00:00:00Z"}},
    ],
)
def test_of_a_record_nothing_but_the_revocation_and_one_mark_is_changed(edge, change):
    body = edge.operator.create(RECORDS, record(edge.namespace)).body
    assert edge.operator.patch(RECORDS, body, change).status in (403, 422)
    mark = {"metadata": {"annotations": {"doorward.io/missing-since": "2026-02-01T00:00:00Z"}}}
    assert edge.operator.patch(RECORDS, body, mark).ok


def test_no_record_is_created_that_lets_somebody_in_or_bears_another_name(edge):
    body = record(edge.namespace)
    lifted = {"reason": "certificateHold", "time": "2026-02-01T00:00:00Z", "lifted": True, "heldBy": "Suspension"}
    assert edge.operator.create(RECORDS, body | {"spec": body["spec"] | {"revocation": lifted}}).status == 403
    for change in (
        metadata(name="partners.1.2b"),
        metadata(ownerReferences=[OWNER]),
        metadata(finalizers=["a.example/b"]),
    ):
        assert edge.operator.create(RECORDS, with_changes(body, change)).status == 403


# --- the rest of its rights


def test_an_event_is_about_our_own_kinds_or_the_protection_of_a_host(edge):
    about = {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "MTLSIssuer",
        "name": "partners",
        "namespace": edge.namespace,
    }
    body = {
        "metadata": {"namespace": edge.namespace, "generateName": "doorward-"},
        "involvedObject": about,
        "type": "Warning",
        "reason": "CutOffIncomplete",
        "message": "x",
        "source": {"component": "doorward"},
    }
    ingress = about | {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
    assert edge.operator.create(EVENTS, body).ok
    for reason in BY_SUBJECT["Ingress"]:
        assert edge.operator.create(EVENTS, body | {"involvedObject": ingress, "reason": reason}).ok
    for other in (
        body | {"involvedObject": ingress},
        body | {"involvedObject": ingress | {"kind": "NetworkPolicy"}, "reason": "Open"},
        body | {"involvedObject": ingress | {"namespace": "default"}, "reason": "Open"},
        body | {"involvedObject": about | {"apiVersion": "v1", "kind": "Pod"}},
        body | {"source": {"component": "kubelet"}},
    ):
        assert edge.operator.create(EVENTS, other).status in (403, 422)


def test_one_lease_is_written(edge):
    body = {"metadata": {"namespace": "doorward-system", "name": "another"}, "spec": {"holderIdentity": "mallory"}}
    assert edge.operator.create(LEASES, body).status == 403


RIGHTS = {
    "namespaces": {"list", "watch"},
    "rolebindings": {"list", "watch"},
    "ingresses": {"list", "watch", "patch"},
    "clientcertificates": {"get", "list", "watch", "patch"},
    "mtlsissuers": {"get", "list", "watch"},
    "issuedcertificates": {"get", "list", "watch", "create", "patch", "delete"},
    "secrets": {"get", "list", "watch", "create", "update", "delete"},
    "configmaps": {"get", "list", "watch", "create", "update"},
    "events": {"create"},
    "leases": set[str](),
}
KINDS = (NAMESPACES, ROLEBINDINGS, INGRESSES, CERTIFICATES, ISSUERS, RECORDS, SECRETS, CONFIGMAPS, EVENTS, LEASES)
VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "bind",
    "escalate",
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_its_roles_grant_what_is_listed_here_and_no_more(edge, kind):
    assert {verb for verb in VERBS if edge.operator.may(verb, kind, edge.namespace)} == RIGHTS[kind.plural]


@pytest.mark.parametrize(
    ("group", "resource"), [("", "pods"), ("", "serviceaccounts"), ("apps", "deployments"), ("", "nodes")]
)
def test_it_has_no_right_at_all_on(edge, group, resource):
    kind = Kind(f"apis/{group}/v1" if group else "api/v1", resource)
    assert not any(edge.operator.may(verb, kind, edge.namespace) for verb in VERBS)

"""Admission policies of a cluster's administrators that refuse what the operator writes, or change it: told, and not fought."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import (
    BINDINGS,
    CERTIFICATES,
    INGRESSES,
    ISSUERS,
    SECRETS,
    VALIDATING,
    Kind,
    Object,
    Person,
    eventually,
)

from .policies_support import ISSUER, ingress

MUTATING = Kind("apis/admissionregistration.k8s.io/v1", "mutatingadmissionpolicies")
MUTATING_BINDINGS = Kind("apis/admissionregistration.k8s.io/v1", "mutatingadmissionpolicybindings")
DEPTH = "nginx.ingress.kubernetes.io/auth-tls-verify-depth"
GATE_SAYS = "doorward.io/gate"
Policies = ExitStack


def rules(home: Home, group: str, resource: str) -> Object:
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": home.namespace}}
    return {"resourceRules": [rule], "namespaceSelector": here}


@contextmanager
def bound(admin: Person, kinds: tuple[Kind, Kind], name: str, spec: Object, binding: Object) -> Iterator[None]:
    """A policy with its binding, as long as it is used."""
    policy = {"metadata": {"name": name}, "spec": spec}
    bind = {"metadata": {"name": name}, "spec": {"policyName": name} | binding}
    for kind, body in zip(kinds, (policy, bind), strict=True):
        answer = admin.create(kind, body)
        assert answer.ok, answer.message
    try:
        yield
    finally:
        for kind in reversed(kinds):
            admin.ask("DELETE", kind.path(None, name))


def changing(home: Home, group: str, resource: str, when: str, patch: str) -> Object:
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[JSONPatch{{{patch}}}]"}}
    return {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": rules(home, group, resource),
        "matchConditions": [{"name": "when", "expression": when}],
        "mutations": [mutation],
    }


@pytest.fixture
def policies(home: Home) -> Iterator[Policies]:  # noqa: ARG001 - they end before their namespace
    with ExitStack() as stack:
        yield stack


def change(policies: Policies, home: Home, name: str, group: str, resource: str, when: str, patch: str) -> None:
    spec = changing(home, group, resource, when, patch)
    policies.enter_context(bound(home.admin, (MUTATING, MUTATING_BINDINGS), f"{name}-{home.namespace}", spec, {}))


def refuse(policies: Policies, home: Home, name: str, group: str, resource: str, when: str) -> None:
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": rules(home, group, resource),
        "matchConditions": [{"name": "when", "expression": when}],
        "validations": [{"expression": "false", "message": "this is not allowed here"}],
    }
    binding = {"validationActions": ["Deny"]}
    policies.enter_context(bound(home.admin, (VALIDATING, BINDINGS), f"{name}-{home.namespace}", spec, binding))


def in_force(home: Home, kind: Kind, body: Object, judged: str) -> None:
    """Wait until the API server heeds a policy: what a dry run is answered must hold `judged`."""

    def heeded() -> bool:
        answer = home.admin.create(kind, home.here(body), dry_run=True)
        return judged in str(answer.body)

    eventually(heeded, f"a policy of {home.namespace} is in force")


def probe_secret(**annotations: str) -> Object:
    return {"metadata": {"name": "probe", "annotations": annotations}}


@pytest.mark.mutating
def test_a_policy_that_changes_an_annotation_of_secrets_is_told_by_the_client(home: Home, policies: Policies) -> None:
    home.partners()
    when = "object.metadata.?annotations[?'team'].orValue('') == 'shop'"
    patch = "op: 'replace', path: '/metadata/annotations/team', value: 'none'"
    change(policies, home, "team-none", "", "secrets", when, patch)
    in_force(home, SECRETS, probe_secret(team="shop"), "none")
    home.make(CERTIFICATES, client(secretTemplate={"annotations": {"team": "shop"}}))
    message = home.says(CERTIFICATES, "alice", "Ready", "NotSettling")
    assert "metadata.annotations.team" in message
    password = home.data("alice-mtls")["keystore.password"]
    home.says(CERTIFICATES, "alice", "Admitted", "Live")
    assert home.data("alice-mtls")["keystore.password"] == password


@pytest.mark.mutating
def test_a_policy_that_changes_an_annotation_of_the_ingress_is_told_on_it(home: Home, policies: Policies) -> None:
    home.partners("alice")
    name = "jsonpatch.escapeKey('nginx.ingress.kubernetes.io/auth-tls-verify-depth')"
    when = f"object.metadata.?annotations[?'{DEPTH}'].orValue('3') != '3'"
    change(
        policies,
        home,
        "depth-three",
        "networking.k8s.io",
        "ingresses",
        when,
        f"op: 'replace', path: '/metadata/annotations/' + {name}, value: '3'",
    )
    in_force(home, INGRESSES, ingress(home.namespace, {DEPTH: "2"}), "'3'")
    made = home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))["metadata"]["name"]
    eventually(
        lambda: home.body(INGRESSES, made)["metadata"]["annotations"].get(GATE_SAYS, "").startswith("FieldConflict"),
        "the Ingress says that its protection is changed again",
    )
    assert DEPTH in home.body(INGRESSES, made)["metadata"]["annotations"][GATE_SAYS]
    home.says(ISSUERS, "partners", "GatesCurrent", "TargetsNotWritten")


def test_a_policy_that_refuses_the_crl_is_told_by_the_issuer(home: Home, policies: Policies) -> None:
    refuse(policies, home, "no-crl", "", "configmaps", "object.metadata.name.endsWith('-crl')")
    in_force(home, Kind("api/v1", "configmaps"), {"metadata": {"name": "probe-crl"}}, "not allowed here")
    home.make(ISSUERS, issuer())
    assert "no-crl" in home.says(ISSUERS, "partners", "Ready", "WriteRefused")
    assert home.condition(ISSUERS, "partners", "CRLCurrent")["status"] == "False"
    policies.close()
    home.signing()


def test_a_secret_that_is_immutable_is_told_by_the_client_and_so_is_a_label_that_is_none(home: Home) -> None:
    home.partners("alice", "bob")
    home.change(SECRETS, "alice-mtls", {"immutable": True})
    home.respec(CERTIFICATES, "alice", keystores={"pkcs12": {"profile": "LegacyDES"}})
    home.respec(CERTIFICATES, "bob", secretTemplate={"labels": {"bad key!": "x"}})
    assert "immutable" in home.says(CERTIFICATES, "alice", "Ready", "SecretImmutable")
    bob = home.body(CERTIFICATES, "bob")

    def told() -> bool:
        condition = home.condition(CERTIFICATES, "bob", "Ready")
        return condition.get("status") == "False" and "bad key!" in condition.get("message", "")

    eventually(told, f"bob of {bob['metadata']['namespace']} says what is wrong with his label")

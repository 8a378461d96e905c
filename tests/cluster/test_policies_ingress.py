"""The door of an Ingress that opted in is closed from the moment it is created; all other Ingresses are left alone."""

from typing import Any

import pytest

from doorward.objects.meta import ISSUER_ANNOTATION, ObjectKey, gate_secret_name
from tests.support.kube import (
    INGRESSES,
    MERGE,
)

from .policies_support import (
    CHOICE,
    GATE,
    ISSUER,
    NGINX,
    SECRET,
    VERIFY,
    Place,
    ingress,
    unbound,
)

PARTNERS = "issuers/partners"
"""Its gate's Secret is GATE."""


def opted_in(edge: Place, annotations: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    answer = edge.person.create(
        INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS, **(annotations or {})}, **metadata)
    )
    assert answer.ok, answer.message
    return answer.body


@pytest.mark.promise(3)
@pytest.mark.mutating
def test_an_ingress_is_protected_by_the_answer_to_its_creation(edge):
    assert opted_in(edge)["metadata"]["annotations"][SECRET] == f"{edge.namespace}/{GATE}"


@pytest.mark.mutating
def test_an_issuer_without_a_namespace_is_the_ingresss_neighbour(edge):
    written = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: "partners"})).annotations[SECRET]
    assert written == f"{edge.namespace}/doorward.{edge.namespace}.partners"


@pytest.mark.mutating
def test_policy_and_operator_agree_on_the_names(edge):
    written = opted_in(edge)["metadata"]["annotations"][SECRET]
    assert written == f"{edge.namespace}/{gate_secret_name(ObjectKey('issuers', 'partners'))}"
    assert ISSUER_ANNOTATION == ISSUER


@pytest.mark.mutating
def test_opting_in_later_protects_at_once(edge):
    body = edge.person.create(INGRESSES, ingress(edge.namespace, {})).body
    answer = edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: PARTNERS}}})
    assert answer.annotations[SECRET] == f"{edge.namespace}/{GATE}"


@pytest.mark.promise(3)
@pytest.mark.mutating
def test_taking_the_annotation_off_by_hand_puts_it_back(edge):
    answer = edge.person.patch(INGRESSES, opted_in(edge), {"metadata": {"annotations": {SECRET: None}}})
    assert answer.annotations[SECRET] == f"{edge.namespace}/{GATE}"


@pytest.mark.mutating
def test_another_issuer_moves_the_gate_along(edge):
    answer = edge.person.patch(INGRESSES, opted_in(edge), {"metadata": {"annotations": {ISSUER: "issuers/staff"}}})
    assert answer.annotations[SECRET] == f"{edge.namespace}/doorward.issuers.staff"


def test_the_right_value_may_stand_in_git(edge):
    value = f"{edge.namespace}/{GATE}"
    assert opted_in(edge, {SECRET: value})["metadata"]["annotations"] == {ISSUER: PARTNERS, SECRET: value}


@pytest.mark.parametrize("value", ["mine/ca", "", "elsewhere/doorward.issuers.partners", "{}/doorward.issuers.staff"])
def test_another_secret_is_refused_at_creation_and_not_rewritten(edge, value):
    mine = value.format(edge.namespace)
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS, SECRET: mine}))
    assert answer.status == 422
    assert (
        f"auth-tls-secret is {mine}, but doorward.io/issuer makes it {edge.namespace}/{GATE}: change or remove it"
        in answer.message
    )


@pytest.mark.parametrize("value", ["mine/ca", "{}/doorward.issuers.staff"])
def test_another_secret_is_refused_later(edge, value):
    change = {"metadata": {"annotations": {SECRET: value.format(edge.namespace)}}}
    assert edge.person.patch(INGRESSES, opted_in(edge), change).status == 422


def test_the_status_is_no_way_round(edge):
    path = INGRESSES.path(edge.namespace, opted_in(edge)["metadata"]["name"]) + "/status"
    change = {"metadata": {"annotations": {VERIFY: "off", SECRET: None}}}
    assert edge.admin.ask("PATCH", path, change, content=MERGE).status == 422


@pytest.mark.mutating
def test_taking_it_off_by_the_status_puts_it_back(edge):
    path = INGRESSES.path(edge.namespace, opted_in(edge)["metadata"]["name"]) + "/status"
    change = {"metadata": {"annotations": {SECRET: None}}}
    assert edge.admin.ask("PATCH", path, change, content=MERGE).annotations[SECRET] == f"{edge.namespace}/{GATE}"


def test_opting_in_over_ones_own_secret_is_refused(edge):
    body = edge.person.create(INGRESSES, ingress(edge.namespace, {SECRET: f"{edge.namespace}/mine"})).body
    answer = edge.person.careless().patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: PARTNERS}}})
    assert answer.status == 422


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "Partners",
        "a.b",
        "a b",
        "-a",
        "a-",
        "x" * 64,
        "x" * 64 + "/a",
        "a\n",
        " a",
        "a/ b",
        "ä",
    ],
)
def test_a_malformed_reference_is_refused_with_the_right_form(edge, reference):
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: reference}))
    assert answer.status == 422
    assert "write doorward.io/issuer as <issuer> or <namespace>/<issuer>" in answer.message


def test_the_longest_names_pass(edge):
    reference = "n" * 63 + "/" + "i" * 63
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: reference}))
    assert answer.annotations[SECRET] == f"{edge.namespace}/doorward.{'n' * 63}.{'i' * 63}"


@pytest.mark.parametrize("value", ["off", "optional_no_ca", "optional", "Off", ""])
def test_a_verification_that_opens_the_door_is_refused(edge, value):
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS, VERIFY: value}))
    assert answer.status == 422
    assert "write doorward.io/verify-client: optional" in answer.message


def test_a_verification_from_before_does_not_survive_opting_in(edge):
    body = edge.person.create(INGRESSES, ingress(edge.namespace, {VERIFY: "optional"})).body
    answer = edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: PARTNERS}}})
    assert answer.status == 422


@pytest.mark.parametrize("annotations", [{VERIFY: "on"}, {CHOICE: "on"}, {CHOICE: "optional"}])
def test_a_choice_of_on_or_optional_passes(edge, annotations):
    assert opted_in(edge, annotations)["metadata"]["annotations"].items() >= annotations.items()


def test_the_operator_follows_a_choice_or_the_issuers_own(edge):
    opted_in(edge)
    answer = edge.operator.apply(INGRESSES, ours(edge, {VERIFY: "optional"}), manager="doorward")
    assert answer.annotations[VERIFY] == "optional"
    answer = edge.person.patch(INGRESSES, answer.body, {"metadata": {"annotations": {"a": "b"}}})
    assert answer.annotations[VERIFY] == "optional"


def test_a_tool_cannot_keep_writing_optional_against_the_operator(edge):
    body = opted_in(edge, {CHOICE: "optional"})
    for value in ("optional", "on"):
        assert edge.operator.apply(INGRESSES, ours(edge, {VERIFY: value}), manager="doorward").ok
    assert edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {VERIFY: "optional"}}}).status == 422


@pytest.mark.parametrize("value", ["off", "optional_no_ca", "", "true"])
def test_any_other_choice_is_refused(edge, value):
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS, CHOICE: value}))
    assert answer.status == 422
    assert 'write doorward.io/verify-client: "on" (the default) or optional' in answer.message


def test_a_choice_can_be_taken_back_while_the_operators_annotation_still_stands(edge):
    body = opted_in(edge, {CHOICE: "optional"})
    assert edge.operator.apply(INGRESSES, ours(edge, {VERIFY: "optional"}), manager="doorward").ok
    assert edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {CHOICE: None}}}).ok


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("auth-tls-error-page", "/sorry"), ("auth-tls-error-page", "@named"), ("ssl-passthrough", "true")],
)
def test_an_annotation_that_leads_round_the_door_is_refused(edge, annotation, value):
    answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: PARTNERS, NGINX + annotation: value}))
    assert answer.status == 422
    assert NGINX + annotation in answer.message


def test_an_error_page_elsewhere_passes(edge):
    opted_in(
        edge, {NGINX + "auth-tls-error-page": "https://help.example/certificates", NGINX + "ssl-passthrough": "false"}
    )


def test_an_ingress_of_a_default_back_end_alone_cannot_opt_in(edge):
    body = ingress(edge.namespace, {ISSUER: PARTNERS})
    body["spec"] = {"defaultBackend": {"service": {"name": "app", "port": {"number": 80}}}}
    answer = edge.person.create(INGRESSES, body)
    assert answer.status == 422
    assert "add spec.rules" in answer.message


def test_opting_out_together_with_the_annotation_is_free(edge):
    answer = edge.person.patch(INGRESSES, opted_in(edge), {"metadata": {"annotations": {ISSUER: None, SECRET: None}}})
    assert answer.ok
    assert answer.annotations == {}


def test_applying_it_again_changes_nothing(edge):
    body = ingress(edge.namespace, {ISSUER: PARTNERS})
    first, second = (edge.person.apply(INGRESSES, body, manager="gitops") for _ in range(2))
    assert first.body["metadata"]["resourceVersion"] == second.body["metadata"]["resourceVersion"]


def test_a_broken_ingress_that_is_being_deleted_can_let_its_finalizer_go(edge):
    body = opted_in(edge, finalizers=["example.com/balancer"])
    assert edge.person.delete(INGRESSES, body).ok
    change = {"metadata": {"finalizers": None, "annotations": {ISSUER: "No!"}}}
    assert edge.person.patch(INGRESSES, body, change).ok
    assert edge.person.get(INGRESSES, edge.namespace, "app").status == 404


def test_an_ingress_from_before_the_policy_can_still_change_its_owners(edge):
    broken = ingress(edge.namespace, {ISSUER: PARTNERS, SECRET: f"{edge.namespace}/mine"})
    probe = ingress(edge.namespace, {ISSUER: "No!"})
    probe["metadata"]["name"] = "probe"
    with unbound(edge.admin, "ingress.doorward.io", lambda: edge.admin.create(INGRESSES, probe, dry_run=True)):
        body = edge.person.create(INGRESSES, broken).body
    assert edge.person.patch(INGRESSES, body, {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/x"]}}).ok
    assert edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {"touched": "yes"}}}).status == 422
    assert edge.person.patch(INGRESSES, body, {"metadata": {"finalizers": None}}).ok


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {VERIFY: "off", SECRET: "other/ca"},
        {NGINX + "ssl-passthrough": "true", NGINX + "auth-tls-error-page": "/sorry", CHOICE: "nonsense"},
        {"doorward.io/issuers": PARTNERS},
    ],
)
def test_an_ingress_that_did_not_opt_in_is_untouched(edge, annotations):
    body = edge.person.create(INGRESSES, ingress(edge.namespace, annotations)).body
    assert body["metadata"].get("annotations", {}) == annotations
    answer = edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {"more": "x"}}})
    assert answer.annotations == annotations | {"more": "x"}


def test_an_ingress_without_any_annotations_is_untouched(edge):
    body = ingress(edge.namespace, {})
    del body["metadata"]["annotations"]
    assert "annotations" not in edge.person.create(INGRESSES, body).body["metadata"]


# --- the operator at Ingresses


def ours(edge: Place, annotations: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": edge.namespace, "name": "app", "annotations": annotations, **metadata},
    }


PROTECTION = {VERIFY: "on", NGINX + "auth-tls-verify-depth": "1", "doorward.io/gate": "Protected"}


def test_the_operator_writes_its_annotations_where_an_ingress_opted_in(edge):
    opted_in(edge)
    protection = PROTECTION | {SECRET: f"{edge.namespace}/{GATE}"}
    answer = edge.operator.apply(INGRESSES, ours(edge, protection), manager="doorward")
    assert answer.ok, answer.message
    assert answer.annotations == protection | {ISSUER: PARTNERS}


def test_the_operator_cleans_up_after_opting_out(edge):
    body = opted_in(edge)
    edge.operator.apply(INGRESSES, ours(edge, PROTECTION), manager="doorward")
    edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: None, "doorward.io/gate": None}}})
    gone = dict.fromkeys([*PROTECTION, SECRET])
    answer = edge.operator.patch(INGRESSES, body, {"metadata": {"annotations": gone}})
    assert answer.ok, answer.message
    assert answer.annotations == {}


def test_the_operator_touches_no_ingress_that_did_not_opt_in(edge):
    body = edge.person.create(INGRESSES, ingress(edge.namespace, {NGINX + "auth-url": "http://sso.example/"})).body
    answer = edge.operator.patch(INGRESSES, body, {"metadata": {"annotations": {NGINX + "auth-url": None}}})
    assert answer.status == 403
    assert "did not opt in" in answer.message


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"ingressClassName": "other"}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"finalizers": ["doorward.io/cut-off"]}},
        {"metadata": {"annotations": {NGINX + "whitelist-source-range": "0.0.0.0/0"}}},
        {"metadata": {"annotations": {"owner": None}}},
    ],
)
def test_the_operator_changes_nothing_of_an_ingress_but_its_annotations(edge, change):
    body = opted_in(edge, {"owner": "edge"}, ownerReferences=[])
    answer = edge.operator.patch(INGRESSES, body, change)
    assert answer.status == 403
    assert "Doorward changes no" in answer.message

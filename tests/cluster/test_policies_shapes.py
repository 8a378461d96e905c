"""Whoever may edit Ingresses makes none that opted in and that ingress-nginx is not known to protect; nor can the status."""

from typing import Any

import pytest

from tests.support.ingress_shapes import KNOWN, UNKNOWN, changed, setting
from tests.support.kube import INGRESSES, MERGE, Answer

from .policies_support import CHOICE, ISSUER, NGINX, VERIFY, Place, host_of, ingress, unbound

PARTNERS = "issuers/partners"


def protected(edge: Place, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """An Ingress that opted in, as it is created."""
    body = ingress(edge.namespace, {ISSUER: PARTNERS, **(annotations or {})})
    body["spec"]["tls"] = [{"hosts": [host_of(edge.namespace)]}]
    return body


def replaced(edge: Place, body: dict[str, Any]) -> Answer:
    """The answer to a change of the whole object, which is not made."""
    path = INGRESSES.path(edge.namespace, body["metadata"]["name"])
    return edge.person.ask("PUT", path, body, query="dryRun=All")


@pytest.mark.promise(3)
def test_no_ingress_of_an_unknown_shape_opts_in(edge):
    answers = {
        name: edge.person.create(INGRESSES, changed(protected(edge), change), dry_run=True)
        for name, change in UNKNOWN.items()
    }
    assert {name: answer.body for name, answer in answers.items() if answer.status != 422} == {}


@pytest.mark.promise(3)
def test_no_protected_ingress_is_changed_into_an_unknown_shape(edge):
    made = edge.person.create(INGRESSES, protected(edge)).body
    answers = {name: replaced(edge, changed(made, change)) for name, change in UNKNOWN.items()}
    assert {name: answer.body for name, answer in answers.items() if answer.status != 422} == {}


@pytest.mark.promise(3)
def test_no_open_ingress_of_an_unknown_shape_opts_in_later(edge):
    for name, change in UNKNOWN.items():
        body = changed(ingress(edge.namespace, {}), change)
        made = edge.person.create(INGRESSES, body)
        if made.ok:  # the API server itself refuses some
            answer = edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: PARTNERS}}})
            assert answer.status == 422, name
            edge.person.delete(INGRESSES, body)


def test_every_known_shape_opts_in_and_may_be_changed_into(edge):
    created = {
        name: edge.person.create(INGRESSES, changed(protected(edge), change), dry_run=True)
        for name, change in KNOWN.items()
    }
    assert {name: answer.message for name, answer in created.items() if not answer.ok} == {}
    made = edge.person.create(INGRESSES, protected(edge)).body
    answers = {name: replaced(edge, changed(made, change)) for name, change in KNOWN.items()}
    assert {name: answer.message for name, answer in answers.items() if not answer.ok} == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ssl-passthrough", "True", f"remove {NGINX}ssl-passthrough: the connection would go by ingress-nginx"),
        ("ssl-redirect", "false", f"remove {NGINX}ssl-redirect: without the redirect"),
        ("server-snippet", "ssl_verify_client off;", f"remove the annotation {NGINX}server-snippet, with which"),
        ("proxy-body-size", "large", f"change or remove the annotation {NGINX}proxy-body-size, with whose value"),
        ("x" * 63, "a", f"remove the annotation {NGINX}{'x' * 63}, with which ingress-nginx is not known to protect"),
    ],
)
def test_the_refusal_names_the_annotation_and_says_what_to_do(edge, name, value, message):
    answer = edge.person.create(INGRESSES, changed(protected(edge), setting(name, value)))
    assert answer.status == 422
    assert message in answer.message


def test_a_huge_value_is_refused(edge):
    body = changed(protected(edge), setting("auth-realm", "a" * 200_000))
    assert edge.person.create(INGRESSES, body).status == 422


def test_the_status_is_no_way_round(edge):
    made = edge.person.create(INGRESSES, protected(edge)).body
    path = INGRESSES.path(edge.namespace, "app") + "/status"
    change = {"metadata": {"annotations": {NGINX + "ssl-passthrough": "True"}}}
    assert edge.admin.ask("PATCH", path, change, content=MERGE).status == 422
    assert edge.admin.get(INGRESSES, edge.namespace, "app").body == made


def test_the_operator_can_still_say_what_is_wrong_with_one_that_got_in(edge):
    probe = ingress(edge.namespace, {ISSUER: "No!"})
    probe["metadata"]["name"] = "probe"
    with unbound(edge.admin, "ingress.doorward.io", lambda: edge.admin.create(INGRESSES, probe, dry_run=True)):
        body = changed(protected(edge), UNKNOWN["a host without http, and a defaultBackend"])
        assert edge.person.create(INGRESSES, body).ok
    said = {"metadata": {"annotations": {"doorward.io/gate": "NotEnforced: anybody may get in: add http.paths"}}}
    assert edge.operator.patch(INGRESSES, body, said).ok


# --- optional


@pytest.mark.promise(3)
@pytest.mark.parametrize("choice", [{}, {CHOICE: "on"}, {CHOICE: "optional"}])
def test_nobody_but_the_operator_writes_optional(edge, choice):
    optional = {VERIFY: "optional"} | choice
    assert edge.person.create(INGRESSES, protected(edge, optional)).status == 422
    made = edge.person.create(INGRESSES, protected(edge, choice)).body
    assert edge.person.patch(INGRESSES, made, {"metadata": {"annotations": optional}}).status == 422


@pytest.mark.promise(3)
def test_optional_does_not_survive_a_change_of_the_issuer(edge):
    made = edge.person.create(INGRESSES, protected(edge, {CHOICE: "optional"})).body
    optional = {"metadata": {"annotations": {VERIFY: "optional"}}}
    assert edge.operator.patch(INGRESSES, made, optional).ok
    answer = edge.person.patch(INGRESSES, made, {"metadata": {"annotations": {ISSUER: "issuers/strict"}}})
    assert answer.annotations[VERIFY] == "on"
    assert edge.person.patch(INGRESSES, made, optional).status == 422

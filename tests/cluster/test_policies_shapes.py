"""Whoever may edit Ingresses makes none that opted in and that ingress-nginx is not known to protect; nor can the status."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests import ingress_nginx
from tests.support import older
from tests.support.ingress_shapes import BESIDE, KNOWN, UNKNOWN, Change, changed, setting
from tests.support.installation import GATE_SERVICE
from tests.support.kube import INGRESSES, MERGE, Answer

from .policies_support import CHOICE, ISSUER, NGINX, VERIFY, Place, host_of, ingress, unbound

PARTNERS = "issuers/partners"
REFUSED: Mapping[str, Change] = {**UNKNOWN, **BESIDE}
SNIPPETS = ("configuration", "server", "stream", "auth", "modsecurity", "location", "http")


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
        for name, change in REFUSED.items()
    }
    assert {name: answer.body for name, answer in answers.items() if answer.status != 422} == {}


@pytest.mark.promise(3)
def test_no_protected_ingress_is_changed_into_an_unknown_shape(edge):
    made = edge.person.create(INGRESSES, protected(edge)).body
    answers = {name: replaced(edge, changed(made, change)) for name, change in REFUSED.items()}
    assert {name: answer.body for name, answer in answers.items() if answer.status != 422} == {}


@pytest.mark.promise(3)
def test_no_open_ingress_of_an_unknown_shape_opts_in_later(edge):
    for name, change in REFUSED.items():
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


TRUE = ("true", "True", "TRUE", "t", "T", "1", "yes", "on", "any", " true", "true ", "true\n", "\ttrue", "tru\u0435")
FALSE = ("false", "False", "FALSE", "f", "F", "0", "no", "off", " false", "false ", "false\n", "\ufefffalse")
"""As ingress-nginx may read them: it uses Go's ParseBool, and trims some values."""
SPELLINGS: Mapping[str, Sequence[str]] = {
    "satisfy": (
        *TRUE,
        *FALSE,
        "any",
        "Any",
        "ANY",
        " any",
        "any ",
        "any\n",
        "\tany",
        '"any"',
        "any;",
        "all ",
        "All",
        "",
    ),
    "ssl-passthrough": (*TRUE, *(value for value in FALSE if value != "false"), ""),
    "enable-global-auth": (*FALSE, *(value for value in TRUE if value != "true"), ""),
    "ssl-redirect": (*FALSE, *(value for value in TRUE if value != "true"), ""),
    "canary": (*TRUE, *(value for value in FALSE if value != "false"), ""),
    "auth-tls-verify-client": (
        "off",
        "Off",
        "OFF",
        " off",
        "off ",
        "optional_no_ca",
        "optional",
        "On",
        "on ",
        "true",
        "1",
        "",
    ),
    "auth-tls-error-page": (
        *(
            "/",
            "/sorry",
            "sorry",
            "@named",
            "@",
            "//help.example/",
            "http:/help.example/",
            "javascript:alert(1)",
            " ",
            "",
        ),
        *(
            "https://help.example/sorry?lang=en",
            "https://help.example/?",
            "https://help.example/#top",
            "https://help.example",
        ),
        *(
            "https://help.example/a/b",
            "https://help.example/a b",
            "https://help.example/%2e%2e",
            "https://help.example/a;b",
        ),
        *("https://help.example/$uri", "https://user@help.example/", "HTTPS://help.example/", " https://help.example/"),
        *("https://help.example/\n", "https://help.example/a\nb", "https://[::1]/"),
    ),
    **{f"{kind}-snippet": ("", " ", "#", "deny all;", "satisfy any;", "ssl_verify_client off;") for kind in SNIPPETS},
}


def spelled(names: Iterable[str]) -> Mapping[str, Change]:
    """Each name in the ways that a person may write the prefix; the API server takes a prefix in capitals, too."""
    prefixes = (NGINX, NGINX.upper(), NGINX.title())
    return {
        prefix + name: lambda body, key=prefix + name: body["metadata"]["annotations"].update({key: "any"})
        for name in names
        for prefix in prefixes
    }


@pytest.mark.promise(3)
def test_no_other_spelling_of_a_value_or_a_name_passes(edge):
    changes = {f"{name}: {value!r}": setting(name, value) for name, values in SPELLINGS.items() for value in values}
    changes |= spelled(["satisfy", "auth-snippet", "auth-cache-key", "auth-signin", "auth-url", "Satisfy", "AUTH-URL"])
    answers = {
        name: edge.person.create(INGRESSES, changed(protected(edge), change), dry_run=True)
        for name, change in changes.items()
    }
    assert {name: answer.body for name, answer in answers.items() if answer.status != 422} == {}


def test_what_asks_somebody_else_may_stay_where_it_stood_before_this_version(edge):
    probe = ingress(edge.namespace, {ISSUER: "No!"}, name="probe")
    mine = {NGINX + "auth-url": "https://$host/oauth2/auth", NGINX + "auth-signin": "https://in.example/"}
    with unbound(edge.admin, "ingress.doorward.io", lambda: edge.admin.create(INGRESSES, probe, dry_run=True)):
        made = edge.person.create(INGRESSES, protected(edge, mine))
        assert made.ok, made.message
        open_ = changed(protected(edge, mine), lambda body: body["metadata"].update(name="open"))
        del open_["metadata"]["annotations"][ISSUER]
        assert edge.person.create(INGRESSES, open_).ok
    assert edge.person.patch(INGRESSES, made.body, {"metadata": {"annotations": {"a": "b"}}}).ok
    other = {"metadata": {"annotations": {NGINX + "auth-url": "https://other.example/"}}}
    assert edge.person.patch(INGRESSES, made.body, other).status == 422
    opts_in = {"metadata": {"annotations": {ISSUER: PARTNERS}}}
    assert edge.person.patch(INGRESSES, open_, opts_in).status == 422
    assert edge.person.patch(INGRESSES, made.body, {"metadata": {"annotations": dict.fromkeys(mine)}}).ok
    assert edge.person.patch(INGRESSES, made.body, {"metadata": {"annotations": mine}}).status == 422


def test_the_gate_services_own_question_may_stand_in_git_before_it_is_installed(edge):
    question = ingress_nginx.url(GATE_SERVICE, edge.namespace, ObjectKey("issuers", "partners"))
    answer = edge.person.create(INGRESSES, protected(edge, {NGINX + "auth-url": question}), dry_run=True)
    assert answer.ok, answer.message
    earlier = question.removesuffix("&ingress=$ingress_name")
    assert edge.person.create(INGRESSES, protected(edge, {NGINX + "auth-url": earlier}), dry_run=True).ok
    answer = edge.person.create(INGRESSES, protected(edge, {NGINX + "auth-url": question + "&a=b"}), dry_run=True)
    assert answer.status == 422


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
    said = {"metadata": {"annotations": {"doorward.io/gate": "NotEnforced: anybody may have access: add http.paths"}}}
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
    if not older.mutates():  # and nothing writes `on`
        assert (answer.status, f"remove {VERIFY}" in answer.message) == (422, True)
        return
    assert answer.annotations[VERIFY] == "on"
    assert edge.person.patch(INGRESSES, made, optional).status == 422

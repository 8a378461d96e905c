"""Another Ingress to a Service behind a gate: refused where it does not opt in, permitted where it says why, and told."""

from collections.abc import Mapping
from typing import Any

import pytest

from doorward.objects.guarded_services import ALL, NAME, render
from tests.support.home import Home
from tests.support.kube import CONFIGMAPS, INGRESSES, MERGE, NAMESPACES, Answer, Person, eventually

from .policies_support import ISSUER, NGINX, OURS, Place, account, host_of, ingress, unbound

WHY = "doorward.io/unprotected"
REFUSED = "is behind an Ingress that asks for a client certificate"


def to(*services: str, default: str = "", **marks: str) -> Mapping[str, Any]:
    """The change of an Ingress that serves these Services at its paths, and that one at all others."""
    backends = [{"service": {"name": name, "port": {"number": 80}}} for name in services]
    paths = [{"path": f"/{n}", "pathType": "Prefix", "backend": backend} for n, backend in enumerate(backends)]
    spec = {"defaultBackend": {"service": {"name": default, "port": {"number": 80}}}} if default else {}
    return {"paths": paths, "spec": spec, "marks": marks}


def another(namespace: str, how: Mapping[str, Any], name: str = "open") -> dict[str, Any]:
    """Such an Ingress, which does not opt in unless its marks say so."""
    body = ingress(namespace, how["marks"])
    body["metadata"]["name"] = name
    rules = [{"host": f"{name}.{host_of(namespace)}", "http": {"paths": how["paths"]}}] if how["paths"] else []
    body["spec"] = {"ingressClassName": "nginx", **({"rules": rules} if rules else {}), **how["spec"]}
    return body


def names(place: Place, data: Mapping[str, str]) -> None:
    """As the operator writes it, and once the API server's policies have heard of it."""
    there = place.admin.get(CONFIGMAPS, place.namespace, NAME)
    version = there.body["metadata"]["resourceVersion"] if there.ok else None
    body = render(place.namespace, data, version=version)
    written = place.operator.replace(CONFIGMAPS, body) if version else place.operator.create(CONFIGMAPS, body)
    assert written.ok, written.message
    some = next(iter(data)) if ALL not in data else "any"
    eventually(lambda: not tried(place, to(some)).ok, "the policy knows it")


def tried(place: Place, how: Mapping[str, Any], name: str = "open") -> Answer:
    """The answer to its creation by somebody with `edit`, which is not made."""
    return place.person.create(INGRESSES, another(place.namespace, how, name), dry_run=True)


FALLBACK = {NGINX + "default-backend": "app"}
MANY = [f"s{number}" for number in range(40)]


@pytest.mark.promise(3)
def test_only_an_ingress_that_opts_in_or_says_why_serves_a_guarded_service(edge: Place):
    names(edge, {"app": "web", "shared": "api,web", "unnamed": ""})
    table: dict[str, tuple[Mapping[str, Any], str, bool]] = {
        "at a path": (to("app"), "open", False),
        "at one of many paths": (to(*MANY, "app", *MANY), "open", False),
        "at all other paths": (to("free", default="app"), "open", False),
        "at every path": (to(default="app"), "open", False),
        "where another one has no endpoint": (to("free", **FALLBACK), "open", False),
        "which names no Ingress": (to("unnamed"), "open", False),
        "with an empty reason": (to("app", **{WHY: ""}), "open", False),
        "with a reason of white space": (to("app", **{WHY: " \t\n\u00a0\u2003"}), "open", False),
        "with another annotation": (
            to("app", **{"doorward.io/unprotect": "yes", "DOORWARD.IO/unprotected": "x"}),
            "open",
            False,
        ),
        "with the reason on the issuer's": (to("app", **{"doorward.io/issuers": "partners"}), "open", False),
        "with a name that begins like its Ingress": (to("app"), "web-2", False),
        "a Service that two guard, as one of them": (to("shared"), "web", False),
        "with a reason": (to("app", **{WHY: "status page"}), "open", True),
        "as one that opts in": (to("app", **{ISSUER: "partners"}), "open", True),
        "as its only Ingress": (to("app"), "web", True),
        "another Service": (to("free", default="other"), "open", True),
        "one that begins like it": (to("app2", "ap", "appp"), "open", True),
    }
    told = {words: tried(edge, how, name) for words, (how, name, _) in table.items()}
    wrong = {words: told[words].body for words, (_, _, passes) in table.items() if told[words].ok is not passes}
    assert wrong == {}
    refused = [told[words] for words, (_, _, passes) in table.items() if not passes]
    assert {answer.status for answer in refused} == {403}
    assert all(REFUSED in answer.message for answer in refused)
    assert f"Service app {REFUSED} (web)" in told["at a path"].message
    assert "doorward.io/unprotected" in told["at a path"].message


def test_another_namespace_is_not_concerned(edge: Place):
    names(edge, {"app": "web"})
    assert edge.admin.create(INGRESSES, another("default", to("app")), dry_run=True).ok


@pytest.mark.promise(3)
def test_where_there_are_too_many_services_each_is_guarded(edge: Place):
    names(edge, {ALL: ""})
    assert [tried(edge, how).ok for how in (to("app"), to(default="app"), to("free", **FALLBACK))] == [False] * 3
    assert tried(edge, to("app", **{WHY: "status page"})).ok
    assert tried(edge, to("app", **{ISSUER: "partners"})).ok


def test_thousands_of_services_are_looked_up(edge: Place):
    names(edge, {f"s{number:060}": "web" for number in range(9_000)})
    assert not tried(edge, to(f"s{8_999:060}", *MANY)).ok
    assert tried(edge, to(*MANY)).ok


@pytest.mark.promise(3)
def test_no_change_leads_to_a_guarded_service(edge: Place):
    names(edge, {"app": "web", "other": "web"})
    body = another(edge.namespace, to("free"))
    assert edge.person.create(INGRESSES, body).ok

    def change(patch: Mapping[str, Any], *, status: bool = False) -> Answer:
        path = INGRESSES.path(edge.namespace, "open") + ("/status" if status else "")
        who = edge.admin if status else edge.person
        return who.ask("PATCH", path, dict(patch), content=MERGE, query="dryRun=All")

    leads = {"spec": another(edge.namespace, to("app"))["spec"]}
    assert change(leads).status == 403
    assert change({"metadata": {"annotations": FALLBACK}}).status == 403
    assert change({"metadata": {"annotations": FALLBACK}}, status=True).status == 403
    assert change(leads | {"metadata": {"annotations": {WHY: "status page"}}}).ok
    assert change({"metadata": {"annotations": {"a": "b"}}}).ok
    exempt = another(edge.namespace, to("app", **{WHY: "status page"}), "exempt")
    assert edge.person.create(INGRESSES, exempt).ok
    for text in (None, "", " "):
        assert edge.person.patch(INGRESSES, exempt, {"metadata": {"annotations": {WHY: text}}}).status == 403
    assert edge.person.patch(INGRESSES, exempt, {"spec": another(edge.namespace, to("other"), "exempt")["spec"]}).ok


def test_whoever_opts_out_may_do_so_where_no_other_ingress_guards_the_service(edge: Place):
    web = another(edge.namespace, to("app", **{ISSUER: "partners"}), "web")
    assert edge.person.create(INGRESSES, web).ok
    names(edge, {"app": "web"})
    opts_out = {"metadata": {"annotations": {ISSUER: None, NGINX + "auth-tls-secret": None}}}
    path = INGRESSES.path(edge.namespace, "web")
    assert edge.person.ask("PATCH", path, opts_out, content=MERGE, query="dryRun=All").ok
    names(edge, {"app": "api,web"})
    eventually(
        lambda: edge.person.ask("PATCH", path, opts_out, content=MERGE, query="dryRun=All").status == 403, "refused"
    )


def test_what_exists_already_is_left_alone_until_it_changes(edge: Place):
    body = another(edge.namespace, to("app"))
    assert edge.person.create(INGRESSES, body).ok
    names(edge, {"app": "web"})
    for harmless in (
        {"labels": {"a": "b"}},
        {"annotations": {"acme.cert-manager.io/x": "y"}},
        {"finalizers": ["a.example/b"]},
    ):
        assert edge.person.patch(INGRESSES, body, {"metadata": harmless}).ok, harmless
    tls = {"spec": {"tls": [{"hosts": [host_of(edge.namespace)]}]}}
    assert edge.person.patch(INGRESSES, body, tls).status == 403
    assert (
        edge.person.patch(INGRESSES, body, {"metadata": {"annotations": {NGINX + "server-alias": "a.example"}}}).status
        == 403
    )
    assert edge.person.delete(INGRESSES, body).ok
    assert edge.person.patch(INGRESSES, body, {"metadata": {"finalizers": None}}).ok


# --- the fence


@pytest.mark.promise(3)
def test_nobody_but_the_operator_writes_the_guarded_services(edge: Place):
    plain = {"metadata": {"namespace": edge.namespace, "name": NAME}, "data": {"app": "open"}}
    ours = render(edge.namespace, {"app": "open"}, version=None)
    for body in (plain, ours, plain | {"immutable": True}):
        assert edge.person.create(CONFIGMAPS, body, dry_run=True).status == 403
        assert edge.admin.create(CONFIGMAPS, body, dry_run=True).status == 403
    names(edge, {"app": "web"})
    changes: dict[str, dict[str, Any]] = {
        "another Ingress": {"data": {"app": "open"}},
        "one Service less": {"data": {"app": None}},
        "no data": {"data": None},
        "binary data": {"binaryData": {"more": "YQ=="}},
        "immutable": {"immutable": True},
        "no owner's label": {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
        "another role": {"metadata": {"labels": {"doorward.io/role": "crl"}}},
        "an owner": {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a"}]}},
        "a finalizer": {"metadata": {"finalizers": ["example.com/a"]}},
    }
    for who in (edge.person, edge.admin, account_of(edge)):
        answers = {words: who.patch(CONFIGMAPS, plain, change) for words, change in changes.items()}
        assert {words: answer.body for words, answer in answers.items() if answer.status != 403} == {}
        assert who.delete(CONFIGMAPS, plain).status == 403
    assert edge.admin.get(CONFIGMAPS, edge.namespace, NAME).body["data"] == {"app": "web"}


def account_of(edge: Place) -> Person:
    """Somebody with all verbs on ConfigMaps, and no more."""
    home = Home(edge.namespace, edge.admin, None)  # type: ignore[arg-type]
    mallory = account(home, "mallory", "*", resource="configmaps")
    eventually(lambda: mallory.may("update", CONFIGMAPS, edge.namespace), "the rights are seen")
    return mallory


def test_what_was_planted_before_the_fence_is_replaced_by_the_operator_alone(edge: Place):
    planted = {"metadata": {"namespace": edge.namespace, "name": NAME}, "data": {"free": "x"}}
    tries = lambda: edge.admin.create(CONFIGMAPS, planted, dry_run=True)  # noqa: E731 - the probe of a policy
    with unbound(edge.admin, "fence-guarded.doorward.io", tries):
        made = edge.person.create(CONFIGMAPS, planted)
        assert made.ok, made.message
    assert edge.person.patch(CONFIGMAPS, planted, {"data": {"free": "y"}}).status == 403
    answer = edge.operator.replace(
        CONFIGMAPS, render(edge.namespace, {"app": "web"}, version=made.body["metadata"]["resourceVersion"])
    )
    assert answer.ok, answer.message
    assert edge.operator.delete(CONFIGMAPS, planted).ok


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"metadata": {"labels": OURS | {"doorward.io/role": "crl"}}}, id="as a CRL"),
        pytest.param({"metadata": {"labels": OURS | {"doorward.io/role": "archive"}}}, id="as an archive"),
        pytest.param({"metadata": {"labels": {}}}, id="without its marks"),
        pytest.param({"binaryData": {"more": "YQ=="}}, id="with binary data"),
        pytest.param({"immutable": True}, id="frozen"),
        pytest.param({"metadata": {"finalizers": ["example.com/a"]}}, id="with a finalizer"),
        pytest.param({"metadata": {"name": "settings"}}, id="under another name"),
        pytest.param({"metadata": {"name": "partners-crl"}}, id="under the name of a CRL"),
    ],
)
def test_a_stolen_token_of_the_operator_writes_it_in_no_other_form(edge: Place, change):
    body = render(edge.namespace, {"app": "web"}, version=None)
    metadata = body["metadata"] | change.get("metadata", {})
    answer = edge.operator.create(CONFIGMAPS, body | change | {"metadata": metadata}, dry_run=True)
    assert answer.status == 403, answer.body


def test_a_stolen_token_of_the_operator_deletes_no_other_configmap(edge: Place):
    body = {"metadata": {"namespace": edge.namespace, "name": "settings"}, "data": {"a": "b"}}
    assert edge.person.create(CONFIGMAPS, body).ok
    assert edge.operator.delete(CONFIGMAPS, body).status == 403


def test_a_namespace_that_ends_takes_it_along(edge: Place):
    names(edge, {"app": "web"})
    space = {"metadata": {"name": edge.namespace}}
    assert edge.admin.delete(NAMESPACES, space).ok
    eventually(lambda: edge.admin.get(CONFIGMAPS, edge.namespace, NAME).status == 404, "it is gone")

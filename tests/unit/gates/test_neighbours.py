"""What an Ingress does to others at its hosts and Services, and what it leaves them, as it is read."""

import pytest

from doorward.gates.ingress_nginx import annotations
from doorward.gates.ingress_nginx.shape import Place, shape_of
from tests.support.ingress_shapes import NGINX, SERVICE, changed, path, rules, setting, spec

RULE = {"host": "app.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": SERVICE}]}}
BODY = {
    "metadata": {
        "namespace": "edge",
        "name": "app",
        "creationTimestamp": "2026-09-01T12:00:00Z",
        "annotations": {"doorward.io/issuer": "partners"},
    },
    "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["app.example"]}], "rules": [RULE]},
}
OURS, THEIRS = setting("auth-tls-secret", "edge/doorward.edge.partners"), setting("auth-tls-secret", "edge/their-ca")
NO_REDIRECT, FORCED = setting("ssl-redirect", "false"), setting("force-ssl-redirect", "true")
UNKNOWN = setting("server-snippet", "return 200;")
NO_TLS = spec(tls=None)


def names(issuer):
    return lambda body: body["metadata"]["annotations"].update({"doorward.io/issuer": issuer})


def opts_out(body):
    del body["metadata"]["annotations"]["doorward.io/issuer"]


def has_no_host(body):
    del body["spec"]["rules"][0]["host"]


def made(*changes):
    body = BODY
    for change in changes:
        body = changed(body, change)
    return body


def read(*changes):
    return annotations.read(made(*changes))


@pytest.mark.parametrize(
    ("changes", "opens"),
    [
        pytest.param([], False, id="one that opted in"),
        pytest.param([OURS], False, id="and is closed"),
        pytest.param([names("edge/staff")], False, id="for another issuer"),
        pytest.param([opts_out], True, id="one that did not opt in"),
        pytest.param([opts_out, OURS], True, id="one that opted out"),
        pytest.param([names("a/b/c")], True, id="one that names no issuer"),
        pytest.param([THEIRS], True, id="one with a trust bundle of its own"),
        pytest.param([UNKNOWN], True, id="one with a setting that may open it"),
        pytest.param([has_no_host], True, id="one without a host"),
    ],
)
def test_an_ingress_leaves_its_services_open(changes, opens):
    assert read(*changes).opens is opens


@pytest.mark.parametrize(
    ("changes", "overrides"),
    [
        pytest.param([opts_out], False, id="one that says nothing"),
        pytest.param([opts_out, NO_TLS], False, id="one without a TLS section"),
        pytest.param([opts_out, has_no_host], False, id="one without a host"),
        pytest.param([opts_out, THEIRS], True, id="one with a trust bundle of its own"),
        pytest.param([opts_out, OURS], True, id="one with that of a gate"),
        pytest.param([opts_out, UNKNOWN], True, id="one with a setting that may open the host"),
        pytest.param([opts_out, NO_REDIRECT], True, id="one that does not redirect to HTTPS"),
        pytest.param([opts_out, NO_REDIRECT, FORCED], False, id="one that does, whatever else it says"),
        pytest.param([THEIRS, UNKNOWN, NO_REDIRECT], False, id="one that opted in, which is told by itself"),
    ],
)
def test_an_ingress_that_did_not_opt_in_decides_for_others_at_its_host(changes, overrides):
    assert read(*changes).overrides is overrides


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        pytest.param([], False, id="a TLS section"),
        pytest.param([NO_TLS], True, id="no TLS section"),
        pytest.param([NO_REDIRECT], True, id="no redirect"),
        pytest.param([setting("server-alias", "a.example")], True, id="an alias"),
        pytest.param([setting("server-alias", "app.example")], False, id="an alias that is a host of it"),
        *(
            pytest.param([change, FORCED], False, id=f"a redirect in any case, and {words}")
            for change, words in (
                (NO_TLS, "no TLS section"),
                (NO_REDIRECT, "no redirect"),
                (setting("server-alias", "a.example"), "an alias"),
            )
        ),
    ],
)
def test_an_ingress_may_serve_plain_http_with(changes, plain):
    assert read(*changes).may_be_plain is plain


@pytest.mark.parametrize(
    ("changes", "catches"),
    [
        pytest.param([], False, id="a host"),
        pytest.param([THEIRS], False, id="a host and a trust bundle"),
        pytest.param([has_no_host], False, id="no host"),
        pytest.param([has_no_host, THEIRS], True, id="no host and a trust bundle"),
        pytest.param([has_no_host, OURS], True, id="no host and that of a gate"),
        pytest.param(
            [rules(lambda rule: [rule, {"http": rule["http"]}]), THEIRS], True, id="a second rule without a host"
        ),
    ],
)
def test_an_ingress_sets_the_trust_bundle_of_clients_that_name_no_host_with(changes, catches):
    assert read(*changes).catches_all is catches


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(NO_TLS, id="its TLS section"),
        pytest.param(spec(ingressClassName="inner"), id="its class"),
        pytest.param(path("/a"), id="a path"),
        pytest.param(path("/", "Exact"), id="the type of a path"),
        pytest.param(lambda body: body["metadata"].update(creationTimestamp="2026-09-01T12:00:01Z"), id="its age"),
    ],
)
def test_others_at_the_host_are_looked_at_again_when_an_ingress_changes(change):
    assert read(change).served_with != read().served_with == read(setting("proxy-body-size", "8m")).served_with


def test_all_of_that_is_remembered():
    body = changed(made(THEIRS), lambda body: body["metadata"].update(uid="1", resourceVersion="2", labels={"a": "b"}))
    kept = annotations.kept(body)
    assert annotations.read(kept) == annotations.read(body)
    assert set(kept["metadata"]) == set(body["metadata"]) - {"labels"} | {"managedFields"}


@pytest.mark.parametrize("name", ["auth-url", "auth-response-headers", "auth-cache-key", "enable-global-auth"])
def test_what_is_asked_at_each_request_and_what_undoes_it_is_remembered(name):
    body = made(setting(name, "x"))
    remembered, seen = (annotations.read(each, "http://gate") for each in (annotations.kept(body), body))
    assert remembered.unasked == seen.unasked == f"remove the annotation {NGINX}{name}"
    assert remembered == seen


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        pytest.param([], ("/",), id="the root"),
        pytest.param([path("/shop")], ("/shop",), id="a path"),
        pytest.param([path("/(a|b)", "ImplementationSpecific")], ("/",), id="the root, for a regular expression"),
        pytest.param([setting("server-alias", "b.example"), path("/shop")], ("/shop", "/shop"), id="that of an alias"),
        pytest.param(
            [rules(lambda rule: [rule, rule | {"host": "b.example", "http": {"paths": [{"path": "/b"}]}}])],
            ("/", "/b"),
            id="one for each host",
        ),
        pytest.param(
            [rules(lambda rule: [rule | {"http": {"paths": [{"path": "/a"}, {"path": "/b"}]}}])],
            ("/a",),
            id="the first",
        ),
        pytest.param([rules(lambda rule: [{"host": rule["host"]}, rule])], ("/",), id="of a rule that has one"),
        pytest.param(
            [rules(lambda rule: [rule | {"http": {"paths": [{}]}}])], ("/",), id="the root, where it has none"
        ),
    ],
)
def test_a_host_is_probed_at(changes, paths):
    assert shape_of(made(*changes)).host_paths == paths


def test_the_places_of_an_ingress_are_its_paths_at_each_host_without_a_slash_at_their_end():
    backends = [{"path": "/a/", "pathType": "Exact"}, {"path": "/", "pathType": "Prefix"}, {}]
    of_two = rules(lambda rule: [rule, {"http": {"paths": backends}}])
    places = shape_of(made(of_two)).places
    assert places == {Place("app.example", "", False), Place("", "/a", True), Place("", "", False)}
    assert {str(place) for place in places} == {"app.example/", "/a", "/"}


def test_a_path_or_value_that_is_too_long_to_be_looked_at_is_not_known():
    assert shape_of(made(path("/" + "a" * 2047))).fault == ""
    assert shape_of(made(path("/" + "a" * 2048))).fault != ""


@pytest.mark.parametrize(
    ("manager", "annotation", "told"),
    [
        pytest.param("kubectl", "auth-tls-verify-depth", True, id="another manager's"),
        pytest.param("", "auth-tls-verify-depth", True, id="nobody's"),
        pytest.param("doorward", "auth-tls-verify-depth", False, id="the operator's own"),
        pytest.param("kubectl", "auth-tls-error-page", True, id="the error page"),
        pytest.param("kubectl", "auth-tls-pass-certificate-to-upstream", True, id="what the application gets"),
        pytest.param("kubectl", "auth-tls-secret", False, id="one that is never left to others"),
    ],
)
def test_a_setting_that_another_manager_owns_is_read_with_its_value(manager, annotation, told):
    owned = {"f:metadata": {"f:annotations": {f"f:{NGINX}{annotation}": {}}}}

    def change(body):
        body["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "fieldsV1": owned}]

    found = read(setting(annotation, "2"), change).set_by_others
    assert [(each.field, each.value, each.manager) for each in found] == (
        [(NGINX + annotation, "2", manager)] if told else []
    )
    assert read(change).set_by_others == (), "it is not there any more"

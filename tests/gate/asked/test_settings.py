"""By which annotations it is asked, who may change them, and an issuer that leaves it to the handshake."""

import pytest

from tests.cluster.policies_support import ISSUER, MUTATING_BINDINGS, NGINX
from tests.gate.doors import IN, Door, Street
from tests.support.home import Home, client, issuer
from tests.support.installation import GateServiceProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, MERGE, OPERATOR, Person, eventually

from .asking import AUTH_URL, IDENTITY, RESPONSE_HEADERS, annotations, question, without_operator

# By choice, the handshake alone


def test_an_issuer_may_leave_it_to_the_handshake(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.make(ISSUERS, issuer("partners", enforcement={"mode": "Handshake"}))
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    eventually(lambda: "doorward.io/gate" in annotations(home) and AUTH_URL not in annotations(home), "nobody is asked")
    assert RESPONSE_HEADERS not in annotations(home)
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {NGINX + "proxy-body-size": "1m"}}})
    assert AUTH_URL not in annotations(home), "the policy leaves off what the operator took off"
    gate_service.stop()
    try:
        shop.comes_to_tell(home.files(), IN)
    finally:
        gate_service.start()
    home.respec(ISSUERS, "partners", enforcement={"mode": "EveryRequest"})
    eventually(lambda: annotations(home).get(AUTH_URL) == question(home.namespace), "the gate service is asked again")


def test_an_ingress_that_opts_out_asks_no_more(home: Home, shop: Door):
    home.partners("alice")
    shop.comes_to_tell(home.files(), IN)
    eventually(lambda: "doorward.io/gate" in annotations(home), "the Ingress is told")
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: None}}})
    eventually(lambda: annotations(home) == {}, "no annotation is left")


# The policies


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("auth-url", "http://oauth.example/", "remove nginx.ingress.kubernetes.io/auth-url"),
        ("auth-response-headers", "X-User", "change nginx.ingress.kubernetes.io/auth-response-headers"),
        ("auth-cache-key", "x", "remove the annotation nginx.ingress.kubernetes.io/auth-cache-key"),
        ("auth-cache-duration", "200 5m", "remove the annotation nginx.ingress.kubernetes.io/auth-cache-duration"),
        ("auth-signin", "https://in.example/", "remove the annotation nginx.ingress.kubernetes.io/auth-signin"),
        ("auth-method", "POST", "remove the annotation nginx.ingress.kubernetes.io/auth-method"),
        ("enable-global-auth", "false", "remove the annotation nginx.ingress.kubernetes.io/enable-global-auth"),
    ],
)
def test_what_would_undo_the_question_is_refused(home: Home, street: Street, name, value, message):
    body = home.here(street.manifest("shop", **{NGINX + name: value}))
    answer = home.admin.create(INGRESSES, body, dry_run=True)
    assert answer.status == 422
    assert message in answer.message


@pytest.mark.usefixtures("shop")
def test_whoever_takes_the_question_off_gets_it_back(home: Home):
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {AUTH_URL: None, RESPONSE_HEADERS: None}}})
    assert annotations(home)[AUTH_URL] == question(home.namespace)
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: "staff"}}})
    assert annotations(home)[AUTH_URL] == question(home.namespace, "staff")


def test_where_no_mutating_policy_is_served_the_refusal_prints_the_lines_to_add(
    admin: Person, home: Home, street: Street
):
    body = home.here(street.manifest("shop"))
    binding = admin.get(MUTATING_BINDINGS, None, "gate-service.doorward.io").body
    assert admin.delete(MUTATING_BINDINGS, binding).ok
    try:
        line = f"add {AUTH_URL}: {question(home.namespace)}"
        eventually(lambda: line in admin.create(INGRESSES, body, dry_run=True).message, "the line is demanded")
        lines = {AUTH_URL: question(home.namespace)}
        half = home.here(street.manifest("shop", **lines))
        assert f"add {RESPONSE_HEADERS}: X-Doorward" in admin.create(INGRESSES, half, dry_run=True).message
        lines[RESPONSE_HEADERS] = IDENTITY
        assert admin.create(INGRESSES, home.here(street.manifest("shop", **lines)), dry_run=True).ok
    finally:
        named = {"name": binding["metadata"]["name"], "labels": binding["metadata"]["labels"]}
        again = {key: binding[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": named}
        assert admin.create(MUTATING_BINDINGS, again).ok
        eventually(lambda: admin.create(INGRESSES, body, dry_run=True).ok, "the policy writes them again")


def test_an_ingress_that_did_not_opt_in_asks_whom_it_likes(home: Home, street: Street):
    theirs = {AUTH_URL: "http://oauth.example/", NGINX + "auth-cache-key": "x"}
    home.make(INGRESSES, street.manifest("open", issuer=None, **theirs))
    assert annotations(home, "open") == theirs


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        pytest.param({AUTH_URL: None}, "only where the MTLSIssuer says enforcement.mode: Handshake", id="takes it off"),
        pytest.param({RESPONSE_HEADERS: None}, "only where the MTLSIssuer says", id="takes the headers off"),
        pytest.param(
            {AUTH_URL: "http://evil.example/"}, "only the question to its own gate service", id="asks another"
        ),
        pytest.param({RESPONSE_HEADERS: "X-User"}, "only the question to its own", id="names other headers"),
        pytest.param({NGINX + "auth-cache-key": "x"}, "Doorward changes no annotations but", id="keeps answers"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_stolen_token_of_the_operator_opens_nothing(home: Home, patch, why):
    home.partners()
    eventually(lambda: "doorward.io/gate" in annotations(home), "the Ingress is told")
    thief = home.admin.alias(OPERATOR)
    path = INGRESSES.path(home.namespace, "shop")
    answer = thief.ask("PATCH", path, {"metadata": {"annotations": patch}}, content=MERGE)
    assert answer.status in (403, 422)
    assert why in answer.message


def test_a_stolen_token_of_the_operator_takes_off_nobody_elses_question(home: Home, street: Street, running_operator):
    """An Ingress that looks as if it had opted out, and asks somebody else."""
    theirs = {AUTH_URL: "http://oauth.example/", RESPONSE_HEADERS: "X-User", "doorward.io/gate": "Protected: so it was"}
    with without_operator(running_operator):
        home.make(INGRESSES, street.manifest("open", issuer=None, **theirs))
        thief, path = home.admin.alias(OPERATOR), INGRESSES.path(home.namespace, "open")
        for name in (AUTH_URL, RESPONSE_HEADERS):
            answer = thief.ask("PATCH", path, {"metadata": {"annotations": {name: None}}}, content=MERGE)
            assert answer.status == 403
            assert "removes only that" in answer.message
    eventually(lambda: "doorward.io/gate" not in annotations(home, "open"), "the mark is taken off")
    assert annotations(home, "open").keys() == {AUTH_URL, RESPONSE_HEADERS}

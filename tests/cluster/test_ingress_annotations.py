"""What an Ingress is told, what of it is left alone, and what the issuer says of its gates."""

from typing import Any

import pytest

from tests.support.home import Home
from tests.support.kube import INGRESSES, ISSUERS, SECRETS, Object, eventually

from .policies_support import CHOICE, ISSUER, NGINX, host_of, ingress

GATE = "doorward.io/gate"
OTHERS = {NGINX + "proxy-body-size": "8m", "cert-manager.io/cluster-issuer": "letsencrypt", "team": "shop"}


def tls(home: Home) -> list[Object]:
    return [{"hosts": [host_of(home.namespace)], "secretName": "server-certificate"}]


def opt_in(home: Home, **annotations: str) -> None:
    """An Ingress with annotations and a TLS section of its owner's that opts in, and is told."""
    body = ingress(home.namespace, OTHERS | {ISSUER: "partners"} | annotations)
    body["spec"]["tls"] = tls(home)
    home.make(INGRESSES, body)
    eventually(lambda: GATE in annotations_of(home), "the Ingress is told")


def annotations_of(home: Home) -> dict[str, str]:
    return dict(home.body(INGRESSES, "app")["metadata"].get("annotations") or {})


def told(home: Home) -> dict[str, str]:
    """Doorward's annotations, without what it says of them."""
    theirs = (*OTHERS, ISSUER, CHOICE, GATE)
    return {name.removeprefix(NGINX): value for name, value in annotations_of(home).items() if name not in theirs}


def expected(home: Home, **others: str) -> dict[str, str]:
    gate = f"{home.namespace}/{home.gate}"
    plain = {"auth-tls-secret": gate, "auth-tls-verify-client": "on", "auth-tls-verify-depth": "1"}
    return plain | {f"auth-tls-{name.replace('_', '-')}": value for name, value in others.items()}


SETTINGS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "the defaults": ({}, {}),
    "the depth": ({"verifyDepth": 3}, {"verify_depth": "3"}),
    "the error page": ({"errorPage": "https://help.example/"}, {"error_page": "https://help.example/"}),
    "the certificate passed on": (
        {"passCertificateToUpstream": True},
        {"pass_certificate_to_upstream": "true"},
    ),
    "optional": ({"verifyClient": "optional"}, {"verify_client": "optional"}),
}


@pytest.mark.parametrize(("settings", "written"), SETTINGS.values(), ids=SETTINGS)
def test_an_ingress_is_told_what_the_issuer_says(home: Home, settings, written):
    home.partners(ingress=settings, gates={"allowOptional": True})
    opt_in(home)
    assert told(home) == expected(home, **written)


@pytest.mark.parametrize(("settings", "written"), SETTINGS.values(), ids=SETTINGS)
def test_a_change_of_the_issuer_reaches_the_ingress(home: Home, settings, written):
    before = {"verifyDepth": 2, "errorPage": "https://old.example/", "passCertificateToUpstream": False}
    home.partners(ingress=before, gates={"allowOptional": True})
    opt_in(home)
    home.respec(ISSUERS, "partners", ingress={"verifyDepth": 1, "errorPage": None} | settings)
    eventually(lambda: told(home) == expected(home, **written), f"{written} is written")


def test_optional_that_the_issuer_does_not_allow_asks_for_a_certificate_and_says_so(home: Home):
    home.partners()
    opt_in(home, **{CHOICE: "optional"})
    eventually(lambda: annotations_of(home)[GATE].startswith("OptionalNotAllowed: "), "it says so")
    assert told(home) == expected(home)


def test_optional_is_written_as_soon_as_the_issuer_allows_it(home: Home):
    home.partners()
    opt_in(home, **{CHOICE: "optional"})
    home.respec(ISSUERS, "partners", gates={"allowOptional": True})
    eventually(lambda: told(home) == expected(home, verify_client="optional"), "optional is written")


def test_the_tls_section_and_the_annotations_of_others_are_left_alone(home: Home):
    home.partners()
    opt_in(home)
    body = home.body(INGRESSES, "app")
    assert body["spec"]["tls"] == tls(home)
    assert {name: body["metadata"]["annotations"].get(name) for name in OTHERS} == OTHERS
    assert owners_of_spec(body) == {"testbed"}


def owners_of_spec(body: Object) -> set[str]:
    """Who wrote the spec, by field manager; the testbed's own client has no other name."""
    entries = body["metadata"]["managedFields"]
    return {"testbed" if e["manager"] != "doorward" else "doorward" for e in entries if "f:spec" in e["fieldsV1"]}


def test_opting_out_takes_every_annotation_of_ours_off_and_no_other(home: Home):
    home.partners(ingress={"errorPage": "https://help.example/", "passCertificateToUpstream": True})
    opt_in(home)
    home.change(INGRESSES, "app", {"metadata": {"annotations": {ISSUER: None}}})
    eventually(lambda: annotations_of(home) == OTHERS, "only what was there before is left")
    assert home.body(INGRESSES, "app")["spec"]["tls"] == tls(home)


@pytest.mark.promise(3)
def test_an_ingress_stays_closed_when_its_issuer_is_deleted(home: Home):
    home.partners()
    opt_in(home)
    home.remove(ISSUERS, "partners")
    eventually(lambda: annotations_of(home)[GATE].startswith("NoSuchIssuer: closed"), "it says so")
    assert told(home) == expected(home)


def test_an_issuer_lists_its_gates(home: Home):
    home.partners()
    home.says(ISSUERS, "partners", "GatesCurrent", "NoGates")
    opt_in(home)
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    status = home.body(ISSUERS, "partners")["status"]
    assert status["gates"] == [{"namespace": home.namespace, "targets": ["app"], "state": "Current"}]
    assert status["gatesTotal"] == 1


def test_an_issuer_says_of_the_gate_of_an_ingress_that_opted_out_that_no_ingress_names_it(home: Home):
    home.partners()
    opt_in(home)
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    home.change(INGRESSES, "app", {"metadata": {"annotations": {ISSUER: None}}})
    home.says(ISSUERS, "partners", "GatesCurrent", "NoGates")
    gates = home.body(ISSUERS, "partners")["status"]["gates"]
    assert [(gate["namespace"], gate.get("targets", [])) for gate in gates] == [(home.namespace, [])]


def test_a_gate_holds_what_the_crl_configmap_holds_and_no_key(home: Home):
    home.partners("alice")
    opt_in(home)
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    gate = home.data(home.gate)
    assert gate.keys() == {"ca.crt", "ca.crl"}
    assert gate["ca.crl"] == home.crl().read_bytes()
    assert home.body(SECRETS, home.gate)["type"] == "Opaque"

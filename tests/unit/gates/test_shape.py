"""Which Ingresses ingress-nginx is known to protect; the admission policy holds the same tables."""

import ast
import ipaddress
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.gates.ingress_nginx import annotations, known, openings
from doorward.gates.ingress_nginx.per_request import AUTH_URL, UNDOING
from doorward.gates.ingress_nginx.shape import LONGEST, shape_of
from doorward.objects import access_list
from tests.support.ingress_shapes import BESIDE, KNOWN, NGINX, SERVICE, UNKNOWN, changed

MANIFEST = Path(__file__).parents[3] / "deploy" / "manifests" / "validating-ingress.yaml"
RULE = {"host": "app.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": SERVICE}]}}
BODY = {
    "metadata": {"namespace": "edge", "name": "app", "annotations": {"doorward.io/issuer": "partners"}},
    "spec": {"tls": [{"hosts": ["app.example"]}], "rules": [RULE]},
}
TRUE = ("true", "True", "TRUE", "t", "T", "1")
"""What ingress-nginx takes for true."""


@pytest.mark.parametrize("change", [*KNOWN.values(), *BESIDE.values()], ids=[*KNOWN, *BESIDE])
def test_is_known_to_be_protected(change):
    assert shape_of(changed(BODY, change)).fault == ""


@pytest.mark.promise(3)
@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_is_not_known_to_be_protected(change):
    shape = shape_of(changed(BODY, change))
    fault = shape.fault or openings.plain(shape, (), openings.Settings())
    assert re.match("(add|change|remove) ", fault), "it says what to do"


@pytest.mark.parametrize("change", [*UNKNOWN.values(), *KNOWN.values()], ids=[*UNKNOWN, *KNOWN])
def test_what_is_remembered_is_judged_like_the_ingress_itself(change):
    body = changed(BODY, change)
    assert annotations.read(annotations.kept(body)) == annotations.read(body)
    assert annotations.kept(annotations.kept(body)) == annotations.kept(body)


@pytest.mark.parametrize("name", ["ssl-passthrough", "canary"])
@given_that(value=st.sampled_from(TRUE) | st.text(max_size=6))
def test_what_would_open_the_host_has_one_value_that_passes(name, value):
    body = changed(BODY, lambda body: body["metadata"]["annotations"].update({NGINX + name: value}))
    assert (shape_of(body).fault == "") is (value == "false")


@given_that(name=st.text(st.characters(codec="ascii", categories=["Ll", "Lu", "Nd"]), max_size=20), value=st.text())
def test_an_annotation_that_is_not_listed_is_never_known(name, value):
    body = changed(BODY, lambda body: body["metadata"]["annotations"].update({f"{NGINX}x{name}": value}))
    assert shape_of(body).fault.startswith(f"remove the annotation {NGINX}x{name}")


@given_that(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "host": st.sampled_from(["", "a.example", "*.a.example"]),
                "http": st.sampled_from([None, {}, {"paths": []}, {"paths": [{}]}, RULE["http"]]),
            },
        ),
        max_size=4,
    ),
    st.sampled_from([None, SERVICE, {}, {"resource": {}}]),
)
def test_rules_are_known_only_where_each_has_a_host_and_paths_to_services(rules, backend):
    body = {"metadata": BODY["metadata"], "spec": {"rules": rules, "defaultBackend": backend}}
    whole = rules and all(rule.get("host") and rule.get("http") == RULE["http"] for rule in rules)
    assert (shape_of(body).fault == "") is bool(whole and backend in (None, SERVICE))


@pytest.mark.parametrize("kind", known.VALUES)
def test_no_value_ends_a_directive_or_is_endless(kind):
    pattern = re.compile(known.VALUES[kind])
    assert not any(
        pattern.fullmatch(f"{a}{sign}{b}") for sign in ";{}\"'\n#`" for a in ("", "a", "/") for b in ("", "a")
    )
    body = changed(
        BODY, lambda body: body["metadata"]["annotations"].update({NGINX + "limit-whitelist": "a" * (LONGEST + 1)})
    )
    assert shape_of(body).fault != ""


# --- the policy


def variables():
    policy = next(yaml.safe_load_all(MANIFEST.read_text()))
    return {each["name"]: each["expression"] for each in policy["spec"]["variables"]}


def test_the_policy_holds_the_same_values():
    assert ast.literal_eval(variables()["values"]) == known.VALUES


def test_the_policy_knows_the_same_annotations():
    assert ast.literal_eval(variables()["known"]) == known.ANNOTATIONS


def test_the_policy_refuses_the_same_annotations_beside_doorward():
    listed = re.match(r"\[(.*?)\]", variables()["beside"])
    assert listed is not None
    assert set(re.findall("'([^']+)'", listed[1])) == set(known.BESIDE)
    assert set(known.BESIDE) <= set(known.ANNOTATIONS)
    assert {known.PREFIX + name for name in known.BESIDE} >= {*UNDOING, AUTH_URL}


def test_the_policy_holds_the_same_rules_of_access_lists():
    text = MANIFEST.read_text()
    assert f"matches('^(?:{access_list.NAME}|{access_list.LABELS})$')" in text
    assert f"variables.allow.size() <= {access_list.LONGEST}" in text
    assert f"variables.entries.size() <= {access_list.MOST}" in text


def test_the_policy_holds_the_same_paths():
    text = MANIFEST.read_text()
    assert known.PATHS["Prefix"] == known.PATHS["Exact"]
    assert all(f"r'^{pattern}$'" in text for pattern in known.PATHS.values())
    assert f".matches('{known.NO_PATH}')" in text


# --- values that every ingress-nginx takes


NETWORKS = st.ip_addresses().flatmap(lambda a: st.integers(0, 32 if a.version == 4 else 128).map(lambda n: f"{a}/{n}"))
CIDRS = re.compile(known.VALUES["cidrs"])


@given_that(st.lists(NETWORKS | st.ip_addresses().map(str), min_size=1, max_size=4), st.sampled_from([",", ", "]))
def test_networks_are_taken_as_python_writes_them(networks, comma):
    assert CIDRS.fullmatch(comma.join(networks))


@given_that(st.text("0123456789abcdefF:./", min_size=1, max_size=24) | st.from_regex(CIDRS, fullmatch=True))
def test_nothing_but_networks_is_taken_for_some(text):
    if CIDRS.fullmatch(text):
        for each in text.split(","):
            ipaddress.ip_network(each.strip(), strict=False)

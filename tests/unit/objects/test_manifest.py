"""What an object is after its file was applied: as `kubectl apply` has it, with its annotation or with field managers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects.manifest import applied, mistakes, patch_to

LAST = "kubectl.kubernetes.io/last-applied-configuration"


def body(annotations=None, labels=None, **spec):
    marks = {"annotations": annotations or {}, "labels": labels or {}}
    return {"kind": "ClientCertificate", "metadata": {"name": "alice", "namespace": "edge", **marks}, "spec": spec}


def by_kubectl(said, **now):
    """An object that a file made, and that others changed since."""
    live = body({LAST: json.dumps(said)}, **said["spec"])
    return live | {"spec": live["spec"] | now, "status": {"x": 1}}


def managed(manager: str, operation: str, *paths: str):
    fields: dict = {}
    for path in paths:
        at = fields
        for name in path.split("."):
            at = at.setdefault(f"f:{name}", {})
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def by_managers(*entries, **spec):
    live = body(**spec)
    return live | {"metadata": live["metadata"] | {"managedFields": list(entries)}}


@pytest.mark.parametrize(
    ("live", "said", "spec"),
    [
        pytest.param(None, body(a=1, b=None), {"a": 1}, id="new"),
        pytest.param(body(a=1, b=2), body(a=3), {"a": 3, "b": 2}, id="of others"),
        pytest.param(by_kubectl(body(a=1, b=2)), body(a=1), {"a": 1}, id="no longer said"),
        pytest.param(by_kubectl(body(a=1), c=3), body(a=2), {"a": 2, "c": 3}, id="never said"),
        pytest.param(by_kubectl(body(a={"x": 1, "y": 2})), body(a={"x": 1}), {"a": {"x": 1}}, id="deeper"),
        pytest.param(
            by_kubectl(body(a={"x": 1}), a={"x": 1, "z": 3}), body(), {"a": {"z": 3}}, id="with others' in it"
        ),
        pytest.param(by_kubectl(body(a=[1, 2])), body(a=[2]), {"a": [2]}, id="a list is replaced"),
        pytest.param(body(a=1), body(a=None), {}, id="null removes"),
        pytest.param(
            by_managers(managed("kubectl", "Apply", "spec.a", "spec.b"), a=1, b=2), body(a=1), {"a": 1}, id="SSA"
        ),
        pytest.param(
            by_managers(managed("kubectl", "Apply", "spec.b"), managed("ops", "Update", "spec.b"), b=2),
            body(),
            {"b": 2},
            id="another owns it, too",
        ),
        pytest.param(by_managers(managed("kubectl-doorward", "Update", "spec.b"), b=2), body(), {"b": 2}, id="by hand"),
        pytest.param(by_managers(managed("doorward", "Apply", "spec.b"), b=2), body(), {"b": 2}, id="the operator"),
        pytest.param(
            by_managers(managed("argocd-controller", "Apply", "spec.s.a", "spec.s.b"), s={"a": 1, "b": 2}),
            body(s={"a": 1}),
            {"s": {"a": 1}},
            id="SSA, deeper",
        ),
    ],
)
def test_the_spec_is_as_kubectl_would_leave_it(live, said, spec):
    assert applied(live, said)["spec"] == spec


def test_labels_and_annotations_of_others_stay_and_those_of_the_file_go_with_it():
    said = body({"mine": "1"}, {"role": "ops"})
    live = body({"mine": "1", "doorward.io/gate": "Protected", LAST: json.dumps(said)}, {"role": "ops", "seen": "x"})
    after = applied(live, body())
    assert after["metadata"]["labels"] == {"seen": "x"}
    assert after["metadata"]["annotations"] == {"doorward.io/gate": "Protected"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "5", "[]", '"x"', "{}", '{"metadata": 5}', '{"metadata": {"labels": 5}}'),
        '{"metadata": {}, "spec": [1]}',
        "[" * 100_000,
        '{"metadata":{},"spec":' + '{"a":' * 500 + "1" + "}" * 500 + "}",
    ],
)
def test_an_annotation_that_somebody_spoiled_removes_nothing(text):
    live = body({LAST: text}, a=1)
    assert applied(live, body(b=2))["spec"]["b"] == 2


small = st.recursive(
    st.integers(0, 3) | st.booleans() | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
specs = st.dictionaries(st.sampled_from("abc"), small, max_size=3)


@given(live=specs, said=specs)
def test_what_the_file_says_is_so_afterwards_and_applying_it_again_changes_nothing(live, said):
    there = by_kubectl(body(**live))
    after = applied(there, body(**said))
    for name, value in said.items():
        assert after["spec"][name] == value or isinstance(value, dict)
    stored = after | {"metadata": after["metadata"] | {"annotations": {LAST: json.dumps(body(**said))}}}
    assert patch_to(stored, applied(stored, body(**said))) == {}


@given(there=specs, wanted=specs)
def test_a_patch_makes_the_one_into_the_other(there, wanted):
    patch = patch_to(body(**there), body(**wanted))
    assert applied(body(**there), body(**patch.get("spec", {})))["spec"] == wanted


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("ClientCertificate", {"issuerRef": {"name": "a"}, "commonName": "x"}, ""),
        ("ClientCertificate", {"issuerRef": {"name": "a"}}, "spec.commonName: Field required"),
        ("ClientCertificate", {"issuerRef": "a", "commonName": "x"}, "spec.issuerRef: "),
        ("ClientCertificate", {"issuerRef": {"name": "a"}, "commonName": "x", "suspended": "yes"}, "spec.suspended: "),
        ("ClientCertificate", {"issuerRef": {"name": "a"}, "commonName": 5}, "spec.commonName: "),
        ("MTLSIssuer", {"ca": {}}, "spec.ca: "),
        ("MTLSIssuer", {"ca": {"generate": {"commonName": "x"}}}, ""),
        ("Ingress", {"rules": 5}, ""),
    ],
)
def test_a_spec_is_read_as_strictly_as_the_api_server_reads_it(kind, spec, said):
    found = mistakes(kind, {"spec": spec})
    assert found.startswith(said)
    assert bool(found) is bool(said)

"""deploy/gate-service as files: complete, closed, and of one mind with the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorward.gates.ingress_nginx.per_request import AUTH_URL, IDENTITY, RESPONSE_HEADERS, UNDOING
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests import ingress_nginx

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "gate-service"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
SHAPES = ROOT / "deploy" / "manifests" / "validating-ingress.yaml"
FENCE = ROOT / "deploy" / "manifests" / "fence-operator-ingresses.yaml"
SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"
OPERATOR = "system:serviceaccount:doorward-system:doorward"

Object = dict[str, Any]


def objects() -> list[Object]:
    return [body for path in FILES for body in yaml.safe_load_all(path.read_text())]


def of_kind(kind: str) -> list[Object]:
    return [body for body in objects() if body["kind"] == kind]


def asked_service() -> Object:
    """The Service at which ingress-nginx asks, and not the one for Prometheus."""
    [service] = [body for body in of_kind("Service") if not body["metadata"]["name"].endswith("-metrics")]
    return service


def policies() -> list[Object]:
    return [*of_kind("ValidatingAdmissionPolicy"), *of_kind("MutatingAdmissionPolicy")]


def flat(path: Path) -> str:
    """The text, each run of white space a space."""
    return re.sub(r"\s+", " ", path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_says_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def test_the_kustomization_has_every_file_and_the_operators_manifests():
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(["../manifests", *(path.name for path in FILES)])


@pytest.mark.parametrize("policy", policies(), ids=lambda body: f"{body['kind']} {body['metadata']['name']}")
def test_every_policy_fails_closed_and_is_bound(policy):
    name = policy["metadata"]["name"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    [binding] = [body for body in of_kind(policy["kind"] + "Binding") if body["metadata"]["name"] == name]
    assert binding["spec"]["policyName"] == name
    assert binding["spec"].get("validationActions", ["Deny"]) == ["Deny"]
    assert "matchResources" not in binding["spec"]
    assert OPERATOR in str(policy["spec"]["matchConditions"])


@pytest.mark.parametrize("policy", of_kind("ValidatingAdmissionPolicy"), ids=lambda body: body["metadata"]["name"])
def test_every_refusal_has_a_message(policy):
    assert all("message" in rule for rule in policy["spec"]["validations"])


def test_the_account_may_read_four_kinds_and_nothing_else():
    [role] = of_kind("ClusterRole")
    assert role["rules"] == [
        {
            "apiGroups": ["doorward.io"],
            "resources": ["mtlsissuers", "clientcertificates", "issuedcertificates"],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list", "watch"]},
    ]
    [binding] = of_kind("ClusterRoleBinding")
    [account] = of_kind("ServiceAccount")
    assert [subject["name"] for subject in binding["subjects"]] == [account["metadata"]["name"]]
    [deployment] = of_kind("Deployment")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert of_kind("Role") == of_kind("RoleBinding") == []


def test_two_replicas_are_kept_apart_and_one_always_answers():
    [deployment], [budget], service = of_kind("Deployment"), of_kind("PodDisruptionBudget"), asked_service()
    spec = deployment["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["spec"]["maxUnavailable"] == 1
    topologies = {each["topologyKey"] for each in spec["template"]["spec"]["topologySpreadConstraints"]}
    assert topologies == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    labels = spec["template"]["metadata"]["labels"]
    selectors = (
        spec["selector"]["matchLabels"],
        budget["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
    )
    assert all(selector == labels for selector in selectors)
    [operator] = [
        body
        for body in yaml.safe_load_all((FENCE.parent / "deployment.yaml").read_text())
        if body["kind"] == "Deployment"
    ]
    assert operator["spec"]["selector"]["matchLabels"] != labels


def test_the_service_is_where_the_annotation_says():
    service = asked_service()
    metadata, [port] = service["metadata"], service["spec"]["ports"]
    assert f"http://{metadata['name']}.{metadata['namespace']}.svc.cluster.local" == SERVICE
    assert port["port"] == 80
    patched = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["patches"][0]["patch"]
    assert patched.endswith(f"--gate-service={SERVICE}")


WRITERS = [*(path for path in FILES if "ingress" in path.name), FENCE]


@pytest.mark.parametrize("path", [*WRITERS, SHAPES], ids=lambda path: path.name)
def test_policies_and_code_ask_the_same_question(path):
    text = flat(path)
    namespace, issuer = "NAMESPACE", ObjectKey("ISSUERS", "NAME")
    before, _, after = ingress_nginx.url(SERVICE, namespace, issuer).partition("NAMESPACE/ISSUERS/NAME")
    assert f"'{before}' + request.namespace + '/'" in text
    assert f"'{after}'" in text
    assert AUTH_URL in text


@pytest.mark.parametrize("path", WRITERS, ids=lambda path: path.name)
def test_policies_and_code_name_the_same_headers(path):
    text = flat(path)
    assert IDENTITY in text
    assert RESPONSE_HEADERS in text


def test_without_the_gate_service_its_own_question_is_the_only_one_that_is_accepted():
    text = flat(FENCE.parent / "validating-ingress.yaml")
    before, _, after = ingress_nginx.url(SERVICE, "NAMESPACE", ObjectKey("ISSUERS", "NAME")).partition(
        "NAMESPACE/ISSUERS/NAME"
    )
    assert f"name: question expression: >- '{before}' + request.namespace + '/' +" in text
    assert f"+ '{after}' # As in gates/" in text


def test_policy_and_code_know_the_same_annotations_that_undo_the_question():
    text = flat(FOLDER / "validating-ingress-gate-service.yaml")
    listed = re.search(r"name: undoing expression: >- \[(.*?)\]", text)
    assert listed is not None
    assert set(re.findall("'([^']+)'", listed[1])) == set(UNDOING)

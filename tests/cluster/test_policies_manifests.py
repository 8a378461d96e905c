"""deploy/manifests as files: complete, commented, and taken by the API server without a warning."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from doorward.objects.meta import FINALIZER, MANAGED_BY, OWNER
from tests.support.kube import (
    OPERATOR,
    SECRETS,
    VALIDATING,
    Object,
    Person,
    eventually,
)

FOLDER = Path(__file__).parents[2] / "deploy" / "manifests"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
NEVER_IN_THE_WAY = "warning-namespace.doorward.io"
"""Without the CRD of its parameters it would refuse the deletion of every namespace."""
PODS = SECRETS._replace(plural="pods")


def objects(kind: str) -> list[Object]:
    return [body for path in FILES for body in yaml.safe_load_all(path.read_text()) if body["kind"] == kind]


def names(kind: str) -> set[str]:
    return {body["metadata"]["name"] for body in objects(kind)}


def policies() -> list[Any]:
    return [*objects("ValidatingAdmissionPolicy"), *objects("MutatingAdmissionPolicy")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_says_what_it_is_for(path):
    assert path.read_text().startswith("# ")


def test_the_kustomization_lists_every_file():
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == [path.name for path in FILES]


@pytest.mark.parametrize("policy", policies(), ids=lambda body: f"{body['kind']} {body['metadata']['name']}")
def test_every_policy_fails_closed_and_is_bound(policy):
    name = policy["metadata"]["name"]
    assert policy["spec"]["failurePolicy"] == ("Ignore" if name == NEVER_IN_THE_WAY else "Fail")
    [binding] = [body for body in objects(policy["kind"] + "Binding") if body["metadata"]["name"] == name]
    assert binding["spec"]["policyName"] == name
    warns = name.startswith("warning-")
    assert binding["spec"].get("validationActions", ["Deny"]) == (["Warn", "Audit"] if warns else ["Deny"])
    assert "matchResources" not in binding["spec"]


@pytest.mark.parametrize("policy", objects("ValidatingAdmissionPolicy"), ids=lambda body: body["metadata"]["name"])
def test_every_refusal_has_a_message(policy):
    assert all("message" in rule or "messageExpression" in rule for rule in policy["spec"]["validations"])


def test_the_policies_know_the_account_the_label_and_the_finalizer():
    [account] = objects("ServiceAccount")
    metadata = account["metadata"]
    assert f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}" == OPERATOR
    text = {path.stem: path.read_text() for path in FILES}
    for fence in (stem for stem in text if stem.startswith("fence-")):
        assert f"'{OPERATOR}'" in text[fence]
    assert f"labels[?'{MANAGED_BY}'].orValue('') == '{OWNER}'" in text["fence-operator-objects"]
    assert f"value: ['{FINALIZER}']" in text["mutating-finalizer"]


@pytest.mark.parametrize("name", sorted(names("ValidatingAdmissionPolicy")))
def test_the_api_server_finds_no_fault_with_the_types(admin: Person, name: str):
    def status() -> Object:
        return admin.get(VALIDATING, None, name).body.get("status", {})

    # The controller manager checks each against the OpenAPI of all it matches: seconds on a busy machine.
    eventually(lambda: "typeChecking" in status(), "the types are checked")
    assert status()["typeChecking"] == {}


def test_the_pod_is_admitted_in_a_restricted_namespace(admin: Person):
    [deployment] = objects("Deployment")
    body = {"metadata": {"namespace": deployment["metadata"]["namespace"], "name": "probe"}}
    answer = admin.create(PODS, body | {"spec": deployment["spec"]["template"]["spec"]}, dry_run=True)
    assert answer.ok, answer.message

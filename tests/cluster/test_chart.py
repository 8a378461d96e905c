"""The Helm chart: what it installs, by Helm itself into a cluster of its own, is deploy/ for another namespace."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from kubernetes import config

from tests.support import helm, older
from tests.support.chart_templates import CHART, ROOT
from tests.support.kube import CRDS, SECRETS, Object, Person
from tests.testbed.controlplane import Cluster

NAMESPACE = "access"
PODS = SECRETS._replace(plural="pods")
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
DIGEST = "sha256:" + "0" * 64
IMAGE = f"registry.example/doorward@{DIGEST}"
VALUES: Object = {
    "image": {"repository": "registry.example/doorward", "digest": DIGEST},
    "gate": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "optIn": {"namespaces": ["default"]},
}

Objects = dict[tuple[str, str, str], Object]


def by_name(text: str) -> Objects:
    bodies = [body for body in yaml.safe_load_all(text) if body]
    return {(body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]): body for body in bodies}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A bare cluster, with a namespace that admits restricted Pods only."""
    with Cluster.start(tmp_path_factory.mktemp("helm"), unsafe_no_fsync=True) as started:
        metadata = {"name": NAMESPACE, "labels": RESTRICTED}
        started.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        yield started


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Person:
    return Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Objects:
    """What Helm keeps of the release that it installed."""
    with helm.connected(cluster, NAMESPACE) as connection:
        return by_name(connection.install(CHART, VALUES))


@pytest.fixture(scope="module")
def built(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """What kustomize gives of deploy/, for the chart's namespace and image."""
    folder = tmp_path_factory.mktemp("kustomize")
    (folder / "deploy").symlink_to(ROOT / "deploy")
    text = "".join((ROOT / "deploy" / "crds" / f"{kind}.yaml").read_text() + "---\n" for kind in KINDS)
    wanted: Object = {"resources": ["deploy/gate-service"], "components": ["deploy/network-policies"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
    text += cluster.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)).stdout
    text = text.replace("doorward-system", NAMESPACE).replace("image: doorward:latest", f"image: {IMAGE}")
    without = () if older.mutates() else ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    return {at: body for at, body in by_name(text).items() if at[0] not in without}


KINDS = ("clientcertificates", "issuedcertificates", "mtlsissuers")
KEPT = {"helm.sh/resource-policy": "keep"}
ONLY_KUSTOMIZE = {("Namespace", "", NAMESPACE)}
"""Helm makes the namespace of a release, or finds it."""
ONLY_HELM = {("RoleBinding", "default", "doorward-secrets")}
"""With kustomize a namespace opts in by itself."""


def test_the_chart_and_kustomize_give_the_same_objects(installed: Objects, built: Objects):
    assert set(built) - set(installed) == ONLY_KUSTOMIZE
    assert set(installed) - set(built) == ONLY_HELM


def test_the_chart_and_kustomize_give_every_object_the_same_content(installed: Objects, built: Objects):
    wanted = {at: deepcopy(body) for at, body in built.items() if at not in ONLY_KUSTOMIZE}
    for (kind, _, _), body in wanted.items():
        if kind == "CustomResourceDefinition":
            body["metadata"]["annotations"] = KEPT  # so that `helm uninstall` leaves them
    assert {at: body for at, body in installed.items() if at not in ONLY_HELM} == wanted


def test_the_chart_brings_the_three_kinds(admin: Person, installed: Objects):
    found = admin.ask("GET", CRDS.path(None)).body["items"]
    ours = {body["spec"]["names"]["kind"] for body in found if body["spec"]["group"] == "doorward.io"}
    assert ours == {kind for kind in ("MTLSIssuer", "ClientCertificate", "IssuedCertificate") if installed}


def test_nothing_names_another_namespace(installed: Objects):
    assert "doorward-system" not in str(installed)


# Pod Security, as the API server's own admission decides it

DEPLOYMENTS = ("doorward", "doorward-gate")


def tried(admin: Person, spec: Any) -> Any:
    body = {"metadata": {"name": "probe", "namespace": NAMESPACE}, "spec": spec}
    return admin.create(PODS, body, dry_run=True)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_its_pods_are_admitted_in_a_restricted_namespace(admin: Person, installed: Objects, name: str):
    answer = tried(admin, installed["Deployment", NAMESPACE, name]["spec"]["template"]["spec"])
    assert answer.ok, answer.message


@pytest.mark.parametrize(("template", "account"), [("tests/ready", None), ("uninstall", "doorward")])
def test_the_pods_of_hooks_are_admitted_in_a_restricted_namespace(
    admin: Person, installed: Objects, template: str, account: str | None
):
    assert installed
    text = helm.rendered(CHART, VALUES, NAMESPACE)[f"doorward/templates/{template}.yaml"]
    [spec] = [pod_spec(body) for body in yaml.safe_load_all(text) if body["kind"] in ("Pod", "Job")]
    if account:
        spec["serviceAccountName"] = account  # the hook's own is there only while it runs
    answer = tried(admin, spec)
    assert answer.ok, answer.message


def pod_spec(body: Object) -> Any:
    return body["spec"] if body["kind"] == "Pod" else body["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    "field", ["allowPrivilegeEscalation", "capabilities"], ids=["may gain rights", "keeps its capabilities"]
)
def test_a_pod_with_less_is_refused_there(admin: Person, installed: Objects, field: str):
    spec = deepcopy(installed["Deployment", NAMESPACE, "doorward"]["spec"]["template"]["spec"])
    del spec["containers"][0]["securityContext"][field]
    answer = tried(admin, spec)
    assert not answer.ok
    assert "restricted" in answer.message

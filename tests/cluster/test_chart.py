"""The Helm chart: what it installs, by Helm itself into a cluster of its own, is deploy/manifests for another namespace."""

from collections.abc import Iterator
from pathlib import Path

import helm_python
import pytest
import yaml
from kubernetes import config

from tests.support.installation import ROOT
from tests.support.kube import CRDS, Person
from tests.testbed.controlplane import Cluster

from .test_policies_manifests import FILES

CHART = ROOT / "charts" / "doorward"
NAMESPACE = "access"
LEFT_OUT = "namespace.yaml"  # Helm makes the release's own
IMAGE = "registry.example/doorward@sha256:" + "0" * 64

Objects = dict[tuple[str, str], dict[str, object]]


def by_name(text: str) -> Objects:
    bodies = [body for body in yaml.safe_load_all(text) if body]
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


def from_manifests() -> Objects:
    """What kustomize would give, for the chart's namespace and image."""
    files = [path.read_text() for path in FILES if path.name != LEFT_OUT]
    text = (
        "\n---\n".join(files).replace("doorward-system", NAMESPACE).replace("image: doorward:latest", f"image: {IMAGE}")
    )
    return by_name(text)


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Person, str]]:
    """A bare cluster in which Helm has installed the chart, and the manifest that Helm keeps of it."""
    folder: Path = tmp_path_factory.mktemp("helm")
    with Cluster.start(folder, unsafe_no_fsync=True) as cluster:
        cluster.kubectl("create", "namespace", NAMESPACE)
        options = {"kubeconfig_path": cluster.kubeconfig, "namespace": NAMESPACE}
        with helm_python.Config(**options) as connection, helm_python.Chart.load(CHART) as chart:
            release = connection.install(chart, "doorward", {"image": IMAGE}, namespace=NAMESPACE)
        yield Person(config.new_client_from_config(config_file=str(cluster.kubeconfig))), release["manifest"]


def test_the_chart_is_the_manifests_for_its_namespace_and_image(helm: tuple[Person, str]):
    _, manifest = helm
    assert by_name(manifest) == from_manifests()


def test_the_chart_brings_the_three_kinds(helm: tuple[Person, str]):
    person, _ = helm
    found = person.ask("GET", CRDS.path(None)).body["items"]
    ours = {body["spec"]["names"]["kind"] for body in found if body["spec"]["group"] == "doorward.io"}
    assert ours == {"MTLSIssuer", "ClientCertificate", "IssuedCertificate"}


def test_nothing_names_another_namespace(helm: tuple[Person, str]):
    _, manifest = helm
    assert "doorward-system" not in manifest

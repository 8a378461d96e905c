"""From kustomize to Helm, to the next chart, and away again, by Helm itself with the operator at work: nobody loses access, and
nothing waits for an operator that is gone. The cluster has no kubelet: tests/support/kubelet.py runs the hook's Job."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import HelmError
from kubernetes import config

from doorward.objects.meta import FINALIZER
from tests.support import helm, installation
from tests.support.chart_templates import CHART, ROOT
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    CRDS,
    INGRESSES,
    ISSUERS,
    NAMESPACES,
    SECRETS,
    VALIDATING,
    Person,
    eventually,
)
from tests.support.kubelet import DEPLOYMENTS, Kubelet
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

NAMESPACE = installation.NAMESPACE
OLD, NEW = "0.0.9", yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
COLUMN = "Age"
"""A column of `kubectl get` that the old CRDs lack."""
VERIFY = "nginx.ingress.kubernetes.io/auth-tls-verify-client"
OLD_POLICY = "fence-forgotten.doorward.io"
"""A policy that the new chart has no more."""


@dataclass
class World:
    """The cluster, who works in it, and the files that clients and gates have."""

    cluster: Cluster
    admin: Person
    home: Home
    operator: OperatorProcess

    def files(self) -> dict[str, Any]:
        """What lets alice in, byte for byte."""
        return {
            "client": self.home.body(SECRETS, "alice-mtls")["data"],
            "gate": self.home.body(SECRETS, self.home.gate)["data"],
            "crl": self.home.body(CONFIGMAPS, "partners-crl")["data"],
            "ingress": self.settings(),
        }

    def gate_is_current(self) -> bool:
        """Whether the gate holds what is published, which it gets last."""
        return self.home.data(self.home.gate)["ca.crl"] == self.home.crl().read_bytes()

    def settings(self) -> dict[str, str]:
        """What the Ingress tells ingress-nginx."""
        annotations = self.home.body(INGRESSES, "app")["metadata"]["annotations"]
        return {name: value for name, value in annotations.items() if name.startswith("nginx.")}

    def finalizers(self, name: str) -> list[str]:
        return list(self.home.body(CERTIFICATES, name)["metadata"].get("finalizers") or ())

    def start_operator(self, name: str) -> None:
        """Another process in its place."""
        self.operator.close()
        self.operator = OperatorProcess(self.cluster, name=name, elected=True)
        self.operator.start()

    def uninstall(self, connection: helm.Helm) -> None:
        """`helm uninstall`, and what its hook does meanwhile."""
        with Kubelet(self.cluster, self.admin, NAMESPACE, self.operator) as kubelet:
            connection.uninstall(timeout=180)
        assert [ran.returncode for ran in kubelet.ran] == [0], kubelet.ran

    def kinds(self) -> set[str]:
        items = self.admin.ask("GET", CRDS.path(None)).body["items"]
        return {body["metadata"]["name"] for body in items if body["spec"]["group"] == "doorward.io"}

    def columns(self) -> set[str]:
        crd = self.admin.get(CRDS, None, "clientcertificates.doorward.io").body
        return {column["name"] for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]}

    def policies(self) -> set[str]:
        items = self.admin.ask("GET", VALIDATING.path(None)).body["items"]
        return {body["metadata"]["name"] for body in items if body["metadata"]["name"].endswith(".doorward.io")}

    def image(self) -> str:
        deployment = self.admin.get(DEPLOYMENTS, NAMESPACE, "doorward").body
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Doorward as kustomize installs it, with clients and a gate."""
    with Cluster.start(tmp_path / "cluster", unsafe_no_fsync=True) as cluster:
        admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
        installation.install(cluster)
        home = Home.found(admin, tmp_path)
        world = World(cluster, admin, home, OperatorProcess(cluster, elected=True))
        try:
            world.operator.start()
            home.partners("alice", "bob", "carol")
            home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
            home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
            eventually(lambda: home.get(SECRETS, home.gate).ok, "the gate is there")
            eventually(lambda: VERIFY in world.settings(), "the operator has written its annotations")
            yield world
        finally:
            world.operator.close()


def old_chart(folder: Path) -> Path:
    """This chart as it was: its CRDs say less and are no part of the release, and it has a policy more."""
    copy = folder / "doorward"
    shutil.copytree(CHART, copy)
    described = (copy / "Chart.yaml").read_text()
    (copy / "Chart.yaml").write_text(described.replace(f"ersion: {NEW}", f"ersion: {OLD}"))
    (copy / "crds").mkdir()
    for crd in (copy / "templates" / "crds").iterdir():
        text = (ROOT / "deploy" / "crds" / crd.name).read_text()
        (copy / "crds" / crd.name).write_text(text.replace(f"name: {COLUMN}\n", "name: Years\n"))
    shutil.rmtree(copy / "templates" / "crds")
    policy = (copy / "templates" / "manifests" / "fence-clients.yaml").read_text()
    forgotten = copy / "templates" / "manifests" / "fence-forgotten.yaml"
    forgotten.write_text(policy.replace("fence-clients.doorward.io", OLD_POLICY))
    return copy


def test_moving_to_helm_upgrading_and_uninstalling_costs_nobody_access_and_leaves_nothing_hanging(
    world: World, tmp_path: Path
):
    before = world.files()
    with helm.connected(world.cluster, NAMESPACE) as connection:
        # From kustomize to Helm.
        old = old_chart(tmp_path)
        connection.install(old, {}, take_ownership=True, force_conflicts=True)
        world.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(old / "crds"))
        assert world.image() == f"doorward:{OLD}"
        assert COLUMN not in world.columns()
        assert OLD_POLICY in world.policies()
        assert world.files() == before

        # To the next chart, which has the CRDs in it. The operator works on: a client is cut off.
        with pytest.raises(HelmError, match="cannot be imported into the current release"):
            connection.upgrade(CHART, {})
        assert world.files() == before
        connection.upgrade(CHART, {}, take_ownership=True, force_conflicts=True)
        assert world.image() == f"doorward:{NEW}"
        assert COLUMN in world.columns()
        assert OLD_POLICY not in world.policies()
        assert world.files() == before
        world.home.respec(CERTIFICATES, "bob", revoked=True)
        world.home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
        eventually(world.gate_is_current, "the gate has the CRL that names bob")

        # Away. Where the hook fails, nothing is deleted.
        before = world.files()
        with pytest.raises(HelmError), Kubelet(world.cluster, world.admin, NAMESPACE, world.operator, works=False):
            connection.uninstall(timeout=180)
        assert world.admin.get(DEPLOYMENTS, NAMESPACE, "doorward").ok
        assert world.policies() != set()
        world.uninstall(connection)
        assert world.policies() == set()
        assert [world.finalizers(name) for name in ("alice", "bob", "carol")] == [[]] * 3
        assert world.files() == before
        assert not world.admin.get(DEPLOYMENTS, NAMESPACE, "doorward").ok
        world.home.remove(CERTIFICATES, "carol")
        world.home.gone(CERTIFICATES, "carol")

        # And back. The operator finds its clients, and holds on to them again.
        connection.install(CHART, {"crds": {"keep": False}})
        world.start_operator("doorward-again")  # the account is a new one, and so is its token
        eventually(lambda: world.finalizers("alice") == [FINALIZER], "alice cannot be deleted without a CRL again")
        assert world.files() == before

        # Away for good: the CRDs go, and with them every object.
        world.uninstall(connection)
        eventually(lambda: world.kinds() == set(), "the CRDs are gone")
    world.admin.delete(NAMESPACES, {"metadata": {"name": world.home.namespace}})
    eventually(lambda: not world.admin.get(NAMESPACES, None, world.home.namespace).ok, "the namespace is gone")

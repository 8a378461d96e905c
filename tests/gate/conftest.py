"""Hosts behind ingress-nginx, put up by each test; and somebody who follows a page of the documentation."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pages, shell_env
from tests.support.home import Home
from tests.support.installation import ROOT, OperatorProcess
from tests.support.kube import OPERATOR, Person, bind
from tests.support.reader import Reader
from tests.testbed import manifests
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import Door, Street

CONSENTS = "create rolebinding doorward-secrets"
MADE = ("clientcertificates", "ingresses", "mtlsissuers", "rolebindings", "roles")


@pytest.fixture
def street(ingress_nginx: IngressNginx, home: Home) -> Street:
    """Where hosts of the namespace are put up."""
    return Street.build(ingress_nginx, home)


@pytest.fixture
def shop(street: Street) -> Door:
    """A host that lets in the clients of the issuer `partners`, whether it is there or not."""
    return street.door("shop")


@pytest.fixture
def edge(cluster: Cluster, admin: Person, page: Path, running_operator: OperatorProcess) -> Iterator[None]:
    """The namespace of all pages, as `make up` leaves it, and with one more Service. It has opted in, unless the page says how."""
    del running_operator  # it runs
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}})
    cluster.apply(*manifests.service("edge", "app"), *manifests.service("edge", "public"))
    if CONSENTS not in page.read_text():
        bind(admin, "edge", OPERATOR, "doorward-secrets")
    yield
    for kind in MADE:
        cluster.kubectl("-n", "edge", "delete", kind, "--all", "--timeout=90s")
    if page in pages.OTHER_CAS:
        cluster.kubectl("delete", "namespace", "edge", "--timeout=90s")
    cluster.kubectl("delete", "namespace", "doorward-issuers", "--ignore-not-found", "--wait=false")


@pytest.fixture
def reader(
    cluster: Cluster,
    ingress_nginx: IngressNginx,
    edge: None,  # noqa: ARG001 - it is there
    tmp_path: Path,
) -> Iterator[Reader]:
    """In a folder with what a clone has, and the variables of `make -s env`, in the shell of an ordinary user on Debian."""
    for name in ("examples", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)
    folder = shell_env.programs(tmp_path / "bin")
    values = shell_env.variables(cluster.kubeconfig, f"{ingress_nginx.address}:{ingress_nginx.https_port}")
    reader = Reader(tmp_path, {**values, "PATH": f"{folder}:{shell_env.ORDINARY}"})
    yield reader
    reader.close()

"""A reader follows README and docs pages: each command that they show is typed, on one running cluster."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pages, shell_env
from tests.support.installation import ROOT, OperatorProcess
from tests.support.kube import OPERATOR, Person, bind
from tests.support.reader import Reader
from tests.testbed import manifests
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

CONSENTS = "create rolebinding doorward-secrets"
MADE = ("clientcertificates", "ingresses", "mtlsissuers", "rolebindings", "roles")


@pytest.fixture
def edge(cluster: Cluster) -> Iterator[None]:
    """The namespace of all pages, as `make up` leaves it."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}})
    cluster.apply(*manifests.service("edge", "app"))
    yield
    for kind in MADE:
        cluster.kubectl("-n", "edge", "delete", kind, "--all", "--timeout=90s")


@pytest.fixture
def reader(
    cluster: Cluster,
    ingress_nginx: IngressNginx,
    running_operator: OperatorProcess,  # noqa: ARG001 - it runs
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


@pytest.mark.parametrize("page", pages.FOLLOWED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_who_pastes_the_commands_sees_what_the_page_shows(reader, admin: Person, page):
    if CONSENTS not in page.read_text():
        bind(admin, "edge", OPERATOR, "doorward-secrets")
    for block in pages.read(page):
        for step in () if block.reason else block.steps:
            reader.follow(step)

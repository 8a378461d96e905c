"""One real cluster for all tests that need one, with Doorward in it as its README installs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config

from tests.support import installation
from tests.support.home import Home
from tests.support.kube import Person
from tests.testbed.controlplane import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with CRDs and manifests; the operator does not run yet."""
    with Cluster.start(tmp_path_factory.mktemp("cluster"), unsafe_no_fsync=True) as started:
        installation.install(started)
        yield started


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> Person:
    """The cluster's administrator."""
    return Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster) -> Iterator[installation.OperatorProcess]:
    """The operator, started once a module; a test that stops it starts it again."""
    operator = installation.OperatorProcess(cluster)
    operator.start()
    yield operator
    operator.close()


@pytest.fixture
def home(admin: Person, running_operator: installation.OperatorProcess, tmp_path: Path) -> Iterator[Home]:  # noqa: ARG001 - it runs
    """A fresh namespace that consented, and the operator at work."""
    home = Home.found(admin, tmp_path)
    yield home
    home.abandon()

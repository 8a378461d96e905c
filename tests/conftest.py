"""One real cluster for all tests that need one, with Doorward in it as its README installs it."""

from collections.abc import Iterator

import pytest
from kubernetes import config

from tests.support import installation
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

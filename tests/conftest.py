"""One real cluster for all tests that need one, with Doorward in it as its README installs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config

from tests.support import installation
from tests.support.home import Home
from tests.support.kube import Person
from tests.testbed.controlplane import Cluster

WHOLE = ("cluster", "gate")
"""The rings that use the operator's rights."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What speaks of the whole suite runs last, and is left out where only a part of it runs."""
    last = [item for item in items if item.get_closest_marker("last")]
    items[:] = [item for item in items if item not in last]
    files = {path for ring in WHOLE for path in (Path(__file__).parent / ring).glob("test_*.py")}
    if files - {item.path for item in last} <= {item.path for item in items}:
        items += last
    else:
        config.hook.pytest_deselected(items=last)


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

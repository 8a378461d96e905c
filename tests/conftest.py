"""One real cluster for all tests that need one, with Doorward in it as its README installs it."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from tests.cluster import policies_support
from tests.support import installation, older, parts
from tests.support.home import Home
from tests.support.kube import INGRESSES, Person, eventually
from tests.support.openssl import OpenSsl
from tests.support.promised import PROMISES
from tests.support.shuffle import shuffled
from tests.testbed import nursery
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

RELOADS_A_SECOND = 10
BROKEN = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", metavar="SEED", help="run the tests in another order; the same seed gives the same")


class _Shuffle:
    """Before pytest puts tests together that share a parameter of a fixture."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if seed := config.getoption("--shuffle"):
            items[:] = shuffled(items, seed)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Shuffle())
    # etcd, the API server, kubectl and the ingress controller spend a fifth of their time on collecting garbage; with
    # this, they use more memory instead.
    os.environ.setdefault("GOGC", "400")
    gc.disable()  # thousands of tests are collected, and none of them is garbage


def pytest_collection_finish() -> None:
    """What was collected stays: no test pays for looking through it again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What speaks of the whole suite runs last, and is left out where only a part of it runs."""
    for item in items:
        item.user_properties += [("promise", mark.args[0]) for mark in item.iter_markers("promise")]
    if not older.mutates():
        _deselect(config, items, [item for item in items if item.get_closest_marker("mutating")])
    last = [item for item in items if item.get_closest_marker("last")]
    items[:] = [item for item in items if item not in last]
    if set(parts.operators_work()) - {item.path for item in last} <= {item.path for item in items}:
        items += last
    else:
        config.hook.pytest_deselected(items=last)


def _deselect(config: pytest.Config, items: list[pytest.Item], unwanted: list[pytest.Item]) -> None:
    items[:] = [item for item in items if item not in set(unwanted)]
    config.hook.pytest_deselected(items=unwanted)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Which of the design's promises were shown, and by how many tests; and how many connections to hosts broke."""
    if broken := config.stash.get(BROKEN, Counter()):
        terminalreporter.section("connections and reloads that were made again, since they broke before an answer")
        for why, count in broken.most_common():
            terminalreporter.write_line(f"{count:4} times: {why}")
    shown: Counter[int] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        if report.when == "call":
            shown.update(number for name, number in report.user_properties if name == "promise")
    if shown:
        terminalreporter.section("what this run showed")
        for number, promise in PROMISES.items():
            terminalreporter.write_line(f"{shown[number]:4} tests: {number}. {promise}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with CRDs and manifests; the operator does not run yet."""
    with (
        nursery.opened(),
        Cluster.start(tmp_path_factory.mktemp("cluster"), unsafe_no_fsync=True) as started,
    ):
        installation.install(started)
        yield started


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> Person:
    """The cluster's administrator."""
    return Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))


@pytest.fixture(scope="session")
def ingress_nginx(cluster: Cluster, admin: Person, request: pytest.FixtureRequest) -> Iterator[IngressNginx]:
    """The controller, fast to reload; the admission policies hold before the first Ingress is made."""
    with IngressNginx.start(cluster, sync_rate_limit=RELOADS_A_SECOND) as started:
        body = policies_support.ingress("default", {policies_support.ISSUER: "No!"})
        eventually(lambda: admin.create(INGRESSES, body, dry_run=True).status == 422, "the policies are in force")
        yield started
        request.config.stash[BROKEN] = Counter(started.hosts.broken)


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


@pytest.fixture(scope="session")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    """openssl, as the stranger who looks at what was issued; it keeps no state but a folder for its files."""
    return OpenSsl(tmp_path_factory.mktemp("openssl"))

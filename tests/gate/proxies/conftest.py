"""A gate service that answers Traefik and Envoy, and both of them in front of a host of one issuer."""

from collections.abc import Iterator

import pytest

from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.installation import ROOT, GateServiceProcess, OperatorProcess
from tests.support.kube import CONFIGMAPS, Person
from tests.testbed import ports, proxies
from tests.testbed.controlplane import Cluster

from .house import House

ACCOUNT = ("serviceaccount-gate.yaml", "clusterrole-gate.yaml")


@pytest.fixture(scope="module")
def gate_port(cluster: Cluster) -> Iterator[int]:
    """Where a gate service answers both."""
    files = [word for name in ACCOUNT for word in ("-f", str(ROOT / "deploy" / "gate-service" / name))]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *files)
    (port,) = numbers = ports.lease(1)
    process = GateServiceProcess(cluster, port, arguments=["--proxy=traefik", "--proxy=envoy"])
    try:
        process.start()
        yield port
    finally:
        process.close()
        ports.give_back(numbers)
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *files)


@pytest.fixture(scope="module")
def at(
    admin: Person,
    running_operator: OperatorProcess,  # noqa: ARG001 - it runs
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Home]:
    """A namespace with an issuer."""
    home = Home.found(admin, tmp_path_factory.mktemp("home"))
    home.partners()
    yield home
    home.abandon()


@pytest.fixture(scope="module", params=["traefik", "envoy"])
def house(
    request: pytest.FixtureRequest, at: Home, gate_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """One of the proxies."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "ca.crt").write_text(at.body(CONFIGMAPS, "partners-crl")["data"]["ca.crt"])
    server = OpensslCa(folder / "server")
    server.create("/CN=server")
    inside = proxies.Inside(
        folder, f"{at.namespace}/{at.namespace}/partners", gate_port, folder / "ca.crt", server.client("server.example")
    )
    with proxies.running(request.param, inside) as proxy:
        yield House(at, proxy)

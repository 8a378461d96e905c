"""The replicas of the ingress controller, by the EndpointSlices of its Service, and the narrow right to read them."""

import shlex
from collections.abc import Iterator

import pytest

from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import INGRESSES, ISSUERS, Kind, Person, eventually
from tests.testbed import manifests
from tests.testbed.controlplane import Cluster

from .policies_support import host_of, ingress

ENDPOINTS = Kind("apis/discovery.k8s.io/v1", "endpointslices")


@pytest.fixture(scope="module")
def controller(admin: Person, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The namespace of an ingress controller, without one."""
    home = Home.found(admin, tmp_path_factory.mktemp("controller"), consent=False, prefix="controller-")
    yield home
    home.abandon()


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster, controller: Home) -> Iterator[OperatorProcess]:
    operator = OperatorProcess(cluster, arguments=[f"--controller={controller.namespace}/edge"])
    operator.start()
    yield operator
    operator.close()


def comes_to_say(home: Home, text: str) -> str:
    """Wait until the issuer says that of its gates, among other things; all that it says."""
    seen: list[str] = []

    def said() -> bool:
        seen.append(home.condition(ISSUERS, "partners", "Enforced").get("message", ""))
        return text in seen[-1]

    eventually(said, text)
    return seen[-1]


def test_what_keeps_the_operator_from_probing_is_said_until_it_is_done(home: Home, controller: Home, cluster: Cluster):
    home.partners()
    home.make(INGRESSES, ingress(home.namespace, {"doorward.io/issuer": "partners"}))
    home.says(ISSUERS, "partners", "Enforced", "NotVerified")
    message = comes_to_say(home, "run kubectl ")
    _, _, command = message.partition("run kubectl ")
    assert command.startswith(f"-n {controller.namespace} create rolebinding doorward-probes"), message
    cluster.kubectl(*shlex.split(command))
    nobody = f"Service {controller.namespace}/edge has no endpoints"
    comes_to_say(home, nobody)
    _, endpoints = manifests.service(controller.namespace, "edge")
    ports = [{"name": "https", "port": 9, "protocol": "TCP"}, {"name": "http", "port": 10, "protocol": "TCP"}]
    slice_ = controller.make(ENDPOINTS, endpoints | {"ports": ports})
    message = home.says(ISSUERS, "partners", "Enforced", "NotReachable")
    assert f"host {host_of(home.namespace)}" in message
    assert "cannot be reached on port 9 " in message
    assert message.count(manifests.NOWHERE) == 1
    assert controller.admin.delete(ENDPOINTS, slice_).ok
    comes_to_say(home, nobody)

"""With the gate service, clients of other hosts are kept out by it, and the MTLSIssuer says so once probes show its hosts."""

from collections.abc import Iterator

import pytest

from tests.gate.doors import IN, Door
from tests.gate.probed import probing
from tests.support.home import Home
from tests.support.installation import GATE_SERVICE, GateServiceProcess, OperatorProcess
from tests.support.kube import ISSUERS
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx


@pytest.fixture(scope="module")
def running_operator(
    cluster: Cluster,
    ingress_nginx: IngressNginx,
    gate_service: GateServiceProcess,  # noqa: ARG001 - it runs
) -> Iterator[OperatorProcess]:
    """One that probes, and knows of the gate service."""
    with probing(cluster, ingress_nginx, f"--gate-service={GATE_SERVICE}") as operator:
        yield operator


@pytest.mark.promise(3)
def test_hosts_are_separated_while_the_gate_service_is_asked_at_every_request(home: Home, shop: Door):
    home.partners("alice")
    shop.comes_to_tell(home.files(), IN)
    home.says(ISSUERS, "partners", "HostsSeparated", "EveryRequestChecked")
    assert home.condition(ISSUERS, "partners", "HostsSeparated")["status"] == "True"
    home.respec(ISSUERS, "partners", enforcement={"mode": "Handshake"})
    message = home.says(ISSUERS, "partners", "HostsSeparated", "SeparationNotVerified")
    assert "accepts a TLS connection without SNI" in message
    home.respec(ISSUERS, "partners", enforcement={"mode": "EveryRequest"})
    home.says(ISSUERS, "partners", "HostsSeparated", "EveryRequestChecked")

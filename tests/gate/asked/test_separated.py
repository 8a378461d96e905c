"""With the gate service, clients of other hosts are kept out by it, and the MTLSIssuer says so once probes show its hosts."""

from collections.abc import Iterator

import pytest

from doorward.probes.connection import USER_AGENT
from tests.gate.doors import IN, Door, Files, read_again
from tests.gate.probed import probing
from tests.gate.test_canary import revoked
from tests.support.home import Home
from tests.support.installation import GATE_SERVICE, GateServiceProcess, OperatorProcess
from tests.support.kube import ISSUERS, eventually
from tests.testbed import application
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .asking import AUTH_URL, annotations
from .scene import configured


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
    assert home.said(ISSUERS, "partners", "HostsSeparated", "EveryRequestChecked")["status"] == "True"
    home.respec(ISSUERS, "partners", enforcement={"mode": "Handshake"})
    home.said(ISSUERS, "partners", "HostsSeparated", "SeparationNotVerified", "accepts a TLS connection without SNI")
    home.respec(ISSUERS, "partners", enforcement={"mode": "EveryRequest"})
    home.says(ISSUERS, "partners", "HostsSeparated", "EveryRequestChecked")


def is_asked(shop: Door, files: Files) -> bool:
    """Whether the gate service tells the application who comes."""
    return "x-doorward-client" in shop.headers(files)


@pytest.mark.promise(3)
def test_a_canary_finds_that_the_gate_service_is_not_asked_whatever_the_annotations_say(home: Home, shop: Door):
    """The controller takes no `auth-url` from now on, and keeps what it had."""
    home.partners("alice", "bob", "carol", enforcement={"mode": "Handshake", "canary": True})
    alice = home.files()
    shop.comes_to_tell(alice, IN)
    eventually(lambda: not is_asked(shop, alice), "nobody is asked")
    seen = {
        "annotations-risk-level": "Medium",
        "ssl-reject-handshake": "true",
    }  # the second one shows that both are loaded
    with configured(shop.ingress, seen):
        home.respec(ISSUERS, "partners", enforcement={"mode": "EveryRequest"})
        eventually(lambda: AUTH_URL in annotations(home), "the annotation is there")
        revoked(home, "bob")
        message = home.says(ISSUERS, "partners", "HostsSeparated", "GateServiceNotAsked")
        assert shop.ingress.address in message
        assert not is_asked(shop, alice), "it says so of a host where it is so"
    read_again(home, "shop")  # it reads what it refused at the next change only
    eventually(lambda: is_asked(shop, alice), "the controller has loaded the annotation")
    revoked(home, "carol")
    home.says(ISSUERS, "partners", "HostsSeparated", "EveryRequestChecked")
    assert USER_AGENT not in application.AGENTS[shop.host], "no canary came to the application"

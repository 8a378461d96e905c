"""What the operator says of a host follows from what the real controller answers there, whatever the objects say."""

from collections.abc import Iterator

import pytest

from tests.cluster.policies_support import ISSUER, SECRET, VERIFY
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import EVENTS, INGRESSES, ISSUERS, Object, eventually
from tests.support.prometheus import Prometheus
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, NO_CERTIFICATE, NOBODY, OLD_WORKERS, Door, read_again
from .probed import probing

UNPROTECTED = "doorward.io/unprotected"
OLDER = "zz-older"
"""Creation times have whole seconds: of two Ingresses from the same second ingress-nginx takes the one whose name comes last."""


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster, ingress_nginx: IngressNginx) -> Iterator[OperatorProcess]:
    """One that probes."""
    with probing(cluster, ingress_nginx) as operator:
        yield operator


def says(home: Home, status: str, reason: str) -> str:
    """Wait until the issuer says that of its gates; the message."""
    said = home.said(ISSUERS, "partners", "Enforced", reason)
    assert said["status"] == status
    return str(said["message"])


def warned(home: Home) -> set[str]:
    """The kinds of objects in the namespace with an Event that a host is open."""
    items: list[Object] = home.admin.ask("GET", EVENTS.path(home.namespace)).body["items"]
    found = [e for e in items if e["reason"] == "Open" and e["type"] == "Warning"]
    return {e["involvedObject"]["kind"] for e in found}


def both_are_warned(home: Home) -> None:
    eventually(lambda: warned(home) == {"Ingress", "MTLSIssuer"}, "an Event on Ingress and issuer")


@pytest.mark.promise(3)
def test_a_gate_is_called_enforced_when_the_controller_was_seen_to_refuse(street, cluster):
    home = street.home
    home.partners("alice")
    shop = street.door("shop")
    message = says(home, "True", "ProbesRefused")
    assert street.ingress.address in message
    shop.comes_to_tell(NOBODY, NO_CERTIFICATE, seconds=OLD_WORKERS)
    assert warned(home) == set()

    def printed() -> list[str]:
        return cluster.kubectl("-n", home.namespace, "get", "mtlsissuers").stdout.splitlines()

    assert "ENFORCED" in printed()[0]
    eventually(lambda: "ProbesRefused" in printed()[1], "kubectl prints why")
    (listed,) = home.body(ISSUERS, "partners")["status"]["enforcement"]
    assert (listed["target"], listed["host"]) == ("shop", shop.host)
    eventually(lambda: home.body(ISSUERS, "partners")["status"]["enforcement"][0]["enforced"] == "True", "it is listed")


@pytest.mark.promise(3)
def test_a_host_that_an_older_ingress_opens_is_found_open_and_enforced_again_without_it(street, admin, tmp_path):
    home = street.home
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    home.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    own = {SECRET: f"{home.namespace}/theirs", VERIFY: "off"}
    older = street.manifest(OLDER, issuer=None, **own)
    older["spec"]["rules"][0]["host"] = street.host("shop")
    older["spec"]["tls"] = [{"hosts": [street.host("shop")]}]
    home.make(INGRESSES, older)
    read_again(home, OLDER)
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(NOBODY, IN)
    home.partners()
    street.door("shop")
    assert shop.host in says(home, "False", "Open")
    assert shop.tells(NOBODY) == IN
    both_are_warned(home)
    assert admin.delete(INGRESSES, home.here(older)).ok
    says(home, "True", "ProbesRefused")
    shop.comes_to_tell(NOBODY, NO_CERTIFICATE, seconds=OLD_WORKERS)


@pytest.mark.promise(3)
def test_a_host_whose_older_ingress_asks_for_certificates_of_another_ca_is_found_open(street, tmp_path):
    home = street.home
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    home.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    older = street.manifest(OLDER, issuer=None, **{SECRET: f"{home.namespace}/theirs"})
    older["spec"]["rules"][0]["host"] = street.host("shop")
    older["spec"]["tls"] = [{"hosts": [street.host("shop")]}]
    home.make(INGRESSES, older)
    read_again(home, OLDER)
    Door(street.ingress, street.host("shop")).comes_to_tell(NOBODY, NO_CERTIFICATE)
    home.partners()
    street.door("shop")
    assert "a CA that is not the issuer's" in says(home, "False", "Open")


@pytest.mark.promise(3)
def test_a_host_that_answers_over_plain_http_is_found_open(street, running_operator, tmp_path):
    home = street.home
    home.partners()
    body = street.manifest("shop")
    del body["spec"]["tls"]
    home.make(INGRESSES, body)
    assert "over plain HTTP" in says(home, "False", "Open")
    assert street.ingress.hosts.ask(street.host("shop"), scheme="http").status == 200
    both_are_warned(home)
    alerts = {"DoorwardGateOpen", "DoorwardHostNotProtected"}
    with Prometheus.scraping(tmp_path, {"doorward": running_operator.health_port}) as prometheus:
        eventually(lambda: prometheus.firing(home.namespace) == alerts, "both alerts fire")


@pytest.mark.promise(3)
def test_a_host_that_the_controller_does_not_load_is_found_open_whatever_its_annotations_say(street):
    home = street.home
    home.partners()
    street.door("first")
    says(home, "True", "ProbesRefused")
    shop = street.door("shop", issuer=None, **{UNPROTECTED: "until it opts in"})
    shop.comes_to_tell(NOBODY, IN)
    with street.ingress.frozen(nginx=False):
        home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: "partners", UNPROTECTED: None}}})
        message = says(home, "False", "Open")
        assert shop.host in message
        assert street.host("first") not in message
        both_are_warned(home)
        annotations = home.body(INGRESSES, "shop")["metadata"]["annotations"]
        assert annotations[SECRET].endswith("partners"), "all that protects it is written"
        eventually(lambda: _gate(home, "shop").startswith("FoundOpen: "), "the Ingress says so")
        assert _gate(home, "first").startswith("Protected: ")
    says(home, "True", "ProbesRefused")
    eventually(lambda: _gate(home, "shop").startswith("Protected: "), "the Ingress says so")


def _gate(home: Home, name: str) -> str:
    return str(home.body(INGRESSES, name)["metadata"]["annotations"].get("doorward.io/gate", ""))


def test_a_controller_that_is_stopped_is_unknown_then_false_and_true_again_when_it_goes_on(street):
    home = street.home
    home.partners()
    shop = street.door("shop")
    says(home, "True", "ProbesRefused")
    with street.ingress.frozen(nginx=True):
        says(home, "Unknown", "NotReachable")
        assert street.ingress.address in says(home, "False", "ControllerHangs")
    says(home, "True", "ProbesRefused")
    assert shop.tells(NOBODY) == NO_CERTIFICATE
    assert warned(home) == set(), "it was never open"

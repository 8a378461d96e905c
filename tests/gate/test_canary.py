"""What a canary shows of the real controller: whether it loads a new CRL, and how soon, without access to any application."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from doorward.planning.canary import TURN_EVERY
from doorward.probes.connection import USER_AGENT
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, Object, eventually
from tests.testbed import application
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, REFUSED, admitted
from .probed import probing


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster, ingress_nginx: IngressNginx) -> Iterator[OperatorProcess]:
    """One that probes."""
    with probing(cluster, ingress_nginx) as operator:
        yield operator


COMMITTED = timedelta(seconds=5)
"""A CRL's number is the instant at which it was signed; the next canary waits from when it was written, and by whole seconds."""


def canary(home: Home) -> Object:
    """What the status says of the last one that was refused."""
    found: Object = home.body(ISSUERS, "partners")["status"].get("canary") or {}
    return found


def revoked(home: Home, name: str) -> int:
    """Revoke a client with a CRL that has a canary; the number of that CRL."""
    before = home.body(ISSUERS, "partners")["status"]["crl"]["number"]
    seconds = (TURN_EVERY + COMMITTED).total_seconds()
    eventually(lambda: time.time() > before / 1000 + seconds, "the next CRL has a canary")
    home.change(CERTIFICATES, name, {"spec": {"revoked": True}})
    home.says(CERTIFICATES, name, "Admitted", "Revoked")

    def number() -> int:
        found = home.body(ISSUERS, "partners")["status"]["crl"]["number"]
        return int(found) if found > before else 0

    return eventually(number, "the issuer says which CRL that is")


@pytest.mark.promise(1)
def test_a_controller_that_answers_and_loads_no_crl_is_found(street):
    home = street.home
    home.partners(enforcement={"canary": True})
    shop = street.door("shop")
    alice = admitted(home, shop, "alice")
    home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")
    home.says(ISSUERS, "partners", "CutOffHolds", "SessionsResumed")
    with street.ingress.frozen(nginx=False):
        number = revoked(home, "alice")
        message = home.says(ISSUERS, "partners", "CutOffHolds", "RevokedCanaryAdmitted")
        assert str(number) in message
        assert street.ingress.address in message
        assert shop.tells(alice) == IN, "it says so of a client that has access"
        home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")  # no other probe shows it
    home.says(ISSUERS, "partners", "CutOffHolds", "SessionsResumed")
    shop.comes_to_tell(alice, REFUSED)
    assert canary(home)["crlNumber"] == number
    assert USER_AGENT not in application.AGENTS[shop.host]

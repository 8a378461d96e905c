"""What an MTLSIssuer says of clients of other hosts follows from what such a client is told by the real controller."""

from collections.abc import Iterator

import pytest

from tests.cluster.policies_support import SECRET
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .asked.attacks import ADMITTED, ALERT, session_of, told_anew
from .asked.connections import context
from .asked.scene import configured
from .doors import IN, Door, Files, admitted, read_again
from .probed import probing


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster, ingress_nginx: IngressNginx) -> Iterator[OperatorProcess]:
    """One that probes."""
    with probing(cluster, ingress_nginx) as operator:
        yield operator


def says(home: Home, reason: str, name: str = "partners") -> str:
    """Wait until the issuer says that of its hosts; its status."""
    return str(home.said(ISSUERS, name, "HostsSeparated", reason)["status"])


def of_another_host(desk: Door, mallory: Files, shop: Door) -> set[str]:
    """What a client of the desk is told at the shop, who resumes his session without its name."""
    told = set()
    for sni in (False, "nobody.example"):
        using = context(mallory)
        session = session_of(desk, using)
        told.add(told_anew(shop, using, session=session, sni=sni))
    return told


@pytest.mark.promise(3)
def test_what_is_said_is_what_a_client_of_another_host_or_ca_is_told(street, tmp_path):
    home = street.home
    home.partners(enforcement={"canary": True})
    home.make(ISSUERS, issuer("desk"))
    shop, desk = street.door("shop"), street.door("desk", issuer="desk")
    admitted(home, shop, "alice")
    home.make(CERTIFICATES, client("mallory", issuer="desk"))
    home.issued("mallory")
    mallory = home.files("mallory")
    desk.comes_to_tell(mallory, IN)

    crosses = ADMITTED in of_another_host(desk, mallory, shop)  # it depends on the version of nginx
    sessions = "SessionsOfOtherHosts" if crosses else "SessionsSeparated"
    assert says(home, sessions) == ("False" if crosses else "True")
    assert says(home, "SeparationNotVerified", "desk") == "Unknown", "it has no canary"

    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    home.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    anywhere = street.manifest("anywhere", issuer=None, **{SECRET: f"{home.namespace}/theirs"})
    del anywhere["spec"]["rules"][0]["host"], anywhere["spec"]["tls"]
    anywhere["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "theirs"
    home.make(INGRESSES, anywhere)
    read_again(home, "anywhere")
    assert says(home, "OtherCAWithoutSNI") == says(home, "OtherCAWithoutSNI", "desk") == "False"
    assert told_anew(shop, context(theirs.client("foreign")), sni=False) == ADMITTED

    with configured(street.ingress, {"ssl-reject-handshake": "true"}):
        assert says(home, "UnknownNamesRefused") == says(home, "UnknownNamesRefused", "desk") == "True"
        assert of_another_host(desk, mallory, shop) == {ALERT}
        assert told_anew(shop, context(theirs.client("foreign")), sni=False) == ALERT

    home.remove(INGRESSES, "anywhere")
    assert says(home, sessions) == ("False" if crosses else "True")
    assert (ADMITTED in of_another_host(desk, mallory, shop)) is crosses

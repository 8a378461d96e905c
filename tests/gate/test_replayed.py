"""Published ways in which a revocation silently was not enforced, replayed on the real controller: the MTLSIssuer says so each time.

That a controller stops loading CRLs, that another Ingress opens the host, and that an annotation is refused is in `test_canary.py` and
`test_probes.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.policies_support import ISSUER, NGINX, SECRET, unbound
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import CONFIGMAPS, INGRESSES, ISSUERS, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Street, admitted, read_again
from .probed import probing
from .test_canary import revoked
from .test_probes import OLDER, UNPROTECTED

CUT_OFF = "CutOffHolds"
REFUSED_BY_NGINX = NGINX + "permanent-redirect"
"""With a value that is no URL; it stands for any annotation that the controller refuses."""


@pytest.fixture(scope="module")
def running_operator(cluster: Cluster, ingress_nginx: IngressNginx) -> Iterator[OperatorProcess]:
    """One that probes."""
    with probing(cluster, ingress_nginx) as operator:
        yield operator


def failures(cluster: Cluster) -> int:
    """How often the controller could not load what it had read, so far."""
    log = (cluster.run_dir / "ingress-nginx.log").read_text(errors="replace")
    return log.count("Unexpected failure reloading the backend")


@contextmanager
def unreadable(admin: Person, cluster: Cluster, street: Street, folder: Path) -> Iterator[None]:
    """A neighbour's trust bundle whose second CRL no nginx can read: the controller looks at the first alone, and then loads nothing."""
    away = Home.found(admin, folder / "away", prefix="away-")
    theirs = OpensslCa(folder / "theirs")
    theirs.create("/CN=theirs")
    crl = theirs.crl()
    broken = crl + b"-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n"
    away.secret("theirs", {"ca.crt": theirs.certificate.read_bytes(), "ca.crl": broken})
    neighbour, before = Street.build(street.ingress, away), failures(cluster)
    away.make(INGRESSES, neighbour.manifest("neighbour", issuer=None, **{SECRET: f"{away.namespace}/theirs"}))
    read_again(away, "neighbour")
    try:
        eventually(lambda: failures(cluster) > before, "the controller has read it")
        yield
    finally:
        away.remove(INGRESSES, "neighbour")
        away.abandon()


@pytest.mark.promise(1)
def test_a_bundle_of_a_neighbour_that_nginx_cannot_read_keeps_every_crl_from_being_loaded(
    street, admin, cluster, tmp_path
):
    home = street.home
    home.partners(enforcement={"canary": True})
    shop = street.door("shop")
    alice = admitted(home, shop, "alice")
    home.says(ISSUERS, "partners", CUT_OFF, "SessionsResumed")
    with unreadable(admin, cluster, street, tmp_path):
        revoked(home, "alice")
        assert street.ingress.address in home.says(ISSUERS, "partners", CUT_OFF, "RevokedCanaryAdmitted")
        assert shop.tells(alice) == IN, "it says so of a client that has access"
    home.says(ISSUERS, "partners", CUT_OFF, "SessionsResumed")
    shop.comes_to_tell(alice, REFUSED)


@pytest.mark.promise(1)
def test_an_older_ingress_with_the_same_ca_and_without_its_crl_admits_whom_the_crl_revokes(street):
    """The last of two does not win; of the CA everything looks as it should."""
    home = street.home
    home.partners(enforcement={"canary": True})
    home.secret("copy", {"ca.crt": home.body(CONFIGMAPS, "partners-crl")["data"]["ca.crt"].encode()})
    older = street.manifest(OLDER, issuer=None, **{SECRET: f"{home.namespace}/copy"})
    older["spec"]["rules"][0]["host"] = street.host("shop")
    older["spec"]["tls"] = [{"hosts": [street.host("shop")]}]
    home.make(INGRESSES, older)
    read_again(home, OLDER)
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(NOBODY, NO_CERTIFICATE)
    street.door("shop")
    alice = admitted(home, shop, "alice")
    home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")
    revoked(home, "alice")
    home.says(ISSUERS, "partners", CUT_OFF, "RevokedCanaryAdmitted")
    assert shop.tells(alice) == IN
    home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")  # no other probe shows it
    home.remove(INGRESSES, OLDER)
    shop.comes_to_tell(alice, REFUSED)
    home.says(ISSUERS, "partners", CUT_OFF, "SessionsResumed")


@pytest.mark.promise(3)
def test_an_open_host_that_opts_in_beside_an_annotation_that_the_controller_refuses_is_found_open(street):
    home = street.home
    home.partners()
    street.door("first")
    home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")
    shop = street.door("shop", issuer=None, **{UNPROTECTED: "until it opts in"})
    shop.comes_to_tell(NOBODY, IN)
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {REFUSED_BY_NGINX: "not a url"}}})
    named = home.here({"metadata": {"name": "shop"}})
    opts_in = {"metadata": {"annotations": {ISSUER: "partners", UNPROTECTED: None}}}
    assert REFUSED_BY_NGINX in home.admin.patch(INGRESSES, named, opts_in).message, (
        "the admission policy keeps it from that"
    )
    probe = home.here(street.manifest("probe", issuer="No!"))
    with unbound(home.admin, "ingress.doorward.io", lambda: home.admin.create(INGRESSES, probe, dry_run=True)):
        assert home.admin.patch(INGRESSES, named, opts_in).ok
    assert home.body(INGRESSES, "shop")["metadata"]["annotations"][SECRET].endswith("partners"), (
        "and still all is there"
    )
    assert shop.host in home.says(ISSUERS, "partners", "Enforced", "Open")
    assert shop.tells(NOBODY) == IN
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {REFUSED_BY_NGINX: None}}})
    home.says(ISSUERS, "partners", "Enforced", "ProbesRefused")
    shop.comes_to_tell(NOBODY, NO_CERTIFICATE)

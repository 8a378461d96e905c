"""No gate is ever open because of the operator: what is not there yet, or not any more, lets nobody in."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.home import Home, issuer
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, eventually

from .doors import CLOSED, IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Street, admitted, knocking

NEVER_IN = {400, 403, 404}
"""No or a refused certificate; closed; not a host yet."""

# Few enough that each is asked again before ingress-nginx reloads: without the policies, one in seven was seen open.
KNOCKED_AT_ONCE = 10

pytestmark = pytest.mark.promise(3)


def crl_text(path: Path) -> str:
    done = subprocess.run(
        ["openssl", "crl", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def gate_says(home: Home) -> str:
    """What the Ingress `shop` is told."""
    return str(home.body(INGRESSES, "shop")["metadata"]["annotations"].get("doorward.io/gate"))


def gate_crl(home: Home) -> Path:
    path = home.folder / "gate.crl"
    path.write_bytes(home.data(home.gate)["ca.crl"])
    return path


def test_a_host_whose_issuer_does_not_exist_is_closed(shop):
    shop.comes_to_tell(NOBODY, CLOSED)


def test_a_host_is_closed_while_the_operator_does_not_run(running_operator, home, street):
    home.partners()
    running_operator.stop()
    try:
        street.door("shop").comes_to_tell(NOBODY, CLOSED)
    finally:
        running_operator.start()


def test_a_host_that_was_closed_opens_to_clients_once_the_issuer_is_there(home, shop):
    shop.comes_to_tell(NOBODY, CLOSED)
    home.partners()
    admitted(home, shop, "alice")
    assert shop.tells(NOBODY) == NO_CERTIFICATE


@pytest.mark.usefixtures("running_operator")
def test_a_host_of_a_namespace_that_did_not_consent_is_closed(admin, ingress_nginx, tmp_path):
    home = Home.found(admin, tmp_path, consent=False)
    home.make(ISSUERS, issuer())
    home.says(ISSUERS, "partners", "Ready", "NotPermitted")
    Street.build(ingress_nginx, home).door("shop").comes_to_tell(NOBODY, CLOSED)
    home.abandon()


def test_a_host_stays_closed_to_strangers_when_its_issuer_is_deleted(home, shop):
    home.partners()
    admitted(home, shop, "alice")
    with knocking(shop.ingress, [shop.host]) as knocks:
        home.remove(ISSUERS, "partners")
        home.gone(ISSUERS, "partners")
        eventually(lambda: gate_says(home).startswith("NoSuchIssuer"), "the Ingress is told")
        knocks.once_more()
    assert knocks.statuses(shop.host) <= NEVER_IN


def test_a_host_is_closed_to_all_while_its_issuer_is_gone_and_opens_to_the_same_clients_when_it_is_back(home, shop):
    home.partners()
    alice, bob = admitted(home, shop, "alice"), admitted(home, shop, "bob")
    home.remove(ISSUERS, "partners")
    shop.comes_to_tell(alice, CLOSED)
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    home.make(ISSUERS, issuer())
    shop.comes_to_tell(bob, IN)
    assert shop.tells(alice) == REFUSED


def test_an_empty_crl_is_a_signed_crl_that_lets_the_good_ones_in(home, shop):
    home.partners()
    admitted(home, shop, "alice")
    said = crl_text(gate_crl(home))
    assert "No Revoked Certificates." in said
    assert "Signature Algorithm: ecdsa-with-SHA256" in said


def test_the_crl_that_lost_its_last_entry_is_a_signed_crl_too(home, shop):
    home.partners()
    alice, bob = admitted(home, shop, "alice"), admitted(home, shop, "bob")
    home.remove(CERTIFICATES, "alice")
    shop.comes_to_tell(alice, REFUSED)
    (record,) = home.records("alice")
    home.change(RECORDS, record["metadata"]["name"], {"spec": {"revocation": {"lifted": True}}})
    shop.comes_to_tell(alice, IN)
    assert "No Revoked Certificates." in crl_text(gate_crl(home))
    assert shop.tells(bob) == IN


def test_a_namespace_that_is_no_longer_allowed_is_closed(admin, home, ingress_nginx, tmp_path):
    home.partners("alice", gates={"allowedNamespaces": {"from": "All"}})
    other = Home.found(admin, tmp_path)
    door = Street.build(ingress_nginx, other).door("shop", issuer=f"{home.namespace}/partners")
    door.comes_to_tell(home.files(), IN)
    home.respec(ISSUERS, "partners", gates={"allowedNamespaces": {"from": "Same"}})
    door.comes_to_tell(home.files(), CLOSED)
    eventually(lambda: gate_says(other).startswith("NotAllowedHere"), "the Ingress is told")
    assert door.tells(home.files()) == CLOSED
    other.abandon()


def test_a_controller_that_starts_anew_keeps_out_whom_the_last_one_kept_out(home, shop):
    home.partners()
    alice, bob = admitted(home, shop, "alice"), admitted(home, shop, "bob")
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(alice, REFUSED)
    shop.ingress.stop()
    shop.ingress.resume()
    shop.comes_to_tell(bob, IN)
    assert (shop.tells(alice), shop.tells(NOBODY)) == (REFUSED, NO_CERTIFICATE)


def test_of_a_hundred_hosts_that_opt_in_not_one_is_ever_open(home, street):
    home.partners("alice")
    names = [f"shop-{number}" for number in range(100)]
    for few in (names[first : first + KNOCKED_AT_ONCE] for first in range(0, len(names), KNOCKED_AT_ONCE)):
        hosts = [street.host(name) for name in few]
        with knocking(street.ingress, hosts) as knocks:
            for name in few:
                street.door(name)
            knocks.come_to_be_told(400)
        assert knocks.statuses(*hosts) <= NEVER_IN
    with knocking(street.ingress, [street.host(name) for name in names], home.files()) as alice:
        alice.come_to_be_told(200)


def test_a_client_who_knocks_without_end_is_told_when_a_host_is_open(street):
    host = street.host("unprotected")
    with knocking(street.ingress, [host]) as knocks:
        knocks.come_to_be_told(404)
        street.door("unprotected", issuer=None)
        knocks.come_to_be_told(200)
    assert knocks.statuses(host) == {404, 200}


def test_an_operator_that_is_killed_and_starts_again_opens_no_host(running_operator, home, street):
    home.partners("alice")
    names = [f"shop-{number}" for number in range(KNOCKED_AT_ONCE)]
    hosts = [street.host(name) for name in names]
    with knocking(street.ingress, hosts) as knocks:
        street.door(names[0]).comes_to_tell(home.files(), IN)
        running_operator.stop(signal.SIGKILL)
        for name in names[1:]:
            street.door(name)
        running_operator.start()
        knocks.come_to_be_told(400)
        knocks.once_more()
    assert knocks.statuses(*hosts) <= NEVER_IN
    Door(street.ingress, hosts[-1]).comes_to_tell(home.files(), IN)

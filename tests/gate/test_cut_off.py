"""Cutting one client off: that one and nobody else, and it lasts, whatever hands do to what Doorward wrote."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.policies_support import unbound
from tests.support.home import Home, issuer
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, RECORDS, SECRETS, Kind, Person, eventually

from .doors import IN, MOST_BROKEN, REFUSED, Door, Files, admitted, knocking


@contextmanager
def fence_down(admin: Person, home: Home, which: str, kind: Kind, name: str) -> Iterator[None]:
    """Somebody broke the glass, and may delete that object."""
    path = kind.path(home.namespace, name)
    with unbound(admin, f"fence-{which}.doorward.io", lambda: admin.ask("DELETE", path, query="dryRun=All")):
        yield


@pytest.fixture
def alice(home: Home, shop: Door) -> Files:
    """A client who got in, and is now refused."""
    home.partners()
    files = admitted(home, shop, "alice")
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(files, REFUSED)
    return files


@pytest.mark.parametrize("how", ["revoked", "deleted"])
def test_while_one_client_is_put_out_another_is_let_in_every_time(home, shop, how):
    home.partners()
    alice, bob = admitted(home, shop, "alice"), admitted(home, shop, "bob")
    with knocking(shop.ingress, [shop.host], bob) as knocks:
        if how == "revoked":
            home.respec(CERTIFICATES, "alice", revoked=True)
        else:
            home.remove(CERTIFICATES, "alice")
        shop.comes_to_tell(alice, REFUSED)
        knocks.once_more()
    assert knocks.statuses(shop.host) == {200}
    assert knocks.broken(shop.host) <= MOST_BROKEN


def test_a_client_of_one_issuer_is_refused_where_another_ones_clients_get_in(home, street):
    home.partners()
    home.make(ISSUERS, issuer("staff"))
    shop, office = street.door("shop"), street.door("office", issuer="staff")
    alice = admitted(home, shop, "alice")
    bob = admitted(home, office, "bob", issuer="staff")
    assert (shop.tells(bob), office.tells(alice)) == (REFUSED, REFUSED)


def test_revoking_at_one_issuer_puts_out_nobody_at_another(home, street):
    home.partners()
    home.make(ISSUERS, issuer("staff"))
    shop, office = street.door("shop"), street.door("office", issuer="staff")
    alice, bob = admitted(home, shop, "alice"), admitted(home, office, "bob", issuer="staff")
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(alice, REFUSED)
    assert office.tells(bob) == IN


def test_a_client_is_put_out_at_every_host_of_its_issuer(home, street):
    home.partners()
    shop, office = street.door("shop"), street.door("office")
    alice = admitted(home, shop, "alice")
    office.comes_to_tell(alice, IN)
    home.respec(CERTIFICATES, "alice", revoked=True)
    for door in (shop, office):
        door.comes_to_tell(alice, REFUSED)


def test_a_gate_that_was_deleted_by_hand_comes_back(admin, alice, home, shop):
    before = home.data(home.gate)
    with fence_down(admin, home, "gates", SECRETS, home.gate):
        home.remove(SECRETS, home.gate)
        eventually(lambda: home.get(SECRETS, home.gate).ok, "the gate is there again")
    assert home.data(home.gate) == before
    admitted(home, shop, "bob")
    assert shop.tells(alice) == REFUSED


def test_a_gate_whose_crl_was_emptied_by_hand_gets_it_back(admin, alice, home, shop):
    before = home.data(home.gate)
    empty = {"data": {"ca.crl": base64.b64encode(b"").decode()}}
    with fence_down(admin, home, "gates", SECRETS, home.gate):
        home.change(SECRETS, home.gate, empty)
        eventually(lambda: home.data(home.gate) == before, "the gate is as it was")
    shop.comes_to_tell(alice, REFUSED)


def test_a_crl_that_was_deleted_by_hand_comes_back_and_forgets_nobody(admin, alice, home, shop, openssl):
    listed = openssl.crl_serials(home.crl())
    with fence_down(admin, home, "crl", CONFIGMAPS, "partners-crl"):
        home.remove(CONFIGMAPS, "partners-crl")
        eventually(lambda: home.get(CONFIGMAPS, "partners-crl").ok, "the CRL is there again")
    assert openssl.crl_serials(home.crl()) == listed != set()
    admitted(home, shop, "bob")
    assert shop.tells(alice) == REFUSED


@pytest.mark.promise(1)
def test_not_even_crl_and_ledger_lost_together_let_a_revoked_client_in(
    admin, alice, home, running_operator, shop, openssl
):
    (record,) = home.records("alice")
    name, serial = record["metadata"]["name"], record["spec"]["serialNumber"]
    running_operator.stop()
    with (
        fence_down(admin, home, "crl", CONFIGMAPS, "partners-crl"),
        fence_down(admin, home, "ledger", RECORDS, name),
    ):
        home.remove(CONFIGMAPS, "partners-crl")
        home.remove(RECORDS, name)
        running_operator.start()
        eventually(lambda: home.get(CONFIGMAPS, "partners-crl").ok, "the CRL is there again")
        eventually(lambda: home.get(RECORDS, name).ok, "the record is there again")
    admitted(home, shop, "bob")
    assert openssl.crl_serials(home.crl()) == {serial}
    assert shop.tells(alice) == REFUSED

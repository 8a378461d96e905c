"""Through the real gate: suspended and let in again with the very same files; and one serial of two."""

import pytest

from tests.support.home import Home
from tests.support.kube import CERTIFICATES, RECORDS, eventually

from .doors import IN, MOST_BROKEN, REFUSED, Door, Files, admitted, knocking


@pytest.fixture
def alice(home: Home, shop: Door) -> Files:
    """A client who gets in."""
    home.partners()
    return admitted(home, shop, "alice")


@pytest.mark.promise(1)
def test_a_suspended_client_is_refused_and_then_gets_in_with_the_very_same_keystore(
    alice: Files, home: Home, shop: Door
):
    keystore = alice["keystore.p12"].read_bytes()
    bob = admitted(home, shop, "bob")
    with knocking(shop.ingress, [shop.host], bob) as knocks:
        home.respec(CERTIFICATES, "alice", suspended=True)
        shop.comes_to_tell(alice, REFUSED)
        home.respec(CERTIFICATES, "alice", suspended=False)
        shop.comes_to_tell(alice, IN)
        knocks.once_more()
    assert knocks.statuses(shop.host) == {200}
    assert knocks.broken(shop.host) <= MOST_BROKEN
    assert home.data("alice-mtls")["keystore.p12"] == keystore


def _reissued(home: Home) -> Files:
    """alice's second certificate, beside the first."""
    first = home.serial()
    home.respec(CERTIFICATES, "alice", reissue="today")
    eventually(lambda: home.serial() != first, "a second serial")
    home.issued()
    data = home.data("alice-mtls")
    files = {name: home.folder / f"second-{name}" for name in ("tls.crt", "tls.key")}
    for name, path in files.items():
        path.write_bytes(data[name])
    return files


@pytest.mark.promise(1)
def test_one_serial_of_two_is_refused_while_the_newer_one_gets_in(alice: Files, home: Home, shop: Door):
    first = home.serial()
    second = _reissued(home)
    assert (shop.tells(alice), shop.tells(second)) == (IN, IN)
    with knocking(shop.ingress, [shop.host], second) as knocks:
        home.respec(RECORDS, f"partners.1.{first}", revocation={"reason": "keyCompromise"})
        shop.comes_to_tell(alice, REFUSED)
        knocks.once_more()
    assert knocks.statuses(shop.host) == {200}
    assert knocks.broken(shop.host) <= MOST_BROKEN


@pytest.mark.promise(1)
def test_a_serial_that_was_revoked_alone_stays_out_when_a_suspension_is_over(alice: Files, home: Home, shop: Door):
    first = home.serial()
    second = _reissued(home)
    home.respec(RECORDS, f"partners.1.{first}", revocation={"reason": "superseded"})
    shop.comes_to_tell(alice, REFUSED)
    home.respec(CERTIFICATES, "alice", suspended=True)
    shop.comes_to_tell(second, REFUSED)
    home.respec(CERTIFICATES, "alice", suspended=False)
    shop.comes_to_tell(second, IN)
    assert shop.tells(alice) == REFUSED

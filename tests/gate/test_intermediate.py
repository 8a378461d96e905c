"""An intermediate CA of a company's own: its clients get in, and nobody else whom the company's root vouches for."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.home import Home, issuer
from tests.support.kube import CERTIFICATES, ISSUERS
from tests.support.openssl import CA_EXTENSIONS, LEAF_EXTENSIONS, Issued, OpenSsl

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Files, admitted


@dataclass(frozen=True)
class Company:
    """A root, and two CAs below it, one of which is given to Doorward."""

    openssl: OpenSsl
    root: Issued
    ours: Issued
    sibling: Issued

    def chain(self, authority: Issued) -> bytes:
        """That CA's certificate, and the root's."""
        return authority.certificate if authority is self.root else authority.certificate + self.root.certificate

    def leaf(self, authority: Issued) -> Files:
        """A client that brings the whole chain along."""
        issued = self.openssl.issue("stranger", authority, extensions=LEAF_EXTENSIONS)
        sent = issued.certificate + self.chain(authority)
        return {"tls.crt": self.openssl.file(sent), "tls.key": self.openssl.file(issued.key)}


@pytest.fixture
def company(tmp_path: Path) -> Company:
    folder = tmp_path / "company"
    folder.mkdir()
    openssl = OpenSsl(folder)
    root = openssl.ca("Company Root")
    ours = openssl.issue("Partners CA", root, extensions=CA_EXTENSIONS)
    return Company(openssl, root, ours, openssl.issue("Staff CA", root, extensions=CA_EXTENSIONS))


@pytest.fixture
def alice(company: Company, home: Home, shop: Door) -> Files:
    """A client of the intermediate, who gets in."""
    data = {"tls.crt": company.chain(company.ours), "tls.key": company.ours.key}
    home.secret("partners-ca", data, type="kubernetes.io/tls")
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "partners-ca"}}))
    return admitted(home, shop, "alice")


def gate(home: Home) -> dict[str, bytes]:
    return home.data(home.gate)


def test_its_client_gets_in_and_nobody_without_a_certificate(alice, shop):
    assert shop.tells(alice) == IN
    assert shop.tells(NOBODY) == NO_CERTIFICATE


def test_its_client_gets_in_with_the_whole_chain_in_hand(alice, company, shop):
    whole = company.openssl.file(alice["tls.crt"].read_bytes() + company.chain(company.ours))
    assert shop.tells(alice | {"tls.crt": whole}) == IN


@pytest.mark.parametrize("authority", ["root", "sibling"], ids=["a leaf of the root", "a leaf of a sibling CA"])
@pytest.mark.usefixtures("alice")
def test_whom_the_company_vouches_for_elsewhere_is_refused(company, shop, authority):
    assert shop.tells(company.leaf(getattr(company, authority))) == REFUSED


def test_a_revoked_leaf_is_refused_and_the_others_are_not(alice, home, shop):
    bob = admitted(home, shop, "bob")
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(alice, REFUSED)
    assert shop.tells(bob) == IN


def test_no_crl_of_the_root_is_needed(alice, home, shop):
    assert gate(home)["ca.crl"].count(b"BEGIN X509 CRL") == 1
    assert shop.tells(alice) == IN


@pytest.mark.usefixtures("alice")
def test_the_gate_shows_a_self_signed_certificate_over_the_intermediates_name_and_key(company, home):
    anchor = gate(home)["ca.crt"]
    names = company.openssl.says("x509", "-noout", "-subject", "-issuer", stdin=anchor).split("\n")
    assert names[:2] == ["subject=CN = Partners CA", "issuer=CN = Partners CA"]
    assert anchor.count(b"BEGIN CERTIFICATE") == 1
    key = company.openssl.says("pkey", "-pubout", stdin=company.ours.key)
    assert company.openssl.says("x509", "-noout", "-pubkey", stdin=anchor) == key

"""An intermediate is shown to gates as its self-signed twin, and openssl, asked to verify, lets in its leaves alone."""

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509

from doorward.pki.certificates import CertificateAuthority, build_leaf, load_ca, trust_anchor
from doorward.pki.crls import CrlEntry, build_crl
from doorward.pki.pem import certificate_pem
from tests.support.openssl import CA_EXTENSIONS, LEAF_EXTENSIONS, Issued, OpenSsl
from tests.unit.given import HOUR
from tests.unit.pki.given import template

REVOKED = 0xBAD
MINUTE = timedelta(minutes=1)


class Pki(NamedTuple):
    """A company's root with two intermediates, all made by openssl; one of the two is ours."""

    root: Issued
    intermediate: Issued
    sibling: Issued
    ours: CertificateAuthority
    now: datetime

    def crl(self) -> bytes:
        entry = CrlEntry(serial=REVOKED, revoked_at=self.now, reason=None)
        return build_crl(
            ca=self.ours, entries=[entry], number=1, this_update=self.now, next_update=self.now + timedelta(days=7)
        )

    def leaf(self, serial: int = 0xA1) -> bytes:
        return certificate_pem(build_leaf(template(serial=serial, now=self.now), self.ours))

    def anchor(self) -> bytes:
        return certificate_pem(self.ours.anchor)


@pytest.fixture(scope="module")
def pki(openssl: OpenSsl) -> Pki:
    root = openssl.ca("Company Root")
    intermediate = openssl.issue("Partners", root, extensions=CA_EXTENSIONS)
    now = x509.load_pem_x509_certificate(intermediate.certificate).not_valid_before_utc + HOUR
    return Pki(
        root=root,
        intermediate=intermediate,
        sibling=openssl.issue("Staff", root, extensions=CA_EXTENSIONS),
        ours=load_ca(certificate=intermediate.certificate, key=intermediate.key, chain=root.certificate, now=now),
        now=now,
    )


def test_a_leaf_of_the_intermediate_is_let_in_without_any_upper_crl(openssl: OpenSsl, pki: Pki) -> None:
    assert openssl.verdict(pki.leaf(), anchor=pki.anchor(), crl=pki.crl(), at=pki.now + MINUTE) == "OK"


def test_a_revoked_leaf_is_refused(openssl: OpenSsl, pki: Pki) -> None:
    verdict = openssl.verdict(pki.leaf(REVOKED), anchor=pki.anchor(), crl=pki.crl(), at=pki.now + MINUTE)
    assert verdict == "certificate revoked"


@pytest.mark.parametrize("signer", ["root", "sibling"])
def test_a_leaf_of_another_ca_of_the_same_company_is_refused(openssl: OpenSsl, pki: Pki, signer: str) -> None:
    other: Issued = getattr(pki, signer)
    leaf = openssl.issue("mallory", other, extensions=LEAF_EXTENSIONS).certificate
    verdict = openssl.verdict(leaf, anchor=pki.anchor(), crl=pki.crl(), at=pki.now + MINUTE)
    assert "unable to get local issuer certificate" in verdict


def test_a_leaf_of_a_client_that_made_itself_a_ca_is_refused(openssl: OpenSsl, pki: Pki) -> None:
    client = openssl.issue("mallory", pki.intermediate, extensions=CA_EXTENSIONS)
    leaf = openssl.issue("mallory's friend", client, extensions=LEAF_EXTENSIONS).certificate
    verdict = openssl.verdict(leaf + client.certificate, anchor=pki.anchor(), crl=None, at=pki.now + MINUTE)
    assert verdict != "OK"


def test_without_the_twin_everything_the_root_ever_signed_would_be_let_in(openssl: OpenSsl, pki: Pki) -> None:
    leaf = openssl.issue("mallory", pki.root, extensions=LEAF_EXTENSIONS).certificate
    bundle = pki.intermediate.certificate + pki.root.certificate
    assert openssl.verdict(leaf, anchor=bundle, crl=None, at=pki.now + MINUTE) == "OK"


def test_the_twin_has_the_key_the_name_and_the_validity_of_the_intermediate(openssl: OpenSsl, pki: Pki) -> None:
    asked = ("x509", "-noout", "-subject", "-pubkey", "-dates")
    assert openssl.says(*asked, stdin=pki.anchor()) == openssl.says(*asked, stdin=pki.intermediate.certificate)


def test_the_twin_signed_itself(openssl: OpenSsl, pki: Pki) -> None:
    verdict = openssl.verdict(pki.anchor(), anchor=pki.anchor(), crl=None, at=pki.now, purpose="any")
    assert verdict == "OK"


def test_the_twin_vouches_for_clients_only_and_for_no_further_ca(openssl: OpenSsl, pki: Pki) -> None:
    text = openssl.text(pki.anchor())
    assert "CA:TRUE, pathlen:0" in text
    assert "TLS Web Client Authentication\n" in text


def test_an_intermediate_with_a_key_identifier_of_its_own_choosing_is_shown_with_it(openssl: OpenSsl, pki: Pki) -> None:
    chosen = CA_EXTENSIONS.replace("subjectKeyIdentifier=hash", "subjectKeyIdentifier=0102030405")
    made = openssl.issue("Partners", pki.root, extensions=chosen)
    ours = load_ca(certificate=made.certificate, key=made.key, chain=None, now=pki.now + MINUTE)
    leaf = certificate_pem(build_leaf(template(now=pki.now), ours))
    assert "01:02:03:04:05" in openssl.text(certificate_pem(ours.anchor))
    assert openssl.verdict(leaf, anchor=certificate_pem(ours.anchor), crl=None, at=pki.now + MINUTE) == "OK"


def test_equal_inputs_give_the_same_twin(pki: Pki) -> None:
    again = trust_anchor(pki.ours.certificate, pki.ours.signer)
    assert certificate_pem(again) == pki.anchor()


def test_a_self_signed_ca_is_its_own_anchor(openssl: OpenSsl) -> None:
    made = openssl.ca("Own Root")
    certificate = x509.load_pem_x509_certificate(made.certificate)
    ours = load_ca(
        certificate=made.certificate, key=made.key, chain=None, now=certificate.not_valid_before_utc + MINUTE
    )
    assert ours.anchor == certificate


def test_the_root_is_left_out_of_the_chain_that_clients_get(pki: Pki) -> None:
    assert pki.ours.chain == ()

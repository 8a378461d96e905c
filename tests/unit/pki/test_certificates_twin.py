"""Every CA is shown to gates as its self-signed twin, and openssl, asked to verify, lets in its leaves alone."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import (
    CertificateAuthority,
    build_leaf,
    subject_key_identifier,
    trust_anchor,
)
from doorward.pki.crls import CrlEntry, build_crl
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from tests.support import odd_ca
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, LEAF_EXTENSIONS, Issued, OpenSsl
from tests.unit.given import HOUR, NOW, ca, key
from tests.unit.pki.given import template

REVOKED = 0xBAD
MINUTE = timedelta(minutes=1)
NOT_POSITIVE = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


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


def test_the_twin_of_a_generated_ca_is_that_ca() -> None:
    assert trust_anchor(ca().certificate, ca().signer) == ca().certificate


# Self-signed CAs of a person's own. None of their bytes is shown to a gate.


EXPLICIT_CURVE = ("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-param_enc", "explicit")
COMPRESSED_POINT = ("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-conv_form", "compressed")
RSA_KEY = ("genrsa", "2048")
PSS_KEY = ("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")


class Odd(NamedTuple):
    """A self-signed CA that OpenSSL or Go refuses, or that says more than a gate should hear."""

    extensions: str = ""
    key: tuple[str, ...] = EC_KEY
    options: tuple[str, ...] = ()


ODD = {
    "nothing odd": Odd(),
    "an extended key usage without clientAuth": Odd("extendedKeyUsage=serverAuth"),
    "a critical extended key usage without clientAuth": Odd("extendedKeyUsage=critical,serverAuth,emailProtection"),
    "name constraints": Odd("nameConstraints=critical,permitted;DNS:example.com,permitted;email:example.com"),
    "an explicit policy that is required": Odd("policyConstraints=critical,requireExplicitPolicy:0"),
    "an unknown critical extension": Odd("1.2.3.4=critical,ASN1:UTF8String:unknown"),
    "a signature by RSA-PSS": Odd(key=RSA_KEY, options=("-sigopt", "rsa_padding_mode:pss")),
    "a signature with SHA-1": Odd(key=RSA_KEY, options=("-sha1",)),
    "a signature with MD5": Odd(key=RSA_KEY, options=("-md5",)),
    "a key for RSA-PSS": Odd(key=PSS_KEY),
    "an explicit curve": Odd(key=EXPLICIT_CURVE),
    "a compressed point": Odd(key=COMPRESSED_POINT),
    "a negative serial number": Odd(options=("-set_serial", "-5")),
    "a serial number of zero": Odd(options=("-set_serial", "0")),
    "a serial number of 22 octets": Odd(options=("-set_serial", f"0x7f{'ab' * 21}")),
}
EVERY = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)


def self_signed(openssl: OpenSsl, odd: Odd) -> Issued:
    key = openssl.makes(*odd.key)
    said = f"[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=e\n[dn]\nCN=Own Root\n[e]\n{CA_EXTENSIONS}"
    options = ("-config", openssl.file(f"{said}{odd.extensions}\n".encode()), "-days", "30", *odd.options)
    return Issued(certificate=openssl.makes("req", "-x509", "-new", "-key", openssl.file(key), *options), key=key)


@pytest.fixture
def own(openssl: OpenSsl, odd: Odd) -> Pki:
    made = self_signed(openssl, odd)
    now = x509.load_pem_x509_certificate(made.certificate).not_valid_before_utc + HOUR
    ours = load_ca(certificate=made.certificate, key=made.key, chain=None, now=now)
    return Pki(root=made, intermediate=made, sibling=made, ours=ours, now=now)


@NOT_POSITIVE
@EVERY
def test_the_clients_of_any_self_signed_ca_are_let_in_by_its_twin_and_the_revoked_are_not(
    openssl: OpenSsl, own: Pki
) -> None:
    asked = {"anchor": own.anchor(), "crl": own.crl(), "at": own.now + MINUTE}
    assert openssl.verdict(own.leaf(), **asked) == "OK"
    assert openssl.verdict(own.leaf(REVOKED), **asked) == "certificate revoked"


@NOT_POSITIVE
@EVERY
def test_the_twin_says_of_a_ca_its_name_key_identifier_and_dates_alone(openssl: OpenSsl, own: Pki) -> None:
    twin, ours = own.ours.anchor, own.ours.certificate
    assert {extension.oid for extension in twin.extensions} == {
        extension.oid for extension in ca().certificate.extensions
    }
    assert twin.subject == twin.issuer == ours.subject
    assert (twin.not_valid_before_utc, twin.not_valid_after_utc) == (
        ours.not_valid_before_utc,
        ours.not_valid_after_utc,
    )
    assert subject_key_identifier(twin) == subject_key_identifier(ours)
    said = openssl.text(own.anchor())
    assert "ASN1 OID: prime256v1" in said or "Public Key Algorithm: rsaEncryption" in said
    assert len(twin.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)) in (91, 294)


@NOT_POSITIVE
@EVERY
def test_a_client_of_a_self_signed_ca_sends_no_certificate_but_its_own(own: Pki) -> None:
    assert own.ours.intermediates == ()


@NOT_POSITIVE
@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        ("1", 1),
        ("0x7f" + "ab" * 19, int("7f" + "ab" * 19, 16)),
        ("0x80" + "ab" * 19, None),
        ("0x7f" + "ab" * 20, None),
        ("0", None),
        ("-1", None),
    ],
    ids=["1", "20 octets", "20 octets and a leading zero", "21 octets", "zero", "negative"],
)
def test_the_twin_has_the_serial_number_of_its_ca_where_that_is_lawful(
    openssl: OpenSsl, serial: str, shown: int | None
) -> None:
    made = self_signed(openssl, Odd(options=("-set_serial", serial)))
    now = x509.load_pem_x509_certificate(made.certificate).not_valid_before_utc + MINUTE
    twin = load_ca(certificate=made.certificate, key=made.key, chain=None, now=now).anchor
    assert 0 < twin.serial_number < 1 << 159
    assert shown is None or twin.serial_number == shown


def test_a_leaf_that_names_its_issuer_by_name_and_serial_number_is_let_in(openssl: OpenSsl) -> None:
    root = openssl.ca("Own Root")
    now = x509.load_pem_x509_certificate(root.certificate).not_valid_before_utc + MINUTE
    twin = certificate_pem(load_ca(certificate=root.certificate, key=root.key, chain=None, now=now).anchor)
    said = LEAF_EXTENSIONS + "authorityKeyIdentifier=keyid:always,issuer:always\n"
    elsewhere = openssl.issue("dave", root, extensions=said).certificate
    assert "DirName:/CN=Own Root" in openssl.text(elsewhere)
    assert openssl.verdict(elsewhere, anchor=twin, crl=None, at=now) == "OK"


def test_a_ca_that_began_before_1950_is_shown_from_then_on() -> None:
    private_key = key(300)
    made = odd_ca.certificate(
        key=private_key,
        subject=odd_ca.name(odd_ca.cn("Old Root")),
        not_before=odd_ca.time(datetime(1900, 1, 1, tzinfo=UTC)),
        not_after=odd_ca.time(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    )
    pem = certificate_pem(x509.load_der_x509_certificate(made))
    twin = load_ca(certificate=pem, key=private_key_pem(private_key).reveal(), chain=None, now=NOW).anchor
    assert (twin.not_valid_before_utc.year, twin.not_valid_after_utc.year) == (1950, 9999)


def test_the_root_is_left_out_of_the_chain_that_clients_get(pki: Pki) -> None:
    assert pki.ours.chain == ()


def test_a_root_that_signed_itself_with_sha1_is_left_out_too(openssl: OpenSsl) -> None:
    root = self_signed(openssl, ODD["a signature with SHA-1"])
    below = openssl.issue("Partners", root, extensions=CA_EXTENSIONS)
    now = x509.load_pem_x509_certificate(below.certificate).not_valid_before_utc + MINUTE
    ours = load_ca(certificate=below.certificate, key=below.key, chain=root.certificate, now=now)
    assert ours.intermediates == (x509.load_pem_x509_certificate(below.certificate),)

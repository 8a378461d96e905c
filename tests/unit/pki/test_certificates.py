"""The profiles of CA and client certificates as openssl reads them, and golden files of their bytes."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from doorward.pki.certificates import CertificateAuthority, build_leaf, chain_pem, describe, read_leaf
from doorward.pki.pem import certificate_pem, load_certificates
from doorward.pki.subjects import AltNames, Subject
from tests.support.openssl import OpenSsl
from tests.unit.given import CA_ENDS, DAY, HOUR, NOW, SECOND, ca, key
from tests.unit.pki.given import ca_with, crl, entry, intermediate, template

GOLDEN = Path(__file__).parent / "golden"
KEY_KINDS = {"P-256": ("ECDSA", 256), "P-384": ("ECDSA", 384), "RSA 2048": ("RSA", 2048), "Ed25519": ("Ed25519", 0)}
CA_KEY_KINDS = KEY_KINDS | {"P-521": ("ECDSA", 521)}
DIGESTS = {
    "P-256": ("ecdsa-with-SHA256", ("ECDSA", 256)),
    "P-384": ("ecdsa-with-SHA384", ("ECDSA", 384)),
    "P-521": ("ecdsa-with-SHA512", ("ECDSA", 521)),
    "RSA 2048": ("sha256WithRSAEncryption", ("RSA", 2048)),
    "Ed25519": ("ED25519", ("Ed25519", 0)),
}


def leaf_pem(signer: CertificateAuthority | None = None, **override: object) -> bytes:
    return certificate_pem(build_leaf(template(**override), signer or ca()))


def extensions(openssl: OpenSsl, certificate: bytes) -> dict[str, str]:
    """Each extension as openssl names it, with its value; "critical" stands in front."""
    found = re.findall(r"^ {12}(X509v3 [^:]+): ?(critical)?\n {16}(.+)$", openssl.text(certificate), re.MULTILINE)
    return {name: f"{critical} {value}".strip() for name, critical, value in found}


def key_id(openssl: OpenSsl, certificate: bytes) -> str:
    """The subject key identifier."""
    return extensions(openssl, certificate)["X509v3 Subject Key Identifier"]


def test_a_client_certificate_says_that_it_is_a_clients_and_nothing_else(openssl: OpenSsl) -> None:
    pem = leaf_pem()
    assert extensions(openssl, pem) == {
        "X509v3 Basic Constraints": "critical CA:FALSE",
        "X509v3 Key Usage": "critical Digital Signature",
        "X509v3 Extended Key Usage": "TLS Web Client Authentication",
        "X509v3 Subject Key Identifier": key_id(openssl, pem),
        "X509v3 Authority Key Identifier": key_id(openssl, certificate_pem(ca().certificate)),
    }


def test_a_ca_vouches_for_clients_only_and_for_no_further_ca(openssl: OpenSsl) -> None:
    pem = certificate_pem(ca().certificate)
    assert extensions(openssl, pem) == {
        "X509v3 Basic Constraints": "critical CA:TRUE, pathlen:0",
        "X509v3 Key Usage": "critical Certificate Sign, CRL Sign",
        "X509v3 Extended Key Usage": "TLS Web Client Authentication",
        "X509v3 Subject Key Identifier": key_id(openssl, pem),
    }


@pytest.mark.parametrize("kind", CA_KEY_KINDS.values(), ids=CA_KEY_KINDS)
def test_openssl_takes_the_client_of_a_ca_of_each_kind(openssl: OpenSsl, kind: tuple[str, int]) -> None:
    signer = ca_with(key(100, *kind))
    assert openssl.verdict(leaf_pem(signer), anchor=certificate_pem(signer.anchor), crl=None, at=NOW) == "OK"


@pytest.mark.parametrize("kind", KEY_KINDS.values(), ids=KEY_KINDS)
def test_openssl_takes_a_client_key_of_each_kind(openssl: OpenSsl, kind: tuple[str, int]) -> None:
    pem = leaf_pem(public_key=key(2, *kind).public_key())
    assert openssl.verdict(pem, anchor=certificate_pem(ca().anchor), crl=None, at=NOW) == "OK"


@pytest.mark.parametrize(("algorithm", "kind"), DIGESTS.values(), ids=DIGESTS)
def test_the_digest_fits_the_key(openssl: OpenSsl, algorithm: str, kind: tuple[str, int]) -> None:
    assert f"Signature Algorithm: {algorithm}\n" in openssl.text(leaf_pem(ca_with(key(100, *kind))))


def test_openssl_does_not_take_a_client_certificate_for_a_servers(openssl: OpenSsl) -> None:
    verdict = openssl.verdict(leaf_pem(), anchor=certificate_pem(ca().anchor), crl=None, at=NOW, purpose="sslserver")
    assert "unsuitable certificate purpose" in verdict


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 2**159 - 1], ids=hex)
def test_the_serial_number_is_the_one_that_was_given(openssl: OpenSsl, serial: int) -> None:
    said = openssl.says("x509", "-noout", "-serial", stdin=leaf_pem(serial=serial))
    assert int(said.strip().partition("=")[2], 16) == serial


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (NOW - HOUR - SECOND, "certificate is not yet valid"),
        (NOW - HOUR, "OK"),
        (NOW + 7 * DAY - SECOND, "OK"),
        (NOW + 7 * DAY, "certificate has expired"),
    ],
    ids=["before notBefore", "at notBefore", "before notAfter", "at notAfter"],
)
def test_it_holds_from_not_before_until_not_after(openssl: OpenSsl, at: datetime, says: str) -> None:
    assert openssl.verdict(leaf_pem(), anchor=certificate_pem(ca().anchor), crl=None, at=at) == says


def test_a_client_certificate_never_outlives_its_ca(openssl: OpenSsl) -> None:
    said = openssl.says("x509", "-noout", "-enddate", stdin=leaf_pem(lasts=3650 * DAY))
    assert said == f"notAfter={CA_ENDS:%b} {CA_ENDS.day:2} {CA_ENDS:%H:%M:%S %Y} GMT\n"


@pytest.mark.parametrize("left", [-DAY, timedelta(0), SECOND], ids=["a day too late", "no time", "a second"])
def test_a_certificate_that_would_expire_as_it_begins_is_not_made(left: timedelta) -> None:
    with pytest.raises(ValueError, match="would have expired as it begins"):
        build_leaf(template(not_before=CA_ENDS - left), ca())


def test_what_is_described_is_what_was_asked_for() -> None:
    subject = Subject(common_name="alice", organizations=("ACME",), serial_number="7")
    alt_names = AltNames(dns_names=("a.example",), email_addresses=("a@b",), uris=("urn:x",))
    leaf = read_leaf(leaf_pem(subject=subject, alt_names=alt_names, serial=9))
    assert (leaf.subject, leaf.alt_names, leaf.serial) == (subject, alt_names, 9)
    assert (leaf.not_before, leaf.not_after) == (NOW - HOUR, NOW + 7 * DAY)


def test_the_first_of_a_chain_is_the_clients() -> None:
    chain = leaf_pem(intermediate()) + chain_pem((intermediate().certificate,))
    assert read_leaf(chain) == describe(load_certificates(chain)[0])


@pytest.mark.promise(5)
def test_a_private_key_is_not_in_the_repr_of_a_ca() -> None:
    assert "private_key" not in repr(ca())


GOLDENS = {
    "ca.pem": lambda: certificate_pem(ca().certificate),
    "twin.pem": lambda: certificate_pem(intermediate().anchor),
    "leaf.pem": lambda: leaf_pem(
        subject=Subject(common_name='a"l;i}c,e+=\\ 🚪', organizations=("ACME",), countries=("DE",)),
        alt_names=AltNames(dns_names=("a.example",), email_addresses=("a@b",), uris=("urn:x",)),
    ),
    "crl-empty.pem": crl,
    "crl.pem": lambda: crl(entry(3), entry(0xA1, x509.ReasonFlags.certificate_hold), number=2),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_equal_inputs_give_the_bytes_of_the_golden_file(name: str) -> None:
    assert GOLDENS[name]() == (GOLDEN / name).read_bytes()

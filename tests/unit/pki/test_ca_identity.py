"""What makes two certificates one CA, and two CAs over one key two: as OpenSSL tells them apart, shown by openssl itself."""

import itertools
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki.ca_identity import identity, is_issuer, same_name
from doorward.pki.certificates import CertificateAuthority, build_leaf, trust_anchor
from doorward.pki.crls import build_crl, read_crl
from doorward.pki.pem import CrlForeign, certificate_pem
from doorward.pki.signers import KeySigner
from tests.support.openssl import OpenSsl
from tests.unit.given import CA_BORN, CA_ENDS, DAY, HOUR, NOW, entry, key
from tests.unit.pki.given import template

Text = tuple[str, _ASN1Type]
UTF8, PRINTABLE, BMP, IA5 = (_ASN1Type[name] for name in ("UTF8String", "PrintableString", "BMPString", "IA5String"))


def name_of(*parts: Text) -> x509.Name:
    oids = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)[-len(parts) :]
    return x509.Name([x509.NameAttribute(oid, text, kind) for oid, (text, kind) in zip(oids, parts, strict=True)])


CORP = (("Corp", UTF8), ("Corp CA", UTF8))


@lru_cache
def made(
    *parts: Text, number: int = 161, identifier: bytes | None = None, ends: int = 0, serial: int = 5
) -> CertificateAuthority:
    """A CA, as gates are shown it."""
    private_key = key(number)
    ski = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
    name = name_of(*(parts or CORP))
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .public_key(private_key.public_key())
        .serial_number(serial)
        .not_valid_before(CA_BORN)
        .not_valid_after(CA_ENDS + ends * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(identifier) if identifier else ski, critical=False)
        .sign(private_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    signer = KeySigner(private_key)
    return CertificateAuthority(
        certificate=certificate, chain=(), anchor=trust_anchor(certificate, signer), signer=signer
    )


def crl(ca: CertificateAuthority, *serials: int, number: int = 5) -> bytes:
    return build_crl(
        ca=ca, entries=map(entry, serials), number=number, this_update=NOW - HOUR, next_update=NOW + 7 * DAY
    )


@lru_cache
def leaf(ca: CertificateAuthority, serial: int) -> x509.Certificate:
    return build_leaf(template(serial=serial), ca)


ONE = made()
ALIKE = {
    "a later end": made(ends=1),
    "another serial number": made(serial=6),
    "another string type": made(("Corp", PRINTABLE), ("Corp CA", PRINTABLE)),
    "wide characters": made(("Corp", BMP), ("Corp CA", BMP)),
    "other letters": made(("CORP", UTF8), ("corp ca", IA5)),
    "more blanks": made((" Corp ", UTF8), ("Corp\t  CA", UTF8)),
}
APART = {
    "another key": made(number=162),
    "another name": made(("Corp", UTF8), ("Corp CA 2", UTF8)),
    "a part of the name less": made(("Corp CA", UTF8)),
    "other letters that are not ASCII": made(("Corp", UTF8), ("Corp CÄ", UTF8)),
    "another identifier": made(identifier=b"\xaa" * 20),
    "the beginning of the identifier": made(
        identifier=x509.SubjectKeyIdentifier.from_public_key(key(161).public_key()).digest[:19]
    ),
}


@pytest.mark.parametrize("other", ALIKE.values(), ids=ALIKE)
def test_the_same_ca_for_openssl_is_the_same_ca(openssl: OpenSsl, other: CertificateAuthority) -> None:
    assert identity(other.certificate) == identity(other.anchor) == identity(ONE.certificate)
    signed = leaf(ONE, 7)
    verdict = openssl.verdict(certificate_pem(signed), anchor=certificate_pem(other.anchor), crl=crl(other), at=NOW)
    assert verdict == "OK"
    assert read_crl(crl(ONE, 3), other.certificate).entries.keys() == {3}


@pytest.mark.parametrize("other", APART.values(), ids=APART)
def test_another_ca_for_openssl_is_another_ca(openssl: OpenSsl, other: CertificateAuthority) -> None:
    assert identity(other.certificate) == identity(other.anchor) != identity(ONE.certificate)
    signed = leaf(ONE, 7)
    verdict = openssl.verdict(certificate_pem(signed), anchor=certificate_pem(other.anchor), crl=crl(other), at=NOW)
    assert verdict != "OK"
    assert (is_issuer(ONE.certificate, signed), is_issuer(other.certificate, signed)) == (True, False)
    with pytest.raises(CrlForeign):
        read_crl(crl(ONE, 3), other.certificate)


@pytest.mark.promise(1)
@pytest.mark.parametrize("turned", [False, True], ids=["the older CRL first", "the newer CRL first"])
@pytest.mark.parametrize("which", [0, 1], ids=["of the older CA", "of the newer CA"])
@pytest.mark.parametrize(
    "other", [other for name, other in APART.items() if "key" not in name], ids=[n for n in APART if "key" not in n]
)
def test_of_two_cas_over_one_key_each_has_its_own_crl(
    openssl: OpenSsl, other: CertificateAuthority, which: int, turned: bool
) -> None:
    cas = (ONE, other)
    anchors = b"".join(certificate_pem(ca.anchor) for ca in cas)
    lists = [crl(ca, 7, number=5 + at) if at == which else crl(ca, number=5 + at) for at, ca in enumerate(cas)]
    text = b"".join(reversed(lists) if turned else lists)
    for at, serial in itertools.product((0, 1), (7, 8)):
        verdict = openssl.verdict(certificate_pem(leaf(cas[at], serial)), anchor=anchors, crl=text, at=NOW)
        assert verdict == ("certificate revoked" if (at, serial) == (which, 7) else "OK")


TEXTS = st.text(st.sampled_from("aAbB \t\n"), max_size=6)


@given(TEXTS, TEXTS)
def test_names_are_the_same_where_blanks_and_the_case_of_letters_differ(one: str, other: str) -> None:
    names = [name_of((f"x{text}x", UTF8)) for text in (one, other)]
    plain = [" ".join(f"x{text}x".split()).lower() for text in (one, other)]
    assert same_name(*names) is (plain[0] == plain[1])


def test_a_certificate_without_an_identifier_of_its_issuer_may_be_of_each() -> None:
    bare = (
        x509.CertificateBuilder(subject_name=name_of(("alice", UTF8)), issuer_name=name_of(*CORP))
        .public_key(key().public_key())
        .serial_number(9)
        .not_valid_before(NOW - HOUR)
        .not_valid_after(NOW + DAY)
        .sign(key(161), hashes.SHA256())
    )
    assert is_issuer(ONE.certificate, bare)
    assert is_issuer(APART["another identifier"].certificate, bare)
    assert not is_issuer(APART["another name"].certificate, bare)

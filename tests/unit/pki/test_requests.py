"""Of a client's CSR only the public key and the proof of possession count."""

import time
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given

from doorward.pki.pem import (
    AsksForCa,
    BadSignature,
    KeyUnsupported,
    PemError,
    PkiError,
    UnseenName,
    WeakKey,
)
from doorward.pki.requests import read_request
from tests.support.openssl import EC_KEY, OpenSsl
from tests.unit.given import key
from tests.unit.pki.junk import JUNK, REQUEST, changed, pem

KEYS = {
    "P-256": EC_KEY,
    "P-384": ("ecparam", "-genkey", "-noout", "-name", "secp384r1"),
    "RSA 2048": ("genrsa", "2048"),
    "Ed25519": ("genpkey", "-algorithm", "ED25519"),
}
WEAK_KEYS = {
    "RSA 1024": (("genrsa", "1024"), WeakKey, "its RSA key has 1024 bits: use RSA of 2048, 3072 or 4096 bits"),
    "RSA 2047": (("genrsa", "2047"), WeakKey, "its RSA key has 2047 bits"),
    "P-224": (
        ("ecparam", "-genkey", "-noout", "-name", "secp224r1"),
        WeakKey,
        "its ECDSA key has 224 bits: use P-256 or P-384",
    ),
    "secp256k1": (
        ("ecparam", "-genkey", "-noout", "-name", "secp256k1"),
        KeyUnsupported,
        "on the curve secp256k1: use P-256 or P-384",
    ),
    "Ed448": (("genpkey", "-algorithm", "ED448"), KeyUnsupported, "must be RSA, ECDSA or Ed25519"),
}


@pytest.mark.parametrize("command", KEYS.values(), ids=KEYS)
def test_the_public_key_of_a_request_is_read(openssl: OpenSsl, command: tuple[str, ...]) -> None:
    key = openssl.makes(*command)
    public = openssl.makes("pkey", "-pubout", "-outform", "DER", stdin=key)
    found = read_request(openssl.request("alice", key))
    assert found.public_key_sha256 == openssl.says("dgst", "-sha256", "-r", stdin=public).split()[0]


@pytest.mark.parametrize(("command", "error", "says"), WEAK_KEYS.values(), ids=WEAK_KEYS)
def test_a_weak_key_is_refused_with_what_to_use(
    openssl: OpenSsl, command: tuple[str, ...], error: type[PkiError], says: str
) -> None:
    request = openssl.request("alice", openssl.makes(*command))
    with pytest.raises(error, match=says):
        read_request(request)


def test_a_request_whose_signature_does_not_fit_is_refused() -> None:
    with pytest.raises(BadSignature, match="make it again with the private key at hand"):
        read_request(pem("CERTIFICATE REQUEST", REQUEST.replace(b"whatever I like", b"whatever I lick")))


def test_a_request_under_a_strangers_key_is_refused(openssl: OpenSsl) -> None:
    mine, theirs = (openssl.makes(*EC_KEY) for _ in range(2))
    public = [openssl.makes("pkey", "-pubout", "-outform", "DER", stdin=key) for key in (mine, theirs)]
    request = openssl.makes("req", "-outform", "DER", stdin=openssl.request("alice", mine))
    with pytest.raises(BadSignature):
        read_request(pem("CERTIFICATE REQUEST", request.replace(*public)))


def test_a_request_for_a_ca_is_refused_with_what_to_leave_out(openssl: OpenSsl) -> None:
    request = openssl.request("alice", openssl.makes(*EC_KEY), "-addext", "basicConstraints=critical,CA:TRUE")
    with pytest.raises(AsksForCa, match="make it again without basicConstraints"):
        read_request(request)


@pytest.mark.parametrize(
    "extension",
    [
        "basicConstraints=CA:FALSE",
        "extendedKeyUsage=serverAuth",
        "subjectAltName=DNS:other.example",
        "1.2.3.4=DER:0500",
    ],
)
def test_whatever_else_a_request_asks_for_changes_nothing(openssl: OpenSsl, extension: str) -> None:
    key = openssl.makes(*EC_KEY)
    plain, asking = openssl.request("alice", key), openssl.request("system:masters", key, "-addext", extension)
    assert read_request(asking).public_key_sha256 == read_request(plain).public_key_sha256


def asking(subject: x509.Name, *alternative: x509.GeneralName) -> bytes:
    """A CSR for these names, as no tool refuses to make it."""
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject)
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.PEM)


def name(oid: x509.ObjectIdentifier, text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text, _validate=False)])


TEXTS = (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.TITLE, NameOID.USER_ID)


@pytest.mark.parametrize("hidden", ["\u200b", "\u202e", "\U000e0061", "\ufe0f", "\n", "\u00a0"], ids=ascii)
def test_a_request_with_a_name_that_nobody_sees_is_refused(hidden: str) -> None:
    seen = name(NameOID.COMMON_NAME, "alice")
    wrong = [asking(name(oid, f"ad{hidden}min")) for oid in TEXTS]
    wrong.append(asking(seen, x509.DirectoryName(name(NameOID.COMMON_NAME, f"ad{hidden}min"))))
    for request in wrong:
        with pytest.raises(UnseenName, match="a character that nobody sees"):
            read_request(request)


def test_a_request_with_a_line_break_in_an_alternative_name_is_refused() -> None:
    uri = x509.UniformResourceIdentifier("urn:a\nb")
    with pytest.raises(UnseenName):
        read_request(asking(name(NameOID.COMMON_NAME, "alice"), uri))


def test_a_request_with_names_of_every_kind_gives_its_key_alone() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01a")
    kinds = (
        *(x509.DNSName("admin.example"), x509.RFC822Name("a@b.example"), x509.UniformResourceIdentifier("urn:x")),
        *(x509.IPAddress(ip_address("10.0.0.1")), x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), other),
        x509.DirectoryName(name(NameOID.COMMON_NAME, "admin.prod.example")),
    )
    found = read_request(asking(name(NameOID.COMMON_NAME, "admin.prod.example"), *kinds))
    assert found == read_request(asking(name(NameOID.COMMON_NAME, "alice")))


def test_text_around_the_request_changes_nothing(openssl: OpenSsl) -> None:
    request = openssl.request("alice", openssl.makes(*EC_KEY))
    assert read_request(b"Certificate Request:\n" + request + b"\n") == read_request(request)


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_is_refused_in_less_than_a_tenth_of_a_second(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(PemError):
        read_request(data)
    assert time.process_time() - begun < 0.1


@given(body=changed(REQUEST))
def test_a_damaged_request_is_refused_by_an_error_of_ours(body: bytes) -> None:
    try:
        found = read_request(pem("CERTIFICATE REQUEST", body))
    except PkiError:
        return
    assert found == read_request(pem("CERTIFICATE REQUEST", REQUEST))

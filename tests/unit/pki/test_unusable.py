"""What people hand in and cannot be used is named, with what to do; and whatever is taken is a certificate that openssl verifies."""

import base64
from collections.abc import Callable
from random import Random

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward.pki.certificates import build_leaf
from doorward.pki.keys import load_private_key
from doorward.pki.pem import (
    KeyEncrypted,
    NoPemBlock,
    OddForm,
    PemError,
    PkiError,
    WeakDigest,
    WeakKey,
    certificate_pem,
    load_certificates,
)
from doorward.pki.requests import read_request
from tests.support import any_csr, odd_csrs
from tests.support.odd_csrs import LINES, Csr, armoured, tlv
from tests.support.openssl import EC_KEY, OpenSsl
from tests.unit.given import NOW, ca, csr, leaf
from tests.unit.pki.given import template
from tests.unit.pki.junk import pem

READERS: dict[str, tuple[Callable[[bytes], object], Callable[[OpenSsl], bytes]]] = {
    "the certificate": (load_certificates, lambda _: certificate_pem(leaf().certificate)),
    "the private key": (load_private_key, lambda openssl: openssl.makes(*EC_KEY)),
    "the request": (read_request, lambda _: csr().encode()),
}
EVERY_THING = pytest.mark.parametrize("thing", READERS)


@EVERY_THING
@pytest.mark.parametrize(("change", "says"), LINES.values(), ids=LINES)
def test_what_somebody_did_to_a_file_is_named(openssl: OpenSsl, thing: str, change, says: str) -> None:
    read, make = READERS[thing]
    read(make(openssl))
    with pytest.raises(PemError) as caught:
        read(change(make(openssl)))
    assert str(caught.value).startswith(f"{thing} {says}")


@EVERY_THING
@pytest.mark.parametrize("other", READERS)
def test_a_file_of_another_thing_is_named(openssl: OpenSsl, thing: str, other: str) -> None:
    if thing == other:
        READERS[thing][0](READERS[other][1](openssl))
        return
    with pytest.raises(NoPemBlock) as caught:
        READERS[thing][0](READERS[other][1](openssl))
    named = {"the certificate": "is a certificate", "the private key": "is a private key"}
    assert str(caught.value).startswith(f"{thing} {named.get(other, 'is a certificate request')}")


def containers(openssl: OpenSsl) -> dict[str, bytes]:
    """One certificate in the files that others use for it, as the real openssl makes them."""
    made = openssl.ca("partners")
    certificate, key = openssl.file(made.certificate), openssl.file(made.key)
    bag = ("crl2pkcs7", "-nocrl", "-certfile", certificate)
    store = ("pkcs12", "-export", "-in", certificate, "-inkey", key, "-passout", "pass:secret")
    return {
        "PKCS#7, DER": openssl.makes(*bag, "-outform", "DER"),
        "PKCS#7": openssl.makes(*bag),
        "PKCS#12": openssl.makes(*store),
        "TRUSTED CERTIFICATE": openssl.makes("x509", "-trustout", "-in", certificate),
    }


@pytest.mark.parametrize(
    ("container", "says"),
    [
        ("PKCS#7, DER", "is a PKCS#7 file (.p7b), and PEM certificates are needed: convert it, as with openssl pkcs7"),
        ("PKCS#7", "is a PKCS#7 file (.p7b), and PEM certificates are needed: convert it, as with openssl pkcs7"),
        ("PKCS#12", "is a PKCS#12 file (.p12, .pfx), and PEM is needed: convert it, as with openssl pkcs12 -nokeys"),
        (
            "TRUSTED CERTIFICATE",
            "is in a format of OpenSSL's own, TRUSTED CERTIFICATE: convert it, as with openssl x509",
        ),
    ],
)
def test_a_container_is_named_with_the_command_that_opens_it(openssl: OpenSsl, container: str, says: str) -> None:
    with pytest.raises(NoPemBlock) as caught:
        load_certificates(containers(openssl)[container])
    assert str(caught.value).startswith(f"the certificate {says}")


def test_of_a_container_a_key_is_opened_by_another_command(openssl: OpenSsl) -> None:
    with pytest.raises(NoPemBlock, match="openssl pkcs12 -nocerts -noenc"):
        load_private_key(containers(openssl)["PKCS#12"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xfe\xed\xfe\xed\0\0\0\2", "is a Java keystore"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA alice@laptop", "is in OpenSSH format"),
        (
            armoured(b"0\0", "OPENSSH PRIVATE KEY"),
            "is in OpenSSH format, and PEM is needed: convert it, as with ssh-keygen",
        ),
        (armoured(b"0\0", "PUBLIC KEY"), "is a public key: put a private key there"),
        (armoured(b"0\0", "DSA PRIVATE KEY"), "is a DSA key"),
        (armoured(b"0\0", "X509 CRL"), "is a CRL"),
        (armoured(b"0\0", "PGP MESSAGE"), "holds no PEM block of its kind: put a private key there"),
        (b"", "holds no PEM block"),
        (b"MI??", "holds no PEM block"),
        (b"Make me a key", "holds no PEM block"),
        (b"0\x04not", "holds no PEM block"),
    ],
)
def test_what_is_there_instead_of_a_private_key_is_named(data: bytes, says: str) -> None:
    with pytest.raises(NoPemBlock) as caught:
        load_private_key(data)
    assert str(caught.value).startswith(f"the private key {says}")


SHORT_KEYS = {
    "SEC1, P-256": ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER"),
    "PKCS #8, Ed25519": ("genpkey", "-algorithm", "ED25519", "-outform", "DER"),
}


@pytest.mark.parametrize("command", SHORT_KEYS.values(), ids=SHORT_KEYS)
def test_a_key_of_less_than_128_bytes_is_der_too(openssl: OpenSsl, command: tuple[str, ...]) -> None:
    binary = openssl.makes(*command)
    assert len(binary) < 0x82
    with pytest.raises(NoPemBlock, match="is in DER format, and PEM is needed: convert it, as with openssl pkey"):
        load_private_key(binary)
    with pytest.raises(NoPemBlock, match="is base64 without its first and last line"):
        load_private_key(base64.encodebytes(binary))


# Encrypted keys


@pytest.mark.parametrize(
    "command",
    [
        ("pkcs8", "-topk8", "-v2", "aes-256-cbc"),
        ("ec", "-aes256"),
        ("pkey", "-aes256"),
    ],
    ids=" ".join,
)
def test_a_key_that_a_header_calls_encrypted_is_named_so(openssl: OpenSsl, command: tuple[str, ...]) -> None:
    locked = openssl.makes(*command, "-passout", "pass:secret", stdin=openssl.makes(*EC_KEY))
    with pytest.raises(KeyEncrypted, match="store it without a passphrase"):
        load_private_key(locked)
    with pytest.raises(KeyEncrypted):
        load_private_key(b"-----BEGIN CERTIFICATE-----\n" + locked)


@pytest.mark.parametrize(
    "comment",
    [b"not ENCRYPTED\n", b"# Proc-Type: 4,ENCRYPTED was taken off\n", b"BEGIN ENCRYPTED PRIVATE KEY\n"],
)
def test_a_comment_encrypts_no_key(openssl: OpenSsl, comment: bytes) -> None:
    key = openssl.makes(*EC_KEY)
    assert load_private_key(comment + key + comment).public_key() == load_private_key(key).public_key()


# Requests


@pytest.mark.parametrize(
    ("digest", "padding", "says"),
    [
        ("sha1", "pkcs1", "is signed with SHA-1, which can be forged"),
        ("sha1", "pss", "is signed with SHA-1, which can be forged"),
        ("md5", "pkcs1", "is signed with MD5, which can be forged"),
    ],
)
def test_a_digest_that_can_be_forged_is_named(openssl: OpenSsl, digest: str, padding: str, says: str) -> None:
    key = openssl.makes("genrsa", "2048")
    request = openssl.request("printer", key, f"-{digest}", "-sigopt", f"rsa_padding_mode:{padding}")
    with pytest.raises(WeakDigest, match=f"the request {says}.*: make it again with SHA-256"):
        read_request(request)


def test_a_digest_that_nobody_here_knows_is_named_by_its_number(openssl: OpenSsl) -> None:
    with pytest.raises(WeakDigest, match=r"not supported \(1\.3\.36\.3\.3\.1\.2\): make it again with SHA-256"):
        read_request(openssl.request("printer", openssl.makes("genrsa", "2048"), "-ripemd160"))


def test_a_key_for_rsa_pss_alone_is_named(openssl: OpenSsl) -> None:
    key = openssl.makes("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    with pytest.raises(WeakKey, match=r"the request has an RSA-PSS key.*make a plain RSA key"):
        read_request(openssl.request("printer", key))


def test_a_plain_rsa_key_may_sign_its_request_with_pss(openssl: OpenSsl) -> None:
    key = openssl.makes("genrsa", "2048")
    signed = openssl.request("printer", key, "-sigopt", "rsa_padding_mode:pss")
    assert read_request(signed) == read_request(openssl.request("printer", key))


ODD: dict[str, tuple[Csr, str]] = {
    "version 3": (Csr(version=b"\2"), "is of version 3, and there is only version 1"),
    "version 0": (Csr(version=b"\xff"), "is of version 0, and there is only version 1"),
    "no attributes": (Csr(attributes=b""), "lacks the attributes"),
    "Latin-1 as UTF-8": (Csr(text=b"M\xfcller"), "has a subject with text that is not UTF-8"),
    "an @ in a PrintableString": (Csr(string=odd_csrs.PRINTABLE, text=b"a@b"), "has a subject with text"),
    "half a character": (Csr(string=odd_csrs.BMP, text=b"\0M\0"), "has a subject with text"),
    "Latin-1 as ASCII": (Csr(string=odd_csrs.IA5, text=b"M\xfcller"), "has a subject with text"),
    "Latin-1 as a DNS name": (
        Csr(attributes=odd_csrs.asking_for(odd_csrs.alternative_name(0x82, b"m\xfcller.example"))),
        "asks for extensions that cannot be parsed",
    ),
    "an address of two bytes": (
        Csr(attributes=odd_csrs.asking_for(odd_csrs.alternative_name(0x87, b"\x0a\0"))),
        "asks for extensions that cannot be parsed",
    ),
    "one extension twice": (
        Csr(attributes=odd_csrs.asking_for(*(odd_csrs.alternative_name(0x82, b"a.example"),) * 2)),
        "asks for extensions that cannot be parsed, such as a DNS name that is not ASCII, or for one twice",
    ),
}


@pytest.mark.parametrize(("odd", "says"), ODD.values(), ids=ODD)
def test_a_request_that_is_odd_is_named(odd: Csr, says: str) -> None:
    with pytest.raises(OddForm) as caught:
        read_request(odd.pem)
    assert str(caught.value).startswith(f"the request {says}")


@pytest.mark.parametrize("odd", [Csr(version=b"\2"), Csr(attributes=b"")], ids=["version 3", "no attributes"])
def test_openssl_calls_the_odd_forms_good(openssl: OpenSsl, odd: Csr) -> None:
    """So people who meet the message need more than "cannot be parsed"."""
    assert openssl.run("req", "-verify", "-noout", stdin=odd.pem).returncode == 0


def test_what_only_looks_like_an_odd_form_cannot_be_parsed() -> None:
    for body in (
        b"",
        tlv(0x30, b""),
        tlv(0x30, tlv(0x30, tlv(2, b"\2")), b""),
        tlv(0x30, tlv(0x30, tlv(4, b"\2") * 3)),
    ):
        with pytest.raises(PemError, match="the request cannot be parsed"):
            read_request(pem("CERTIFICATE REQUEST", body))


TEXTS = st.one_of(st.binary(min_size=1, max_size=12), st.text(min_size=1, max_size=12).map(str.encode))
CSRS = st.builds(
    Csr,
    version=st.sampled_from([b"\0", b"\0", b"\0", b"\1", b"\2", b"\0\0"]),
    string=st.sampled_from(
        [odd_csrs.UTF8, odd_csrs.PRINTABLE, odd_csrs.TELETEX, odd_csrs.IA5, odd_csrs.BMP, 0x1B, 0x03]
    ),
    text=TEXTS,
    attributes=st.one_of(
        st.just(b"\xa0\0"),
        st.just(b""),
        st.builds(
            lambda tag, text: odd_csrs.asking_for(odd_csrs.alternative_name(tag, text)),
            st.sampled_from([0x81, 0x82, 0x86, 0x87, 0xA3]),
            TEXTS,
        ),
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request_=CSRS)
def test_any_request_is_named_or_gives_a_certificate_that_openssl_verifies(openssl: OpenSsl, request_: Csr) -> None:
    try:
        found = read_request(request_.pem)
    except PkiError as error:
        said = str(error)
        assert said.startswith(("the request ", "a name in it ")), said
        assert said != "the request cannot be parsed" or request_.version == b"\0\0", said
        return
    certificate = build_leaf(template(public_key=found.public_key), ca())
    assert (
        openssl.verdict(certificate_pem(certificate), anchor=certificate_pem(ca().certificate), crl=None, at=NOW)
        == "OK"
    )
    assert isinstance(certificate, x509.Certificate)


@pytest.mark.parametrize("seed", range(32))
def test_a_request_of_openssls_is_refused_by_the_name_of_a_part_or_taken(openssl: OpenSsl, seed: int) -> None:
    request = any_csr.draw(openssl, Random(seed))
    if request.sound:
        read_request(request.pem.encode())
        return
    with pytest.raises(PkiError) as caught:
        read_request(request.pem.encode())
    assert any(fault in str(caught.value) for fault in request.faults), request.drawn


BEGINNINGS = [
    b"",
    b"\x30\x82",
    b"\x30\x80",
    b"\xff\xfe",
    b"MI",
    b"LS0tLS1CRUdJTi",
    b"-----BEGIN ",
    b"-----BEGIN PRIVATE KEY-----\n",
]


@settings(max_examples=150)
@given(begin=st.sampled_from(BEGINNINGS), data=st.binary(max_size=400), thing=st.sampled_from(sorted(READERS)))
def test_whatever_is_handed_in_is_refused_by_a_sentence_that_begins_with_the_thing(begin, data, thing) -> None:
    with pytest.raises(PkiError) as caught:
        READERS[thing][0](begin + data)
    assert str(caught.value).startswith(thing)

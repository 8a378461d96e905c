"""PEM from anybody: bounded, quick to refuse, and refused with a sentence that quotes nothing of it."""

import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.exceptions import InternalError
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.pki import der
from doorward.pki.der import encode
from doorward.pki.pem import (
    MAX_CERTIFICATES,
    MAX_PEM_BYTES,
    KeyUnsupported,
    Malformed,
    NoPemBlock,
    PemError,
    PkiError,
    TooLarge,
    bounded,
    certificate_pem,
    fingerprint_sha1,
    fingerprint_sha256,
    load_certificates,
    parsing,
)
from doorward.pki.requests import read_request
from tests.support.openssl import OpenSsl
from tests.unit.given import ca, leaf
from tests.unit.pki.junk import CERTIFICATE, JUNK, REQUEST, changed, pem

IGNORED_WARNING = "ignore:Parsed a serial number which wasn't positive"


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(PemError):
        load_certificates(data)


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_is_refused_in_less_than_a_tenth_of_a_second(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(PemError):
        load_certificates(data)
    assert time.process_time() - begun < 0.1


def test_a_mebibyte_is_refused_by_its_length_alone() -> None:
    with pytest.raises(TooLarge, match=r"the thing has 1048576 bytes, more than the 65536 that are read"):
        bounded(b"-----BEGIN " + b"A" * (1024 * 1024 - 11), MAX_PEM_BYTES, "the thing")


def test_what_is_just_small_enough_is_read() -> None:
    data = b"-----BEGIN ".ljust(MAX_PEM_BYTES)
    assert bounded(data, MAX_PEM_BYTES, "the thing") is data


def test_text_without_a_block_is_named_so() -> None:
    with pytest.raises(NoPemBlock, match="the certificate holds no PEM block"):
        load_certificates(b"hunter2")


def test_the_message_does_not_quote_the_input() -> None:
    with pytest.raises(PemError) as caught:
        load_certificates(pem("CERTIFICATE", b"hunter2"))
    assert "hunter2" not in str(caught.value)


def test_certificates_are_read_in_their_order() -> None:
    both = (leaf().certificate, ca().certificate)
    assert load_certificates(b"".join(map(certificate_pem, both))) == both


def test_text_around_the_blocks_changes_nothing(openssl: OpenSsl) -> None:
    with_text = openssl.makes("x509", "-text", stdin=certificate_pem(leaf().certificate))
    assert load_certificates(with_text) == (leaf().certificate,)


def test_windows_line_ends_change_nothing() -> None:
    data = certificate_pem(leaf().certificate).replace(b"\n", b"\r\n")
    assert load_certificates(data) == (leaf().certificate,)


def test_more_certificates_than_a_chain_has_are_refused() -> None:
    one = certificate_pem(leaf().certificate)
    with pytest.raises(Malformed, match=f"{MAX_CERTIFICATES + 1} certificates where 1 to {MAX_CERTIFICATES} are read"):
        load_certificates(one * (MAX_CERTIFICATES + 1))


def test_a_certificate_for_a_key_of_another_kind_is_named_so() -> None:
    with pytest.raises(KeyUnsupported, match="the certificate is of a kind that is not supported"):
        load_certificates(pem("CERTIFICATE", _unknown_key()))


def _unknown_key() -> bytes:
    """A certificate whose key's algorithm no one knows."""
    return CERTIFICATE.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f"))


def with_public_key(known: bytes, public_key: bytes) -> bytes:
    """A certificate or request, DER, for another key, SubjectPublicKeyInfo; its signature does not fit any more."""
    signed, *rest = der.children(known, der.whole(known, der.SEQUENCE))
    parts = [der.raw(known, part) for part in der.children(known, signed)]
    at = next(index for index, part in enumerate(parts) if bytes.fromhex("06072a8648ce3d0201") in part)
    parts[at] = public_key
    return encode(der.SEQUENCE, encode(signed.tag, *parts), *(der.raw(known, each) for each in rest))


def diffie_hellman(bits: int) -> bytes:
    """A public key, X9.42, DER, with a modulus of that many bits."""
    numbers = [
        encode(der.INTEGER, each.to_bytes(each.bit_length() // 8 + 1))
        for each in (2**bits - 1, 5, 2**256 - 189, 2**bits - 5)
    ]
    algorithm = encode(der.SEQUENCE, bytes.fromhex("06072a8648ce3e0201"), encode(der.SEQUENCE, *numbers[:3]))
    return encode(der.SEQUENCE, algorithm, encode(der.BIT_STRING, b"\0", numbers[3]))


@pytest.mark.parametrize(
    ("read", "label", "known"),
    [(load_certificates, "CERTIFICATE", CERTIFICATE), (read_request, "CERTIFICATE REQUEST", REQUEST)],
    ids=["certificate", "request"],
)
def test_a_diffie_hellman_key_is_refused_before_its_parameters_are_checked(
    read: Callable[[bytes], object], label: str, known: bytes
) -> None:
    """OpenSSL takes 150 ms to check large ones, and a chain may hold several (measured)."""
    planted = pem(label, with_public_key(known, diffie_hellman(30_000)))
    with pytest.raises(KeyUnsupported, match="is of a kind that is not supported"):
        read(planted)


def test_an_internal_error_of_openssls_is_an_error_of_ours() -> None:
    """It is no ValueError; cryptography raises it where OpenSSL's reason is one that it does not know."""
    with pytest.raises(Malformed, match="the key cannot be parsed"), parsing("the key"):
        raise InternalError("unknown", [])


DAMAGE = {
    "an extension that stands twice": ("0603551d23", "0603551d0e"),
    "an extension that is none": ("04023000", "04023100"),
    "a version that does not exist": ("a003020102", "a003020103"),
    "a public key off its curve": ("03420004", "03420001"),
    "a name that is no text": ("0c05616c696365", "0c05ffffffffff"),
}


@pytest.mark.parametrize(("good", "bad"), DAMAGE.values(), ids=DAMAGE)
def test_what_would_fail_when_somebody_looks_later_is_refused_at_once(good: str, bad: str) -> None:
    assert bytes.fromhex(good) in CERTIFICATE
    with pytest.raises(Malformed, match="the certificate cannot be parsed"):
        load_certificates(pem("CERTIFICATE", CERTIFICATE.replace(bytes.fromhex(good), bytes.fromhex(bad))))


@pytest.mark.filterwarnings(IGNORED_WARNING)
@given(body=changed(CERTIFICATE))
def test_a_damaged_certificate_is_read_wholly_or_refused(body: bytes) -> None:
    try:
        (found,) = load_certificates(pem("CERTIFICATE", body))
    except PkiError:
        return
    assert found.public_key() is not None
    assert len(found.extensions) > 0


@settings(max_examples=200)
@given(data=st.binary(max_size=2000), label=st.sampled_from(["", "CERTIFICATE", "X509 CRL"]))
def test_any_bytes_are_refused_by_an_error_of_ours(data: bytes, label: str) -> None:
    with pytest.raises(PkiError):
        load_certificates(pem(label, data) if label else data)


@pytest.mark.parametrize(
    ("algorithm", "ours"), [("-sha256", fingerprint_sha256), ("-sha1", fingerprint_sha1)], ids=["SHA-256", "SHA-1"]
)
def test_fingerprints_are_those_of_openssl(
    openssl: OpenSsl, algorithm: str, ours: Callable[[x509.Certificate], str]
) -> None:
    said = openssl.says("x509", "-noout", "-fingerprint", algorithm, stdin=certificate_pem(leaf().certificate))
    assert ours(leaf().certificate) == said.strip().partition("=")[2].replace(":", "").lower()

"""CAs that people hand in: as openssl makes them they are taken, and each that cannot serve is refused by name."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given

from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority, build_leaf, is_self_signed
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import (
    CaExpired,
    CaLacksCertSign,
    CaLacksCrlSign,
    CaNotYetValid,
    KeyDoesNotFit,
    KeyEncrypted,
    KeyUnsupported,
    NotACa,
    PemError,
    PkiError,
    certificate_pem,
)
from tests.support import odd_ca
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, LEAF_EXTENSIONS, Issued, OpenSsl
from tests.unit.given import NOW, ca, key
from tests.unit.pki.given import crl, entry, template
from tests.unit.pki.junk import JUNK, changed, pem

MINUTE = timedelta(minutes=1)
KEYS = {
    "RSA in PKCS#1": ("genrsa", "-traditional", "2048"),
    "RSA in PKCS#8": ("genrsa", "2048"),
    "P-256 in PKCS#8": EC_KEY,
    "P-256 in SEC1": ("ecparam", "-genkey", "-name", "prime256v1"),
    "P-384 in SEC1": ("ecparam", "-genkey", "-noout", "-name", "secp384r1"),
    "P-521 in SEC1": ("ecparam", "-genkey", "-noout", "-name", "secp521r1"),
    "RSA of 2,049 bits": ("genrsa", "2049"),
    "Ed25519": ("genpkey", "-algorithm", "ED25519"),
}
USELESS = {
    "no CA": (LEAF_EXTENSIONS, NotACa, "no CA: it needs basicConstraints CA:TRUE"),
    "no extensions at all": ("", NotACa, "no CA: it needs basicConstraints CA:TRUE"),
    "no cRLSign": (
        "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n",
        CaLacksCrlSign,
        'its keyUsage lacks cRLSign .with cert-manager, add "crl sign" to usages',
    ),
    "no keyCertSign": (
        "basicConstraints=critical,CA:TRUE\nkeyUsage=cRLSign\n",
        CaLacksCertSign,
        "its keyUsage lacks keyCertSign",
    ),
}


def valid_from(pem: bytes) -> datetime:
    return x509.load_pem_x509_certificate(pem).not_valid_before_utc


def load(made: Issued, *, chain: bytes | None = None, after: timedelta = MINUTE) -> CertificateAuthority:
    """The CA as it is so long after its notBefore."""
    now = valid_from(made.certificate) + after
    return load_ca(certificate=made.certificate, key=made.key, chain=chain, now=now)


@pytest.fixture(scope="module")
def root(openssl: OpenSsl) -> Issued:
    return openssl.ca("Company Root")


@pytest.mark.parametrize("command", KEYS.values(), ids=KEYS)
def test_a_ca_with_its_key_as_openssl_leaves_it_signs_clients_that_openssl_takes(
    openssl: OpenSsl, command: tuple[str, ...]
) -> None:
    made = openssl.ca("my_ca", key=openssl.makes(*command))
    ours, now = load(made), valid_from(made.certificate) + MINUTE
    leaf = certificate_pem(build_leaf(template(now=now), ours))
    listed = crl(entry(3), signer=ours, this_update=now, next_update=now + 2 * MINUTE)
    assert openssl.verdict(leaf, anchor=made.certificate, crl=listed, at=now + MINUTE) == "OK"


def test_the_ca_of_the_tutorial_is_taken(openssl: OpenSsl) -> None:
    key = openssl.makes("genrsa", "4096")
    made = openssl.makes("req", "-x509", "-days", "30", "-subj", "/CN=my_ca", "-key", openssl.file(key), *USUAL_CA)
    assert load(Issued(certificate=made, key=key)).chain == ()


USUAL_CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "subjectKeyIdentifier=hash")


@pytest.mark.promise(7)
@pytest.mark.parametrize(("extensions", "error", "says"), USELESS.values(), ids=USELESS)
def test_a_certificate_that_cannot_serve_as_a_ca_is_refused(
    openssl: OpenSsl, extensions: str, error: type[PkiError], says: str
) -> None:
    made = openssl.ca("my_ca", extensions=extensions)
    with pytest.raises(error, match=says):
        load(made)


@pytest.mark.parametrize(
    ("after", "error", "says"),
    [
        (timedelta(days=30), CaExpired, r"the CA certificate expired at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        (timedelta(days=31), CaExpired, "the CA certificate expired at"),
        (-MINUTE, CaNotYetValid, "the CA certificate is valid only from"),
    ],
    ids=["at its end", "a day later", "before it begins"],
)
def test_a_ca_out_of_its_time_is_refused(root: Issued, after: timedelta, error: type[PkiError], says: str) -> None:
    with pytest.raises(error, match=says):
        load(root, after=after)


def test_a_key_that_does_not_fit_is_refused(openssl: OpenSsl, root: Issued) -> None:
    with pytest.raises(KeyDoesNotFit, match="does not belong to the CA certificate"):
        load(Issued(certificate=root.certificate, key=openssl.makes(*EC_KEY)))


def test_an_encrypted_key_is_refused(openssl: OpenSsl, root: Issued) -> None:
    encrypted = openssl.makes("pkcs8", "-topk8", "-passout", "pass:secret", stdin=root.key)
    with pytest.raises(KeyEncrypted, match="store it without a passphrase"):
        load(Issued(certificate=root.certificate, key=encrypted))


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        (("genrsa", "1024"), NotACa, "the CA's RSA key has 1024 bits: it must be RSA of 2048 bits or more"),
        (("genrsa", "2047"), NotACa, "the CA's RSA key has 2047 bits"),
        (("ecparam", "-genkey", "-noout", "-name", "brainpoolP256r1"), KeyUnsupported, "on the curve brainpoolP256r1"),
        (("ecparam", "-genkey", "-noout", "-name", "secp224r1"), NotACa, "the CA's ECDSA key has 224 bits"),
    ],
    ids=["RSA 1024", "RSA 2047", "brainpoolP256r1", "P-224"],
)
def test_a_key_of_another_kind_or_size_is_refused(
    openssl: OpenSsl, command: tuple[str, ...], error: type[PkiError], says: str
) -> None:
    made = openssl.ca("my_ca", key=openssl.makes(*command))
    with pytest.raises(error, match=says):
        load(made)


@pytest.mark.parametrize(("first", "second"), [(1279, 2203), (3217, 4423), (4253, 9941)], ids=str)
def test_a_ca_with_an_rsa_key_of_any_size_up_to_what_openssl_verifies_signs_clients_that_openssl_takes(
    openssl: OpenSsl, first: int, second: int
) -> None:
    made = openssl.ca("my_ca", key=private_key_pem(odd_ca.rsa_key(first, second)).reveal())
    ours, now = load(made), valid_from(made.certificate) + MINUTE
    leaf = certificate_pem(build_leaf(template(now=now), ours))
    listed = crl(entry(3), signer=ours, this_update=now, next_update=now + 2 * MINUTE)
    assert openssl.verdict(leaf, anchor=certificate_pem(ours.anchor), crl=listed, at=now + MINUTE) == "OK"


def test_an_rsa_key_of_more_bits_than_openssl_verifies_is_refused(root: Issued) -> None:
    large = private_key_pem(odd_ca.rsa_key(9689, 9941)).reveal()
    with pytest.raises(KeyUnsupported, match="the private key has 19630 bits: use RSA of 2048 to 16384"):
        load(Issued(certificate=root.certificate, key=large))


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("part", ["certificate", "key"])
def test_junk_in_place_of_the_certificate_or_the_key_is_refused(root: Issued, part: str, data: bytes) -> None:
    parts = {"certificate": root.certificate, "key": root.key, "chain": None} | {part: data}
    with pytest.raises(PemError):
        load_ca(**parts, now=valid_from(root.certificate) + MINUTE)


# The chain above it


@pytest.fixture(scope="module")
def middle(openssl: OpenSsl, root: Issued) -> Issued:
    return openssl.issue("Division", root, extensions=CA_EXTENSIONS)


@pytest.fixture(scope="module")
def lowest(openssl: OpenSsl, middle: Issued) -> Issued:
    return openssl.issue("Partners", middle, extensions=CA_EXTENSIONS)


def test_intermediates_stand_nearest_first_without_the_root(root: Issued, middle: Issued, lowest: Issued) -> None:
    ours = load(lowest, chain=root.certificate + middle.certificate)
    assert ours.chain == (x509.load_pem_x509_certificate(middle.certificate),)


def test_the_chain_may_follow_the_certificate_in_the_same_file(root: Issued, middle: Issued, lowest: Issued) -> None:
    together = Issued(certificate=lowest.certificate + middle.certificate + root.certificate, key=lowest.key)
    assert load(together).chain == load(lowest, chain=root.certificate + middle.certificate).chain


def test_a_chain_that_repeats_the_ca_itself_is_taken(root: Issued) -> None:
    assert load(root, chain=root.certificate).chain == ()


def test_a_chain_that_ends_early_is_taken(lowest: Issued, middle: Issued) -> None:
    assert len(load(lowest, chain=middle.certificate).chain) == 1


# Damaged in transit, or on purpose


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@given(body=changed(ca().certificate.public_bytes(Encoding.DER)))
def test_a_damaged_ca_is_loaded_with_an_anchor_or_refused_by_an_error_of_ours(body: bytes) -> None:
    try:
        loaded = load_ca(
            certificate=pem("CERTIFICATE", body), key=private_key_pem(key(100)).reveal(), chain=None, now=NOW
        )
    except PkiError:
        return
    assert is_self_signed(loaded.anchor)

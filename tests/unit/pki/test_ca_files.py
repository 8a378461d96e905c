"""A CA's files in whatever order, with whatever beside it: the certificate that fits the key is used, and the rest is named."""

import random
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki import ca_files
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import CaExpired, CaNotYetValid, KeyDoesNotFit, NotACa, PkiError, certificate_pem
from doorward.pki.subjects import Subject, display, to_name
from tests.unit.given import CA_BORN, CA_ENDS, DAY, NOW, ca, key
from tests.unit.pki.junk import JUNK

YEAR = timedelta(days=365)


def made(
    name: str,
    number: int,
    signer: tuple[str, int] | None = None,
    *,
    born=CA_BORN,
    ends=CA_ENDS,
    serial: int = 0,
    is_ca: bool = True,
) -> x509.Certificate:
    """A certificate over key `number`, signed by the key and in the name of `signer`, else by its own."""
    by_name, by_key = signer or (name, number)
    return (
        x509.CertificateBuilder(
            subject_name=to_name(Subject(common_name=name)), issuer_name=to_name(Subject(common_name=by_name))
        )
        .public_key(key(number).public_key())
        .serial_number(serial or number)
        .not_valid_before(born)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(key(by_key), hashes.SHA256(), ecdsa_deterministic=True)
    )


ROOT, UPPER = made("Root", 140), made("Upper", 141, ("Root", 140))
OURS = made("Ours", 142, ("Upper", 141))
CROSSED = made("Upper", 141, ("Elsewhere", 143), serial=7)
"""The upper CA, signed by another root as well."""
OTHER_ROOT = made("Elsewhere", 143)
STRANGER, NAMESAKE, BEFORE = made("Stranger", 150), made("Upper", 151), made("Ours", 152)
OLDER = made("Ours", 142, ("Upper", 141), born=CA_BORN - DAY, serial=8)
EXPIRED = made("Ours", 142, ("Upper", 141), born=NOW - DAY, ends=NOW, serial=9)
TO_COME = made("Ours", 142, ("Upper", 141), born=NOW + DAY, serial=10)
NO_CA = made("Ours", 142, ("Upper", 141), born=NOW - DAY, serial=11, is_ca=False)
CUT = certificate_pem(STRANGER)[:200] + b"\n"
KEY = private_key_pem(key(142)).reveal()


def file(*parts: x509.Certificate | bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else certificate_pem(part) for part in parts)


def load(certificate: bytes, chain: bytes | None = None) -> CertificateAuthority:
    return load_ca(certificate=certificate, key=KEY, chain=chain, now=NOW)


def named(certificate: x509.Certificate) -> str:
    return f"{display(certificate.subject)} (serial {certificate.serial_number:x})"


@pytest.mark.parametrize(
    ("certificate", "chain", "unused"),
    [
        pytest.param(file(OURS), file(UPPER, ROOT), (), id="as it should be"),
        pytest.param(file(ROOT, UPPER, OURS), None, (), id="the root first"),
        pytest.param(file(OURS), file(OURS, UPPER, OURS, ROOT), (), id="the CA again in the chain"),
        pytest.param(file(OURS, UPPER), file(UPPER, ROOT, UPPER), (), id="the chain in both files"),
        pytest.param(file(UPPER, ROOT), file(OURS), (), id="the files turned round"),
        pytest.param(file(OURS, BEFORE), file(UPPER), (BEFORE,), id="the CA before, of the same name"),
        pytest.param(file(BEFORE, OURS), file(UPPER), (BEFORE,), id="the CA before, first"),
        pytest.param(file(OURS), file(UPPER, ROOT, STRANGER), (STRANGER,), id="a root too many"),
        pytest.param(file(OURS), file(NAMESAKE, UPPER), (NAMESAKE,), id="a namesake of the upper CA"),
        pytest.param(file(OLDER, OURS), file(UPPER), (OLDER,), id="an older certificate over the same key"),
        pytest.param(file(OURS), file(UPPER, OLDER), (OLDER,), id="an older one in the chain"),
        pytest.param(file(EXPIRED, OURS), file(UPPER), (EXPIRED,), id="a newer one that has expired"),
        pytest.param(file(TO_COME, OURS), file(UPPER), (TO_COME,), id="a newer one that is not valid yet"),
        pytest.param(file(NO_CA, OURS), file(UPPER), (NO_CA,), id="a newer one that is no CA"),
    ],
)
def test_the_certificate_that_fits_the_key_is_used_with_what_is_above_it(certificate, chain, unused):
    loaded = load(certificate, chain)
    assert (loaded.certificate, loaded.chain) == (OURS, (UPPER,))
    assert loaded.unused == tuple(map(named, unused))


def test_of_two_over_one_upper_key_the_root_goes_first():
    both = made("Upper", 141)
    for chain in (file(both, CROSSED), file(CROSSED, both)):
        loaded = load(file(OURS), chain)
        assert (loaded.chain, loaded.unused) == ((), (named(CROSSED),))


@pytest.mark.parametrize(
    ("certificate", "error"),
    [
        pytest.param(file(BEFORE, STRANGER), KeyDoesNotFit, id="none fits the key"),
        pytest.param(file(EXPIRED), CaExpired, id="the one has expired"),
        pytest.param(file(EXPIRED, TO_COME), CaNotYetValid, id="the newest is not valid yet"),
        pytest.param(file(NO_CA, UPPER), NotACa, id="the one is no CA"),
    ],
)
def test_where_none_can_be_used_the_newest_says_why(certificate, error):
    with pytest.raises(error):
        load(certificate)


BESIDE = {
    "a block that cannot be parsed": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "cannot be parsed",
    ),
    "a block without an end": (CUT, "is cut off: its last line"),
    "a key": (private_key_pem(key(150)).reveal(), "a PEM block in the certificate that is no certificate"),
    "bytes": (b"\x00\xff", "bytes in the certificate that are neither PEM nor text"),
}


@pytest.mark.parametrize(("junk", "says"), BESIDE.values(), ids=BESIDE)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_what_lies_beside_a_good_certificate_is_named_and_harms_nothing(junk, says, first):
    loaded = load(file(junk, OURS, UPPER) if first else file(OURS, UPPER, junk))
    assert (loaded.certificate, loaded.chain) == (OURS, (UPPER,))
    assert any(says in part for part in loaded.unused), loaded.unused


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_for_a_chain_is_named_and_harms_nothing(junk):
    loaded = load(file(OURS), junk)
    assert (loaded.certificate, loaded.chain) == (OURS, ())
    assert all("chain" in part for part in loaded.unused)
    assert loaded.unused


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_a_good_certificate_in_the_chain_is_used_where_the_other_file_is_junk(junk):
    assert load(junk, file(OURS, UPPER)).certificate == OURS


def test_the_text_that_openssl_and_easy_rsa_write_before_a_certificate_is_nothing_to_remove():
    text = b"Certificate:\n    Data:\n        Version: 3 (0x2)\n\tIssuer: CN=\xc3\x84\n"
    assert load(file(text, OURS, text)).unused == ()


def test_of_a_file_with_two_keys_it_is_told_that_the_first_is_read():
    other = private_key_pem(key(150)).reveal()
    assert load_ca(certificate=file(OURS), key=KEY + other, chain=None, now=NOW).certificate == OURS
    with pytest.raises(KeyDoesNotFit, match="its file holds 2 private keys, and the operator reads the first"):
        load_ca(certificate=file(OURS), key=other + KEY, chain=None, now=NOW)


def test_a_file_of_keys_holds_no_certificate():
    with pytest.raises(PkiError, match="the certificate is a private key: put a certificate there"):
        load(KEY)


def test_so_many_certificates_are_read_and_no_more():
    many = [made("One of many", 150, serial=1000 + number) for number in range(ca_files.MOST + 1)]
    found = ca_files.read(file(*many), None)
    assert (len(found.certificates), found.rest) == (ca_files.MOST, ("1 certificates after the first 32",))


GOOD = (OURS, UPPER, ROOT)
BAD = (BEFORE, STRANGER, NAMESAKE, OLDER, EXPIRED, TO_COME, NO_CA, OTHER_ROOT)


@pytest.mark.promise(7)
@given(
    beside=st.lists(st.sampled_from((*BAD, *JUNK.values(), CUT, KEY, ca().certificate)), max_size=6),
    seed=st.integers(0, 1 << 32),
    in_first=st.integers(0, 9),
)
def test_whatever_the_order_and_whatever_lies_beside_it_the_same_ca_is_used(beside, seed, in_first):
    small = [part for part in beside if not isinstance(part, bytes) or len(part) < 5_000]
    parts = [*GOOD, *small]
    random.Random(seed).shuffle(parts)
    loaded = load(file(*parts[:in_first]) or b"-", file(*parts[in_first:]) or None)
    assert loaded.certificate == OURS
    assert loaded.chain == (UPPER,)
    others = {named(part) for part in small if isinstance(part, x509.Certificate)}
    assert {part for part in loaded.unused if part.startswith("CN=")} == others

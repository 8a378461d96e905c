"""CRLs of our form, byte by byte: written as cryptography writes them, and never read as anything but what it reads."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki import crl_der, der
from doorward.pki.certificates import CertificateAuthority, authority_key_identifier
from doorward.pki.crls import CrlEntry
from doorward.pki.der import NotDer, encode
from doorward.pki.keys import PrivateKey
from tests.unit.given import DAY, HOUR, NOW, ca, key
from tests.unit.pki.given import ca_with, crl, entry
from tests.unit.pki.junk import changed

KINDS = {"P-256": ("ECDSA", 256), "P-384": ("ECDSA", 384), "RSA": ("RSA", 2048), "Ed25519": ("Ed25519", 0)}
SERIALS = st.integers(1, 2**159 - 1) | st.integers(0, 158).map(lambda bits: 1 << bits) | st.integers(1, 300)
INSTANTS = st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)
REASONS = st.sampled_from([None, *(flag for flag in x509.ReasonFlags if flag.value != "removeFromCRL")])
ENTRIES = st.builds(CrlEntry, serial=SERIALS, revoked_at=INSTANTS, reason=REASONS)
LISTS = st.lists(ENTRIES, max_size=8, unique_by=lambda line: line.serial)
LINE = crl_der.encode_entry(0xA1 << 140, NOW, x509.ReasonFlags.superseded)


def by_cryptography(entries: list[CrlEntry], *, signer: CertificateAuthority, private_key: PrivateKey) -> bytes:
    """The same CRL as `given.crl` makes, PEM, by cryptography's builder."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=signer.certificate.subject,
        last_update=NOW - HOUR,
        next_update=NOW + 7 * DAY,
        revoked_certificates=[revoked(each) for each in sorted(entries)],
    )
    builder = builder.add_extension(x509.CRLNumber(1), critical=False).add_extension(
        authority_key_identifier(signer.certificate), critical=False
    )
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        digest = hashes.SHA384() if private_key.key_size == 384 else hashes.SHA256()
        return builder.sign(private_key, digest, ecdsa_deterministic=True).public_bytes(Encoding.PEM)
    digest = None if isinstance(private_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(private_key, digest).public_bytes(Encoding.PEM)


def revoked(line: CrlEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial_number=line.serial, revocation_date=line.revoked_at)
    if line.reason is not None:
        builder = builder.add_extension(x509.CRLReason(line.reason), critical=False)
    return builder.build()


@given(entries=LISTS)
def test_a_crl_is_the_one_that_cryptography_builds_byte_by_byte(entries: list[CrlEntry]) -> None:
    assert crl(*entries) == by_cryptography(entries, signer=ca(), private_key=key(100))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("count", [0, 1, 300])
def test_it_is_for_every_kind_of_key_and_any_length(kind: tuple[str, int], count: int) -> None:
    private_key = key(100, *kind)
    signer = ca_with(private_key)
    entries = [entry(serial) for serial in range(1, count + 1)]
    assert crl(*entries, signer=signer) == by_cryptography(entries, signer=signer, private_key=private_key)


@given(line=ENTRIES)
def test_an_entry_is_read_back(line: CrlEntry) -> None:
    data = crl_der.encode_entry(line.serial, line.revoked_at, line.reason)
    assert crl_der.decode_entry(data) == (line.serial, line.revoked_at, line.reason)


@given(data=changed(LINE) | st.binary(min_size=20, max_size=60).map(lambda rest: b"\x30" + rest))
def test_an_entry_that_is_read_has_one_form(data: bytes) -> None:
    try:
        (line,) = crl_der.split_entries(data, 0, len(data))
        fields = crl_der.decode_entry(line)
    except ValueError:
        return
    assert crl_der.encode_entry(*fields) == data


@pytest.mark.parametrize(
    "at",
    ["491231235959Z", "500101000000Z", "000229120000Z", "20500101000000Z", "99991231235959Z"],
    ids=["2049", "1950", "a leap day", "2050", "the last"],
)
def test_the_century_of_a_time_follows_from_its_form(at: str) -> None:
    data = with_time(at)
    _, moment, _ = crl_der.decode_entry(data)
    assert moment == foreign(data).revocation_date_utc


@pytest.mark.parametrize(
    "at",
    [
        "260231120000Z",
        "261301120000Z",
        "26W011120000Z",
        "260901240000Z",
        "260901126000Z",
        "260901120060Z",
        "260901120000+",
        "26090112000 Z",
        "2609011200Z",
        "20260901120000Z",
        "20500101000000.5Z",
        "",
    ],
)
def test_a_time_of_another_form_is_refused(at: str) -> None:
    with pytest.raises(ValueError):
        crl_der.decode_entry(with_time(at))


def with_time(at: str) -> bytes:
    """An entry with that text for a time."""
    tag = 0x17 if len(at) <= 13 else 0x18
    time = bytes((tag, len(at))) + at.encode()
    return bytes((0x30, 3 + len(time))) + b"\x02\x01\x05" + time


def foreign(line: bytes) -> x509.RevokedCertificate:
    """What cryptography reads of an entry, in a CRL that nobody signed."""
    signed = crl_der.to_be_signed(
        algorithm=ALGORITHM,
        issuer=ca().certificate.subject,
        this_update=NOW,
        next_update=NOW + DAY,
        entries=[line],
        number=x509.CRLNumber(1),
        authority=authority_key_identifier(ca().certificate),
    )
    (found,) = x509.load_der_x509_crl(crl_der.put_together(signed, ALGORITHM, b"nobody's"))
    return found


ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")


@pytest.mark.parametrize("serial", [-1, 0, 2**159], ids=["negative", "zero", "21 octets"])
def test_a_serial_that_no_certificate_has_is_not_written(serial: int) -> None:
    with pytest.raises(ValueError, match="at most 20 octets"):
        crl_der.encode_entry(serial, NOW, None)


def test_an_instant_before_1950_is_not_written() -> None:
    with pytest.raises(ValueError, match="before 1950"):
        crl_der.encode_entry(1, datetime(1949, 12, 31, tzinfo=UTC), None)


# Against cryptography's own reader

FULL = x509.load_pem_x509_crl(crl(entry(3), entry(4, x509.ReasonFlags.superseded))).public_bytes(Encoding.DER)


@given(data=changed(FULL))
def test_what_both_read_of_a_damaged_crl_is_the_same(data: bytes) -> None:
    try:
        parts = crl_der.take_apart(data)
        ours = [crl_der.decode_entry(line) for line in parts.entries]
    except ValueError:
        return
    try:
        theirs = x509.load_der_x509_crl(data)
        said = [(each.serial_number, each.revocation_date_utc, reason_of(each)) for each in theirs]
    except (ValueError, TypeError, x509.InvalidVersion):
        return  # it is refused as a whole: cryptography reads it first
    assert (parts.signed, parts.signature, ours) == (theirs.tbs_certlist_bytes, theirs.signature, said)


def reason_of(line: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return line.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return None


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_by_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(ValueError):
        crl_der.take_apart(b"\x30" + data)


@pytest.mark.parametrize("length", [1, 19, len(LINE) - 1])
def test_a_list_that_ends_within_an_entry_is_refused(length: int) -> None:
    data = LINE + LINE[:length]
    with pytest.raises(NotDer):
        crl_der.split_entries(data, 0, len(data))


TIME = b"\x17\x0d260901120000Z"


@pytest.mark.parametrize(
    "serial",
    [b"\x04\x01\x05", b"\x02\x00", b"\x02\x01\x00", b"\x02\x01\x85", b"\x02\x02\x00\x05", b"\x02\x15" + b"\x01" * 21],
    ids=["no INTEGER", "empty", "zero", "negative", "a zero before it", "21 octets"],
)
def test_a_serial_of_another_form_is_not_read(serial: bytes) -> None:
    with pytest.raises(NotDer, match="serial"):
        crl_der.decode_entry(encode(der.SEQUENCE, serial, TIME))


@pytest.mark.parametrize("rest", [TIME[:-1], TIME[:1], b""], ids=["cut off", "a tag alone", "none"])
def test_an_entry_without_a_whole_time_is_not_read(rest: bytes) -> None:
    with pytest.raises(NotDer, match="no time"):
        crl_der.decode_entry(encode(der.SEQUENCE, b"\x02\x14" + b"\x01" * 20, rest))


@pytest.mark.parametrize("suffix", [b"\x30\x00", b"\x05\x00", LINE[-14:-1] + b"\x08", LINE[-14:] + b"\x05\x00"])
def test_an_entry_with_other_extensions_is_not_read(suffix: bytes) -> None:
    with pytest.raises(NotDer, match="extensions of another form"):
        crl_der.decode_entry(encode(der.SEQUENCE, b"\x02\x01\x05", TIME, suffix))


@pytest.mark.parametrize(
    "data",
    [encode(der.SEQUENCE, bytes(128)), encode(der.SEQUENCE, bytes(17)) + LINE, encode(0x31, bytes(30))],
    ids=["a long one", "a short one", "another tag"],
)
def test_what_is_no_entry_is_not_taken_for_one(data: bytes) -> None:
    with pytest.raises(NotDer, match="no entry"):
        crl_der.split_entries(data, 0, len(data))


SIGNED = crl_der.take_apart(FULL).signed
INNER = SIGNED[4:] if SIGNED[1] == 0x82 else SIGNED[3:]
STRANGE = {
    "a signature with unused bits": encode(der.SEQUENCE, SIGNED, ALGORITHM, encode(der.BIT_STRING, b"\x01ab")),
    "a signature in octets": encode(der.SEQUENCE, SIGNED, ALGORITHM, encode(der.OCTET_STRING, b"\0ab")),
    "another algorithm outside": crl_der.put_together(SIGNED, bytes.fromhex("300506032b6570"), b"ab"),
    "version 3": crl_der.put_together(encode(der.SEQUENCE, b"\x02\x01\x02", INNER[3:]), ALGORITHM, b"ab"),
    "no version": crl_der.put_together(encode(der.SEQUENCE, INNER[3:]), ALGORITHM, b"ab"),
    "something behind the extensions": crl_der.put_together(encode(der.SEQUENCE, INNER, b"\x05\0"), ALGORITHM, b"ab"),
    "four parts": encode(der.SEQUENCE, SIGNED, ALGORITHM, encode(der.BIT_STRING, b"\0ab"), b"\x05\0"),
}


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE)
def test_a_crl_of_another_form_is_not_taken_apart(data: bytes) -> None:
    with pytest.raises(ValueError):
        crl_der.take_apart(data)


def test_a_crl_of_our_form_is_taken_apart() -> None:
    """What the strange ones are made from."""
    parts = crl_der.take_apart(crl_der.put_together(encode(der.SEQUENCE, INNER), ALGORITHM, b"ab"))
    assert (parts.signed, parts.algorithm, parts.signature, len(parts.entries)) == (SIGNED, ALGORITHM, b"ab", 2)

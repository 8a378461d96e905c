"""CRLs as openssl reads them, read back as a stranger's, and what makes one lawful."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.pki.certificates import CertificateAuthority, build_leaf
from doorward.pki.crls import CrlEntry, PublishedCrl, check_published, next_number, read_crl
from doorward.pki.pem import (
    CrlError,
    CrlForeign,
    CrlMalformed,
    CrlRefused,
    PemError,
    PkiError,
    TooLarge,
    certificate_pem,
)
from tests.support.lock_hold import Held, held
from tests.support.openssl import OpenSsl
from tests.unit.given import DAY, HOUR, NOW, ca, key
from tests.unit.pki.given import ca_with, crl, entry, intermediate, template
from tests.unit.pki.junk import JUNK, changed, pem
from tests.unit.pki.test_crl_der import by_cryptography, revoked

CRL = x509.load_pem_x509_crl(crl(entry(3))).public_bytes(Encoding.DER)
SERIALS = st.integers(1, 2**159 - 1)
ENTRIES = st.dictionaries(SERIALS, st.sampled_from([None, x509.ReasonFlags.key_compromise]), max_size=30)
KEY_KINDS = {"P-256": ("ECDSA", 256), "P-384": ("ECDSA", 384), "RSA 2048": ("RSA", 2048), "Ed25519": ("Ed25519", 0)}


def verdict(openssl: OpenSsl, signer: CertificateAuthority, listed: bytes, at: datetime = NOW) -> str:
    """What openssl says to a leaf with serial 0xA1 under that CRL."""
    leaf = certificate_pem(build_leaf(template(), signer))
    return openssl.verdict(leaf, anchor=certificate_pem(signer.anchor), crl=listed, at=at)


@pytest.mark.parametrize("kind", KEY_KINDS.values(), ids=KEY_KINDS)
def test_a_client_that_is_not_listed_is_let_in(openssl: OpenSsl, kind: tuple[str, int]) -> None:
    signer = ca_with(key(100, *kind))
    assert verdict(openssl, signer, crl(entry(0xA2), signer=signer)) == "OK"


@pytest.mark.parametrize("kind", KEY_KINDS.values(), ids=KEY_KINDS)
def test_a_client_that_is_listed_is_refused(openssl: OpenSsl, kind: tuple[str, int]) -> None:
    signer = ca_with(key(100, *kind))
    assert verdict(openssl, signer, crl(entry(0xA1), signer=signer)) == "certificate revoked"


@pytest.mark.parametrize(
    "reason",
    [None, *(flag for flag in x509.ReasonFlags if flag.value not in ("unspecified", "removeFromCRL"))],
    ids=str,
)
def test_a_client_is_refused_for_whatever_reason(openssl: OpenSsl, reason: x509.ReasonFlags | None) -> None:
    assert verdict(openssl, ca(), crl(entry(0xA1, reason))) == "certificate revoked"


def test_an_empty_crl_is_a_signed_crl_that_lets_clients_in(openssl: OpenSsl) -> None:
    assert "No Revoked Certificates." in openssl.crl_text(crl())
    assert verdict(openssl, ca(), crl()) == "OK"


def test_openssl_finds_the_signature_good(openssl: OpenSsl) -> None:
    anchor = openssl.file(certificate_pem(ca().certificate))
    listed = openssl.file(crl(entry(3)))
    assert openssl.says("crl", "-in", listed, "-CAfile", anchor, "-noout") == ""


@pytest.mark.parametrize(
    ("at", "says"),
    [(NOW - 2 * HOUR, "CRL is not yet valid"), (NOW, "OK"), (NOW + 8 * DAY, "CRL has expired")],
    ids=["before thisUpdate", "between", "after nextUpdate"],
)
def test_it_holds_from_this_update_to_next_update(openssl: OpenSsl, at: datetime, says: str) -> None:
    leaf = certificate_pem(build_leaf(template(now=NOW - DAY, lasts=30 * DAY), ca()))
    assert openssl.verdict(leaf, anchor=certificate_pem(ca().anchor), crl=crl(), at=at) == says


@pytest.mark.parametrize(
    "line",
    [
        "Version 2 (0x1)",
        "Issuer: CN = Partners CA",
        "Last Update: Sep  1 11:00:00 2026 GMT",
        "Next Update: Sep  8 12:00:00 2026 GMT",
        "Serial Number: 0A",
        "Revocation Date: Sep  1 11:00:00 2026 GMT",
        "Key Compromise",
    ],
)
def test_openssl_prints(openssl: OpenSsl, line: str) -> None:
    assert line in openssl.crl_text(crl(entry(10, x509.ReasonFlags.key_compromise)))


def test_its_extensions_are_the_number_and_the_authority_key_identifier_none_critical(openssl: OpenSsl) -> None:
    text = openssl.crl_text(crl(entry(3)))
    assert re.findall(r"X509v3 [^:]+: ?\w*", text) == ["X509v3 CRL Number: ", "X509v3 Authority Key Identifier: "]


def test_the_number_that_openssl_prints_is_the_one_that_was_given(openssl: OpenSsl) -> None:
    said = openssl.says("crl", "-noout", "-crlnumber", stdin=crl(number=1_788_000_000_123))
    assert int(said.strip().partition("=")[2], 16) == 1_788_000_000_123


def test_no_reason_code_is_written_for_an_unspecified_reason(openssl: OpenSsl) -> None:
    assert "Reason Code" not in openssl.crl_text(crl(entry(3, None)))


def test_instants_from_2050_on_are_read_by_openssl_too(openssl: OpenSsl) -> None:
    late = datetime(2051, 1, 1, tzinfo=UTC)
    listed = crl(this_update=late, next_update=late + DAY)
    assert "Last Update: Jan  1 00:00:00 2051 GMT" in openssl.crl_text(listed)


def test_the_crl_of_an_intermediate_holds_at_its_twin(openssl: OpenSsl) -> None:
    listed = crl(entry(0xA1), signer=intermediate())
    assert verdict(openssl, intermediate(), listed) == "certificate revoked"


@settings(max_examples=25)
@given(serials=ENTRIES)
def test_openssl_lists_the_serials_that_were_given_and_no_others(
    openssl: OpenSsl, serials: dict[int, x509.ReasonFlags | None]
) -> None:
    text = openssl.crl_text(crl(*(entry(serial, reason) for serial, reason in serials.items())))
    assert [int(found, 16) for found in re.findall(r"Serial Number: ([0-9A-F]+)", text)] == sorted(serials)


@given(serials=ENTRIES)
def test_what_was_built_is_read_back(serials: dict[int, x509.ReasonFlags | None]) -> None:
    entries = {serial: entry(serial, reason) for serial, reason in serials.items()}
    read = read_crl(crl(*entries.values(), number=7), ca().certificate)
    assert (read.number, read.this_update, read.next_update) == (7, NOW - HOUR, NOW + 7 * DAY)
    assert read.entries == entries


FULL = [
    CrlEntry(
        serial=serial << 138, revoked_at=NOW - timedelta(seconds=serial), reason=x509.ReasonFlags.cessation_of_operation
    )
    for serial in range(1, 14_001)
]
"""As many as a ConfigMap takes."""


@pytest.fixture(scope="module")
def full() -> PublishedCrl:
    """The CRL before, as it was read back."""
    return read_crl(crl(*FULL[:-10], number=5), ca().certificate)


def least(work: Callable[[], None]) -> Held:
    """Of three runs, the one that took least."""
    return min((held(work) for _ in range(3)), key=lambda each: each.whole)


def test_a_commit_of_fourteen_thousand_entries_keeps_the_event_loop_in_no_step_for_long(full: PublishedCrl) -> None:
    """Whatever runs in a thread and keeps the interpreter's lock keeps the loop: 20 to 110 ms, as cryptography builds and reads."""
    entries = [replace(line) for line in FULL]  # as the ledger says them: none is an object of the CRL before

    def commit() -> None:
        made = crl(*entries, number=6, previous=full)
        check_published(made, ca_certificate=ca().certificate, previous=full, expected=entries, leaving=frozenset())

    def as_before() -> None:
        """What building and reading back did."""
        made = by_cryptography(entries, signer=ca(), private_key=key(100))
        read = x509.load_pem_x509_crl(made)
        assert read.is_signature_valid(key(100).public_key())  # type: ignore[arg-type]
        assert {each.serial_number: read_entry(each) for each in read} == {line.serial: line for line in entries}

    now, before = least(commit), least(as_before)
    print(f"commit of {len(entries)} entries: {now}; by cryptography's objects: {before}")
    assert now.longest < 50
    assert now.whole < before.whole / 2


def test_a_crl_that_is_known_is_not_read_again(full: PublishedCrl) -> None:
    assert read_crl(full.pem, ca().certificate, known=full) is full


@pytest.mark.parametrize("signer", [ca(102), ca(100, "Other CA")], ids=["of the same name", "of the same key"])
def test_what_is_known_of_one_ca_is_foreign_to_another(full: PublishedCrl, signer: CertificateAuthority) -> None:
    with pytest.raises(CrlForeign):
        read_crl(full.pem, signer.certificate, known=full)


def test_what_nobody_verified_is_not_known() -> None:
    made = crl(entry(3))
    known = replace(read_crl(made, ca().certificate), entries={}, verified_by="")
    assert read_crl(made, ca().certificate, known=known).entries == {3: entry(3)}


@given(before=ENTRIES, after=ENTRIES)
def test_with_one_that_is_known_it_is_built_and_read_as_without(
    before: dict[int, x509.ReasonFlags | None], after: dict[int, x509.ReasonFlags | None]
) -> None:
    known = read_crl(crl(*(entry(*line) for line in before.items())), ca().certificate)
    entries = [entry(*line) for line in (before | after).items()]
    made = crl(*entries, number=2, previous=known)
    assert made == crl(*entries, number=2)
    assert read_crl(made, ca().certificate, known=known) == read_crl(made, ca().certificate)


def test_an_entry_that_is_known_is_not_decoded_again() -> None:
    known = read_crl(crl(entry(3)), ca().certificate)
    read = read_crl(crl(entry(3), entry(4), number=2), ca().certificate, known=known)
    assert read.entries[3] is known.entries[3]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (entry(2**159), "at most 20 octets"),
        (replace(entry(3), revoked_at=datetime(1949, 12, 31, tzinfo=UTC)), "before 1950"),
    ],
    ids=["a serial of 21 octets", "an instant before 1950"],
)
def test_what_no_crl_can_say_is_refused_by_an_error_of_ours(line: CrlEntry, says: str) -> None:
    with pytest.raises(CrlRefused, match=says):
        crl(line)


def test_an_entry_that_changed_is_not_written_as_it_was() -> None:
    known = read_crl(crl(entry(3, x509.ReasonFlags.certificate_hold)), ca().certificate)
    changed_entry = replace(known.entries[3], reason=x509.ReasonFlags.key_compromise)
    read = read_crl(crl(changed_entry, previous=known), ca().certificate, known=known)
    assert read.entries == {3: entry(3, x509.ReasonFlags.key_compromise)}


@pytest.mark.parametrize("number", [2**159 - 1, 2**159], ids=["20 octets", "21 octets"])
def test_a_number_has_at_most_20_octets(number: int) -> None:
    made = crl(number=number)
    if number < 2**159:
        assert read_crl(made, ca().certificate).number == number
        return
    with pytest.raises(CrlMalformed, match="more than 20 octets"):
        read_crl(made, ca().certificate)


# Of another form than ours: cryptography reads it


def in_another_form(*lines: x509.RevokedCertificate, digest: hashes.HashAlgorithm) -> bytes:
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=ca().certificate.subject,
        last_update=NOW,
        next_update=NOW + DAY,
        revoked_certificates=list(lines),
    )
    signed = builder.add_extension(x509.CRLNumber(7), critical=False).sign(key(100), digest)
    return signed.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA512()], ids=lambda digest: digest.name)
def test_a_crl_of_another_form_is_read_too(digest: hashes.HashAlgorithm) -> None:
    """One that the CA's other users signed, with an extension that we do not write, or another digest."""
    with_more = (
        x509.RevokedCertificateBuilder(serial_number=3, revocation_date=NOW - HOUR)
        .add_extension(x509.InvalidityDate(NOW - DAY), critical=False)
        .build()
    )
    made = in_another_form(with_more, revoked(entry(4)), digest=digest)
    read = read_crl(made, ca().certificate)
    assert read.entries == {3: entry(3), 4: entry(4)}
    again = crl(*read.entries.values(), number=8, previous=read)
    assert again == crl(entry(3), entry(4), number=8)


def test_a_crl_of_another_form_that_another_ca_signed_is_foreign() -> None:
    made = in_another_form(revoked(entry(4)), digest=hashes.SHA512())
    with pytest.raises(CrlForeign):
        read_crl(made, ca(102).certificate)


def test_the_size_is_that_of_the_pem() -> None:
    listed = crl(entry(3))
    assert read_crl(listed, ca().certificate).size == len(listed)


def test_a_serial_that_stands_twice_is_refused() -> None:
    with pytest.raises(CrlRefused, match="a serial stands twice"):
        crl(entry(3), entry(3, x509.ReasonFlags.key_compromise))


def test_remove_from_crl_is_refused() -> None:
    with pytest.raises(CrlRefused, match="removeFromCRL"):
        crl(entry(3, x509.ReasonFlags.remove_from_crl))


# The number


@given(
    previous=st.none() | st.integers(0, 2**150),
    now=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)
def test_the_next_number_is_always_above_the_last(previous: int | None, now: datetime) -> None:
    assert next_number(previous, now) > (previous or 0)


def test_the_number_is_the_time_in_milliseconds() -> None:
    assert next_number(None, datetime(2026, 9, 1, 12, 0, 0, 250_000, tzinfo=UTC)) == 1_788_264_000_250


@given(moves=st.lists(st.integers(-(10**9), 10**9), max_size=20))
def test_numbers_rise_however_the_clock_jumps(moves: list[int]) -> None:
    numbers, now = [next_number(None, NOW)], NOW
    for move in moves:
        now = NOW + timedelta(milliseconds=move)
        numbers.append(next_number(numbers[-1], now))
    assert numbers == sorted(set(numbers))


# Reading one that another may have written


def read_entry(line: x509.RevokedCertificate) -> CrlEntry:
    """By cryptography's objects."""
    reason = line.extensions.get_extension_for_class(x509.CRLReason).value.reason
    return CrlEntry(serial=line.serial_number, revoked_at=line.revocation_date_utc, reason=reason)


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_is_refused_in_less_than_a_tenth_of_a_second(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises((PemError, CrlError)):
        read_crl(data, ca().certificate)
    assert time.process_time() - begun < 0.1


def test_more_than_a_configmap_holds_is_refused_by_its_length() -> None:
    with pytest.raises(TooLarge):
        read_crl(crl() + b"#" * 1024 * 1024, ca().certificate)


@pytest.mark.parametrize(
    ("number", "name"),
    [(102, "Other CA"), (102, "Partners CA"), (100, "Other CA")],
    ids=["another key and name", "another key", "another name"],
)
def test_a_crl_of_another_ca_is_foreign(number: int, name: str) -> None:
    with pytest.raises(CrlForeign, match="not signed by this CA"):
        read_crl(crl(), ca(number, name).certificate)


def test_a_tampered_list_is_foreign() -> None:
    with pytest.raises(CrlForeign):
        read_crl(pem("X509 CRL", CRL.replace(b"260901110000Z", b"260901100000Z", 1)), ca().certificate)


@pytest.mark.parametrize("more", [crl(), certificate_pem(ca().certificate)], ids=["another CRL", "a certificate"])
def test_a_crl_with_another_block_behind_it_is_refused(more: bytes) -> None:
    with pytest.raises(CrlMalformed, match="more than one PEM block"):
        read_crl(crl() + more, ca().certificate)


def test_certificates_are_no_crl() -> None:
    with pytest.raises(CrlMalformed, match="cannot be parsed"):
        read_crl(certificate_pem(ca().certificate), ca().certificate)


def test_a_crl_without_a_number_is_refused() -> None:
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=ca().certificate.subject, last_update=NOW, next_update=NOW + DAY
    )
    made = builder.sign(key(100), hashes.SHA256(), ecdsa_deterministic=True)
    with pytest.raises(CrlMalformed, match="has no number"):
        read_crl(made.public_bytes(Encoding.PEM), ca().certificate)


@given(body=changed(CRL))
def test_a_damaged_crl_is_refused_by_an_error_of_ours(body: bytes) -> None:
    try:
        read = read_crl(pem("X509 CRL", body), ca().certificate)
    except PkiError:
        return
    assert read.entries == {3: entry(3)}


# What may be published


def published(*entries: CrlEntry, number: int = 5) -> bytes:
    return crl(*entries, number=number)


def check(new: bytes, before: bytes, expected: list[CrlEntry], leaving: frozenset[int] = frozenset()) -> set[int]:
    previous = read_crl(before, ca().certificate)
    read = check_published(new, ca_certificate=ca().certificate, previous=previous, expected=expected, leaving=leaving)
    return set(read.entries)


def test_a_complete_crl_with_a_higher_number_is_lawful() -> None:
    both = [entry(3), entry(4)]
    assert check(published(*both, number=6), published(entry(3)), both) == {3, 4}


@pytest.mark.parametrize("number", [4, 5], ids=["lower", "equal"])
def test_a_number_that_is_not_above_the_last_is_refused(number: int) -> None:
    with pytest.raises(CrlRefused, match=f"number {number} is not above 5"):
        check(published(entry(3), number=number), published(entry(3)), [entry(3)])


@pytest.mark.promise(1)
def test_a_serial_that_would_be_let_in_again_without_a_reason_is_refused() -> None:
    with pytest.raises(CrlRefused, match="1 serials would be let in again without a reason"):
        check(published(number=6), published(entry(3)), [])


def test_a_serial_may_leave_for_a_reason() -> None:
    assert check(published(number=6), published(entry(3)), [], frozenset({3})) == set()


@pytest.mark.parametrize(
    "expected",
    [[entry(3), entry(4)], [], [entry(3, x509.ReasonFlags.key_compromise)]],
    ids=["one is missing", "one is too many", "another reason"],
)
def test_a_crl_that_lists_something_else_is_refused(expected: list[CrlEntry]) -> None:
    with pytest.raises(CrlRefused, match="does not list what it was made from"):
        check(published(entry(3), number=6), published(), expected)


def test_the_first_crl_needs_no_other() -> None:
    first = check_published(
        published(entry(3)), ca_certificate=ca().certificate, previous=None, expected=[entry(3)], leaving=frozenset()
    )
    assert first.number == 5

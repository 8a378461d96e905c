"""What the next CRL must list: the ledger's word, united with what is published, and never less without a reason."""

from dataclasses import replace

import pytest
from cryptography import x509

from doorward.api.issuer_parts import CrlPolicy
from doorward.planning import crl
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

WEEK = 7 * DAY
ENTRY = given.entry(1)


def _unite(*, wanted=(), published=(), records=(), now=NOW):
    by_serial = {record.serial: record for record in records}
    entries, leaving = crl.unite(wanted, published, by_serial, keep_after_expiry=WEEK, now=now)
    return [entry.serial for entry in entries], leaving


@pytest.mark.parametrize(
    ("reason", "flag"),
    [
        pytest.param("unspecified", None, id="unspecified is left out (RFC 5280 section 5.3.1)"),
        pytest.param("keyCompromise", x509.ReasonFlags.key_compromise, id="a reason is said"),
        pytest.param("certificateHold", x509.ReasonFlags.certificate_hold, id="a hold is said"),
        pytest.param("cessationOfOperation", x509.ReasonFlags.cessation_of_operation, id="cessation is said"),
    ],
)
def test_a_refused_record_becomes_an_entry_since_its_revocation(reason, flag):
    record = given.record(1, revocation=given.revocation(reason))
    assert crl.entry_of(record) == replace(ENTRY, reason=flag)


def test_a_record_that_is_not_revoked_makes_no_entry():
    with pytest.raises(ValueError, match="is not revoked"):
        crl.entry_of(given.record(1))


@pytest.mark.parametrize(
    ("record", "listed"),
    [
        pytest.param(given.record(1), [], id="a live serial is not listed"),
        pytest.param(given.record(1, revocation=given.revocation()), [1], id="a revoked one is"),
        pytest.param(given.record(1, revocation=given.hold()), [1], id="so is a held one"),
        pytest.param(given.record(1, revocation=given.hold(lifted=True)), [], id="a hold that was lifted is not"),
        pytest.param(
            given.expired(1, since=SECOND, revocation=given.revocation()),
            [1],
            id="an expired one stays for one CRL period",
        ),
        pytest.param(
            given.expired(1, since=WEEK - SECOND, revocation=given.revocation()),
            [1],
            id="to its last second",
        ),
        pytest.param(given.expired(1, since=WEEK, revocation=given.revocation()), [], id="and then goes"),
    ],
)
def test_the_ledger_asks_for_every_refused_serial_until_a_period_after_its_expiry(record, listed):
    entries = crl.from_ledger((record,), keep_after_expiry=WEEK, now=NOW)
    assert [entry.serial for entry in entries] == listed


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "records",
    [
        pytest.param((), id="its record was deleted"),
        pytest.param((given.record(1),), id="its record lost the revocation"),
        pytest.param((given.record(1, revocation=given.hold()),), id="its record says that it is held"),
        pytest.param((given.expired(1, since=WEEK - SECOND),), id="it expired less than a period ago"),
        pytest.param((given.record(2, revocation=given.hold(lifted=True)),), id="another serial's hold was lifted"),
    ],
)
def test_a_published_entry_stays_though(records):
    assert _unite(published=[ENTRY], records=records) == ([1], frozenset())


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(given.record(1, revocation=given.hold(lifted=True)), id="its hold was lifted"),
        pytest.param(given.expired(1, since=WEEK), id="it expired a period ago"),
        pytest.param(
            given.expired(1, since=WEEK, revocation=given.revocation()), id="it expired, revoked, a period ago"
        ),
    ],
)
def test_a_published_entry_leaves_with_a_reason_where(record):
    assert _unite(published=[ENTRY], records=[record]) == ([], frozenset({1}))


def test_the_ledgers_word_goes_before_the_published_one():
    final = given.entry(1, "cessationOfOperation")
    entries, _ = crl.unite([final], [given.entry(1, "certificateHold")], {}, keep_after_expiry=WEEK, now=NOW)
    assert entries == (final,)


def test_a_serial_that_the_ledger_wants_never_leaves():
    lifted_meanwhile = given.record(1, revocation=given.hold(lifted=True))
    assert _unite(wanted=[ENTRY], published=[ENTRY], records=[lifted_meanwhile]) == ([1], frozenset())


def test_entries_stand_by_serial_each_once():
    lines = [given.entry(serial) for serial in (3, 1, 2)]
    assert _unite(wanted=lines, published=lines[:2])[0] == [1, 2, 3]


def test_uniting_again_with_the_outcome_changes_nothing():
    records = {1: given.record(1, revocation=given.revocation()), 2: given.record(2)}
    wanted = crl.from_ledger(records.values(), keep_after_expiry=WEEK, now=NOW)
    once, _ = crl.unite(wanted, [given.entry(9)], records, keep_after_expiry=WEEK, now=NOW)
    assert crl.unite(wanted, once, records, keep_after_expiry=WEEK, now=NOW) == (once, frozenset())


def test_a_crl_begins_an_hour_back_and_is_good_for_its_validity_from_now():
    assert crl.window(CrlPolicy(validity="48h", renew_every="24h"), NOW) == (NOW - HOUR, NOW + 2 * DAY)


def test_the_next_crl_is_due_one_renewal_period_after_the_last_was_signed():
    policy = CrlPolicy(renew_every="24h")
    assert crl.renewal_due(given.published(signed=NOW), policy) == NOW + DAY

"""What the next CRL must list: the ledger's word, united with what is published, and never less without a reason."""

from dataclasses import replace

import pytest
from cryptography import x509

from doorward.api.issuer_parts import CrlPolicy
from doorward.planning import crl
from doorward.planning.crl import Snapshot, Terms
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

WEEK = 7 * DAY
ENTRY = given.entry(1)
REVOKED = given.record(1, revocation=given.revocation())
UNDATED = given.revocation(dated=False, time=NOW - 30 * DAY)


def terms(*generations, **override):
    made = Terms(
        generations=frozenset(generations or (1,)),
        retained=frozenset(),
        adopting=None,
        this_update=NOW - HOUR,
        next_update=NOW + WEEK,
    )
    return replace(made, **override)


def snapshot(*, records=(), published=(), **override):
    """What is published is the one base of generation 1."""
    made = Snapshot(
        records=tuple(records),
        pending_again=frozenset(),
        bases={1: (given.crl(*published),)},
        highest_number=0,
        taken_at=NOW,
    )
    return replace(made, **override)


def _listed(**world):
    """Serials and those that leave, of generation 1."""
    content = crl.decide(snapshot(**world), terms())[1]
    return sorted(content.entries), content.leaving


@pytest.mark.parametrize(
    ("reason", "flag"),
    [
        pytest.param("unspecified", None, id="unspecified is left out (RFC 5280 section 5.3.1)"),
        pytest.param("keyCompromise", x509.ReasonFlags.key_compromise, id="a reason is said"),
        pytest.param("certificateHold", x509.ReasonFlags.certificate_hold, id="a hold is said"),
        pytest.param("cessationOfOperation", x509.ReasonFlags.cessation_of_operation, id="cessation is said"),
    ],
)
@pytest.mark.parametrize("published", [None, ENTRY, given.entry(1, None)])
def test_a_refused_record_becomes_an_entry_since_its_revocation(reason, flag, published):
    record = given.record(1, revocation=given.revocation(reason))
    assert crl.entry_of(record, published, NOW) == replace(ENTRY, reason=flag)


def test_an_entry_that_says_the_same_already_is_taken_as_it_is():
    assert crl.entry_of(REVOKED, ENTRY, NOW) is ENTRY
    earlier = given.entry(1, at=NOW - DAY)
    assert crl.entry_of(REVOKED, earlier, NOW) == ENTRY


@pytest.mark.parametrize(
    ("published", "since"),
    [
        pytest.param(None, NOW, id="from now on, where no CRL names it"),
        pytest.param(given.entry(1, at=NOW - DAY), NOW - DAY, id="since the entry says, where one does"),
    ],
)
def test_a_revocation_without_a_time_is_listed(published, since):
    record = given.record(1, revocation=UNDATED)
    assert crl.entry_of(record, published, NOW) == given.entry(1, at=since)


def test_no_entry_is_older_than_any_crl_can_say():
    record = given.record(1, revocation=given.revocation(time=NOW.replace(year=1900)))
    assert crl.entry_of(record, None, NOW).revoked_at.year == 1950


def test_a_record_that_is_not_revoked_makes_no_entry():
    with pytest.raises(ValueError, match="is not revoked"):
        crl.entry_of(given.record(1), None, NOW)


@pytest.mark.parametrize(
    ("record", "listed"),
    [
        pytest.param(given.record(1), [], id="a live serial is not listed"),
        pytest.param(REVOKED, [1], id="a revoked one is"),
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
    assert _listed(records=[record]) == (listed, frozenset())


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="its record was deleted"),
        pytest.param({"records": [given.record(1)]}, id="its record lost the revocation"),
        pytest.param(
            {"records": [given.record(1, revocation=given.hold())]},
            id="its record says that it is held",
        ),
        pytest.param(
            {"records": [given.expired(1, since=WEEK - SECOND)]},
            id="it expired less than a period ago",
        ),
        pytest.param(
            {"records": [given.record(2, revocation=given.hold(lifted=True))]},
            id="another serial's hold was lifted",
        ),
        pytest.param(
            {"records": [given.record(1, revocation=given.hold(lifted=True))], "pending_again": frozenset({1})},
            id="its hold was lifted and its client is out",
        ),
    ],
)
def test_a_published_entry_stays_though(world):
    assert _listed(published=[ENTRY], **world) == ([1], frozenset())


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
    assert _listed(published=[ENTRY], records=[record]) == ([], frozenset({1}))


def test_the_ledgers_word_goes_before_the_published_one():
    final = given.record(1, revocation=given.revocation("cessationOfOperation"))
    content = crl.decide(snapshot(records=[final], published=[given.entry(1, "certificateHold")]), terms())[1]
    assert content.entries == {1: given.entry(1, "cessationOfOperation")}


def test_a_serial_that_is_refused_in_another_generation_never_leaves():
    """A CA that was restored under another number: the certificate is recorded under both."""
    records = [
        REVOKED,
        given.record(1, generation=2, key=given.record(1, generation=1).key._replace(name="partners.2.1")),
    ]
    assert _listed(published=[ENTRY], records=records) == ([1], frozenset())


@pytest.mark.promise(1)
def test_every_base_is_kept_and_the_first_one_goes_before():
    first, second = given.crl(given.entry(1)), given.crl(given.entry(1, "keyCompromise"), given.entry(2))
    content = crl.decide(snapshot(bases={1: (first, second)}), terms())[1]
    assert content.entries == {1: given.entry(1), 2: given.entry(2)}


def test_uniting_again_with_the_outcome_changes_nothing():
    records = [REVOKED, given.record(2)]
    once = crl.decide(snapshot(records=records, published=[given.entry(9)]), terms())[1]
    again = crl.decide(snapshot(records=records, published=once.entries.values()), terms())[1]
    assert (again.entries, again.leaving) == (once.entries, frozenset())


@pytest.mark.parametrize(
    ("override", "listed"),
    [
        pytest.param({}, {1: [1], 2: [2]}, id="each lists its own serials"),
        pytest.param({"adopting": 2}, {1: [1], 2: [2, 3]}, id="one lists those of a generation that is not trusted"),
        pytest.param({"adopting": 2, "retained": frozenset({3})}, {1: [1], 2: [2]}, id="not those of a retained one"),
    ],
)
def test_of_two_generations(override, listed):
    def record(n):
        key = given.record(n)
        return given.record(
            n, generation=n, key=key.key._replace(name=f"partners.{n}.{n}"), revocation=given.revocation()
        )

    contents = crl.decide(snapshot(records=map(record, (1, 2, 3)), bases={}), terms(1, 2, **override))
    assert {generation: sorted(content.entries) for generation, content in contents.items()} == listed


@pytest.mark.parametrize(
    ("highest", "number"),
    [
        pytest.param(0, int(NOW.timestamp() * 1000), id="the time in milliseconds"),
        pytest.param(1 << 62, (1 << 62) + 1, id="above every one that was seen"),
    ],
)
def test_the_number_is(highest, number):
    contents = crl.decide(snapshot(highest_number=highest), terms(1, 2))
    assert {content.number for content in contents.values()} == {number}


def test_what_comes_before_it_is_the_newest_base():
    old, new = given.crl(signed=NOW - DAY), given.crl(signed=NOW - HOUR)
    assert crl.decide(snapshot(bases={1: (old, new)}), terms())[1].previous is new
    assert crl.decide(snapshot(bases={}), terms())[1].previous is None


def test_a_crl_begins_an_hour_back_and_is_good_for_its_validity_from_now():
    assert crl.window(CrlPolicy(validity="48h", renew_every="24h"), NOW) == (NOW - HOUR, NOW + 2 * DAY)


def test_the_next_crl_is_due_one_renewal_period_after_the_last_was_signed():
    policy = CrlPolicy(renew_every="24h")
    assert crl.renewal_due(given.published(signed=NOW), policy) == NOW + DAY

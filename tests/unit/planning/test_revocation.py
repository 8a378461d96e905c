"""Who is cut off, since when, and why."""

from dataclasses import replace

import pytest

from doorward.objects.ledger_record import Revocation
from doorward.planning import revocation
from tests.unit import given
from tests.unit.given import HOUR, NOW, SECOND

AGO = NOW - HOUR


UNDATED = given.own_hold(dated=False, time=NOW - 30 * HOUR)


def _only(revokes):
    (revoke,) = revokes
    return revoke.revocation


def _repairs(record, published=None, *, pending_again=frozenset()):
    return list(revocation.repairs((record,), published, pending_again, NOW))


@pytest.mark.parametrize(
    ("published", "since"),
    [
        pytest.param(None, NOW, id="at which it is seen, where nothing is published"),
        pytest.param(given.published(), NOW, id="at which it is seen, where no CRL names it"),
        pytest.param(given.published(given.entry(0xA1, at=AGO)), AGO, id="of its CRL entry"),
    ],
)
def test_a_revocation_without_a_time_gets_the_one(published, since):
    assert _only(_repairs(given.record(revocation=UNDATED), published)) == given.own_hold(time=since)


@pytest.mark.parametrize(
    ("before", "since"),
    [
        pytest.param(None, NOW, id="a live serial is refused from now on"),
        pytest.param(given.hold(), AGO, id="a held one since it was held"),
        pytest.param(UNDATED, NOW, id="one that was held without saying since when from now on"),
        pytest.param(given.hold(lifted=True), NOW, id="one whose hold was lifted from now on"),
    ],
)
def test_a_final_revocation_says_the_reason_and_since_when(before, since):
    revoked = _only(revocation.final((given.record(revocation=before),), "keyCompromise", NOW))
    assert revoked == Revocation(reason="keyCompromise", time=since)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(given.record(revocation=given.revocation("superseded")), id="a final revocation keeps its reason"),
        pytest.param(given.expired(since=SECOND), id="an expired serial needs none"),
        pytest.param(given.expired(since=0 * SECOND), id="nor one that expires now"),
    ],
)
def test_nothing_is_revoked_again_where(record):
    assert list(revocation.final((record,), "privilegeWithdrawn", NOW)) == []


def test_a_key_that_is_known_to_be_compromised_later_changes_the_reason_and_not_the_time():
    revoked = given.record(revocation=given.revocation("unspecified"))
    learnt = given.revocation("keyCompromise")
    assert _only(revocation.final((revoked,), "keyCompromise", NOW)) == learnt
    assert list(revocation.final((replace(revoked, revocation=learnt),), "keyCompromise", NOW)) == []


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(None, id="a live serial"),
        pytest.param(given.hold(lifted=True), id="a serial whose hold was lifted"),
    ],
)
def test_a_deleted_client_is_held_until_the_window_ends(before):
    held = _only(revocation.held((given.record(revocation=before),), 24 * HOUR, NOW))
    assert held == Revocation(reason="certificateHold", time=NOW, final_at=NOW + 24 * HOUR, held_by="Deletion")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(given.suspension(), id="a suspension's"),
        pytest.param(given.hold(final_at=None), id="one whose window was not known"),
    ],
)
def test_a_deletion_gives_a_hold_its_window_and_leaves_since_when(before):
    held = _only(revocation.held((given.record(revocation=before),), 24 * HOUR, NOW))
    assert held == given.hold(final_at=NOW + 24 * HOUR)


def test_a_deleted_client_is_held_though_nobody_knows_for_how_long():
    assert _only(revocation.held((given.record(),), None, NOW)) == given.hold(time=NOW, final_at=None)
    assert list(revocation.held((given.record(revocation=given.hold(final_at=None)),), None, NOW)) == []


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(given.record(revocation=given.revocation()), id="it is revoked already"),
        pytest.param(given.record(revocation=given.hold()), id="it is held already, and its window is not prolonged"),
        pytest.param(given.record(revocation=given.own_hold()), id="a person holds it"),
        pytest.param(given.expired(since=SECOND), id="it has expired"),
    ],
)
def test_a_serial_is_not_held_where(record):
    assert list(revocation.held((record,), 24 * HOUR, NOW)) == []


@pytest.mark.parametrize(
    "final_at",
    [pytest.param(NOW - SECOND, id="a second ago"), pytest.param(NOW, id="now")],
)
def test_a_hold_whose_window_ended_becomes_final_since_it_was_held(final_at):
    record = given.record(revocation=given.hold(final_at=final_at))
    assert _only(_repairs(record)) == Revocation(reason="cessationOfOperation", time=AGO)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(None, id="there is none"),
        pytest.param(given.hold(final_at=NOW + SECOND), id="its window is open"),
        pytest.param(given.hold(final_at=None), id="it has no window"),
        pytest.param(given.revocation(), id="it is final"),
        pytest.param(given.revocation(final_at=NOW), id="a person made it final"),
    ],
)
def test_a_hold_does_not_end_where(before):
    assert _repairs(given.record(revocation=before)) == []


def test_a_hold_that_nobody_dated_is_dated_before_it_ends():
    assert _only(_repairs(given.record(revocation=replace(UNDATED, final_at=NOW)))).reason == "certificateHold"


def test_a_hold_that_was_lifted_does_not_end_and_forgets_its_window():
    before = given.hold(final_at=NOW, lifted=True)
    assert _only(_repairs(given.record(revocation=before))) == replace(before, final_at=None)
    assert _repairs(given.record(revocation=replace(before, final_at=None))) == []


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        pytest.param([], None, id="nothing is held"),
        pytest.param([given.hold(final_at=None)], None, id="what is held has no window"),
        pytest.param([given.hold(lifted=True)], None, id="the hold was lifted"),
        pytest.param([given.revocation(final_at=NOW - HOUR)], None, id="a person made it final"),
        pytest.param([given.hold(final_at=NOW + HOUR), given.hold()], NOW + HOUR, id="the first of two"),
    ],
)
def test_the_next_end_of_a_hold_is_known_where(holds, expected):
    records = tuple(given.record(n, revocation=hold) for n, hold in enumerate(holds, 1))
    assert revocation.next_end_of_hold(records) == expected


@pytest.mark.promise(1)
@pytest.mark.parametrize("reason", ["keyCompromise", "certificateHold", None])
def test_a_record_that_lost_its_revocation_gets_it_back_from_the_published_crl(reason):
    crl = given.published(given.entry(reason=reason))
    found = _only(_repairs(given.record(), crl))
    assert found == Revocation(reason=reason or "unspecified", time=AGO)


@pytest.mark.parametrize(
    ("record", "crl"),
    [
        pytest.param(given.record(), given.published(), id="the CRL does not name it"),
        pytest.param(given.record(), given.published(given.entry(7)), id="the CRL names another"),
        pytest.param(
            given.record(revocation=given.hold(lifted=True, final_at=None)),
            given.published(given.entry(reason="certificateHold")),
            id="its hold was lifted and the CRL is behind",
        ),
        pytest.param(given.expired(since=SECOND), given.published(given.entry()), id="it has expired"),
    ],
)
def test_a_record_forgot_nothing_where(record, crl):
    assert _repairs(record, crl) == []


def test_a_record_of_a_client_whose_own_rules_refuse_it_again_is_left_to_them():
    published = given.published(given.entry())
    assert _repairs(given.record(), published, pending_again=frozenset({0xA1})) == []


@pytest.mark.parametrize(
    ("record", "crl", "missing"),
    [
        pytest.param(given.record(revocation=given.hold()), None, True, id="no CRL is published"),
        pytest.param(given.record(revocation=given.hold()), given.published(), True, id="the CRL does not name it"),
        pytest.param(given.record(revocation=given.hold()), given.published(given.entry()), False, id="the CRL does"),
        pytest.param(given.record(), None, False, id="it is live"),
        pytest.param(given.record(revocation=given.hold(lifted=True)), None, False, id="its hold was lifted"),
        pytest.param(given.expired(since=SECOND, revocation=given.hold()), None, False, id="it has expired"),
    ],
)
def test_a_refused_serial_is_unpublished_where(record, crl, missing):
    assert revocation.unpublished((record,), crl, NOW) == ((record,) if missing else ())

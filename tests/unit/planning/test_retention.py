"""Which records are archived and deleted, when, and how many at a time; and what still knows of them afterwards."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.api.conditions import said
from doorward.objects import archive
from doorward.objects.archive_index import MOST_BARRED, NO_ARCHIVE, UNREADABLE, Part, with_part, with_records
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import certificate, issuer, lineage, retention
from doorward.planning.observed import Unseen
from doorward.planning.plan import ArchiveRecords, CreateCa, DeleteRecord, EmptyArchive, RecordAgain
from doorward.planning.retention import MOST_ARCHIVED, MOST_AT_ONCE, LedgerObserved, named_by
from doorward.planning.timing import MAX_SKEW
from tests.unit import given as worlds
from tests.unit.given import (
    ALICE,
    DAY,
    HOUR,
    ISSUER,
    NOW,
    SECOND,
    entry,
    expired,
    hold,
    issuer_spec,
    published,
    record,
    revocation,
)

KEEP = 7 * DAY + 90 * DAY
"""The CRL validity and the retention of an issuer that says neither."""


def ledger(*records: Record, **override: Any) -> LedgerObserved:
    """An issuer's ledger; nothing of it is published, and no ClientCertificate exists."""
    made = LedgerObserved(
        key=ISSUER,
        spec=issuer_spec(),
        records=records,
        named=frozenset(),
        last=frozenset(),
        index=Unseen.ABSENT,
        skew=timedelta(0),
    )
    return replace(made, **override)


def over(serial: int = 0xA1, *, since: timedelta = DAY, **override: Any) -> Record:
    """A record whose time was over so long ago."""
    return expired(serial, since=KEEP + since, **override)


def archived(o: LedgerObserved, now: datetime = NOW) -> tuple[Record, ...]:
    """What the plan archives; it deletes the same, and nothing else, after it."""
    plan = retention.plan(o, now)
    if not plan.actions:
        return ()
    first, *deletes = plan.actions
    assert isinstance(first, ArchiveRecords)
    assert deletes == [DeleteRecord(record=each) for each in first.records]
    return first.records


def test_a_record_is_archived_and_deleted_when_its_time_is_over() -> None:
    assert archived(ledger(over())) == (over(),)


@pytest.mark.parametrize("since", [-90 * DAY, timedelta(0), 90 * DAY, KEEP - SECOND])
def test_no_record_goes_before_the_crl_validity_and_the_retention_are_over(since: timedelta) -> None:
    now = NOW + 365 * DAY
    kept = expired(since=since - 365 * DAY)
    assert now - kept.not_after == since
    assert archived(ledger(kept, *(over(n) for n in range(1, 1001))), now + 2 * DAY) != ()
    assert kept not in archived(ledger(kept, *(over(n) for n in range(1, 1001))), now)


def test_both_durations_are_the_issuers_own() -> None:
    spec = issuer_spec(crl={"validity": "48h", "renewEvery": "24h"}, ledger={"retention": "24h"})
    assert archived(ledger(expired(since=4 * DAY), spec=spec)) != ()
    assert archived(ledger(expired(since=3 * DAY - SECOND), spec=spec)) == ()
    assert archived(ledger(expired(since=4 * DAY), spec=issuer_spec())) == ()


def test_few_wait_a_day_for_others() -> None:
    young = over(since=23 * HOUR)
    plan = retention.plan(ledger(young), NOW)
    assert plan.actions == ()
    assert plan.due == NOW + HOUR
    assert archived(ledger(young), NOW + HOUR) == (young,)


def test_as_many_as_fill_a_plan_wait_for_nobody() -> None:
    records = tuple(over(number, since=timedelta(0)) for number in range(1, MOST_AT_ONCE + 2))
    assert len(archived(ledger(*records))) == MOST_AT_ONCE


def test_with_nothing_to_do_it_looks_again_in_a_day() -> None:
    plan = retention.plan(ledger(record()), NOW)
    assert (plan.actions, plan.due) == ((), NOW + DAY)


def test_a_plan_is_bounded_in_bytes() -> None:
    records = tuple(over(number, subject="x" * 4096) for number in range(1, 500))
    batch = archived(ledger(*records))
    assert 0 < len(batch) < len(records)
    assert archive.pack(map(archive.archived, batch)) is not None


def test_one_plan_is_of_one_month_the_oldest_first() -> None:
    older, newer = over(1, since=40 * DAY), over(2, since=DAY)
    assert archived(ledger(newer, older)) == (older,)
    (action, *_) = retention.plan(ledger(newer, older), NOW).actions
    assert isinstance(action, ArchiveRecords)
    assert action.month == archive.month_of(older.not_after)


# --- what stays


def test_a_record_that_the_published_crl_names_stays() -> None:
    """Or its entry would stay in the CRL for ever: nothing would say when it expired."""
    assert archived(ledger(over(), named=frozenset({0xA1}))) == ()


def test_the_last_record_of_a_client_that_exists_stays() -> None:
    assert archived(ledger(over(), last=frozenset({over().key}))) == ()


def test_a_revocation_without_a_time_gets_one_first() -> None:
    undated = over(revocation=revocation(dated=False))
    assert archived(ledger(undated)) == ()


def test_a_strangers_record_goes_before_the_owners_and_its_word_bars_no_key() -> None:
    """The owner's stays for it: otherwise the stranger's would seem to be the first with that key."""
    same = {"public_key_sha256": "a" * 64, "revocation": revocation("keyCompromise")}
    owners = over(1, since=3 * DAY, public_key_sha256="a" * 64)
    strangers = over(2, holder=ObjectKey("dark", "mallory"), **same)
    (action, *_) = retention.plan(ledger(owners, strangers), NOW).actions
    assert isinstance(action, ArchiveRecords)
    assert (action.records, action.spared) == ((strangers,), {"a" * 64})
    (action, *_) = retention.plan(ledger(over(2, **same)), NOW).actions
    assert isinstance(action, ArchiveRecords)
    assert action.spared == set()


def test_a_compromised_key_that_the_index_has_no_room_for_stays() -> None:
    stolen = over(revocation=revocation("keyCompromise"))
    full = replace(NO_ARCHIVE, barred=frozenset(f"{number:064x}" for number in range(MOST_BARRED)))
    assert archived(ledger(stolen, over(2), index=full)) == (over(2),)
    known = replace(full, barred=frozenset({*sorted(full.barred)[1:], stolen.public_key_sha256}))
    assert stolen in archived(ledger(stolen, index=known))


@pytest.mark.parametrize(
    "override",
    [
        {"records": Unseen.UNKNOWN},
        {"named": Unseen.UNKNOWN},
        {"last": Unseen.UNKNOWN},
        {"index": Unseen.UNKNOWN},
        {"index": Unseen.DENIED},
        {"index": UNREADABLE},
        {"spec": "it cannot be read"},
        {"skew": MAX_SKEW + SECOND},
        {"skew": -MAX_SKEW - SECOND},
    ],
    ids=str,
)
def test_what_is_unknown_is_no_reason(override: dict[str, Any]) -> None:
    plan = retention.plan(replace(ledger(over()), **override), NOW)
    assert plan.actions == ()
    assert plan.due is not None
    assert plan.due > NOW


def test_only_what_is_published_and_verified_says_who_is_named() -> None:
    assert named_by(published(entry())) == {0xA1}
    for other in (Unseen.ABSENT, Unseen.UNKNOWN, said("NotPublished", configmap="x", detail="x"), None):
        assert named_by(other) is Unseen.UNKNOWN


def test_the_last_record_is_the_one_that_was_issued_last() -> None:
    records = [record(1, issued_at=NOW - 3 * DAY), record(2, issued_at=NOW - DAY), record(3, issued_at=NOW - 2 * DAY)]
    assert retention.last_of(records) == records[1]
    assert retention.last_of(()) is None


@given(st.lists(st.integers(-100, 400), min_size=1, max_size=30), st.integers(0, 200))
def test_in_the_end_nothing_is_left_but_what_must_stay(ages: list[int], ahead: int) -> None:
    """Plan after plan, each carried out: every record is archived once, in the month of its expiry, and none too early."""
    now = NOW + ahead * DAY
    left = {each.key: each for each in (expired(n, since=age * DAY) for n, age in enumerate(ages, start=1))}
    gone: list[Record] = []
    while batch := archived(ledger(*left.values()), now):
        (action, *_) = retention.plan(ledger(*left.values()), now).actions
        assert isinstance(action, ArchiveRecords)
        assert {archive.month_of(each.not_after) for each in batch} == {action.month}
        gone += [left.pop(each.key) for each in batch]
    assert all(each.not_after + KEEP <= now for each in gone)
    assert all(now < each.not_after + KEEP + DAY for each in left.values())


# --- the archive stays within its limit


def test_the_oldest_month_is_removed_from_an_archive_that_is_too_large() -> None:
    index = NO_ARCHIVE
    for month in ("2026-10", "2025-01", "2026-11"):
        index = with_part(index, month, 1, Part(records=1, size=MOST_ARCHIVED // 3 + 1))
    assert retention.plan(ledger(over(), index=index), NOW).actions == (EmptyArchive(month="2025-01"),)


def test_an_archive_within_its_limit_loses_nothing() -> None:
    index = with_part(NO_ARCHIVE, "2025-01", 1, Part(records=1, size=MOST_ARCHIVED))
    assert archived(ledger(over(), index=index)) == (over(),)


# --- what depended on records knows them from the index


def domain(*archived_records: Record, **override: Any) -> Any:
    """An issuer whose ledger is empty, since all was archived."""
    return worlds.trust_domain(archive=with_records(NO_ARCHIVE, archived_records), **override)


def test_a_generation_whose_records_are_archived_has_signed() -> None:
    """A successor is waiting for gates; the generation before it signed, so it signs on without waiting for anybody."""
    older, newer = worlds.authority(), worlds.authority(generation=2, public_key_sha256="2" * 64)
    trust = worlds.trust({1: (older, worlds.crl()), 2: (newer, worlds.crl())})
    gate = worlds.gate(anchors_taken=None)
    o = domain(over(generation=2, key=ObjectKey(ISSUER.namespace, "partners.2.a1")), authority=newer, older=(older,))
    o = replace(o, published=trust, gates=(gate,))
    signing = lineage.of(o, issuer_spec(), (), NOW).signing
    assert signing is not None
    assert signing.generation == 2
    before = lineage.of(replace(o, archive=NO_ARCHIVE), issuer_spec(), (), NOW).signing
    assert before is not None
    assert before.generation == 1


def test_the_number_of_a_generation_whose_records_are_archived_is_not_taken_again() -> None:
    o = domain(over(generation=7, key=ObjectKey(ISSUER.namespace, "partners.7.a1")))
    assert lineage.next_number(o, issuer_spec(), ()) == 8


@pytest.mark.parametrize("index", [with_records(NO_ARCHIVE, [over()]), UNREADABLE], ids=["readable", "malformed"])
def test_a_ca_whose_records_are_all_archived_is_not_made_anew(index: Any) -> None:
    lost = worlds.trust_domain(authority=Unseen.ABSENT, published=Unseen.ABSENT, ca_generation=0)
    assert any(isinstance(action, CreateCa) for action in issuer.decide(lost, NOW).plan.actions)
    plan = issuer.decide(replace(lost, archive=index), NOW).plan
    assert not any(isinstance(action, CreateCa) for action in plan.actions)


@pytest.mark.parametrize("how", ["entitled", "revoked", "suspended", "deleting"])
def test_an_expired_certificate_whose_record_is_archived_is_not_recorded_again(how: str) -> None:
    """Its Secret still shows it: nothing is issued to a client that is revoked, suspended, or whose issuer is not ready."""
    change = {
        "entitled": {},
        "revoked": {"spec": worlds.spec(revoked=True)},
        "suspended": {"spec": worlds.spec(suspended=True)},
        "deleting": {"deleting_since": NOW - HOUR},
    }[how]
    old = worlds.leaf(issued=NOW - 300 * DAY)
    o = worlds.certificate(secret=worlds.secret(old), records=(), **change)
    assert not any(isinstance(action, RecordAgain) for action in _actions(o))
    live = worlds.certificate(records=(), **change)
    assert any(isinstance(action, RecordAgain) for action in _actions(live))


def _actions(o: Any) -> Iterable[Any]:
    return certificate.plan(o, NOW).actions


def test_a_record_whose_time_is_over_is_known_as_such() -> None:
    assert retention.is_over(over(since=timedelta(0)), issuer_spec(), NOW)
    assert not retention.is_over(over(since=-SECOND), issuer_spec(), NOW)


def test_alice_is_whom_it_was_archived_for() -> None:
    assert archive.archived(over(revocation=hold())).holder == ALICE

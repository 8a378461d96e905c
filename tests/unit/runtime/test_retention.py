"""Years go by: records of expired certificates move to the archive, nothing that matters is forgotten, and nobody gets in by it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from doorward.cli.records import Wanted, find
from doorward.cluster.errors import Conflict, Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects import archive, archive_index, ledger_record
from doorward.objects.archive import ArchivedRecord, archived
from doorward.objects.ledger_record import Record, record_name
from doorward.objects.meta import ObjectKey
from doorward.planning import retention
from tests.support import promises
from tests.support.memory_gateway import Write, killed
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, revocation
from tests.unit.runtime.looks import issuer_said, said, serial

KEEP = 7 * DAY + 90 * DAY
INDEX = f"{ISSUER_AT.name}-archive"
MONTH = HOUR * 720


def days(bed: OperatorBed, count: int) -> None:
    """So many days go by, with a minute of work in each."""
    for _ in range(count):
        bed.jump(hours=24)
        bed.advance(60)


def long_after(bed: OperatorBed, count: int) -> None:
    """So many days later; the operator has a minute of work in each week, and in each of the last days."""
    for _ in range(count // 7):
        bed.jump(days=7)
        bed.advance(60)
    days(bed, count % 7 + 3)


def ledger(bed: OperatorBed) -> dict[str, Record]:
    return {body["metadata"]["name"]: ledger_record.parse(body) for body in bed.cluster.all(ISSUED_CERTIFICATE)}


def archives(bed: OperatorBed) -> dict[str, tuple[ArchivedRecord, ...]]:
    """By name, what each archive holds."""
    bodies = (body for body in bed.cluster.all(CONFIG_MAP) if archive.issuer_of_archive(_key(body)))
    return {body["metadata"]["name"]: archive.parse(body) for body in bodies}


def _key(body: Any) -> ObjectKey:
    return ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])


def kept(bed: OperatorBed) -> list[ArchivedRecord]:
    return [each for held in archives(bed).values() for each in held]


def index(bed: OperatorBed) -> archive_index.ArchiveIndex:
    return archive_index.parse(bed.find(CONFIG_MAP, INDEX))


def ever_recorded(bed: OperatorBed) -> dict[str, Record]:
    """By name, the last that each record ever said."""
    bodies = [c.becomes for c in bed.cluster.history if c.kind == ISSUED_CERTIFICATE and c.after]
    return {body["metadata"]["name"]: ledger_record.parse(body) for body in bodies if body}


def deletions(bed: OperatorBed) -> Iterator[tuple[Record, datetime]]:
    """Each record that was deleted, and when."""
    for change in bed.cluster.history:
        if change.kind == ISSUED_CERTIFICATE and change.after is None and change.was:
            yield ledger_record.parse(change.was), change.time


def nothing_lost(bed: OperatorBed) -> None:
    """Every record that there ever was is in the ledger or in the archive, once, and as it was last."""
    there, gone = ledger(bed), kept(bed)
    last = ever_recorded(bed)
    assert Counter(each.identity for each in gone).most_common(1)[0][1] == 1
    assert {each.identity: each for each in gone} == {
        archived(each).identity: archived(each) for name, each in last.items() if name not in there
    }
    for name, held in archives(bed).items():
        month = archive.issuer_of_archive(ObjectKey(NAMESPACE_NAME, name))
        assert month is not None
        assert {archive.month_of(each.not_after) for each in held} <= {month[1]}
    assert index(bed).records == len(gone)


def plant(bed: OperatorBed, number: int, *, over: timedelta, **override: Any) -> Record:
    """A record of long ago, whose time was over so long before now; it names no ClientCertificate that exists."""
    ends = bed.cluster.now() - KEEP - over
    made = given.record(number, issued_at=ends.replace(microsecond=0) - 90 * DAY)
    holder = ObjectKey(NAMESPACE_NAME, f"old-{number}")
    name = ObjectKey(NAMESPACE_NAME, record_name(ISSUER_AT.name, override.get("generation", 1), number))
    made = replace(made, issuer=ISSUER_AT, key=name, holder=holder, **override)
    bed.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, ledger_record.render_again(made), "doorward")
    return made


@pytest.fixture
def backlog(served: OperatorBed) -> OperatorBed:
    """Records of two months whose time is over, one of them of a compromised key; the operator looks again in an hour."""
    for number in range(1, 4):
        plant(served, number, over=2 * DAY)
    plant(served, 4, over=40 * DAY, revocation=revocation("keyCompromise", time=NOW - 200 * DAY))
    plant(served, 5, over=41 * DAY, revocation=revocation("cessationOfOperation", time=NOW - 200 * DAY))
    return served


def look(bed: OperatorBed) -> None:
    """The operator looks at the ledger, as it does each day."""
    bed.restart()
    bed.settle()
    days(bed, 1)
    bed.settle()


# A year, as it comes


@pytest.mark.promise(1)
def test_a_year_of_one_client_leaves_a_bounded_ledger_and_a_whole_archive(bed):
    bed.apply("alice", duration="720h")
    bed.apply("bob", duration="720h")
    bed.settle()
    most = 0
    for day in range(400):
        days(bed, 1)
        if day == 100:
            bed.apply("bob", revoked=True, revocationReason="keyCompromise")
        most = max(most, len(ledger(bed)))
    assert len(ever_recorded(bed)) > 20
    assert most <= 2 * (127 // 20 + 2)
    nothing_lost(bed)
    assert all(when >= record.not_after + KEEP for record, when in deletions(bed))
    assert said(bed, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert said(bed, "bob") == {"Ready": "CutOff", "Admitted": "Revoked"}
    assert promises.broken(bed.cluster) == []
    assert promises.newest_crl(bed.cluster) == frozenset()
    lines, wrong = bed.with_gateway(lambda gateway: find(gateway, Wanted(issuer=ISSUER_AT, archived=True)))
    assert (len(lines), wrong) == (len(ever_recorded(bed)), [])


def test_a_client_that_was_deleted_is_in_the_archive_alone(served):
    number = serial(served, "bob")
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    long_after(served, 90 + 97)
    assert all(record.holder.name != "bob" for record in ledger(served).values())
    [line] = [each for each in kept(served) if each.serial == number]
    assert line.revocation is not None
    assert line.revocation.reason == "cessationOfOperation"
    assert line.revocation.time.date() == NOW.date()


def test_the_last_record_of_a_client_that_exists_stays_however_old(served):
    """What its status says stays true: since when it is revoked, and what its Secret holds."""
    served.apply("bob", revoked=True)
    served.settle()
    before = served.find(CLIENT_CERTIFICATE, "bob")["status"]
    long_after(served, 300)
    after = served.find(CLIENT_CERTIFICATE, "bob")["status"]
    assert after["revokedAt"] == before["revokedAt"]
    assert after["serialNumber"] == before["serialNumber"]
    assert [record.serial for record in ledger(served).values() if record.holder.name == "bob"] == [
        serial(served, "bob")
    ]


def test_a_restart_with_nothing_to_archive_writes_nothing(served):
    long_after(served, 200)
    served.settle()
    assert served.writes_of(served.restart) == []


# The order of writes, and a process that is killed at any of them


def test_archive_and_index_are_written_before_a_record_is_deleted(backlog):
    look(backlog)
    nothing_lost(backlog)
    order = [
        (w.verb, w.kind) for w in backlog.gateway.writes if w.name.startswith("partners-archive") or w.verb == "delete"
    ]
    assert order == [
        ("create", "ConfigMap"),
        ("create", "ConfigMap"),
        *[("delete", "IssuedCertificate")] * 2,
        ("create", "ConfigMap"),
        ("replace", "ConfigMap"),
        *[("delete", "IssuedCertificate")] * 3,
    ]
    assert index(backlog).generations == {1}
    assert index(backlog).barred == {given.record(4).public_key_sha256}


@pytest.mark.promise(6)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(9))
def test_killed_at_any_write_nothing_is_lost_and_nothing_archived_twice(backlog, nth, done):
    backlog.restart()
    gateway = backlog.gateway
    seen: list[Write] = []

    def order(write: Write) -> None:
        if write.name.startswith("partners-archive") or write.verb == "delete":
            if len(seen) == nth:
                gateway.faults[len(gateway.writes)] = killed(done=done)
            seen.append(write)

    gateway.refuse = order
    backlog.settle()
    days(backlog, 1)
    backlog.settle()
    assert gateway.killed.is_set()
    look(backlog)
    assert all(record.holder.name in ("alice", "bob") for record in ledger(backlog).values())
    nothing_lost(backlog)


def test_what_is_archived_already_is_not_written_again(backlog):
    """As after a crash before the first record was deleted."""
    backlog.restart()
    backlog.gateway.refuse = lambda write: Forbidden("no", status=403) if write.verb == "delete" else None
    backlog.settle()
    oldest = min(archives(backlog))
    versions = [backlog.find(CONFIG_MAP, name)["metadata"]["resourceVersion"] for name in (oldest, INDEX)]
    backlog.restart()
    gateway = backlog.gateway
    gateway.refuse = lambda write: Forbidden("no", status=403) if write.verb == "delete" else None
    backlog.settle()
    assert "delete" in {write.verb for write in gateway.writes}
    assert not any(write.kind == "ConfigMap" and "archive" in write.name for write in gateway.writes)
    assert [backlog.find(CONFIG_MAP, name)["metadata"]["resourceVersion"] for name in (oldest, INDEX)] == versions


@pytest.mark.promise(1)
@pytest.mark.parametrize("heard", [False, True], ids=["the watch has not told", "the watch has told"])
def test_a_record_that_changes_after_it_was_archived_is_archived_again(backlog, heard):
    """A person learns of a theft in the moment between the two writes."""
    changed = []

    def meddle(write: Write) -> None:
        if not changed and (write.name == INDEX if heard else write.verb == "delete"):
            changed.append(min(name for name in ledger(backlog) if name in ("partners.1.4", "partners.1.5")))
            told = {"reason": "keyCompromise", "time": "2026-01-01T00:00:00Z"}
            backlog.edit(ISSUED_CERTIFICATE, changed[0], {"spec": {"revocation": told}})

    for number in (4, 5):
        backlog.edit(ISSUED_CERTIFICATE, f"partners.1.{number}", {"metadata": {"labels": {"audit": "seen"}}})
    backlog.latency = 0.1
    backlog.restart()
    backlog.gateway.refuse = meddle
    backlog.settle()
    days(backlog, 3)
    assert changed[0] not in ledger(backlog)
    nothing_lost(backlog)
    [line] = [each for each in kept(backlog) if record_name(ISSUER_AT.name, 1, each.serial) == changed[0]]
    assert line.revocation is not None
    assert (line.revocation.reason, line.revocation.time.year) == ("keyCompromise", 2026)


def test_a_record_that_comes_back_from_a_backup_without_its_revocation_is_archived_as_revoked(backlog):
    look(backlog)
    plant(backlog, 5, over=41 * DAY)
    with mock.patch.object(retention, "PATIENCE", timedelta(0)):
        look(backlog)
    [line] = [each for each in kept(backlog) if each.serial == 5]
    assert line.revocation is not None
    assert line.revocation.reason == "cessationOfOperation"
    assert "partners.1.5" not in ledger(backlog)


# What is refused, taken or spoilt


@pytest.mark.parametrize("name", ["partners-archive-2026-", INDEX])
def test_no_record_is_deleted_while_its_archive_cannot_be_written(backlog, name):
    def refuse(write: Write) -> Forbidden | None:
        refused = write.name == name or (name.endswith("-") and write.name.startswith(name))
        return Forbidden("exceeded quota", status=403) if refused else None

    backlog.restart()
    backlog.gateway.refuse = refuse
    backlog.advance(90)
    assert issuer_said(backlog)["LedgerArchived"] == "ArchiveRefused"
    assert issuer_said(backlog)["Ready"] == "Signing"
    backlog.advance(3600)
    before = set(ledger(backlog))
    assert {record_name(ISSUER_AT.name, 1, number) for number in range(1, 6)} <= before
    assert list(deletions(backlog)) == []
    assert len(backlog.gateway.writes) < 60
    backlog.gateway.refuse = lambda _: None
    days(backlog, 2)
    assert "LedgerArchived" not in issuer_said(backlog)
    assert not {record_name(ISSUER_AT.name, 1, number) for number in range(1, 6)} & set(ledger(backlog))
    nothing_lost(backlog)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.pop("binaryData", None),
        lambda body: body.get("binaryData", {}).update({"records.jsonl.xz": "YQ=="}),
        lambda body: body.get("data", {}).update({"index.json": "{}"}),
        lambda body: body.pop("data", None),
    ],
    ids=["an archive is emptied", "an archive is noise", "an index is noise", "an index is emptied"],
)
def test_no_record_is_deleted_where_the_api_server_stored_something_else(backlog, spoil):
    """A policy of somebody's that changes what is written."""
    admit = backlog.cluster.admit

    def change(kind: Any, before: Any, after: Any) -> None:
        if kind == CONFIG_MAP and "archive" in after["metadata"]["name"]:
            spoil(after)
        admit(kind, before, after)

    backlog.cluster.admit = change
    backlog.restart()
    backlog.advance(600)
    assert list(deletions(backlog)) == []


def test_a_name_that_somebody_took_is_passed_over(backlog):
    months = {archive.month_of(record.not_after) for record in ledger(backlog).values()}
    for month in months:
        body = {"metadata": {"name": archive.archive_name(ISSUER_AT.name, month, 1)}, "data": {"theirs": "x"}}
        backlog.cluster.create(CONFIG_MAP, NAMESPACE_NAME, body, "kubectl")
    look(backlog)
    assert all(name.endswith("-2") for name, held in archives(backlog).items() if held)
    assert len(kept(backlog)) == 5
    assert sum("theirs" in (body.get("data") or {}) for body in backlog.cluster.all(CONFIG_MAP)) == len(months)


def test_an_archive_that_cannot_be_read_is_not_written_over(backlog):
    month = archive.month_of(min(record.not_after for record in ledger(backlog).values()))
    noise = archive.render(ISSUER_AT, month, 1, b"noise", version=None)
    backlog.cluster.create(CONFIG_MAP, NAMESPACE_NAME, noise, "kubectl")
    look(backlog)
    there = backlog.find(CONFIG_MAP, archive.archive_name(ISSUER_AT.name, month, 1))
    assert there["binaryData"] == noise["binaryData"]
    second = backlog.find(CONFIG_MAP, archive.archive_name(ISSUER_AT.name, month, 2))
    assert len(archive.parse(second)) == 2


@pytest.mark.parametrize("labelled", [False, True], ids=["theirs", "ours and malformed"])
def test_with_the_name_of_the_index_taken_no_record_is_deleted(backlog, labelled):
    body = {"metadata": {"name": INDEX}, "data": {"index.json": "{}"}}
    if labelled:
        body["metadata"] |= {
            "labels": archive_index.render(ISSUER_AT, archive_index.NO_ARCHIVE, version=None)["metadata"]["labels"]
        }
    backlog.cluster.create(CONFIG_MAP, NAMESPACE_NAME, body, "kubectl")
    backlog.restart()
    backlog.advance(3600)
    assert list(deletions(backlog)) == []
    assert backlog.find(CONFIG_MAP, INDEX)["data"] == {"index.json": "{}"}
    assert issuer_said(backlog)["LedgerArchived"] == ("ArchiveIndexInvalid" if labelled else "ArchiveRefused")
    backlog.delete(CONFIG_MAP, INDEX)
    days(backlog, 2)
    nothing_lost(backlog)


def test_what_does_not_fit_goes_on_in_the_next_part(backlog):
    for number in range(10, 40):
        plant(backlog, number, over=41 * DAY)
    with mock.patch.object(archive, "MOST_BYTES", 2400):
        look(backlog)
        for number in range(50, 80):
            plant(backlog, number, over=42 * DAY)
        days(backlog, 2)
    assert any(name.endswith("-2") for name in archives(backlog))
    nothing_lost(backlog)


def test_an_archive_that_becomes_too_large_loses_its_oldest_month_and_says_so(backlog):
    look(backlog)
    oldest = min(index(backlog).months)
    plant(backlog, 9, over=2 * DAY, revocation=revocation())
    with mock.patch.object(retention, "MOST_ARCHIVED", 700):
        days(backlog, 3)
    assert index(backlog).dropped == 2
    assert oldest not in index(backlog).months
    assert archives(backlog)[archive.archive_name(ISSUER_AT.name, oldest, 1)] == ()
    assert index(backlog).barred == {given.record(4).public_key_sha256}
    assert 9 in {each.serial for each in kept(backlog)}


# What depended on records


@pytest.fixture
def forgotten(served: OperatorBed) -> OperatorBed:
    """Both clients were deleted, and all that is left of them is in the archive."""
    for name in ("alice", "bob"):
        served.delete(CLIENT_CERTIFICATE, name)
    long_after(served, 90 + 97)
    assert ledger(served) == {}
    assert len(kept(served)) >= 2
    return served


@pytest.mark.parametrize("restart", [False, True])
def test_a_ca_that_has_signed_is_not_made_anew_though_all_its_records_are_archived(forgotten, restart):
    for kind, name in ((SECRET, "partners-ca-1"), (CONFIG_MAP, "partners-crl")):
        forgotten.delete(kind, name)
    if restart:
        forgotten.restart()
    forgotten.settle()
    assert issuer_said(forgotten)["Ready"] == "CaSecretMissing"
    assert forgotten.find(SECRET, "partners-ca-1") is None


def test_an_issuer_whose_records_are_all_archived_goes_on(forgotten):
    forgotten.restart()
    forgotten.apply("carol")
    forgotten.settle()
    assert said(forgotten, "carol") == {"Ready": "Issued", "Admitted": "Live"}
    assert issuer_said(forgotten)["Ready"] == "Signing"


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True])
def test_a_key_whose_compromise_is_archived_is_certified_for_nobody_again(bed, restart):
    bed.apply("carol", request=given.csr())
    bed.settle()
    bed.apply("carol", request=given.csr(), revoked=True)
    bed.settle()
    bed.apply("carol", request=given.csr(), revoked=True, revocationReason="keyCompromise")
    bed.settle()
    bed.delete(CLIENT_CERTIFICATE, "carol")
    long_after(bed, 90 + 97)
    assert ledger(bed) == {}
    if restart:
        bed.restart()
    bed.apply("dave", request=given.csr())
    bed.settle()
    assert said(bed, "dave") == {"Ready": "KeyCompromised", "Admitted": "NotIssued"}


@pytest.mark.promise(1)
def test_a_record_that_the_published_crl_still_names_stays(served):
    """Its CRL cannot be published any more, so it goes on naming the serial: without a record it would do so for ever."""
    number = serial(served, "bob")
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    served.gateway.refuse = lambda write: Conflict("no", status=409) if write.name == "partners-crl" else None
    long_after(served, 300)
    assert record_name(ISSUER_AT.name, 1, number) in ledger(served)
    served.gateway.refuse = lambda _: None
    days(served, 3)
    assert promises.newest_crl(served.cluster) == frozenset()
    assert record_name(ISSUER_AT.name, 1, number) not in ledger(served)


def test_the_retention_of_an_issuer_may_be_changed(served):
    served.delete(CLIENT_CERTIFICATE, "bob")
    long_after(served, 90 + 20)
    assert kept(served) == []
    assert "bob" in {record.holder.name for record in ledger(served).values()}
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"ledger": {"retention": "240h"}}})
    days(served, 2)
    assert {each.holder.name for each in kept(served)} == {"alice", "bob"}
    assert {record.holder.name for record in ledger(served).values()} == {"alice"}


def test_archives_are_not_kept_in_memory(backlog):
    look(backlog)
    backlog.restart()
    backlog.settle()
    [operator] = [process.operator for process in backlog._processes]
    names = {key.name for key in operator.view.configmaps.keys()}  # noqa: SIM118 - a Store is no dict
    assert names == {INDEX, "partners-crl", "doorward-guarded"}

"""`doorward records`: the ledger and its archive as one list, for those who ask who was revoked when."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from doorward.cli import records as command
from doorward.cli.main import main
from doorward.cli.records import Wanted
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, NAMESPACE
from doorward.objects import archive, archive_index, ledger_record
from doorward.objects.archive import archived
from doorward.objects.ledger_record import Record, record_name
from doorward.objects.meta import ObjectKey
from tests.support.clock import FakeClock
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit.given import ALICE, ISSUER, NOW, hold, record, revocation

BOB = ObjectKey("shop", "bob")
OTHER = ObjectKey("issuers", "staff")
EVERYTHING = Wanted(archived=True)


class Place:
    """A cluster with issuers in it, and nobody at work."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(FakeClock(NOW))
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": "issuers"}}, "kubectl")

    def record(self, made: Record) -> None:
        self.cluster.create(ISSUED_CERTIFICATE, "issuers", ledger_record.render_again(made), "doorward")

    def archive(self, *made: Record, issuer: ObjectKey = ISSUER, month: str = "2026-11", part: int = 1) -> None:
        packed = archive.pack(archive.merged((), map(archived, made)))
        body = archive.render(issuer, month, part, packed, version=None)
        self.cluster.create(CONFIG_MAP, "issuers", body, "doorward")

    def listed(self, wanted: Wanted = EVERYTHING, *, as_json: bool = True) -> int:
        return asyncio.run(command.records(MemoryGateway(self.cluster), wanted, as_json=as_json))


@pytest.fixture
def place() -> Place:
    return Place()


def said(capsys: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def serials(capsys: Any) -> list[str]:
    return [line["serial"] for line in said(capsys)]


def of(issuer: ObjectKey, serial: int, **override: Any) -> Record:
    name = ObjectKey(issuer.namespace, record_name(issuer.name, 1, serial))
    return replace(record(serial), issuer=issuer, key=name, **override)


def test_the_ledger_alone_is_listed_unless_the_archive_is_asked_for(place, capsys):
    place.record(record(1))
    place.archive(record(2))
    assert place.listed(Wanted()) == 0
    assert serials(capsys) == ["1"]
    assert place.listed() == 0
    assert [(line["serial"], line["archived"]) for line in said(capsys)] == [("1", False), ("2", True)]


def test_the_table_says_who_was_revoked_when_and_why(place, capsys):
    place.record(record(1, revocation=hold(lifted=True)))
    place.archive(record(2, revocation=revocation("keyCompromise"), holder=BOB))
    assert place.listed(as_json=False) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("   ")[0] == "ISSUER"
    assert "issuers/alice" in first
    assert first.endswith("2026-09-01T11:00:00Z   certificateHold (lifted)   ledger")
    assert "shop/bob" in second
    assert second.split()[-3:] == ["2026-09-01T11:00:00Z", "keyCompromise", "archive"]


def test_with_nothing_to_list_it_says_so(place, capsys):
    assert place.listed(as_json=False) == 0
    assert capsys.readouterr().out == "no records found\n"


def test_records_of_one_issuer(place, capsys):
    for made in (of(OTHER, 2), record(1)):
        place.record(made)
    place.archive(of(OTHER, 4), issuer=OTHER)
    place.archive(record(3))
    assert place.listed(Wanted(issuer=OTHER, archived=True)) == 0
    assert sorted(serials(capsys)) == ["2", "4"]


def test_records_of_one_client(place, capsys):
    place.record(record(1))
    place.record(record(2, holder=BOB))
    place.archive(record(3), record(4, holder=BOB))
    assert place.listed(Wanted(client=ALICE, archived=True)) == 0
    assert sorted(serials(capsys)) == ["1", "3"]


def test_a_record_in_ledger_and_archive_is_listed_once(place, capsys):
    """As after a crash between the two writes; what the archive knows of a revocation is not forgotten."""
    place.record(record(1))
    place.archive(record(1, revocation=revocation()))
    assert place.listed() == 0
    [line] = said(capsys)
    assert (line["archived"], line["revocation"]["reason"]) == (False, "superseded")


def test_a_record_in_two_parts_is_listed_once(place, capsys):
    place.archive(record(1))
    place.archive(record(1, revocation=revocation()), record(2), part=2)
    assert place.listed() == 0
    assert [(line["serial"], "revocation" in line) for line in said(capsys)] == [("1", True), ("2", False)]


def test_the_index_and_other_configmaps_are_no_archives(place, capsys):
    body = archive_index.render(ISSUER, archive_index.NO_ARCHIVE, version=None)
    place.cluster.create(CONFIG_MAP, "issuers", body, "doorward")
    place.cluster.create(CONFIG_MAP, "issuers", {"metadata": {"name": "partners-archive-2026-10"}}, "kubectl")
    assert place.listed() == 0
    assert said(capsys) == []


def test_an_archive_that_cannot_be_read_is_named_and_hides_no_other(place, capsys):
    place.archive(record(1))
    body = archive.render(ISSUER, "2026-12", 1, b"noise", version=None)
    place.cluster.create(CONFIG_MAP, "issuers", body, "doorward")
    assert place.listed() == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["serial"] for line in out.splitlines()] == ["1"]
    assert "cannot read ConfigMap issuers/partners-archive-2026-12" in err


def test_a_record_that_cannot_be_read_is_named_and_hides_no_other(place, capsys):
    place.record(record(1))
    place.cluster.create(ISSUED_CERTIFICATE, "issuers", {"metadata": {"name": "partners.1.2"}, "spec": {}}, "kubectl")
    assert place.listed() == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["serial"] == "1"
    assert "cannot read IssuedCertificate issuers/partners.1.2" in err


def test_an_issuer_without_a_namespace_is_refused(capsys):
    assert main(["records", "--issuer", "partners"]) == 2
    assert "--issuer" in (said := capsys.readouterr().err)
    assert "write 'partners' as <namespace>/<name>" in said

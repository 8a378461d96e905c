"""The index of an archive: what rules need of records that are not there any more."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects import archive_index
from doorward.objects.archive import ArchiveMalformed
from doorward.objects.archive_index import NO_ARCHIVE, ArchiveIndex, Part, with_part, with_records, without_month
from doorward.objects.meta import is_ours
from tests.unit.given import ISSUER, hold, record, revocation

PARTS = st.builds(Part, records=st.integers(0, 10**6), size=st.integers(0, 10**6))
MONTHS = st.dates().map(lambda day: f"{day.year:04d}-{day.month:02d}")
INDEXES = st.builds(
    ArchiveIndex,
    generations=st.frozensets(st.integers(1, 1_000_000), max_size=5),
    barred=st.frozensets(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=5),
    months=st.dictionaries(MONTHS, st.lists(PARTS, max_size=3).map(tuple), max_size=5),
    dropped=st.integers(0, 10**6),
    exists=st.just(True),
)


@given(INDEXES)
def test_an_index_is_read_back(index: ArchiveIndex) -> None:
    assert archive_index.parse(archive_index.render(ISSUER, index, version=None)) == index


def test_it_is_ours_and_names_the_version_that_it_replaces() -> None:
    body = archive_index.render(ISSUER, NO_ARCHIVE, version="7")
    assert is_ours(body, archive_index.INDEX_ROLE)
    assert body["metadata"]["name"] == "partners-archive"
    assert body["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in archive_index.render(ISSUER, NO_ARCHIVE, version=None)["metadata"]


def test_a_compromised_key_may_be_spared() -> None:
    stolen, other = (record(number, revocation=revocation("keyCompromise")) for number in (1, 2))
    index = with_records(NO_ARCHIVE, [stolen, other], frozenset({other.public_key_sha256}))
    assert index.barred == {stolen.public_key_sha256}


def test_it_knows_generations_and_compromised_keys_of_what_was_archived() -> None:
    stolen, other = record(1, revocation=revocation("keyCompromise")), record(2, revocation=hold())
    before = replace(NO_ARCHIVE, generations=frozenset({7}), barred=frozenset({"f" * 64}))
    index = with_records(before, [stolen, other])
    assert index.generations == {1, 7}
    assert index.barred == {stolen.public_key_sha256, "f" * 64}
    assert index.exists


def test_a_part_is_counted_as_it_is_and_not_twice() -> None:
    index = with_part(
        with_part(NO_ARCHIVE, "2026-11", 1, Part(records=5, size=500)), "2026-12", 1, Part(records=1, size=9)
    )
    again = with_part(index, "2026-11", 1, Part(records=7, size=600))
    assert (again.records, again.size) == (8, 609)


def test_a_part_may_be_known_before_those_below_it() -> None:
    index = with_part(NO_ARCHIVE, "2026-11", 3, Part(records=5, size=500))
    assert index.months["2026-11"] == (Part(records=0, size=0), Part(records=0, size=0), Part(records=5, size=500))


def test_what_was_dropped_is_counted_and_its_generations_stay() -> None:
    index = with_part(with_records(NO_ARCHIVE, [record()]), "2026-11", 1, Part(records=5, size=500))
    left = without_month(index, "2026-11")
    assert (left.dropped, left.records, left.size, left.generations) == (5, 0, 0, frozenset({1}))
    assert without_month(left, "2026-11") == left


def test_so_many_compromised_keys_as_it_takes_fit_into_a_configmap() -> None:
    keys = frozenset(f"{number:064x}" for number in range(archive_index.MOST_BARRED))
    body = archive_index.render(ISSUER, replace(NO_ARCHIVE, barred=keys), version=None)
    assert len(body["data"][archive_index.INDEX_KEY]) < 900 * 1024
    assert archive_index.parse(body).barred == keys


GOOD = {"generations": [1], "barred": [], "months": {}, "dropped": 0}


@pytest.mark.parametrize(
    "said",
    [
        {"generations": "1"},
        {"generations": [0]},
        {"generations": [True]},
        {"generations": [10**7]},
        {"barred": ["x"]},
        {"barred": {"a": "b"}},
        {"months": []},
        {"months": {"2026-13": []}},
        {"months": {"2026-11": [[1]]}},
        {"months": {"2026-11": [[1, -1]]}},
        {"months": {"2026-11": [1]}},
        {"dropped": -1},
        {"dropped": None},
    ],
    ids=json.dumps,
)
def test_an_index_of_another_form_is_malformed(said: dict[str, Any]) -> None:
    body = {"data": {archive_index.INDEX_KEY: json.dumps(GOOD | said)}}
    with pytest.raises(ArchiveMalformed):
        archive_index.parse(body)


@pytest.mark.parametrize(
    "data", [None, {}, {"index.json": ""}, {"index.json": "[" * 100_000}, {"index.json": 3}], ids=str
)
def test_a_configmap_without_an_index_is_malformed(data: Any) -> None:
    with pytest.raises(ArchiveMalformed):
        archive_index.parse({"data": data})

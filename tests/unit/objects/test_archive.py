"""The archive of a ledger: who held which serial and who was revoked when, for years, in a few bytes."""

import base64
import json
import lzma
import random
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects import archive
from doorward.objects.archive import ArchivedRecord, ArchiveMalformed, archived, lasting, merged
from doorward.objects.ledger_record import Revocation
from doorward.objects.meta import ObjectKey, crl_configmap_name, is_ours
from tests.unit.given import DAY, HOUR, ISSUER, NOW, hold, record, revocation, suspension
from tests.unit.objects.given import NO_BASE64, NOISE, b64

INSTANTS = st.datetimes(datetime(1950, 1, 1), datetime(2299, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC, microsecond=0)
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=60)
HOLDS = st.builds(
    Revocation,
    reason=st.just("certificateHold"),
    time=INSTANTS,
    final_at=st.none() | INSTANTS,
    held_by=st.sampled_from([None, "Deletion", "Suspension"]),
    lifted=st.booleans(),
)
FINAL = st.builds(
    Revocation,
    reason=st.sampled_from(
        ["unspecified", "keyCompromise", "superseded", "cessationOfOperation", "privilegeWithdrawn"]
    ),
    time=INSTANTS,
)
REVOCATIONS = st.none() | HOLDS | FINAL
RECORDS = st.builds(
    ArchivedRecord,
    generation=st.integers(1, 1_000_000),
    serial=st.integers(1, 2**159),
    subject=st.text(max_size=80),
    not_before=INSTANTS,
    not_after=INSTANTS,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    holder=st.builds(ObjectKey, NAMES, NAMES),
    holder_uid=st.uuids().map(str),
    revocation=REVOCATIONS,
)
ONE = archived(record())


def packed(*records: ArchivedRecord) -> bytes:
    data = archive.pack(records)
    assert data is not None
    return data


def configmap(*records: ArchivedRecord, **binary: str) -> dict[str, Any]:
    body = archive.render(ISSUER, "2026-11", 1, packed(*records), version=None)
    return body | {"binaryData": body["binaryData"] | {k.replace("_", "."): v for k, v in binary.items()}}


@given(st.lists(RECORDS, max_size=20))
def test_what_is_archived_is_read_back(records: list[ArchivedRecord]) -> None:
    assert archive.parse(configmap(*records)) == tuple(records)


def test_it_says_who_held_what_and_who_was_revoked_when() -> None:
    found = archive.parse(configmap(archived(record(revocation=hold(lifted=True)))))[0]
    made = record(revocation=hold(lifted=True))
    for name in ("generation", "serial", "subject", "not_before", "not_after", "sha256", "holder", "holder_uid"):
        assert getattr(found, name) == getattr(made, name)
    assert found.revocation == made.revocation


def test_kubectl_base64_and_xz_read_it_without_us() -> None:
    value = configmap(archived(record(revocation=revocation())))["binaryData"]["records.jsonl.xz"]
    done = subprocess.run("base64 -d | xz -dc", shell=True, input=value.encode(), capture_output=True, check=True)
    assert json.loads(done.stdout) == {
        "client": "issuers/alice",
        "uid": "11111111-2222-3333-4444-555555555555",
        "subject": "CN=alice",
        "generation": 1,
        "serial": "a1",
        "notBefore": "2026-08-31T11:00:00Z",
        "notAfter": "2026-11-29T12:00:00Z",
        "sha256": ONE.sha256,
        "revocation": {"reason": "superseded", "time": "2026-09-01T11:00:00Z"},
    }


def many(count: int, seed: int = 1) -> tuple[ArchivedRecord, ...]:
    """A month of clients, some with two certificates, each twentieth revoked."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        client = number * 2 // 3
        issued = NOW + timedelta(seconds=chance.randrange(30 * 86_400))
        made.append(
            ArchivedRecord(
                generation=1,
                serial=chance.getrandbits(159),
                subject=f"CN=client-{client:05d}.team-{client % 40:02d}.example,O=ACME",
                not_before=issued - HOUR,
                not_after=issued + 30 * DAY,
                sha256=chance.randbytes(32).hex(),
                holder=ObjectKey(f"team-{client % 40:02d}", f"client-{client:05d}"),
                holder_uid=str(random.Random(client).getrandbits(128)),
                revocation=revocation(time=issued + 5 * DAY) if number % 20 == 0 else None,
            )
        )
    return merged((), made)


def test_a_record_takes_at_most_ninety_bytes() -> None:
    assert len(packed(*many(10_000))) / 10_000 <= 90


def test_what_does_not_fit_into_a_configmap_is_not_packed() -> None:
    assert archive.pack(many(12_000)) is None
    verbose = replace(ONE, subject="x" * 4096)
    assert archive.pack([verbose] * 2_000) is None


def test_a_packed_archive_leaves_a_configmap_room_for_its_metadata() -> None:
    assert archive.MOST_BYTES <= 1024 * 1024 - 64 * 1024


# --- hostile content


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_noise_is_no_archive(noise: bytes) -> None:
    with pytest.raises(ArchiveMalformed):
        archive.unpack(noise)


@pytest.mark.parametrize("value", NO_BASE64.values(), ids=NO_BASE64)
def test_what_is_no_base64_is_no_archive(value: str) -> None:
    with pytest.raises(ArchiveMalformed):
        archive.parse(configmap(records_jsonl_xz=value))


@given(st.binary(max_size=400))
def test_any_bytes_are_an_archive_or_malformed(data: bytes) -> None:
    for content in (data, lzma.compress(data)):
        try:
            archive.unpack(content)
        except ArchiveMalformed:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*archive.as_json(ONE), "revocation"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from(["reason", "time", "finalAt", "heldBy", "lifted"]), JSON, max_size=2),
)
def test_a_line_with_anything_in_it_is_read_or_malformed(change: dict[str, Any], inner: dict[str, Any]) -> None:
    line = archive.as_json(archived(record(revocation=hold()))) | change
    if isinstance(line["revocation"], dict):
        line["revocation"] = line["revocation"] | inner
    try:
        found = archive.unpack(lzma.compress(json.dumps(line).encode()))
    except ArchiveMalformed:
        return
    assert archive.parse(configmap(*found)) == found


@pytest.mark.parametrize(
    "line", [b"[]", b"3", b"{}", b"[" * 100_000, b'"x"', b"null", b'{"client":"a/b"}'], ids=lambda line: line[:10]
)
def test_a_line_that_is_none_is_malformed(line: bytes) -> None:
    with pytest.raises(ArchiveMalformed, match="line 2 of"):
        archive.unpack(lzma.compress(packed_text(ONE) + line + b"\n"))


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": "1"},
        {"generation": True},
        {"serial": "A1"},
        {"serial": "1" * 41},
        {"serial": 1},
        {"sha256": "0" * 63},
        {"client": "alice"},
        {"client": "/alice"},
        {"client": ["edge", "alice"]},
        {"uid": "u" * 65},
        {"uid": None},
        {"subject": "x" * 4097},
        {"notBefore": "2026-01-01T00:00:00"},
        {"notAfter": "soon"},
        {"revocation": None},
        {"revocation": {"reason": "boredom", "time": "2026-01-01T00:00:00Z"}},
        {"revocation": {"reason": "superseded"}},
        {"revocation": {"reason": "superseded", "time": "2026-01-01T00:00:00Z", "heldBy": "Mallory"}},
    ],
    ids=str,
)
def test_a_line_that_says_what_no_record_says_is_malformed(change: dict[str, Any]) -> None:
    line = archive.as_json(ONE) | change
    with pytest.raises(ArchiveMalformed, match="line 1 of"):
        archive.unpack(lzma.compress(json.dumps(line).encode()))


def packed_text(*records: ArchivedRecord) -> bytes:
    return lzma.decompress(packed(*records))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = lzma.compress(b"\n" * (archive.MOST_TEXT + 1))
    assert len(bomb) < 10_000
    with pytest.raises(ArchiveMalformed, match="too large"):
        archive.unpack(bomb)


def test_a_decoder_that_asks_for_much_memory_gets_none() -> None:
    huge = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 256 * 1024 * 1024}])
    with pytest.raises(ArchiveMalformed):
        archive.unpack(huge)


@pytest.mark.parametrize(
    "change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: d + d], ids=["cut", "more", "twice"]
)
def test_an_archive_is_whole(change: Any) -> None:
    with pytest.raises(ArchiveMalformed):
        archive.unpack(change(packed(ONE)))


def test_one_that_was_emptied_holds_nothing() -> None:
    body = archive.render(ISSUER, "2026-11", 1, None, version="7")
    assert archive.parse(body) == ()
    assert "binaryData" not in body


# --- names and marks


def test_it_is_ours_and_outlives_its_issuer() -> None:
    body = archive.render(ISSUER, "2026-11", 2, packed(ONE), version="7")
    assert is_ours(body, archive.ARCHIVE_ROLE)
    assert body["metadata"]["name"] == "partners-archive-2026-11-2"
    assert body["metadata"]["resourceVersion"] == "7"
    assert "ownerReferences" not in body["metadata"]


@given(issuer=st.sampled_from(["a", "a-archive-2026-11", "x-archive-2026-11-2", "b" * 63]), part=st.integers(1, 9999))
def test_a_name_says_of_what_it_is(issuer: str, part: int) -> None:
    name = archive.archive_name(issuer, "2027-01", part)
    assert len(name) <= 253
    assert archive.issuer_of_archive(ObjectKey("issuers", name)) == (ObjectKey("issuers", issuer), "2027-01", part)


@pytest.mark.parametrize(
    "name", ["partners-archive", crl_configmap_name("partners"), "partners-archive-2026-13", "-archive-2026-11", "x"]
)
def test_other_names_are_no_archives(name: str) -> None:
    assert archive.issuer_of_archive(ObjectKey("issuers", name)) is None


def test_the_month_is_the_one_of_the_expiry() -> None:
    assert archive.month_of(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)) == "2026-11"


# --- once, and never less than was known


@given(st.lists(RECORDS, max_size=8), st.lists(RECORDS, max_size=8))
def test_archiving_again_changes_nothing(some: list[ArchivedRecord], more: list[ArchivedRecord]) -> None:
    once = merged(some, more)
    assert merged(once, more) == once
    assert {each.identity for each in once} == {each.identity for each in (*some, *more)}
    assert merged((), reversed(once)) == once


FINALLY = revocation("cessationOfOperation")
COMPROMISED = revocation("keyCompromise", time=NOW)


@pytest.mark.parametrize(
    ("known", "new", "holds"),
    [
        (None, None, None),
        (None, FINALLY, FINALLY),
        (FINALLY, None, FINALLY),
        (hold(), None, hold()),
        (hold(), FINALLY, FINALLY),
        (FINALLY, hold(), FINALLY),
        (FINALLY, hold(lifted=True), FINALLY),
        (FINALLY, revocation("superseded"), FINALLY),
        (FINALLY, COMPROMISED, COMPROMISED),
        (COMPROMISED, FINALLY, COMPROMISED),
        (FINALLY, replace(FINALLY, time=NOW - 9 * DAY), replace(FINALLY, time=NOW - 9 * DAY)),
        (hold(), hold(lifted=True), hold(lifted=True)),
        (suspension(lifted=True), suspension(), suspension()),
    ],
)
def test_a_revocation_that_was_archived_is_not_forgotten(
    known: Revocation | None, new: Revocation | None, holds: Revocation | None
) -> None:
    assert lasting(known, new) == holds
    (kept,) = merged([replace(ONE, revocation=known)], [replace(ONE, revocation=new)])
    assert kept.revocation == holds


def test_base64_of_the_api_is_what_we_write() -> None:
    data = packed(ONE)
    assert configmap(ONE)["binaryData"]["records.jsonl.xz"] == b64(data)
    assert base64.b64decode(b64(data), validate=True) == data

"""The index of an archive: what rules still need of archived records, and how large each month's archive is.

One ConfigMap `<issuer>-archive` per issuer. It is written before any record is deleted, so ledger and index together always
know which CA generations have signed and which public keys are compromised.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from doorward.objects.archive import ArchiveMalformed, is_month
from doorward.objects.ledger_record import Record
from doorward.objects.meta import Object, ObjectKey, labels

INDEX_ROLE = "archive-index"
INDEX_KEY = "index.json"
MOST_BARRED = 10_000
"""Compromised keys in one index, some 700 KiB; records of any more stay in the ledger."""
_MOST_TEXT = 1024 * 1024
_MOST_GENERATION = 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One archive ConfigMap: how many records it holds, and how many bytes they take, compressed."""

    records: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveIndex:
    """What is known of an issuer's archived records without reading them."""

    generations: frozenset[int] = frozenset()
    """CA generations that signed any of them."""
    barred: frozenset[str] = frozenset()
    """SHA-256, lower-case hex, of public keys that were revoked as keyCompromise."""
    months: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    """By month, the parts of its archive, in order."""
    dropped: int = 0
    """How many records were removed from the archive to keep it within its limit."""
    exists: bool = False
    """Whether there is such a ConfigMap, readable or not: then this issuer has signed before."""
    readable: bool = True
    """False: it is there and malformed. Nothing is archived then, and no CA is made on the word of its absence."""

    @property
    def records(self) -> int:
        """How many records are archived."""
        return sum(part.records for parts in self.months.values() for part in parts)

    @property
    def size(self) -> int:
        """Bytes of all archives, compressed."""
        return sum(part.size for parts in self.months.values() for part in parts)


NO_ARCHIVE = ArchiveIndex()
UNREADABLE = ArchiveIndex(exists=True, readable=False)


def index_name(issuer: str) -> str:
    """The ConfigMap with the index, in the issuer's namespace."""
    return f"{issuer}-archive"


def is_compromised(record: Record) -> bool:
    """Whether the record bars its public key for ever, where the key is its client's."""
    return record.revocation is not None and record.revocation.reason == "keyCompromise"


def with_records(index: ArchiveIndex, records: Iterable[Record], spared: frozenset[str] = frozenset()) -> ArchiveIndex:
    """The index once these records are archived; `spared`: compromised keys of theirs that are not barred."""
    records = tuple(records)
    return replace(
        index,
        generations=index.generations | {record.generation for record in records},
        barred=index.barred | ({record.public_key_sha256 for record in records if is_compromised(record)} - spared),
        exists=True,
    )


def with_part(index: ArchiveIndex, month: str, part: int, size: Part) -> ArchiveIndex:
    """The index once that part (counted from 1) of a month holds so much."""
    parts = list(index.months.get(month, ()))
    parts += [Part(records=0, size=0)] * (part - len(parts))
    parts[part - 1] = size
    return replace(index, months=dict(index.months) | {month: tuple(parts)}, exists=True)


def without_month(index: ArchiveIndex, month: str) -> ArchiveIndex:
    """The index once the archive of that month was emptied."""
    lost = sum(part.records for part in index.months.get(month, ()))
    left = {name: parts for name, parts in index.months.items() if name != month}
    return replace(index, months=left, dropped=index.dropped + lost)


def parse(body: Object) -> ArchiveIndex:
    """The index in its ConfigMap. Raises ArchiveMalformed."""
    text = (body.get("data") or {}).get(INDEX_KEY)
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        raise ArchiveMalformed(f"there is no {INDEX_KEY}, or it is too long")
    try:
        said = json.loads(text)
        return ArchiveIndex(
            generations=frozenset(_generation(number) for number in _items(said["generations"])),
            barred=frozenset(_digest(key) for key in _items(said["barred"])),
            months={_month(month): tuple(map(_part, _items(parts))) for month, parts in said["months"].items()},
            dropped=_count(said["dropped"]),
            exists=True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveMalformed(f"{INDEX_KEY} is not as it is written: {type(error).__name__}: {error}") from error


def render(issuer: ObjectKey, index: ArchiveIndex, *, version: str | None) -> dict[str, Any]:
    """The ConfigMap of an index; `version`: the resourceVersion it replaces."""
    said = {
        "generations": sorted(index.generations),
        "barred": sorted(index.barred),
        "months": {
            month: [[part.records, part.size] for part in parts] for month, parts in sorted(index.months.items())
        },
        "dropped": index.dropped,
    }
    metadata: dict[str, Any] = {
        "namespace": issuer.namespace,
        "name": index_name(issuer.name),
        "labels": labels(INDEX_ROLE),
    }
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {INDEX_KEY: json.dumps(said, separators=(",", ":"))},
    }


def _items(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value


def _generation(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _MOST_GENERATION:
        raise ValueError("a CA generation is not a number from 1 to 1,000,000")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is not a number")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("a key is not a SHA-256 digest in hex")
    return value


def _month(value: object) -> str:
    if not isinstance(value, str) or not is_month(value):
        raise ValueError("a month is not written as 2026-11")
    return value


def _part(value: object) -> Part:
    records, size = _items(value)
    return Part(records=_count(records), size=_count(size))

"""The archive of a ledger: records whose certificates expired long ago, as compressed lines in ConfigMaps.

A ConfigMap `<issuer>-archive-<yyyy-mm>` holds the records whose certificates expired in that month (UTC), one JSON object a
line, compressed with xz: kubectl, base64 and xz read it without Doorward. A month that does not fit goes on in
`<issuer>-archive-<yyyy-mm>-2`, and so on. What rules still need of archived records is in the index (archive_index.py).
"""

import base64
import binascii
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_args

from doorward.api.conditions import instant
from doorward.api.issued_certificate import HoldSource, RecordReason
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import ISSUER_ANNOTATION, MANAGED_BY, OWNER, ROLE, Object, ObjectKey, labels, parse_instant

ARCHIVE_ROLE = "archive"
ARCHIVES = f"{MANAGED_BY}={OWNER},{ROLE}={ARCHIVE_ROLE}"
"""Label selector of all archive ConfigMaps."""
WITHOUT_ARCHIVES = f"{MANAGED_BY}={OWNER},{ROLE}!={ARCHIVE_ROLE}"
"""Label selector of all other ConfigMaps of ours: archives are large, and no rule reads them."""
RECORDS_KEY = "records.jsonl.xz"
MOST_BYTES = 900 * 1024
"""Compressed, in one ConfigMap, which takes 1 MiB with its metadata."""
MOST_TEXT = 8 * 1024 * 1024
"""Uncompressed, in one ConfigMap: twice what usually fits, so that a crafted archive cannot fill the memory."""
_MOST_DECODER_MEMORY = 16 * 1024 * 1024
_DICTIONARY = 256 * 1024
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NAME = re.compile(r"(?P<issuer>.+)-archive-(?P<month>[0-9]{4}-(0[1-9]|1[0-2]))(-(?P<part>[1-9][0-9]{0,3}))?")
_HEX = re.compile(r"[0-9a-f]{1,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_SUBJECT = 4096


class ArchiveMalformed(ValueError):
    """An archive or its index is not as Doorward writes it; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedRecord:
    """What the archive keeps of one ledger record: who held which serial from when to when, and its revocation."""

    generation: int
    serial: int
    subject: str
    not_before: datetime
    not_after: datetime
    sha256: str
    """Of the certificate, lower-case hex."""
    holder: ObjectKey
    holder_uid: str
    revocation: Revocation | None

    @property
    def identity(self) -> tuple[int, int, str]:
        """What no two certificates of an issuer share."""
        return self.generation, self.serial, self.sha256


def archived(record: Record) -> ArchivedRecord:
    """The part of a ledger record that is archived; SHA-1 and the public key's digest are left out."""
    return ArchivedRecord(
        generation=record.generation,
        serial=record.serial,
        subject=record.subject,
        not_before=record.not_before,
        not_after=record.not_after,
        sha256=record.sha256,
        holder=record.holder,
        holder_uid=record.holder_uid,
        revocation=record.revocation,
    )


def month_of(not_after: datetime) -> str:
    """The month, UTC, in whose archive a certificate that expires then belongs: `2026-11`."""
    return f"{not_after.year:04d}-{not_after.month:02d}"


def archive_name(issuer: str, month: str, part: int) -> str:
    """The ConfigMap of one part of a month, in the issuer's namespace; parts count from 1."""
    return f"{issuer}-archive-{month}" + (f"-{part}" if part > 1 else "")


def issuer_of_archive(at: ObjectKey) -> tuple[ObjectKey, str, int] | None:
    """Issuer, month and part of the archive that has that name; None: no archive's name."""
    match = _NAME.fullmatch(at.name)
    if match is None:
        return None
    return ObjectKey(at.namespace, match["issuer"]), match["month"], int(match["part"] or 1)


def is_month(text: str) -> bool:
    """Whether the text is a month as archives are named by."""
    return _MONTH.fullmatch(text) is not None


def merged(known: Iterable[ArchivedRecord], more: Iterable[ArchivedRecord]) -> tuple[ArchivedRecord, ...]:
    """Both, each certificate once, in the order of the archive; of a revocation, what must not be forgotten is kept.

    A record that is archived twice came back in between, from a backup or a restored etcd: it may know less.
    """
    found = {record.identity: record for record in known}
    for record in more:
        before = found.get(record.identity)
        if before is not None:
            record = replace(record, revocation=lasting(before.revocation, record.revocation))  # noqa: PLW2901
        found[record.identity] = record
    return tuple(sorted(found.values(), key=_order))


def lasting(known: Revocation | None, new: Revocation | None) -> Revocation | None:
    """Of an archived revocation and a later one, the one that holds: final is final, as the API server keeps it in a record.

    Its time may be corrected, and keyCompromise is learnt late.
    """
    if known is None or new is None:
        return new or known
    return new if known.is_hold or new.reason in (known.reason, "keyCompromise") else known


def _order(record: ArchivedRecord) -> tuple[Any, ...]:
    """By client, then time: neighbours share most of their text, which compresses best."""
    return record.holder, record.holder_uid, record.not_before, *record.identity


def text_size(record: ArchivedRecord) -> int:
    """Bytes of its line, uncompressed."""
    return len(_line(record)) + 1


def pack(records: Iterable[ArchivedRecord]) -> bytes | None:
    """The lines of these records, compressed; None where they are too much for one ConfigMap."""
    text = b"".join(_line(record) + b"\n" for record in records)
    if len(text) > MOST_TEXT:
        return None
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": _DICTIONARY}]
    packed = lzma.compress(text, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)
    return packed if len(packed) <= MOST_BYTES else None


def unpack(data: bytes) -> tuple[ArchivedRecord, ...]:
    """The records of compressed lines. Raises ArchiveMalformed; takes no more memory than an archive may need."""
    try:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MOST_DECODER_MEMORY)
        text = decoder.decompress(data, max_length=MOST_TEXT)
    except lzma.LZMAError as error:
        raise ArchiveMalformed(f"{RECORDS_KEY} is not compressed with xz: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise ArchiveMalformed(f"{RECORDS_KEY} is cut off, too large, or followed by something else")
    return tuple(_records(text))


def _records(text: bytes) -> Iterator[ArchivedRecord]:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield _parse_line(line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArchiveMalformed(f"line {number} of {RECORDS_KEY}: {type(error).__name__}: {error}") from error


def parse(body: Object) -> tuple[ArchivedRecord, ...]:
    """The records in an archive ConfigMap; none where it was emptied. Raises ArchiveMalformed."""
    held = body.get("binaryData") or {}
    if not isinstance(held, dict) or RECORDS_KEY not in held:
        return ()
    try:
        data = base64.b64decode(held[RECORDS_KEY], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ArchiveMalformed(f"{RECORDS_KEY} is not base64") from error
    return unpack(data)


def render(issuer: ObjectKey, month: str, part: int, packed: bytes | None, *, version: str | None) -> dict[str, Any]:
    """The archive ConfigMap with packed records; None: emptied. `version`: the resourceVersion it replaces."""
    metadata: dict[str, Any] = {
        "namespace": issuer.namespace,
        "name": archive_name(issuer.name, month, part),
        "labels": labels(ARCHIVE_ROLE),
        "annotations": {ISSUER_ANNOTATION: issuer.name},
    }
    if version is not None:
        metadata["resourceVersion"] = version
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    if packed is not None:
        body["binaryData"] = {RECORDS_KEY: base64.b64encode(packed).decode("ascii")}
    return body


def as_json(record: ArchivedRecord) -> dict[str, Any]:
    """One line of the archive, as an object."""
    body: dict[str, Any] = {
        "client": str(record.holder),
        "uid": record.holder_uid,
        "subject": record.subject,
        "generation": record.generation,
        "serial": f"{record.serial:x}",
        "notBefore": instant(record.not_before),
        "notAfter": instant(record.not_after),
        "sha256": record.sha256,
    }
    if (revocation := record.revocation) is not None:
        said = {"reason": revocation.reason, "time": instant(revocation.time)}
        said |= {"finalAt": instant(revocation.final_at)} if revocation.final_at else {}
        said |= {"heldBy": revocation.held_by} if revocation.held_by else {}
        body["revocation"] = said | ({"lifted": True} if revocation.lifted else {})
    return body


def _line(record: ArchivedRecord) -> bytes:
    return json.dumps(as_json(record), ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _parse_line(line: bytes) -> ArchivedRecord:
    said = json.loads(line)
    namespace, _, name = _text(said["client"], 320).partition("/")
    if not (namespace and name and _HEX.fullmatch(said["serial"]) and _SHA256.fullmatch(said["sha256"])):
        raise ValueError("client, serial or sha256 is not as it is written")
    generation = said["generation"]
    if type(generation) is not int or generation < 1:
        raise ValueError("generation is not a number above 0")
    return ArchivedRecord(
        generation=generation,
        serial=int(said["serial"], 16),
        subject=_text(said["subject"], _MOST_SUBJECT),
        not_before=parse_instant(said["notBefore"]),
        not_after=parse_instant(said["notAfter"]),
        sha256=said["sha256"],
        holder=ObjectKey(namespace, name),
        holder_uid=_text(said["uid"], 64),
        revocation=_parse_revocation(said["revocation"]) if "revocation" in said else None,
    )


def _parse_revocation(said: dict[str, Any]) -> Revocation:
    reason, held_by = said["reason"], said.get("heldBy")
    if reason not in _REASONS or held_by not in (None, *get_args(HoldSource)):
        raise ValueError("the revocation has a reason or a source that does not exist")
    return Revocation(
        reason=reason,
        time=parse_instant(said["time"]),
        final_at=parse_instant(said["finalAt"]) if "finalAt" in said else None,
        held_by=held_by,
        lifted=said.get("lifted", False) is True,
    )


_REASONS = frozenset(get_args(RecordReason))


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("not a text of the length that is written")
    return value

"""Ledger records for reading commands: as far as they may be read, and which state each certificate is in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from doorward.api.conditions import instant
from doorward.cli.reading import Reader
from doorward.cli.status_view import dictionary, listed
from doorward.cluster.gateway import ISSUED_CERTIFICATE, ISSUER, Object
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of
from doorward.planning.states import state_of


async def records_in(reader: Reader, namespace: str | None) -> list[Record]:
    """The records of a namespace, or of all; of the namespace to look in where the others may not be listed."""
    bodies = await reader.list(ISSUED_CERTIFICATE, namespace)
    if bodies is None and namespace is None and reader.namespace is not None:
        bodies = await reader.list(ISSUED_CERTIFICATE, reader.namespace)
    return [record for body in bodies or () if (record := read(body)) is not None]


def read(body: Object) -> Record | None:
    """The record; None where it is not as its schema says."""
    try:
        return ledger_record.parse(body)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


async def issuers_of(reader: Reader, records: Sequence[Record]) -> Mapping[ObjectKey, Object]:
    """The MTLSIssuers that signed these, as far as they are there and may be read."""
    found: dict[ObjectKey, Object] = {}
    for namespace in sorted({record.issuer.namespace for record in records}):
        for body in await reader.list(ISSUER, namespace) or ():
            found[key_of(body)] = body
    return found


def trusted_of(issuer: Object | None) -> frozenset[int] | None:
    """The CA generations that the gates trust, as the issuer says; None: it does not say."""
    status = dictionary(dictionary(issuer).get("status"))
    several = [dictionary(each).get("generation") for each in listed(status.get("generations"))]
    signing = dictionary(status.get("ca")).get("generation")
    return frozenset(each for each in several or [signing] if isinstance(each, int)) or None


def state(record: Record, issuers: Mapping[ObjectKey, Object], now: datetime) -> str:
    """In a word, as counts and metrics have it."""
    return state_of(record, trusted_of(issuers.get(record.issuer)), now).value


def reason(record: Record) -> str:
    """Why it is refused, or was; empty: it never was."""
    held = record.revocation
    if held is None:
        return ""
    return f"{held.reason} (lifted)" if held.lifted else held.reason


def data_of(record: Record, issuers: Mapping[ObjectKey, Object], now: datetime) -> dict[str, Any]:
    """For programs."""
    held = record.revocation
    return {
        "record": str(record.key),
        "issuer": str(record.issuer),
        "client": str(record.holder),
        "serial": f"{record.serial:x}",
        "generation": record.generation,
        "state": state(record, issuers, now),
        "subject": record.subject,
        "notBefore": instant(record.not_before),
        "notAfter": instant(record.not_after),
        "revokedAt": instant(held.time) if held is not None else None,
        "reason": reason(record) or None,
        "finalAt": instant(held.final_at) if held is not None and held.final_at is not None else None,
        "sha256": record.sha256,
        "sha1": record.sha1,
    }

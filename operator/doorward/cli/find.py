"""`doorward find`: which certificate is meant by a serial number, a fingerprint or a name, in all ledgers."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from doorward.cli.ages import relative
from doorward.cli.errors import UserError
from doorward.cli.ledgers import data_of, issuers_of, reason, records_in, state
from doorward.cli.options import Context, Kubeconfig, Namespace, Output
from doorward.cli.printed import Format, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.gate_service.identity import common_name_of
from doorward.objects.ledger_record import Record

HEAD = ("CLIENT", "ISSUER", "SERIAL", "STATE", "EXPIRES", "REASON", "SUBJECT", "SHA256", "SHA1")
_HEX = re.compile("(?:0x)?([0-9a-f]+)", re.IGNORECASE)
_SHA1, _SHA256 = 40, 64
"""Hex digits."""


async def find(reader: Reader, text: str, output: Format) -> int:
    """Look, and print; 1 where nothing is found."""
    fits = matcher(text)
    found = [
        record for record in await records_in(reader, None if reader.is_default else reader.namespace) if fits(record)
    ]
    if not found:
        raise UserError(
            f"no certificate in the ledgers has this serial number, fingerprint or name: {text}",
            "; ".join(reader.notes) or "`doorward records --archived` lists those that expired long ago, too",
        )
    issuers, now = await issuers_of(reader, found), reader.now
    found.sort(key=lambda record: (record.issuer, record.holder, record.not_before))
    rows = [
        (
            *(record.holder, record.issuer, f"{record.serial:x}", state(record, issuers, now)),
            *(relative(record.not_after, now), reason(record), record.subject, record.sha256, record.sha1),
        )
        for record in found
    ]
    show([data_of(record, issuers, now) for record in found], [Table(head=HEAD, rows=rows, wide=3)], output)
    for each in reader.notes:
        note(each)
    return 0


def matcher(text: str) -> Callable[[Record], bool]:
    """Whether a record is meant: however serial numbers and fingerprints are written, in hex, with colons, or in decimal."""
    name = text.strip()
    bare = re.sub(r"[:\s]", "", name)
    digits = _HEX.fullmatch(bare)
    numbers = {int(digits[1], 16)} if digits and len(digits[1]) <= _SHA256 else set()
    if bare.isascii() and bare.isdigit() and len(bare) <= _SHA256:
        numbers.add(int(bare))
    digest = digits[1].lower() if digits else ""

    def fits(record: Record) -> bool:
        return (
            record.serial in numbers
            or (len(digest) == _SHA256 and record.sha256 == digest)
            or (len(digest) == _SHA1 and record.sha1 == digest)
            or name in (record.holder.name, str(record.holder), record.key.name, common_name_of(record.subject))
        )

    return fits


def command(
    text: Annotated[
        str,
        typer.Argument(
            metavar="SERIAL|FINGERPRINT|NAME",
            help="Serial number (hex or decimal), SHA-256 or SHA-1 fingerprint, name of a client, or common name.",
        ),
    ],
    *,
    namespace: Namespace = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Find the certificates with a serial number, fingerprint or name, in the ledgers of all namespaces, or of --namespace."""
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: find(reader, text, output))

"""`doorward records`: who held which certificate and who was revoked when, from the ledger and from its archive."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from doorward.api.conditions import instant
from doorward.cli.options import Context, Kubeconfig
from doorward.cli.session import in_cluster, issuer_key, table
from doorward.cli.text import one_line
from doorward.cluster.errors import NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, Gateway
from doorward.objects import archive, ledger_record
from doorward.objects.archive import ArchivedRecord, ArchiveMalformed
from doorward.objects.meta import ObjectKey, key_of

HEAD = ("ISSUER", "CLIENT", "SERIAL", "SUBJECT", "ISSUED", "EXPIRES", "REVOKED", "REASON", "KEPT IN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records are asked for; None: of every issuer, of every client."""

    issuer: ObjectKey | None = None
    client: ObjectKey | None = None
    archived: bool = False

    @property
    def namespace(self) -> str | None:
        """Where ledger and archive are; None: in every namespace."""
        return self.issuer.namespace if self.issuer is not None else None

    def takes(self, issuer: ObjectKey, record: ArchivedRecord) -> bool:
        """Whether this record is asked for."""
        return self.issuer in (None, issuer) and self.client in (None, record.holder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One record that was found."""

    issuer: ObjectKey
    record: ArchivedRecord
    archived: bool


async def find(gateway: Gateway, wanted: Wanted) -> tuple[list[Line], list[str]]:
    """The records that are asked for, by issuer, client and time; and what could not be read."""
    ledger, wrong = await _ledger(gateway, wanted)
    kept, more = await _archives(gateway, wanted) if wanted.archived else ({}, [])
    lines: list[Line] = []
    for issuer in sorted(ledger.keys() | kept.keys()):
        here = ledger.get(issuer, ())
        in_ledger = {record.identity for record in here}
        lines += [
            Line(issuer=issuer, record=record, archived=record.identity not in in_ledger)
            for record in archive.merged(kept.get(issuer, ()), here)
        ]
    return lines, wrong + more


Found = dict[ObjectKey, tuple[ArchivedRecord, ...]]


async def _ledger(gateway: Gateway, wanted: Wanted) -> tuple[Found, list[str]]:
    bodies, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.namespace)
    found: dict[ObjectKey, list[ArchivedRecord]] = {}
    wrong = []
    for body in bodies:
        try:
            record = ledger_record.parse(body)
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"IssuedCertificate {key_of(body)}: {type(error).__name__}: {error}")
            continue
        kept = archive.archived(record)
        if wanted.takes(record.issuer, kept):
            found.setdefault(record.issuer, []).append(kept)
    return {issuer: tuple(records) for issuer, records in found.items()}, wrong


async def _archives(gateway: Gateway, wanted: Wanted) -> tuple[Found, list[str]]:
    """One ConfigMap after the other, in the order in which they were written: together they may be large."""
    listed, _ = await gateway.list(CONFIG_MAP, wanted.namespace, selector=archive.ARCHIVES, metadata_only=True)
    named = [(archive.issuer_of_archive(key_of(body)), key_of(body)) for body in listed]
    found: Found = {}
    wrong = []
    for of, at in sorted((of, at) for of, at in named if of is not None and wanted.issuer in (None, of[0])):
        try:
            body = await gateway.get(CONFIG_MAP, at.namespace, at.name)
            records = await asyncio.to_thread(archive.parse, body)
        except (NotFound, ArchiveMalformed) as error:
            wrong.append(f"ConfigMap {at}: {error}")
            continue
        issuer = of[0]
        found[issuer] = archive.merged(found.get(issuer, ()), (r for r in records if wanted.takes(issuer, r)))
    return found, wrong


async def records(gateway: Gateway, wanted: Wanted, *, as_json: bool) -> int:
    """Print them; 1 where something could not be read."""
    lines, wrong = await find(gateway, wanted)
    if as_json:
        for line in lines:
            said = {"issuer": str(line.issuer), "archived": line.archived} | archive.as_json(line.record)
            print(json.dumps(said))
    else:
        print(table(HEAD, [_row(line) for line in lines]) if lines else "no records found")
    for each in wrong:
        print(one_line(f"cannot read {each}"), file=sys.stderr)
    return 1 if wrong else 0


def _row(line: Line) -> Sequence[str]:
    record = line.record
    revocation = record.revocation
    reason = "" if revocation is None else revocation.reason + (" (lifted)" if revocation.lifted else "")
    return (
        str(line.issuer),
        str(record.holder),
        f"{record.serial:x}",
        record.subject,
        instant(record.not_before),
        instant(record.not_after),
        instant(revocation.time) if revocation is not None else "",
        reason,
        "archive" if line.archived else "ledger",
    )


def command(
    *,
    issuer: Annotated[
        ObjectKey | None,
        typer.Option(
            "--issuer", parser=issuer_key, metavar="NAMESPACE/NAME", help="Only of this MTLSIssuer. Defaults to all."
        ),
    ] = None,
    client: Annotated[
        ObjectKey | None,
        typer.Option(
            "--client",
            parser=issuer_key,
            metavar="NAMESPACE/NAME",
            help="Only of this ClientCertificate. Defaults to all.",
        ),
    ] = None,
    archived: Annotated[
        bool, typer.Option("--archived", help="Also list archived records of expired certificates.")
    ] = False,
    output: Annotated[
        Literal["table", "json"], typer.Option("--output", "-o", help="json: one object per line, with fingerprints.")
    ] = "table",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """List issued certificates and their revocations; with --archived also archived ones."""
    wanted = Wanted(issuer=issuer, client=client, archived=archived)
    return in_cluster(kubeconfig, context, lambda gateway: records(gateway, wanted, as_json=output == "json"))

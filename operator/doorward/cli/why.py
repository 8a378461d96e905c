"""`doorward why HOST`: whether one certificate gets in at a host, by which rule, and at which gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from doorward.api.conditions import instant
from doorward.cli.ages import relative
from doorward.cli.answers import Answered, answers, shown_by
from doorward.cli.errors import UserError
from doorward.cli.host import Host, learn_clients, look_at
from doorward.cli.options import Context, Kubeconfig, Namespace, Output
from doorward.cli.printed import Facts, Format, Part, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import serial_number
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.pki.pem import MAX_PEM_BYTES, PkiError, fingerprint_sha1, load_certificates
from doorward.planning.handshake import Shown

HEAD = ("INGRESS", "GATE", "SERIAL", "ANSWER", "BY", "WHY", "CRL NUMBER", "CLIENT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which certificate is meant: one of the three."""

    certificate: Path | None = None
    serial: int | None = None
    client: str | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.certificate, self.serial, self.client)) != 1:
            raise UserError("name one certificate: --cert FILE, --serial N or --client NAME", status=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A certificate that is meant, and its record, if there is one."""

    shown: Shown
    record: Record | None


async def why(reader: Reader, host_name: str, asked: Asked, output: Format) -> int:
    """Look, and print; 0 whatever the answer is."""
    from_file = None if asked.certificate is None else read_certificate(asked.certificate)
    host = await look_at(reader, host_name)
    meant = [_of_file(host, from_file)] if from_file is not None else _of_ledger(reader, host, asked)
    await learn_clients(reader, host, (each.record for each in meant if each.record is not None))
    now = reader.now
    found = [(each, answered) for each in meant for answered in answers(host, each.shown, now)]
    data = {"host": host.name, "now": instant(now), "answers": [_data(each, answered) for each, answered in found]}
    parts: list[Part] = [
        Facts(
            rows=[
                ("Host", host.name),
                *(("Certificate", _told(each, relative(each.shown.not_after, now))) for each in meant),
            ]
        ),
        Table(head=HEAD, rows=[_row(each, answered) for each, answered in found], wide=2),
    ]
    show(data, parts, output)
    for each in reader.notes:
        note(each)
    return 0


def read_certificate(path: Path) -> Shown:
    """The first certificate in a file, PEM; UserError where there is none."""
    try:
        with path.open("rb") as file:
            certificate = load_certificates(file.read(MAX_PEM_BYTES + 1))[0]
    except (OSError, PkiError) as error:
        raise UserError(
            f"cannot read a certificate from {path}: {error}", "give a file with a certificate in PEM"
        ) from error
    return Shown(
        serial=certificate.serial_number,
        sha1=bytes.fromhex(fingerprint_sha1(certificate)),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        certificate=certificate,
    )


def _of_file(host: Host, shown: Shown) -> Meant:
    records = (record for issuer in host.issuers for record in host.records[issuer])
    return Meant(shown=shown, record=next((r for r in records if bytes.fromhex(r.sha1) == shown.sha1), None))


def _of_ledger(reader: Reader, host: Host, asked: Asked) -> list[Meant]:
    """The certificates in the ledgers of the host's issuers that are meant: of a client those that have not expired."""
    if not host.issuers:
        raise UserError(
            f"no Ingress of the host {host.name} names an MTLSIssuer", "everybody has access without a certificate"
        )
    records = [record for issuer in host.issuers for record in host.records[issuer]]
    named = ", ".join(map(str, host.issuers))
    if asked.serial is not None:
        found: Sequence[Record] = [record for record in records if record.serial == asked.serial]
        missing = f"{named} issued no certificate with serial number {asked.serial:x}"
    else:
        client = reader.named(asked.client or "")
        found = _newest_first(records, client, reader)
        missing = f"{named} issued no certificate for client {client} that has not expired"
    if not found:
        raise UserError(missing, "; ".join(reader.notes) or "`doorward find` looks in all ledgers")
    return [Meant(shown=shown_by(record), record=record) for record in found]


def _newest_first(records: Sequence[Record], client: ObjectKey, reader: Reader) -> list[Record]:
    now = reader.now
    found = [record for record in records if record.holder == client and now < record.not_after]
    return sorted(found, key=lambda record: record.not_before, reverse=True)


def _told(each: Meant, ends: str) -> str:
    of = f"of client {each.record.holder}" if each.record is not None else "in no ledger of the host's issuers"
    return f"serial {each.shown.serial:x}, {of}, expires {ends}"


def _data(each: Meant, answered: Answered) -> dict[str, Any]:
    return {
        "ingress": str(answered.door.target.key),
        "issuer": str(answered.issuer) if answered.issuer else None,
        "serial": f"{each.shown.serial:x}",
        "client": str(each.record.holder) if each.record else None,
        "answer": answered.access.answer.value,
        "rule": answered.access.rule.value,
        "why": answered.access.why,
        "crlNumber": answered.crl or None,
    }


def _row(each: Meant, answered: Answered) -> tuple[object, ...]:
    given = answered.access
    gate = answered.issuer or "none"
    number, client = answered.crl or "", each.record.holder if each.record is not None else ""
    serial = f"{each.shown.serial:x}"
    return answered.door.target.key, gate, serial, given.answer.value, given.rule.value, given.why, number, client


def command(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host, such as shop.example.")],
    *,
    cert: Annotated[
        Path | None, typer.Option("--cert", metavar="FILE", help="File with the client's certificate in PEM.")
    ] = None,
    serial: Annotated[
        int | None,
        typer.Option("--serial", parser=serial_number, metavar="HEX", help="Serial number of the certificate."),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            "--client", metavar="NAME", help="Name of a ClientCertificate, or NAMESPACE/NAME: all its certificates."
        ),
    ] = None,
    namespace: Namespace = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Say whether a certificate is admitted at a host, by which rule, and at which Ingress.

    The rules are those of the gate service and of the TLS handshake, with what the cluster says now. If something else may decide,
    or a right is missing, the answer is "not clear".
    """
    asked = Asked(certificate=cert, serial=serial, client=client)
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: why(reader, host, asked, output))

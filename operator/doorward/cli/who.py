"""`doorward who HOST`: whose certificates get in at a host."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from doorward.api.conditions import instant
from doorward.cli.ages import relative
from doorward.cli.answers import Answered, answers, shown_by
from doorward.cli.host import Door, Host, learn_clients, look_at
from doorward.cli.options import Context, Kubeconfig, Namespace, Output
from doorward.cli.printed import Format, Part, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.status_view import dictionary, listed
from doorward.objects.ledger_record import Record
from doorward.planning import access
from doorward.planning.access import Answer

HEAD = ("CLIENT", "INGRESS", "SERIAL", "EXPIRES", "BY", "SUBJECT")


async def who(reader: Reader, host_name: str, output: Format) -> int:
    """Look, and print."""
    host = await look_at(reader, host_name)
    now = reader.now
    records = [record for issuer in host.issuers for record in host.records[issuer] if now < record.not_after]
    await learn_clients(reader, host, records)
    found = [(record, answered) for record in records for answered in answers(host, shown_by(record), now)]
    admitted = [each for each in found if each[1].access.answer is Answer.ADMITTED]
    admitted.sort(key=lambda each: (each[0].holder, each[1].door.target.key, each[0].not_after))
    warnings = _warnings(host, found)
    data = {
        "host": host.name,
        "now": instant(now),
        "admitted": [_data(record, answered) for record, answered in admitted],
        "notClear": sorted({str(record.holder) for record, each in found if each.access.answer is Answer.UNCLEAR}),
        "ingresses": [
            {"ingress": str(d.target.key), "issuer": str(d.issuer) if d.issuer else None, "told": d.told}
            for d in host.doors
        ],
        "warnings": warnings,
    }
    show(data, _parts(host, admitted, warnings, now), output)
    for each in reader.notes:
        note(each)
    return 0


def _parts(host: Host, admitted: list[tuple[Record, Answered]], warnings: list[str], now: datetime) -> list[Part]:
    rows = [_row(record, answered, now) for record, answered in admitted]
    title = f"Clients with access to {host.name}"
    told: list[Part] = [Table(title=title, head=HEAD, rows=rows, wide=1, empty="none that is certain")]
    doors = [(d.target.key, d.issuer or "none", f"{d.told}: {d.message}" if d.told else "") for d in host.doors]
    told.append(Table(title="Ingresses", head=("INGRESS", "MTLSISSUER", "STATE"), rows=doors))
    if warnings:
        told.append(Table(title="Others may have access", head=("WHY",), rows=[(each,) for each in warnings]))
    return told


def _warnings(host: Host, found: list[tuple[Record, Answered]]) -> list[str]:
    """Why the list may not be all."""
    said = [] if host.issuers else ["No Ingress of the host names an MTLSIssuer: everybody has access"]
    for door in host.doors:
        said += (f"Ingress {door.target.key}: {why}" for why in _ways_past(host, door))
    unclear = {
        (str(each.door.target.key), each.access.why) for _, each in found if each.access.answer is Answer.UNCLEAR
    }
    return [*said, *(line for at, why in sorted(unclear) if (line := f"Ingress {at}: {why}") not in said)]


def _ways_past(host: Host, door: Door) -> Iterator[str]:
    """How others may get in at an Ingress, whoever the clients are."""
    if door.issuer is None:
        yield "it names no MTLSIssuer, so the gate service is not asked there"
        return
    if door.told not in access.CLOSED | access.AS_THE_RULES_SAY:
        yield f"{door.told}: {door.message}" if door.told else access.NOT_TOLD
    if door.target.question is not None:
        return
    body = dictionary(host.bodies.get(door.issuer))
    conditions = (dictionary(each) for each in listed(dictionary(body.get("status")).get("conditions")))
    if any(each.get("type") == "CAExclusive" and each.get("status") != "True" for each in conditions):
        yield f"others may sign with the CA of MTLSIssuer {door.issuer}, and the handshake admits what they sign"
    spec = dictionary(body.get("spec"))
    wanted = door.target.wants_optional or dictionary(spec.get("ingress")).get("verifyClient") == "optional"
    if wanted and dictionary(spec.get("gates")).get("allowOptional"):
        yield "a certificate is optional there, so everybody without one has access"


def _data(record: Record, answered: Answered) -> dict[str, Any]:
    return {
        "client": str(record.holder),
        "ingress": str(answered.door.target.key),
        "serial": f"{record.serial:x}",
        "notAfter": instant(record.not_after),
        "rule": answered.access.rule.value,
        "subject": record.subject,
    }


def _row(record: Record, answered: Answered, now: datetime) -> tuple[object, ...]:
    ends, rule = relative(record.not_after, now), answered.access.rule.value
    return record.holder, answered.door.target.key, f"{record.serial:x}", ends, rule, record.subject


def command(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host, such as shop.example.")],
    *,
    namespace: Namespace = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """List the clients that have access to a host, with access lists (doorward.io/allow), and what may let others in."""
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: who(reader, host, output))

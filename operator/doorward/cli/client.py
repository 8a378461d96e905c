"""`doorward client NAME`: one client: its certificates, whether they are good, its Secret, and what happened to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from doorward.api.reasons import REASONS
from doorward.cli.ages import instant_or_none, relative
from doorward.cli.errors import UserError
from doorward.cli.ledgers import data_of, issuers_of, reason, records_in, state
from doorward.cli.options import Context, Kubeconfig, Namespace, Output
from doorward.cli.printed import Facts, Format, Part, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.status_view import dictionary, listed
from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, Object
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning.gate import parse_reference

GONE = "there is no such ClientCertificate: nobody has access by that name"
MOST_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A client as it was read."""

    at: ObjectKey
    body: Object | None
    records: Sequence[Record]
    issuers: Mapping[ObjectKey, Object]
    events: Sequence[Object]

    @property
    def _spec(self) -> Mapping[str, Any]:
        return dictionary(dictionary(self.body).get("spec"))

    @property
    def _status(self) -> Mapping[str, Any]:
        return dictionary(dictionary(self.body).get("status"))

    @property
    def _conditions(self) -> list[Mapping[str, Any]]:
        return [dictionary(each) for each in listed(self._status.get("conditions"))]

    def data(self, now: datetime) -> dict[str, Any]:
        """For programs."""
        return {
            "client": str(self.at),
            "exists": self.body is not None,
            "spec": {name: self._spec.get(name) for name in ("issuerRef", "commonName", "suspended", "revoked")},
            "secret": self._status.get("secretName"),
            "serial": self._status.get("serialNumber"),
            "conditions": [dict(each) for each in self._conditions],
            "certificates": [data_of(record, self.issuers, now) for record in self.records],
            "events": [_event(each) for each in self.events],
        }

    def parts(self, now: datetime) -> Iterator[Part]:
        """For people."""
        yield Facts(title=f"ClientCertificate {self.at}", rows=[*self._facts(now)])
        rows = [
            (each.get("type"), each.get("status"), each.get("reason"), each.get("message"), _meaning(each))
            for each in self._conditions
        ]
        if rows:
            yield Table(head=("CONDITION", "STATUS", "REASON", "MESSAGE", "MEANING"), rows=rows, wide=1)
        yield Table(
            title="Certificates",
            head=("SERIAL", "STATE", "ISSUED", "EXPIRES", "REVOKED", "REASON", "ISSUER", "SUBJECT", "SHA256"),
            rows=[self._certificate(record, now) for record in self.records],
            wide=3,
            empty="none in the ledger",
        )
        if self.events:
            told = [(_ago(each, now), *map(each.get, ("type", "reason", "message"))) for each in self.events]
            yield Table(title="Events", head=("WHEN", "TYPE", "REASON", "MESSAGE"), rows=told)

    def _facts(self, now: datetime) -> Iterator[tuple[str, object]]:
        if self.body is None:
            yield "Exists", GONE
            return
        ends, due = (instant_or_none(self._status.get(name)) for name in ("notAfter", "renewalTime"))
        yield "Issuer", issuer_of(self.at, self.body) or "none"
        yield "Common name", self._spec.get("commonName")
        yield "Wanted", ", ".join(name for name in ("revoked", "suspended") if self._spec.get(name)) or "access"
        if "deletionTimestamp" in self.body["metadata"]:
            yield (
                "Deleted",
                f"{relative(when, now)}"
                if (when := instant_or_none(self.body["metadata"]["deletionTimestamp"]))
                else "yes",
            )
        yield "Secret", self._status.get("secretName")
        yield "Serial in it", self._status.get("serialNumber")
        yield "Expires", relative(ends, now) if ends else ""
        yield "Renewal", relative(due, now) if due else ""

    def _certificate(self, record: Record, now: datetime) -> tuple[object, ...]:
        held = record.revocation
        revoked = relative(held.time, now) if held is not None else ""
        times = (relative(record.issued_at, now), relative(record.not_after, now), revoked)
        return (
            *(f"{record.serial:x}", state(record, self.issuers, now), *times, reason(record)),
            *(record.issuer, record.subject, record.sha256),
        )


async def client(reader: Reader, name: str, output: Format) -> int:
    """Look, and print; UserError where nothing is known of such a client."""
    at = reader.named(name)
    body = await reader.get(CLIENT_CERTIFICATE, at)
    issuer = None if body is None else issuer_of(at, body)
    # Of one that is gone, or names another issuer than it once did, any ledger may have a certificate.
    found = await records_in(reader, None if issuer is None else issuer.namespace)
    records = [record for record in found if record.holder == at]
    if body is None and not records:
        raise UserError(
            f"there is no ClientCertificate {at}, and no ledger has one",
            "; ".join(reader.notes) or "`doorward find NAME` looks everywhere",
        )
    seen = Seen(
        at=at,
        body=body,
        records=sorted(records, key=lambda record: record.issued_at, reverse=True),
        issuers=await issuers_of(reader, records),
        events=await _events(reader, at),
    )
    show(seen.data(reader.now), [*seen.parts(reader.now)], output)
    for each in reader.notes:
        note(each)
    return 0


def issuer_of(at: ObjectKey, body: Object) -> ObjectKey | None:
    """The MTLSIssuer that a ClientCertificate names; None: it names none."""
    said = dictionary(dictionary(body.get("spec")).get("issuerRef"))
    return parse_reference(f"{said.get('namespace') or at.namespace}/{said.get('name')}", at.namespace)


async def _events(reader: Reader, at: ObjectKey) -> list[Object]:
    """The last Events of the object, the newest first."""
    found = []
    for body in await reader.list(EVENT, at.namespace) or ():
        about = dictionary(body.get("involvedObject"))
        if about.get("kind") == CLIENT_CERTIFICATE.name and about.get("name") == at.name:
            found.append(body)
    return sorted(found, key=_time, reverse=True)[:MOST_EVENTS]


def _time(event: Object) -> str:
    named = (event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    return next((str(each) for each in named if each), "")


def _ago(event: Object, now: datetime) -> str:
    when = instant_or_none(_time(event))
    return relative(when, now) if when else ""


def _event(event: Object) -> dict[str, Any]:
    return {"time": _time(event)} | {name: event.get(name) for name in ("type", "reason", "message")}


def _meaning(condition: Mapping[str, Any]) -> str:
    known = REASONS.get(str(condition.get("reason")))
    return known.doc if known is not None else ""


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a ClientCertificate, or NAMESPACE/NAME.")],
    *,
    namespace: Namespace = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show a client: its certificates and their states, its Secret, its conditions and its last Events; also one that was deleted."""
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: client(reader, name, output))

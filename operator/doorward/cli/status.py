"""`doorward status`: on one screen, whether the operator works and what each issuer, its CRL and its gates are like."""

from typing import Annotated

import typer

from doorward.cli import status_view
from doorward.cli.errors import UserError
from doorward.cli.options import AllNamespaces, Context, Kubeconfig, Namespace, OperatorLease, Output
from doorward.cli.printed import Format, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import LEASE as DEFAULT_LEASE
from doorward.cli.status_view import Heartbeat, IssuerSeen
from doorward.cluster.errors import NotFound
from doorward.cluster.gateway import ISSUED_CERTIFICATE, ISSUER, LEASE, Object
from doorward.objects.meta import ObjectKey, key_of


async def status(reader: Reader, issuer: str | None, lease: ObjectKey, output: Format) -> int:
    """Look, and print; 1 where there is no such issuer, or none at all."""
    bodies = await _issuers(reader, issuer)
    heartbeat = await _heartbeat(reader, lease)
    seen = [await _seen(reader, body) for body in bodies]
    now = reader.now
    data = {"operator": heartbeat.data(now), "issuers": [each.data(now) for each in seen]}
    show(data, [*heartbeat.parts(now), *(part for each in seen for part in each.parts(now))], output)
    for each in reader.notes:
        note(each)
    return 0


async def _issuers(reader: Reader, named: str | None) -> list[Object]:
    if named is None:
        found, _ = await reader.gateway.list(ISSUER, reader.namespace)
        if not found:
            where = "in any namespace" if reader.namespace is None else f"in namespace {reader.namespace}"
            raise UserError(
                f"there is no MTLSIssuer {where}", "" if reader.namespace is None else "add -A to look everywhere"
            )
        return sorted(found, key=key_of)
    at = reader.named(named)
    try:
        return [await reader.gateway.get(ISSUER, at.namespace, at.name)]
    except NotFound:
        raise UserError(f"there is no MTLSIssuer {at}", "`doorward status -A` lists all of them") from None


async def _heartbeat(reader: Reader, lease: ObjectKey) -> Heartbeat:
    body = await reader.get(LEASE, lease)
    denied = body is None and reader.was_denied(LEASE, lease.namespace)
    missing = f"get {LEASE.plural}.{LEASE.api_version.partition('/')[0]} in namespace {lease.namespace}"
    return Heartbeat(lease=lease, body=body, unread=missing if denied else "")


async def _seen(reader: Reader, body: Object) -> IssuerSeen:
    """An issuer with its ledger, as far as that may be read."""
    at = key_of(body)
    records = await reader.list(ISSUED_CERTIFICATE, at.namespace)
    return IssuerSeen(
        body=body,
        records=None if records is None else status_view.records_of(records, at),
    )


def command(
    issuer: Annotated[
        str | None,
        typer.Argument(
            metavar="ISSUER", help="Name of an MTLSIssuer, or NAMESPACE/NAME. Defaults to all in the namespace."
        ),
    ] = None,
    *,
    lease: OperatorLease = DEFAULT_LEASE,  # type: ignore[assignment]  # it is parsed, too
    namespace: Namespace = None,
    everywhere: AllNamespaces = False,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show the operator, and of each MTLSIssuer its CA, CRL, gates, last revocations and next expiries."""
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace, everywhere=everywhere)
    return where.read(lambda reader: status(reader, issuer, lease, output))

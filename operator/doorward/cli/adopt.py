"""`doorward adopt`: bring a backup back, in an order that revokes nobody, and give client Secrets to their ClientCertificates.

To be run while no operator does (docs/runbooks/move-and-restore.md), with the rights of whoever runs it.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from doorward.cli import backup_files, lease_check
from doorward.cli.errors import UserError
from doorward.cli.options import Context, Kubeconfig
from doorward.cli.session import AT_ONCE, LEASE, in_cluster, lease_key, table
from doorward.cluster.errors import AlreadyExists, ApiError
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET, Gateway, Object
from doorward.objects import backup
from doorward.objects.meta import SELECTOR, ObjectKey, key_of

KINDS = {kind.name: kind for kind in (ISSUED_CERTIFICATE, CONFIG_MAP, SECRET, ISSUER, CLIENT_CERTIFICATE)}
HEAD = ("KIND", "NAMESPACE", "NAME", "RESULT")
CREATED, THERE, GIVEN = "created", "there already", "given to its ClientCertificate"
WOULD_CREATE, WOULD_GIVE = "would be created", "would be given to its ClientCertificate"
GOOD = frozenset({CREATED, THERE, GIVEN, WOULD_CREATE, WOULD_GIVE})
AT_WORK = "an operator is at work: {holder} holds Lease {lease}. Stop it first, such as with: kubectl -n {namespace} scale deployment doorward --replicas=0"
CANNOT_TELL = "cannot tell whether an operator is at work: {error}. Stop it, and add --operator-is-stopped"
WOULD_REFUSE = "without --dry-run nothing would be done"


@dataclass(frozen=True, slots=True)
class Row:
    """What was done with an object, or would be."""

    body: Object
    result: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """As they are printed."""
        key = key_of(self.body)
        return str(self.body.get("kind", "")), key.namespace, key.name, self.result


async def bring_back(gateway: Gateway, bodies: Sequence[Object], *, dry_run: bool) -> list[Row]:
    """Create what is not there, kind by kind; what is there is left as it is. `dry_run`: the API server answers as it would."""
    rows = [Row(body, why) for body in bodies if (why := backup.why_left(body))]
    meant = [body for body in bodies if not backup.why_left(body)]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(body: Object) -> Row:
        kind, namespace = KINDS[body["kind"]], key_of(body).namespace
        async with room:
            try:
                await gateway.create(kind, namespace, backup.fresh(body), dry_run=dry_run)
            except AlreadyExists:
                return Row(body, THERE)
            except ApiError as error:
                return Row(body, str(error))
        return Row(body, WOULD_CREATE if dry_run else CREATED)

    for kind in backup.ORDER:
        rows += await asyncio.gather(*(one(body) for body in meant if body["kind"] == kind))
    return rows


async def give(gateway: Gateway, namespace: str) -> list[Row]:
    """Give each client Secret of a namespace to its ClientCertificate, where it is not given yet."""
    found, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
    certificates = {key_of(body).name: body for body in found}
    secrets, _ = await gateway.list(SECRET, namespace, selector=SELECTOR, metadata_only=True)
    rows = []
    for secret in secrets:
        certificate = certificates.get(backup.holder(secret) or "")
        patch = backup.owner_patch(secret, certificate) if certificate is not None else None
        if patch is None:
            continue
        body = secret | {"kind": SECRET.name}
        try:
            await gateway.patch(SECRET, namespace, key_of(secret).name, patch)
            rows.append(Row(body, GIVEN))
        except ApiError as error:
            rows.append(Row(body, str(error)))
    return rows


async def would_give(gateway: Gateway, namespace: str, created: Sequence[Object]) -> list[Row]:
    """The client Secrets that `give` would give to their ClientCertificates, once `created` is there."""
    found, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
    secrets, _ = await gateway.list(SECRET, namespace, selector=SELECTOR, metadata_only=True)
    here = [body for body in created if key_of(body).namespace == namespace]
    new = {key_of(body).name for body in here if body["kind"] == CLIENT_CERTIFICATE.name}
    known = {key_of(body).name: body for body in found}
    rows = []
    for secret in [*secrets, *(body for body in here if body["kind"] == SECRET.name)]:
        name = backup.holder(secret) or ""
        owned = secret not in here and name in known and backup.owner_patch(secret, known[name]) is None
        if (name in new or name in known) and not owned:
            rows.append(Row(secret | {"kind": SECRET.name}, WOULD_GIVE))
    return rows


async def adopt(gateway: Gateway, bodies: Sequence[Object], namespaces: Iterable[str], *, dry_run: bool) -> int:
    """All of it, and print what was done; 1 where any of it failed."""
    rows = await bring_back(gateway, bodies, dry_run=dry_run)
    created = [row.body for row in rows if row.result == WOULD_CREATE]
    holding = {key_of(body).namespace for body in bodies if body.get("kind") == CLIENT_CERTIFICATE.name}
    for namespace in sorted({*namespaces, *holding}):
        rows += await (would_give(gateway, namespace, created) if dry_run else give(gateway, namespace))
    print(table(HEAD, [row.cells for row in rows]) if rows else "nothing to do")
    left = {why for body in bodies if (why := backup.why_left(body))}
    return 0 if {row.result for row in rows} <= GOOD | left else 1


async def unless_at_work(
    gateway: Gateway, bodies: Sequence[Object], namespaces: Iterable[str], lease: ObjectKey, *, dry_run: bool
) -> int:
    """`adopt`, where no operator holds the Lease; a dry run is shown all the same."""
    try:
        held_by = await lease_check.holder(gateway, lease)
    except ApiError as error:
        why = CANNOT_TELL.format(error=error)
    else:
        why = AT_WORK.format(holder=held_by, lease=lease, namespace=lease.namespace) if held_by else ""
    if not why:
        return await adopt(gateway, bodies, namespaces, dry_run=dry_run)
    if dry_run:
        await adopt(gateway, bodies, namespaces, dry_run=True)
        print(WOULD_REFUSE, file=sys.stderr)
    print(why, file=sys.stderr)
    return 1


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE", help="Backups, as kubectl get -o json or -o yaml makes them; - is standard input."
        ),
    ] = None,
    *,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAMESPACE",
            help="Also set the owner of the client Secrets in this namespace to their ClientCertificates. Can be given several times.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and write nothing.")] = False,
    lease: Annotated[
        ObjectKey,
        typer.Option(
            "--lease",
            parser=lease_key,
            metavar="NAMESPACE:NAME",
            help="The Lease of the operator. While an operator holds it, nothing is restored.",
        ),
    ] = LEASE,  # type: ignore[assignment]  # it is parsed, too
    operator_is_stopped: Annotated[
        bool, typer.Option("--operator-is-stopped", help="Do not check the Lease. Use this only if no operator runs.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Restore a backup of Doorward's objects. Stop the operator first."""
    try:
        bodies = [body for path in files or () for body in backup_files.read(path)]
    except (OSError, ValueError) as error:
        raise UserError(f"this is no backup: {error}") from error
    spaces = namespace or ()
    if operator_is_stopped:
        return in_cluster(kubeconfig, context, lambda gateway: adopt(gateway, bodies, spaces, dry_run=dry_run))
    return in_cluster(
        kubeconfig, context, lambda gateway: unless_at_work(gateway, bodies, spaces, lease, dry_run=dry_run)
    )

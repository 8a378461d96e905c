"""`doorward restore`: undo deletions, many at once; with the rights of whoever runs it, and only holds are ended.

Nothing is undone that nobody asked for: it wants a name, a namespace, a time or a serial. What `planning/undo.py` leaves alone
stays held.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from doorward.api.conditions import instant
from doorward.cli import outcome
from doorward.cli.deletions import MISSING, REVOKED, Found, Wanted, client_of, find, record_of
from doorward.cli.errors import UserError
from doorward.cli.options import Context, Kubeconfig
from doorward.cli.session import AT_ONCE, in_cluster, issuer_key, serial_number, table
from doorward.cli.text import one_line
from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError, Conflict, NotFound
from doorward.cluster.gateway import ISSUED_CERTIFICATE, ISSUER, Gateway
from doorward.objects.meta import ObjectKey, parse_instant
from doorward.planning import timing

HEAD = ("CLIENT", "SERIAL", "DELETED", "FINAL", "CLIENTCERTIFICATE", "RESULT")
WOULD, DONE, CHANGED = "would be restored", "restored", "changed in the meantime: run it again"
WARNING = (
    "{count} have no ClientCertificate: create it within ten minutes, or they are held again"
    " (access is a live ClientCertificate, and nothing else)"
)
LEFT_ALONE = (
    "{count} were left alone. A client that was created again may have been deleted because its file was stolen: to make the"
    " old file good again, name the client (--name), or one serial (--serial)"
)
NOTHING_NAMED = "say whose deletions are to be undone: --name, --namespace, --since or --serial; or --all, which lists them and asks"
NOBODY_TO_ASK = (
    "--all lists the deletions and asks, and there is no terminal to ask at: add --yes, or --dry-run to see them"
)
SUSPENDED = "restored, and refused until spec.suspended is false"


async def _named_for_good(gateway: Gateway, wanted: Wanted, now: datetime) -> list[str]:
    """What is revoked for good of the clients that are named."""
    if not wanted.names:
        return []
    items, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.issuer.namespace)
    records = (record for body in items if (record := record_of(body)) and record.issuer == wanted.issuer)
    named = (r for r in records if r.holder.name in wanted.names and wanted.namespace in ("", r.holder.namespace))
    return list(outcome.for_good(record for record in named if outcome.is_final(record, now)))


async def _is_known(gateway: Gateway, issuer: ObjectKey) -> bool:
    """Whether there is such an MTLSIssuer; says so where there is none, since that may be a slip of the pen."""
    try:
        await gateway.get(ISSUER, issuer.namespace, issuer.name)
    except NotFound:
        print(f"there is no MTLSIssuer {issuer}")
        return False
    return True


async def lift(gateway: Gateway, found: Sequence[Found]) -> list[str]:
    """End these holds; of each, "restored", or why not.

    Each as it was found: the record in that version, and its ClientCertificate the same one, asked for once more.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Found) -> str:
        if each.why_not is not None:
            return each.why_not
        record = each.record
        over = {"lifted": True, "finalAt": None}
        patch = {"metadata": {"resourceVersion": each.version}, "spec": {"revocation": over}}
        async with room:
            try:
                if await client_of(gateway, record.holder, record.issuer) != each.client:
                    return CHANGED
                await gateway.patch(ISSUED_CERTIFICATE, record.key.namespace, record.key.name, patch)
            except Conflict:
                return CHANGED
            except ApiError as error:
                return str(error)
        return SUSPENDED if each.suspended else DONE

    return await asyncio.gather(*(one(each) for each in found))


async def restore(
    gateway: Gateway, wanted: Wanted, now: datetime, *, dry_run: bool, agreed: Callable[[int], bool] | None = None
) -> int:
    """Find, lift, and print what was done; 1 where any of it was not. `agreed`: asked once all are listed."""
    found = await find(gateway, wanted, now)
    if not found:
        print(f"no deletion to undo below {wanted.issuer}: nothing that was asked for is held and not final yet")
        for line in await _named_for_good(gateway, wanted, now):
            print(line)
        return 0 if await _is_known(gateway, wanted.issuer) else 1
    if several := _ambiguous(wanted, found):
        print(f"there are clients of that name in several namespaces ({', '.join(several)}): add --namespace")
        return 1
    results = [each.why_not or WOULD for each in found]
    if not dry_run and agreed is not None:
        _print(found, results)
        if not agreed(results.count(WOULD)):
            print("nothing was restored")
            return 1
    if not dry_run:
        results = await lift(gateway, found)
    _print(found, results)
    ended = [each.record for each, result in zip(found, results, strict=True) if result in (DONE, SUSPENDED)]
    for line in await outcome.problems(gateway, wanted.issuer, ended):
        print(one_line(line))
    return 0 if set(results) <= {WOULD, DONE, SUSPENDED} else 1


def _ambiguous(wanted: Wanted, found: Sequence[Found]) -> list[str]:
    """The namespaces of clients that one name stands for."""
    named = {each.record.holder for each in found if each.record.holder.name in wanted.names}
    spaces = {holder.namespace for holder in named if sum(other.name == holder.name for other in named) > 1}
    return sorted(spaces)


def _print(found: Sequence[Found], results: Sequence[str]) -> None:
    print(table(HEAD, [_row(each, result) for each, result in zip(found, results, strict=True)]))
    pairs = list(zip(found, results, strict=True))
    if missing := sum(each.client == MISSING and result in (WOULD, DONE) for each, result in pairs):
        print(WARNING.format(count=missing))
    if left := sum(each.why_not not in (None, REVOKED) for each in found):
        print(LEFT_ALONE.format(count=left))
    for line in outcome.for_good(record for each in found for record in each.others):
        print(line)


def _row(found: Found, result: str) -> tuple[str, ...]:
    held = found.record.revocation
    assert held is not None
    final_at = instant(held.final_at) if held.final_at else ""
    return (str(found.record.holder), f"{found.record.serial:x}", instant(held.time), final_at, found.state, result)


def _moment(text: str) -> datetime:
    """RFC 3339, or how long ago."""
    try:
        return parse_instant(text)
    except ValueError:
        return SystemClock().now() - timing.duration(text)


def _agreed(count: int) -> bool:
    """Asked at the terminal; anything but `yes` is a no."""
    try:
        return input(f"Restore these {count}? Type yes: ").strip() == "yes"
    except EOFError:
        return False


def command(
    *,
    issuer: Annotated[
        ObjectKey,
        typer.Option("--issuer", parser=issuer_key, metavar="NAMESPACE/NAME", help="The MTLSIssuer."),
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Only clients of this namespace.")
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", help="Only this client, even if it was created again. Can be given several times."
        ),
    ] = None,
    serial: Annotated[
        list[int] | None,
        typer.Option(
            "--serial",
            parser=serial_number,
            metavar="HEX",
            help="Only this serial, even if the client has newer ones. Can be given several times.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            parser=_moment,
            metavar="TIME",
            help="Only what was deleted since then: 30m, or an RFC 3339 time.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every deletion of the issuer: list them, and ask.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be restored, and write nothing.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Undo deletions of ClientCertificates: end the holds of their certificates. Apply the ClientCertificates again yourself."""
    wanted = Wanted(
        issuer=issuer,
        namespace=namespace,
        names=frozenset(name or ()),
        serials=frozenset(serial or ()),
        since=since,
    )
    if not (everything or wanted.namespace or wanted.names or wanted.serials or wanted.since):
        raise UserError(NOTHING_NAMED, status=2)
    asks = everything and not yes and not dry_run
    if asks and not sys.stdin.isatty():
        raise UserError(NOBODY_TO_ASK, status=2)
    now = SystemClock().now()
    agreed = _agreed if asks else None
    return in_cluster(
        kubeconfig, context, lambda gateway: restore(gateway, wanted, now, dry_run=dry_run, agreed=agreed)
    )

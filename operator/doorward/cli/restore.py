"""`doorward restore`: undo deletions, many at once; with the rights of whoever runs it, and only holds are ended.

Nothing is undone that nobody asked for: it wants a name, a namespace, a time or a serial. What `planning/undo.py` leaves alone
stays held.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doorward.api.conditions import instant
from doorward.cli import outcome
from doorward.cli.session import AT_ONCE, add_kubeconfig, in_cluster, issuer_key, table
from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError, Conflict, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, Gateway, Object
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of, parse_instant
from doorward.planning import revocation, timing, undo

HEAD = ("CLIENT", "SERIAL", "DELETED", "FINAL", "CLIENTCERTIFICATE", "RESULT")
WOULD, DONE, CHANGED = "would be restored", "restored", "changed meanwhile: run it again"
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
MISSING, UNKNOWN = "missing", "unknown"
REVOKED = "left alone: spec.revoked of its ClientCertificate is true"
SUSPENDED = "restored, and refused until spec.suspended is false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose deletions are to be undone; empty: everybody's."""

    issuer: ObjectKey
    namespace: str = ""
    names: frozenset[str] = frozenset()
    serials: frozenset[int] = frozenset()
    since: datetime | None = None

    def takes(self, record: Record, now: datetime) -> bool:
        """Whether this record is meant, and its deletion can be undone."""
        return (
            revocation.restorable(record, now)
            and record.issuer == self.issuer
            and self.namespace in ("", record.holder.namespace)
            and (not (self.names or self.serials) or record.holder.name in self.names or record.serial in self.serials)
            and (self.since is None or (record.revocation is not None and record.revocation.time >= self.since))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record that is meant."""

    record: Record
    version: str
    client: str
    """UID of its ClientCertificate; or that it is missing, or unknown since whoever asks may not see it."""
    why_not: str | None
    """Why it stays held; None: it is restored."""
    suspended: bool = False
    """Whether its ClientCertificate holds it for another reason, which stays."""
    others: tuple[Record, ...] = ()
    """Certificates of the client that are revoked for good, and have not expired."""

    @property
    def state(self) -> str:
        """Whether its ClientCertificate is there, in a word."""
        return self.client if self.client in (MISSING, UNKNOWN) else "there"


async def find(gateway: Gateway, wanted: Wanted, now: datetime) -> list[Found]:
    """The records that are meant, by client and time."""
    items, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.issuer.namespace)
    ledger = [(record, str(body["metadata"]["resourceVersion"])) for body in items if (record := _record(body))]
    meant = [(record, version) for record, version in ledger if wanted.takes(record, now)]
    there = await _clients(gateway, {record.holder.namespace for record, _ in meant})
    by_client: dict[ObjectKey, list[Record]] = {}
    for record, _ in ledger:
        by_client.setdefault(record.holder, []).append(record)
    meant.sort(key=lambda pair: (pair[0].holder, pair[0].not_before))
    return [_found(r, v, wanted, there[r.holder.namespace], by_client[r.holder], now) for r, v in meant]


async def _named_for_good(gateway: Gateway, wanted: Wanted, now: datetime) -> list[str]:
    """What is revoked for good of the clients that are named."""
    if not wanted.names:
        return []
    items, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.issuer.namespace)
    records = (record for body in items if (record := _record(body)) and record.issuer == wanted.issuer)
    named = (r for r in records if r.holder.name in wanted.names and wanted.namespace in ("", r.holder.namespace))
    return list(outcome.for_good(record for record in named if outcome.is_final(record, now)))


def _record(body: Object) -> Record | None:
    try:
        return ledger_record.parse(body)
    except (ValueError, KeyError, TypeError):
        return None


def _found(
    record: Record,
    version: str,
    wanted: Wanted,
    there: dict[ObjectKey, Object] | None,
    of_client: Sequence[Record],
    now: datetime,
) -> Found:
    body = None if there is None else _of_issuer(there.get(record.holder), record.issuer)
    client = UNKNOWN if there is None else MISSING if body is None else str(body["metadata"]["uid"])
    spec = body["spec"] if body is not None else {}
    why_not = None
    if record.serial not in wanted.serials:
        why_not = undo.why_not(
            tuple(undo.newer(record, of_client)),
            created_again=client not in (MISSING, UNKNOWN, record.holder_uid),
            named=record.holder.name in wanted.names,
        )
    return Found(
        record=record,
        version=version,
        client=client,
        why_not=REVOKED if spec.get("revoked") else why_not,
        suspended=bool(spec.get("suspended")),
        others=tuple(r for r in of_client if r.issuer == record.issuer and outcome.is_final(r, now)),
    )


def _of_issuer(body: Object | None, issuer: ObjectKey) -> Object | None:
    """The ClientCertificate, where it is one of that issuer: a serial of another issuer has none."""
    if body is None:
        return None
    named = body["spec"]["issuerRef"]
    at = ObjectKey(named.get("namespace") or body["metadata"]["namespace"], named["name"])
    return body if at == issuer else None


async def _is_known(gateway: Gateway, issuer: ObjectKey) -> bool:
    """Whether there is such an MTLSIssuer; says so where there is none, since that may be a slip of the pen."""
    try:
        await gateway.get(ISSUER, issuer.namespace, issuer.name)
    except NotFound:
        print(f"there is no MTLSIssuer {issuer}")
        return False
    return True


async def _clients(gateway: Gateway, namespaces: set[str]) -> dict[str, dict[ObjectKey, Object] | None]:
    """The ClientCertificates of each namespace; None: whoever asks may not see them."""
    found: dict[str, dict[ObjectKey, Object] | None] = {}
    for namespace in sorted(namespaces):
        try:
            items, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
        except Forbidden:
            found[namespace] = None
        else:
            ends = await _ends(gateway, namespace)
            alive = (body for body in items if not ends and "deletionTimestamp" not in body["metadata"])
            found[namespace] = {key_of(body): body for body in alive}
    return found


async def _client(gateway: Gateway, at: ObjectKey, issuer: ObjectKey) -> str:
    """As `Found.client`, of one that is asked for by name."""
    try:
        body = await gateway.get(CLIENT_CERTIFICATE, at.namespace, at.name)
    except NotFound:
        return MISSING
    except Forbidden:
        return UNKNOWN
    alive = "deletionTimestamp" not in body["metadata"] and _of_issuer(body, issuer) is not None
    return str(body["metadata"]["uid"]) if alive and not await _ends(gateway, at.namespace) else MISSING


async def _ends(gateway: Gateway, namespace: str) -> bool:
    """Whether the namespace is being deleted, and every ClientCertificate in it with it; as far as whoever asks may see that."""
    try:
        return "deletionTimestamp" in (await gateway.get(NAMESPACE, None, namespace))["metadata"]
    except ApiError:
        return False


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
                if await _client(gateway, record.holder, record.issuer) != each.client:
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
        print(line)
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


def _serial(text: str) -> int:
    """A serial number as `kubectl` and certificates show it, in hex."""
    return int(text.replace(":", ""), 16)


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("restore", help="undo deletions of ClientCertificates")
    parser.add_argument("--issuer", required=True, type=issuer_key, help="<namespace>/<name> of the MTLSIssuer")
    parser.add_argument("--namespace", "-n", default="", help="only clients of this namespace")
    parser.add_argument(
        "--name", action="append", default=[], help="only this client, even if it was created again; may be repeated"
    )
    parser.add_argument(
        "--serial", action="append", default=[], type=_serial, help="only this serial, in hex, whatever else there is"
    )
    parser.add_argument("--since", type=_moment, help="only what was deleted since then: 30m, or an RFC 3339 time")
    parser.add_argument("--all", action="store_true", help="every deletion of the issuer: list them, and ask")
    parser.add_argument("--yes", action="store_true", help="with --all: do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show what would be restored, and write nothing")
    add_kubeconfig(parser)
    parser.set_defaults(function=run)


def _agreed(count: int) -> bool:
    """Asked at the terminal; anything but `yes` is a no."""
    try:
        return input(f"Restore these {count}? Type yes: ").strip() == "yes"
    except EOFError:
        return False


def run(chosen: argparse.Namespace) -> int:
    """Undo, as the user of the kubeconfig; 2 where it is not said whose deletions."""
    wanted = Wanted(
        issuer=chosen.issuer,
        namespace=chosen.namespace,
        names=frozenset(chosen.name),
        serials=frozenset(chosen.serial),
        since=chosen.since,
    )
    if not (chosen.all or wanted.namespace or wanted.names or wanted.serials or wanted.since):
        print(NOTHING_NAMED, file=sys.stderr)
        return 2
    asks = chosen.all and not chosen.yes and not chosen.dry_run
    if asks and not sys.stdin.isatty():
        print(NOBODY_TO_ASK, file=sys.stderr)
        return 2
    now = SystemClock().now()
    agreed = _agreed if asks else None
    return in_cluster(
        chosen.kubeconfig, lambda gateway: restore(gateway, wanted, now, dry_run=chosen.dry_run, agreed=agreed)
    )

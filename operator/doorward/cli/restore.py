"""`doorward restore`: undo deletions, many at once; with the rights of whoever runs it, and only holds are ended."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doorward.api.conditions import instant
from doorward.cli.session import AT_ONCE, add_kubeconfig, in_cluster, issuer_key, table
from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError, Conflict, Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, Gateway
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of, parse_instant
from doorward.planning import revocation, timing

HEAD = ("CLIENT", "SERIAL", "DELETED", "FINAL", "CLIENTCERTIFICATE", "RESULT")
WARNING = (
    "{count} have no ClientCertificate: create it within ten minutes, or they are held again"
    " (access is a live ClientCertificate, and nothing else)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose deletions are to be undone; empty: everybody's."""

    issuer: ObjectKey
    namespace: str = ""
    names: frozenset[str] = frozenset()
    since: datetime | None = None

    def takes(self, record: Record, now: datetime) -> bool:
        """Whether this record is meant, and its deletion can be undone."""
        return (
            revocation.restorable(record, now)
            and record.issuer == self.issuer
            and self.namespace in ("", record.holder.namespace)
            and (not self.names or record.holder.name in self.names)
            and (self.since is None or (record.revocation is not None and record.revocation.time >= self.since))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record that is meant, and whether its ClientCertificate is there: "there", "missing", or "unknown"."""

    record: Record
    version: str
    client: str


async def find(gateway: Gateway, wanted: Wanted, now: datetime) -> list[Found]:
    """The records that are meant, by client and time."""
    items, _ = await gateway.list(ISSUED_CERTIFICATE, wanted.issuer.namespace)
    meant = []
    for body in items:
        try:
            record = ledger_record.parse(body)
        except (ValueError, KeyError, TypeError):
            continue
        if wanted.takes(record, now):
            meant.append((record, str(body["metadata"]["resourceVersion"])))
    there = await _clients(gateway, {record.holder.namespace for record, _ in meant})
    meant.sort(key=lambda pair: (pair[0].holder, pair[0].not_before))
    return [Found(record=r, version=v, client=_state(r.holder, there[r.holder.namespace])) for r, v in meant]


async def _is_known(gateway: Gateway, issuer: ObjectKey) -> bool:
    """Whether there is such an MTLSIssuer; says so where there is none, since that may be a slip of the pen."""
    try:
        await gateway.get(ISSUER, issuer.namespace, issuer.name)
    except NotFound:
        print(f"there is no MTLSIssuer {issuer}")
        return False
    return True


async def _clients(gateway: Gateway, namespaces: set[str]) -> dict[str, set[ObjectKey] | None]:
    """The ClientCertificates of each namespace; None: whoever asks may not see them."""
    found: dict[str, set[ObjectKey] | None] = {}
    for namespace in sorted(namespaces):
        try:
            items, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
        except Forbidden:
            found[namespace] = None
        else:
            found[namespace] = {key_of(body) for body in items if "deletionTimestamp" not in body["metadata"]}
    return found


def _state(holder: ObjectKey, there: set[ObjectKey] | None) -> str:
    return "unknown" if there is None else "there" if holder in there else "missing"


async def lift(gateway: Gateway, found: Sequence[Found]) -> list[str]:
    """End these holds; of each, "restored", or what the API server said."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Found) -> str:
        over = {"lifted": True, "finalAt": None}
        patch = {"metadata": {"resourceVersion": each.version}, "spec": {"revocation": over}}
        async with room:
            try:
                await gateway.patch(ISSUED_CERTIFICATE, each.record.key.namespace, each.record.key.name, patch)
            except Conflict:
                return "changed meanwhile: run it again"
            except ApiError as error:
                return str(error)
        return "restored"

    return await asyncio.gather(*(one(each) for each in found))


async def restore(gateway: Gateway, wanted: Wanted, now: datetime, *, dry_run: bool) -> int:
    """Find, lift, and print what was done; 1 where any of it failed."""
    found = await find(gateway, wanted, now)
    if not found:
        print(f"no deletion to undo below {wanted.issuer}: nothing that was asked for is held and not final yet")
        return 0 if await _is_known(gateway, wanted.issuer) else 1
    results = ["would be restored"] * len(found) if dry_run else await lift(gateway, found)
    print(table(HEAD, [_row(each, result) for each, result in zip(found, results, strict=True)]))
    good = {"would be restored", "restored"}
    if missing := sum(each.client == "missing" and said in good for each, said in zip(found, results, strict=True)):
        print(WARNING.format(count=missing))
    return 0 if set(results) <= good else 1


def _row(found: Found, result: str) -> tuple[str, ...]:
    held = found.record.revocation
    assert held is not None
    final_at = instant(held.final_at) if held.final_at else ""
    return (str(found.record.holder), f"{found.record.serial:x}", instant(held.time), final_at, found.client, result)


def _moment(text: str) -> datetime:
    """RFC 3339, or how long ago."""
    try:
        return parse_instant(text)
    except ValueError:
        return SystemClock().now() - timing.duration(text)


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("restore", help="undo deletions of ClientCertificates")
    parser.add_argument("--issuer", required=True, type=issuer_key, help="<namespace>/<name> of the MTLSIssuer")
    parser.add_argument("--namespace", "-n", default="", help="only clients of this namespace")
    parser.add_argument("--name", action="append", default=[], help="only this client; may be repeated")
    parser.add_argument("--since", type=_moment, help="only what was deleted since then: 30m, or an RFC 3339 time")
    parser.add_argument("--dry-run", action="store_true", help="show what would be restored, and write nothing")
    add_kubeconfig(parser)
    parser.set_defaults(function=run)


def run(chosen: argparse.Namespace) -> int:
    """Undo, as the user of the kubeconfig."""
    wanted = Wanted(issuer=chosen.issuer, namespace=chosen.namespace, names=frozenset(chosen.name), since=chosen.since)
    now = SystemClock().now()
    return in_cluster(chosen.kubeconfig, lambda gateway: restore(gateway, wanted, now, dry_run=chosen.dry_run))

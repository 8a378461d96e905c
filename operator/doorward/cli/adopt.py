"""`doorward adopt`: bring a backup back, in an order that revokes nobody, and give client Secrets to their ClientCertificates.

To be run while no operator does (docs/runbooks/move-and-restore.md), with the rights of whoever runs it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from doorward.cli.session import AT_ONCE, add_kubeconfig, in_cluster, table
from doorward.cluster.errors import AlreadyExists, ApiError
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET, Gateway, Object
from doorward.objects import backup
from doorward.objects.meta import SELECTOR, key_of

KINDS = {kind.name: kind for kind in (ISSUED_CERTIFICATE, CONFIG_MAP, SECRET, ISSUER, CLIENT_CERTIFICATE)}
HEAD = ("KIND", "NAMESPACE", "NAME", "RESULT")
Row = tuple[str, str, str, str]
GOOD = frozenset({"created", "would be created", "there already", "given to its ClientCertificate"})


def _row(body: Object, result: str) -> Row:
    key = key_of(body)
    return str(body.get("kind", "")), key.namespace, key.name, result


async def bring_back(gateway: Gateway, bodies: Sequence[Object], *, dry_run: bool) -> list[Row]:
    """Create what is not there, kind by kind; what is there is left as it is."""
    rows = [_row(body, why) for body in bodies if (why := backup.why_left(body))]
    meant = [body for body in bodies if not backup.why_left(body)]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(body: Object) -> Row:
        if dry_run:
            return _row(body, "would be created")
        async with room:
            try:
                await gateway.create(KINDS[body["kind"]], key_of(body).namespace, backup.fresh(body))
            except AlreadyExists:
                return _row(body, "there already")
            except ApiError as error:
                return _row(body, str(error))
        return _row(body, "created")

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
        try:
            await gateway.patch(SECRET, namespace, key_of(secret).name, patch)
            rows.append(_row(secret | {"kind": "Secret"}, "given to its ClientCertificate"))
        except ApiError as error:
            rows.append(_row(secret | {"kind": "Secret"}, str(error)))
    return rows


async def adopt(gateway: Gateway, bodies: Sequence[Object], namespaces: Iterable[str], *, dry_run: bool) -> int:
    """All of it, and print what was done; 1 where any of it failed."""
    rows = await bring_back(gateway, bodies, dry_run=dry_run)
    holding = {key_of(body).namespace for body in bodies if body.get("kind") == "ClientCertificate"}
    for namespace in sorted({*namespaces, *holding}) if not dry_run else ():
        rows += await give(gateway, namespace)
    print(table(HEAD, rows) if rows else "nothing to do")
    left = {why for body in bodies if (why := backup.why_left(body))}
    return 0 if {result for *_, result in rows} <= GOOD | left else 1


def read(path: str) -> list[Object]:
    """The objects in a file, `-` for standard input: one object, or a List of them."""
    text = sys.stdin.read() if path == "-" else Path(path).read_text()
    body = json.loads(text)
    items = body.get("items", [body]) if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "metadata" in item for item in items):
        raise ValueError(f"{path} holds no objects")
    return items


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("adopt", help="bring a backup back; the operator must not run")
    parser.add_argument("files", nargs="*", help="backups, as kubectl get -o json makes them; -: standard input")
    parser.add_argument(
        "-n", "--namespace", action="append", default=[], help="give the client Secrets there to their owners, too"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be created, and write nothing")
    add_kubeconfig(parser)
    parser.set_defaults(function=run)


def run(chosen: argparse.Namespace) -> int:
    """Adopt, as the user of the kubeconfig."""
    try:
        bodies = [body for path in chosen.files for body in read(path)]
    except (OSError, ValueError, TypeError) as error:
        print(f"this is no backup: {error}", file=sys.stderr)
        return 1
    return in_cluster(
        chosen.kubeconfig, lambda gateway: adopt(gateway, bodies, chosen.namespace, dry_run=chosen.dry_run)
    )

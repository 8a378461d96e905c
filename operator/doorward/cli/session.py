"""What verbs that people run against a cluster share: their own kubeconfig, and a table for what was done."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from kubernetes.aio.config import ConfigException

from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import Gateway
from doorward.cluster.live import LiveGateway, connect
from doorward.objects.meta import ObjectKey

HOME = "~/.kube/config"
AT_ONCE = 16
"""So many writes are under way at a time."""


def add_kubeconfig(parser: argparse.ArgumentParser) -> None:
    """The option that every such verb has."""
    parser.add_argument("--kubeconfig", help=f"path; without it $KUBECONFIG, else {HOME}")


def issuer_key(text: str) -> ObjectKey:
    """`<namespace>/<name>`, as an option's value; ValueError on anything else."""
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise ValueError(text)
    return ObjectKey(namespace, name)


def in_cluster(kubeconfig: str | None, work: Callable[[Gateway], Awaitable[int]]) -> int:
    """Do the work with a person's rights; its exit status, or 1 with what the API server said on standard error."""
    path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path(HOME).expanduser())

    async def session() -> int:
        gateway = LiveGateway(await connect(path), SystemClock())
        try:
            return await work(gateway)
        finally:
            await gateway.close()

    try:
        return asyncio.run(session())
    except (ApiError, ConfigException) as error:
        print(error, file=sys.stderr)
        return 1


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns, as kubectl prints them."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

"""What verbs that people run against a cluster share: their own kubeconfig, and a table for what was done."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from kubernetes.aio.config import ConfigException, list_kube_config_contexts

from doorward.cli.errors import UserError, of_api
from doorward.cli.text import one_line
from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import Gateway
from doorward.cluster.live import LiveGateway, connect
from doorward.objects.meta import ObjectKey

T = TypeVar("T")
LEASE = "doorward-system:doorward"
"""Of the operator, where it is installed as its manifests say."""
HOME = "~/.kube/config"
CONFIG = "name a kubeconfig with --kubeconfig, and a context of it with --context"
AT_ONCE = 16
"""So many writes are under way at a time."""


def issuer_key(text: str) -> ObjectKey:
    """`<namespace>/<name>`, as an option's value; ValueError, which says so, on anything else."""
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise ValueError(f"write {text!r} as <namespace>/<name>")
    return ObjectKey(namespace, name)


def lease_key(text: str) -> ObjectKey:
    """`<namespace>:<name>` of a Lease, as an option's value; ValueError, which says so, on anything else."""
    namespace, colon, name = text.partition(":")
    if not (namespace and colon and name):
        raise ValueError(f"write {text!r} as <namespace>:<name>")
    return ObjectKey(namespace, name)


def serial_number(text: str) -> int:
    """A serial number as `kubectl` and certificates show it, in hex."""
    try:
        return int(text.replace(":", ""), 16)
    except ValueError:
        raise ValueError(f"write {text!r} in hex, such as a1b2") from None


def in_cluster(kubeconfig: str | None, context: str | None, work: Callable[[Gateway], Awaitable[T]]) -> T:
    """Do the work with a person's rights; what comes of it, or UserError with what the API server said."""
    path = _path(kubeconfig)

    async def session() -> T:
        gateway = LiveGateway(await connect(path, context), SystemClock())
        try:
            return await work(gateway)
        finally:
            await gateway.close()

    try:
        return asyncio.run(session())
    except ApiError as error:
        raise of_api(error) from error
    except ConfigException as error:
        raise UserError(str(error), CONFIG) from error


def _path(kubeconfig: str | None) -> str:
    """The kubeconfig, or several of them as $KUBECONFIG may name; UserError where there is none."""
    path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path(HOME).expanduser())
    if not any(Path(each).expanduser().exists() for each in path.split(os.pathsep) if each):
        raise UserError(f"there is no kubeconfig {path}", CONFIG)
    return path


def default_namespace(kubeconfig: str | None, context: str | None) -> str:
    """The namespace of the context, as kubectl takes it."""
    path = _path(kubeconfig)
    try:
        contexts, current = list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]  # kubernetes.aio has no types
    except ConfigException as error:
        raise UserError(str(error), CONFIG) from error
    named = next((each for each in contexts if each["name"] == context), None) if context else current
    said = ((named or {}).get("context") or {}).get("namespace")
    return said if isinstance(said, str) and said else "default"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns, as kubectl prints them; whatever is in a cell, it is one line."""
    lines = [tuple(head), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

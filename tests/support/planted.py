"""Objects put into etcd as the API server stores them: creating a hundred thousand through it takes an hour."""

import base64
import json
import urllib.request
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from doorward.cluster.gateway import Kind, Object
from doorward.objects.meta import ObjectKey, key_of
from tests.testbed.controlplane import Cluster

AT_ONCE = 100
"""Objects in one write to etcd."""


def asked(cluster: Cluster, path: str, **said: Any) -> dict[str, Any]:
    """What etcd answers."""
    port = cluster.control_plane.places.etcd_client
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v3/{path}", data=json.dumps(said).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def stored(cluster: Cluster, kind: Kind, at: ObjectKey) -> Object:
    """One of our own objects, as the API server stored it: the pattern of those that are planted."""
    (found,) = asked(cluster, "kv/range", key=_base64(_path(kind, at)))["kvs"]
    body: Object = json.loads(base64.b64decode(found["value"]))
    return body


def plant(cluster: Cluster, kind: Kind, bodies: Iterable[Object], *, at_once: int = AT_ONCE) -> int:
    """Put them into etcd; how many they are. Those of one write have one resourceVersion. So where somebody watches it must be
    one by one: a watch that breaks within a version goes on after it.
    """
    planted = 0
    for some in _batches(bodies, at_once):
        puts = [{"key": _base64(_path(kind, key_of(body))), "value": _base64(json.dumps(body))} for body in some]
        asked(cluster, "kv/txn", success=[{"requestPut": put} for put in puts])
        planted += len(some)
    return planted


def uproot(cluster: Cluster, kind: Kind, namespace: str) -> None:
    """Take all of a namespace out of etcd: deleting ten thousand through the API server takes its cores for minutes."""
    start = _path(kind, ObjectKey(namespace, ""))
    asked(cluster, "kv/deleterange", key=_base64(start), range_end=_base64(start[:-1] + chr(ord("/") + 1)))


def _batches(bodies: Iterable[Object], at_once: int) -> Iterator[list[Object]]:
    waiting = iter(bodies)
    while some := list(islice(waiting, at_once)):
        yield some


def _path(kind: Kind, at: ObjectKey) -> str:
    return f"/registry/{kind.api_version.partition('/')[0]}/{kind.plural}/{at.namespace}/{at.name}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

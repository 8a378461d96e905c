"""What the operator did, by the API server's own audit log: its writes, and the grants it used."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from doorward.runtime.told import SOON
from tests.support.kube import OPERATOR, eventually
from tests.testbed.controlplane import Cluster

WRITES = ("create", "update", "patch", "delete")
QUIET = 30  # answers of `events` in a row: a count of looks takes longer on a busy machine, as what it waits for does
PAUSE = 1.5 * SOON / QUIET  # seconds: together longer than an issuer waits before it speaks of its Ingresses


class Audit:
    """The log of one cluster. Impersonators are not the operator: the log names who they really are."""

    def __init__(self, cluster: Cluster) -> None:
        self._log = cluster.audit_log
        self._read = 0
        self._events: list[dict[str, Any]] = []

    def events(self) -> list[dict[str, Any]]:
        """Everything that the operator's account asked so far; only what is new of the log is read."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    break  # half written
                self._read += len(line)
                if OPERATOR.encode() in line and (event := json.loads(line))["user"]["username"] == OPERATOR:
                    self._events.append(event)
        return self._events

    def writes_into(self, namespace: str) -> list[dict[str, Any]]:
        """The operator's writes into a namespace so far; other tests' namespaces are not ours."""
        return [
            event
            for event in self.events()
            if event["verb"] in WRITES and event["objectRef"].get("namespace") == namespace
        ]

    def written_with(self, credential: str) -> list[dict[str, Any]]:
        """What one process wrote so far, wherever, its claims to the Lease aside."""
        return [
            event
            for event in self.events()
            if event["verb"] in WRITES
            and event["user"].get("extra", {}).get("authentication.kubernetes.io/credential-id") == [credential]
            and event["objectRef"]["resource"] != "leases"
        ]

    def written(self, namespace: str) -> list[str]:
        """The same, by verb and resource."""
        return [described(event) for event in self.writes_into(namespace)]

    @contextlib.contextmanager
    def writes(self, namespace: str) -> Iterator[Counter[str]]:
        """How many writes of each kind within a block; filled in when the operator has come to rest."""
        counted: Counter[str] = Counter()
        before = len(self.written(namespace))
        yield counted
        self.rest(namespace)
        counted.update(self.written(namespace)[before:])

    def rest(self, namespace: str) -> None:
        """Wait until the operator has written nothing there for three seconds."""
        seen: list[int] = []

        def quiet() -> bool:
            seen.append(len(self.written(namespace)))
            return len(seen) >= QUIET and len(set(seen[-QUIET:])) == 1

        eventually(quiet, "the operator has come to rest", pause=PAUSE)


def described(event: dict[str, Any]) -> str:
    """`patch clientcertificates/status`, for instance."""
    ref = event["objectRef"]
    return f"{event['verb']} {resource(ref)}"


def resource(ref: dict[str, Any]) -> str:
    """A resource with its subresource, as RBAC names it."""
    return str(ref["resource"]) + (f"/{ref['subresource']}" if "subresource" in ref else "")

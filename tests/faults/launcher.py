"""`doorward run` as a kubelet runs it, started again whenever it is killed, with faults that a test sets from outside.

What the composition root makes, gateway and clock, is made by subclasses here; the operator itself has no hook. Its files
lie in the folder $DOORWARD_FAULTS: see `tests.faults.faulty`, which is the test's end of them.
"""

import ctypes
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from doorward.cli.main import main
from doorward.clock import SystemClock
from doorward.cluster.gateway import MERGE_PATCH, Kind, Object
from doorward.cluster.live import LiveGateway
from doorward.gates.ingress_nginx import plane
from doorward.runtime import process

FOLDER = Path(os.environ["DOORWARD_FAULTS"])
JOURNAL, KILL, KILLED, CLOCK = (FOLDER / name for name in ("journal", "kill", "killed", "clock"))
_PR_SET_PDEATHSIG = 1


class WrongClock(SystemClock):
    """The machine's clock, off by as many seconds as the file says now."""

    def now_precise(self) -> datetime:
        return super().now_precise() + timedelta(seconds=float(CLOCK.read_text()) if CLOCK.exists() else 0.0)


class MortalGateway(LiveGateway):
    """Keeps a journal of its writes, and kills its own process before or after the one that the file names."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._order = ""
        self._counted: Counter[tuple[str, str]] = Counter()

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        write = self._begin("create", kind, namespace)
        return self._end(write, await super().create(kind, namespace, body, dry_run=dry_run))

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        write = self._begin("update", kind, namespace)
        return self._end(write, await super().replace(kind, namespace, name, body))

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        write = self._begin("patch", kind, namespace, subresource)
        options: dict[str, Any] = {"content_type": content_type, "subresource": subresource, "query": query}
        return self._end(write, await super().patch(kind, namespace, name, body, **options))

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        write = self._begin("delete", kind, namespace)
        self._end(write, await super().delete(kind, namespace, name, version=version, uid=uid))

    def _begin(self, verb: str, kind: Kind, namespace: str, subresource: str = "") -> dict[str, Any]:
        order = _order()
        if order != self._order:
            self._order, self._counted = order, Counter()
        what = f"{verb} {kind.plural}" + (f"/{subresource}" if subresource else "")
        self._counted[namespace, what] += 1
        write = {"namespace": namespace, "write": what, "nth": self._counted[namespace, what]}
        _tell(json.dumps(write))
        _die_if_ordered(write | {"when": "before"})
        return write

    def _end(self, write: dict[str, Any], answer: Any) -> Any:
        _die_if_ordered(write | {"when": "after"})
        return answer


def _order() -> str:
    """Where to die; empty: nowhere, any more."""
    try:
        return KILL.read_text()
    except FileNotFoundError:
        return ""


def _die_if_ordered(point: dict[str, Any]) -> None:
    order = _order()
    if order and json.loads(order) == point:
        KILL.rename(KILLED)
        os.kill(os.getpid(), signal.SIGKILL)


def _tell(line: str) -> None:
    with JOURNAL.open("a") as journal:
        journal.write(line + "\n")


def _operate() -> NoReturn:
    """The operator; it ends with whoever started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _tell(json.dumps({"pid": os.getpid()}))
    process.LiveGateway, process.SystemClock = MortalGateway, WrongClock  # type: ignore[misc]
    # A rotation waits so long for its gates; here ingress-nginx is fast to reload.
    plane.SETTLES = timedelta(seconds=1)
    os._exit(main(sys.argv[1:]))


def keep_running() -> int:
    """Start it until it ends by itself; all is imported once, since that takes a second."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is the child's
    while True:
        child = os.fork()
        if child == 0:
            _operate()
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(keep_running())

"""A test's end of the launcher: the operator as a process whose death and clock a test decides."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.audit import QUIET
from tests.support.installation import ROOT, OperatorProcess
from tests.support.kube import eventually
from tests.testbed.controlplane import Cluster


@dataclass(frozen=True)
class Point:
    """Before or after the nth write of that kind into a namespace."""

    write: str
    nth: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.write}" + (f", no. {self.nth}" if self.nth > 1 else "")


class FaultyOperator(OperatorProcess):
    """`doorward run` under the launcher: started again whenever it is killed, as a kubelet does."""

    def __init__(self, cluster: Cluster, folder: Path, *, name: str = "faulty", kubeconfig: Path | None = None) -> None:
        self._folder = folder
        arguments = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        super().__init__(
            cluster,
            name=name,
            program=(sys.executable, "-m", "tests.faults.launcher"),
            arguments=arguments,
            env={"DOORWARD_FAULTS": str(folder), "PYTHONPATH": str(ROOT)},
        )

    def kill_at(self, point: Point, namespace: str) -> None:
        """Be killed there, once, counted from now."""
        (self._folder / "killed").unlink(missing_ok=True)
        self._put("kill", json.dumps(asdict(point) | {"namespace": namespace}))

    @property
    def was_killed(self) -> bool:
        """Whether the last point was reached."""
        return (self._folder / "killed").exists()

    def spare(self) -> None:
        """No point is to be reached any more."""
        (self._folder / "kill").unlink(missing_ok=True)

    def set_clock(self, seconds: float) -> None:
        """Its wall clock is ahead by that from now on."""
        self._put("clock", str(seconds))

    def _put(self, name: str, content: str) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(content)
        new.rename(self._folder / name)

    def writes(self, namespace: str) -> Sequence[str]:
        """Its writes into a namespace so far."""
        return [line["write"] for line in self._journal() if line.get("namespace") == namespace]

    @property
    def pids(self) -> Sequence[int]:
        """Of all its lives."""
        return [line["pid"] for line in self._journal() if "pid" in line]

    def _journal(self) -> Sequence[dict[str, Any]]:
        journal = self._folder / "journal"
        whole, _, _half = (journal.read_text() if journal.exists() else "").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def rest(self) -> None:
        """Wait until it has written nothing for a second and a half."""
        seen: list[int] = []

        def quiet() -> bool:
            seen.append(len(self._journal()))
            return len(seen) >= QUIET and len(set(seen[-QUIET:])) == 1

        eventually(quiet, "the operator has come to rest", pause=0.05)

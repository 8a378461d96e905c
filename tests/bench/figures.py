"""Figures as they are printed: a name, a number, what it is held to, and whether it holds."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def show(name: str, value: str, *, limit: str = "", kept: bool = True) -> bool:
    """Print a line; whether the limit is kept."""
    held = f"   {limit}: {'kept' if kept else 'BROKEN'}" if limit else ""
    print(f"  {name:58} {value:>22}{held}", flush=True)
    return kept


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them (0 to 1) do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used so far: CPU in seconds, and the most memory that was resident, in MB."""

    cpu: float
    memory: float

    @classmethod
    def of(cls, pid: int) -> "Cost":
        """As the kernel counts it."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return cls(cpu, int(status["VmHWM"].split()[0]) / 1000)

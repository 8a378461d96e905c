"""Figures as they are printed: a name, a number, what it is held to, and whether it holds; and those of `/metrics`."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.scraped import Scraped


def show(name: str, value: str, *, limit: str = "", kept: bool = True) -> bool:
    """Print a line; whether the limit is kept."""
    held = f"   {limit}: {'kept' if kept else 'BROKEN'}" if limit else ""
    print(f"  {name:58} {value:>22}{held}", flush=True)
    return kept


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them (0 to 1) do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


@dataclass(frozen=True, slots=True)
class Since:
    """What the operator counted between two looks at its `/metrics`."""

    before: Scraped
    after: Scraped

    def more(self, name: str, **labels: str) -> float:
        """By how much the series with these labels, and any others, grew in all."""
        return self.after.total(name, **labels) - self.before.total(name, **labels)

    def mean(self, name: str, **labels: str) -> float:
        """Of the observations of a histogram; 0 where there were none."""
        count = self.more(f"{name}_count", **labels)
        return self.more(f"{name}_sum", **labels) / count if count else 0.0

    def writes(self) -> Counter[str]:
        """The operator's writes by verb and kind, those of its Lease aside."""
        counted: Counter[str] = Counter()
        for sample in self.after.families["doorward_writes"].samples:
            labels = sample.labels
            named = f"{labels['verb']} {labels['kind']}" + (
                f"/{labels['subresource']}" if labels["subresource"] else ""
            )
            if labels["kind"] != "Lease":
                counted[named] += int(sample.value - (self.before.value(sample.name, **labels) or 0))
        return +counted

    def stages(self) -> str:
        """The mean duration of each stage of a cut-off, and of the whole."""
        name = "doorward_cut_off_stage_duration_seconds"
        found = [self.mean(name, stage=stage) for stage in ("ledger", "crl", "gates")]
        whole = self.mean("doorward_cut_off_duration_seconds")
        return " + ".join(f"{seconds * 1000:.0f}" for seconds in found) + f" = {whole * 1000:.0f} ms"


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


def machine() -> float:
    """Seconds of CPU that all cores have worked so far, or that the host took from them, as the kernel counts it."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")

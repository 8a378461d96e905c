"""What each test costs: `pytest -p tests.support.cpu` shows the CPU time of each, and of each program that it started.

Wall time says little on a machine that others use too. Nothing imports this module but a person who looks for savings.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHOWN = 60
TICKS = os.sysconf("SC_CLK_TCK")


def _ticks(process: str) -> int:
    """The ticks of a process with those of its ended children, and of the children that live."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        children = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15])) + sum(_ticks(child) for each in children for child in each)


def _by_program(process: str = "self") -> Iterator[tuple[tuple[str, str], float]]:
    """What each living process below used, and apart from it what its ended children did."""
    try:
        before, _, after = Path(f"/proc/{process}/stat").read_text().rpartition(")")
        children = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return
    pid, _, name = before.partition(" (")
    own, own_kernel, ended, ended_kernel = map(int, after.split()[11:15])
    yield (pid, name), (own + own_kernel) / TICKS
    yield (pid, f"{name}, its ended children"), (ended + ended_kernel) / TICKS
    for child in (child for each in children for child in each):
        yield from _by_program(child)


def spent() -> float:
    """CPU seconds of this process and all below it, to the hundredth."""
    return _ticks("self") / TICKS


class _Costs:
    """From the end of one test to the end of the next, so that the fixtures of a module go to its first and last."""

    def __init__(self) -> None:
        self.by_test: Counter[str] = Counter()
        self.by_process: dict[tuple[str, str], float] = {}
        self.started = self.last = spent()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        result = yield
        now = spent()
        self.by_test[item.nodeid] += now - self.last
        self.last = now
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """The last look at a process is before the fixtures of a test end it."""
        self.by_process.update(_by_program())

    def pytest_collection_finish(self) -> None:
        """Collecting is no test's cost."""
        self.last = spent()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        by_file = Counter[str]()
        for test, cost in self.by_test.items():
            by_file[test.partition("::")[0]] += cost
        terminalreporter.section("CPU seconds")
        by_program = Counter[str]()
        for (_, name), cost in self.by_process.items():
            by_program[name] += cost
        for costs in (by_program, by_file, self.by_test):
            for name, cost in costs.most_common(SHOWN):
                terminalreporter.write_line(f"{cost:8.2f} {name}")
        terminalreporter.write_line(f"{spent() - self.started:8.2f} in all, {sum(self.by_test.values()):.2f} in tests")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Costs())

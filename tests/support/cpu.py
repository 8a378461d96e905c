"""What each test costs: `pytest -p tests.support.cpu` shows the CPU time of each, with that of the processes it started.

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


def spent() -> float:
    """CPU seconds of this process and all below it, to the hundredth."""
    return _ticks("self") / TICKS


class _Costs:
    """From the end of one test to the end of the next, so that the fixtures of a module go to its first and last."""

    def __init__(self) -> None:
        self.by_test: Counter[str] = Counter()
        self.started = self.last = spent()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        result = yield
        now = spent()
        self.by_test[item.nodeid] += now - self.last
        self.last = now
        return result

    def pytest_collection_finish(self) -> None:
        """Collecting is no test's cost."""
        self.last = spent()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        by_file = Counter[str]()
        for test, cost in self.by_test.items():
            by_file[test.partition("::")[0]] += cost
        terminalreporter.section("CPU seconds")
        for costs in (by_file, self.by_test):
            for name, cost in costs.most_common(SHOWN):
                terminalreporter.write_line(f"{cost:8.2f} {name}")
        terminalreporter.write_line(f"{spent() - self.started:8.2f} in all, {sum(self.by_test.values()):.2f} in tests")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Costs())

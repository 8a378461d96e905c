"""The operator under a launcher that kills it where a test says, and the table of what was survived."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.faulty import FaultyOperator
from tests.testbed.controlplane import Cluster

MATRIX = "crash matrix"
"""A test's property: the action, and what became of each point of it."""
PASSED, NOT_MADE = "passed", "not made"
FAILED = "FAILED"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Points by kinds of action, as they came out."""
    reports = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    columns = dict(value for report in reports for name, value in report.user_properties if name == MATRIX)
    if not columns:
        return
    terminalreporter.section("killed at each write: points × kinds")
    points = list(dict.fromkeys(point for column in columns.values() for point in column))
    width = max(map(len, points))
    terminalreporter.write_line(" ".join([" " * width, *(f"{name:>8}" for name in columns)]))
    for point in points:
        said = [column.get(point, "·") for column in columns.values()]
        cells = [f"{word if word in (PASSED, NOT_MADE, '·') else FAILED:>8}" for word in said]
        terminalreporter.write_line(" ".join([f"{point:{width}}", *cells]))
    outcomes = [word for column in columns.values() for word in column.values()]
    terminalreporter.write_line(
        f"{outcomes.count(PASSED)} passed, {outcomes.count(NOT_MADE)} not made, of {len(outcomes)}"
    )


@pytest.fixture(scope="module")
def operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyOperator]:
    """The operator under the launcher, once a module."""
    operator = FaultyOperator(cluster, tmp_path_factory.mktemp("faults"))
    operator.start()
    yield operator
    operator.close()

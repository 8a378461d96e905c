"""What import contracts cannot say of the layout: who writes to the cluster, and that imports go round in no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[2] / "operator" / "doorward"
WRITES = {"create", "replace", "patch", "delete"}
GATEWAYS = {SOURCE / "cluster" / name for name in ("gateway.py", "live.py", "wrapped.py")}
"""What a write goes through."""
WRITERS = {"cluster/leadership.py", "cluster/rollback.py", "issuers/archive.py", "issuers/publish.py"}
"""Besides modules named apply.py: the Lease, lost records, the archive, the CRL."""


def _writes(path: Path) -> list[int]:
    """The lines on which a module calls a write of a gateway."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in WRITES
        and "gateway" in ast.unparse(call.func.value)
    ]


def _modules() -> list[Path]:
    return sorted(
        path for path in SOURCE.rglob("*.py") if path not in GATEWAYS and path.relative_to(SOURCE).parts[0] != "cli"
    )


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_appliers_write_to_the_cluster(path):
    may = path.name == "apply.py" or str(path.relative_to(SOURCE)) in WRITERS
    assert may or _writes(path) == []


def test_the_writers_are_found_at_all():
    assert {str(p.relative_to(SOURCE)) for p in _modules() if _writes(p)} >= {
        *WRITERS,
        "certificates/apply.py",
        "gates/apply.py",
        "issuers/apply.py",
        "view/apply.py",
    }


def test_no_imports_go_round_in_a_circle_late_ones_included():
    graph = grimp.build_graph("doorward")
    TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}).prepare()

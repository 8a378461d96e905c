"""The page docs/reference/promises.md: each promise of the design with the tests that show it, read from their source.

`python -m tests.support.promised` prints it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROMISES = {
    1: "A revoked serial is in every CRL published from then on, until it has expired.",
    2: "No serial is signed and handed out without a record.",
    3: "No gate is ever open because of the operator.",
    4: "No CRL lapses while the operator runs.",
    5: "A CA key is in its Secret and nowhere else.",
    6: "Killed at any write, the next start reaches the right end, with nothing lost.",
    7: "Whatever YAML is applied: a clear message on the object, and every other object goes on working.",
    8: "Whoever may issue gets certificates for allowed names only, and takes no other client's access or key.",
}
RINGS = {
    "faults": "with faults, on a real API server",
    "gate": "at real hosts",
    "cluster": "on a real API server",
    "unit": "in memory",
}
_HEAD = """\
# Promises and the tests that show them

Made from the tests' source by `make docs`; do not edit. `make test` prints at its end how many passed for each promise.
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One test function that carries a promise's mark."""

    promise: int
    ring: str
    path: str
    name: str


def shown() -> Iterator[Shown]:
    """Every test function that shows a promise, in the order of the files; a file's own mark counts for each of its tests."""
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        whole = [promise for node in tree.body if isinstance(node, ast.Assign) for promise in _marks([node.value])]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                relative = path.relative_to(TESTS)
                for promise in sorted({*whole, *_marks(node.decorator_list)}):
                    yield Shown(promise, relative.parts[0], f"tests/{relative}", node.name)


def _marks(expressions: list[ast.expr]) -> Iterator[int]:
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                yield ast.literal_eval(node.args[0])


def markdown() -> str:
    """The page."""
    found = list(shown())
    sections = [_HEAD]
    for number, promise in PROMISES.items():
        sections.append(f"\n## {number}. {promise}\n")
        for ring, where in RINGS.items():
            tests = [test for test in found if (test.promise, test.ring) == (number, ring)]
            if tests:
                sections.append(f"\n{where[0].upper()}{where[1:]}:\n\n")
                sections += [f"- [{_sentence(test.name)}](../../{test.path})\n" for test in tests]
    return "".join(sections)


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    print(markdown(), end="")

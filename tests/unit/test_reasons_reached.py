"""Every reason of the table is said somewhere in the code, by name; and nothing is said that the table does not have."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorward.api.reasons import REASONS

SOURCES = Path(__file__).parents[2] / "operator" / "doorward"


def names_said(source: str) -> Iterator[str]:
    """The names in the first argument of each call of `said`: one, or one of two."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
            choices = [node.args[0]]
            while choices:
                choice = choices.pop()
                if isinstance(choice, ast.IfExp):
                    choices += [choice.body, choice.orelse]
                else:
                    yield ast.literal_eval(choice)


SAID = {name for path in SOURCES.rglob("*.py") for name in names_said(path.read_text())}


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_is_said_somewhere(name):
    assert name in SAID


def test_nothing_is_said_that_the_table_does_not_have():
    assert SAID - REASONS.keys() == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param('said("A", x=1)', {"A"}, id="a name"),
        pytest.param('said("A" if x else "B")', {"A", "B"}, id="one of two"),
        pytest.param('other("A")', set(), id="another function"),
        pytest.param('# said("A")', set(), id="a comment"),
    ],
)
def test_names_are_found_in(source, names):
    assert set(names_said(source)) == names

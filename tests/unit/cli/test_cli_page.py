"""docs/cli.md is what the commands themselves say."""

from pathlib import Path

from doorward.cli.app import VERBS
from tests.support.cli_page import helps, page

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text() == page(), "run: make docs"


def test_every_command_says_what_it_is_for_and_where_it_looks():
    asked = dict(helps())
    assert set(asked) == set(VERBS)
    for verb, text in asked.items():
        assert text.startswith(f"Usage: doorward {verb}")
        assert ("--context" in text) is ("--kubeconfig" in text), verb

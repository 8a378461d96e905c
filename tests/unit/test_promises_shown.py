"""Each promise of the design is shown by tests, in memory and from outside; the page that links them is up to date."""

from pathlib import Path

import pytest

from tests.support.promised import PROMISES, Shown, markdown, shown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "promises.md"


@pytest.fixture(scope="module")
def tests() -> list[Shown]:
    """Read from the source of all tests, which takes a second."""
    return list(shown())


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_shown_from_outside(tests, promise):
    assert {test.ring for test in tests if test.promise == promise} & {"cluster", "gate", "faults"}


def test_no_test_shows_a_promise_that_was_not_made(tests):
    assert {test.promise for test in tests} <= PROMISES.keys()


def test_the_page_is_what_make_docs_writes():
    assert PAGE.read_text() == markdown()

"""`make test` runs each test file in one of its parts, and in one only; some have a target of their own."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.__main__ import BEHIND, PARTS
from tests.support.parts import TESTS

APART = ("clients", "image", "plugin")
"""The folders that `make test-clients` and the like run: what they need is large, and built or fetched for them alone."""


def files(given: str | Path) -> list[Path]:
    path = TESTS.parent / given
    return [path] if path.is_file() else list(path.rglob("test_*.py"))


def test_each_test_file_is_in_one_part():
    found = Counter(file for part in PARTS.values() for given in part for file in files(given))
    there = (file for file in TESTS.rglob("test_*.py") if file.relative_to(TESTS).parts[0] not in APART)
    assert found == Counter(there)


@pytest.mark.parametrize("folder", APART)
def test_what_runs_apart_has_a_target_of_its_own(folder):
    makefile = (TESTS.parent / "Makefile").read_text()
    assert re.search(rf"(?m)^test-{folder}: .*\n\t\$\(BIN\)/pytest tests/{folder}$", makefile)


def test_what_is_behind_the_others_is_a_part():
    assert BEHIND.keys() <= PARTS.keys()

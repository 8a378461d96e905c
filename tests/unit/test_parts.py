"""`make test` runs each test file in one of its parts, and in one only; those of the image have `make test-image`."""

from collections import Counter
from pathlib import Path

from tests.__main__ import PARTS
from tests.support.parts import TESTS

APART = "image"
"""The folder that `make test-image` runs: it builds an image, as root, on Debian."""


def files(given: str | Path) -> list[Path]:
    path = TESTS.parent / given
    return [path] if path.is_file() else list(path.rglob("test_*.py"))


def test_each_test_file_is_in_one_part():
    found = Counter(file for part in PARTS.values() for given in part for file in files(given))
    there = (file for file in TESTS.rglob("test_*.py") if TESTS / APART not in file.parents)
    assert found == Counter(there)


def test_what_runs_apart_has_a_target_of_its_own():
    assert f"pytest tests/{APART}\n" in (TESTS.parent / "Makefile").read_text()

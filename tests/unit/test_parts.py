"""`make test` runs each test file in one of its parts, and in one only; those of the image have `make test-image`."""

from collections import Counter
from pathlib import Path

from tests.__main__ import PARTS
from tests.support.parts import TESTS


def files(given: str | Path) -> list[Path]:
    path = TESTS.parent / given
    return [path] if path.is_file() else list(path.rglob("test_*.py"))


def test_each_test_file_is_in_one_part():
    found = Counter(file for part in PARTS.values() for given in part for file in files(given))
    found.update(files("tests/image"))
    assert found == Counter(TESTS.rglob("test_*.py"))

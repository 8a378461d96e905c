"""Tests in random order still run module by module, and none is lost."""

from dataclasses import dataclass
from itertools import groupby

from tests.support.shuffle import shuffled


@dataclass(frozen=True)
class Item:
    path: str
    nodeid: str
    cls: str | None = None


ITEMS = [
    Item(f"module-{module}", f"{module}::{group}::{number}", f"class-{group}" if group else None)
    for module in range(5)
    for group in range(3)
    for number in range(4)
]


def runs(keys):
    return [key for key, _ in groupby(keys)]


def test_a_seed_decides_the_order():
    assert shuffled(ITEMS, "1") == shuffled(ITEMS, "1") != shuffled(ITEMS, "2") != ITEMS


def test_no_test_is_lost():
    assert sorted(shuffled(ITEMS, "1"), key=lambda item: item.nodeid) == sorted(ITEMS, key=lambda item: item.nodeid)


def test_a_module_and_a_class_run_in_one_go():
    found = shuffled(ITEMS, "1")
    assert len(runs(item.path for item in found)) == 5
    assert len(runs((item.path, item.cls) for item in found if item.cls)) == 10

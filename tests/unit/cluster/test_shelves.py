"""One index of a store, held against a plain dict of dicts: whatever is filed and taken away, in whatever order."""

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st

from doorward.cluster.shelves import FEW, Shelves
from doorward.objects.meta import ObjectKey

ENTRIES = ("red", "blue")
KEYS = [ObjectKey("edge", str(number)) for number in range(FEW + 3)]


class Filed:
    """Shelves, and the dicts that they stand for."""

    def __init__(self):
        self.objects = {}
        self.shelves = Shelves(self.objects.__getitem__)
        self.model = {}

    def toggle(self, entry, key):
        model = self.model.setdefault(entry, {})
        if key in model:
            del model[key]
            self.shelves.take(entry, key)
        else:
            model[key] = self.objects[key] = f"object {key}"
            self.shelves.file(entry, key, model[key])

    def compare(self):
        for entry in ENTRIES:
            assert self.shelves.find(entry) == tuple(self.model.get(entry, {}).values())
        assert len(self.shelves) == sum(map(bool, self.model.values()))


@draw(st.lists(st.tuples(st.sampled_from(ENTRIES), st.sampled_from(KEYS)), max_size=80))
def test_shelves_give_what_a_dict_of_dicts_would(steps):
    filed = Filed()
    for entry, key in steps:
        filed.toggle(entry, key)
        filed.compare()


@pytest.mark.parametrize("order", [KEYS, KEYS[::-1]], ids=["the first one first", "the last one first"])
def test_a_shelf_grows_past_a_few_and_is_emptied_again(order):
    filed = Filed()
    for key in (*KEYS, *order):
        filed.toggle("red", key)
        filed.compare()
    assert len(filed.shelves) == 0


def test_what_is_filed_nowhere_is_not_found():
    assert Filed().shelves.find("red") == ()

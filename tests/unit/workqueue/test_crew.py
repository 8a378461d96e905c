"""How workers are divided, and how many of them one share may hold."""

import pytest

from doorward.workqueue.crew import crews
from doorward.workqueue.priority import Priority


@pytest.mark.parametrize(
    ("count", "reserved", "divided"),
    [
        pytest.param(72, 8, [(64, 32, 8), (8, 4, 4)], id="as the operator has them"),
        pytest.param(2, 1, [(1, 1, 1), (1, 1, 1)], id="one of each"),
        pytest.param(4, 0, [(4, 2, 1)], id="none for cut-offs only"),
    ],
)
def test_workers_are_divided(count, reserved, divided):
    assert [(c.size, c.most, c.beside_cut_offs) for c in crews(count, reserved)] == divided


def test_those_that_are_reserved_take_cut_offs_and_the_others_take_all():
    assert [crew.lowest for crew in crews(4, 2)] == [Priority.CA_CREATION, Priority.CUT_OFF]


@pytest.mark.parametrize("size", range(1, 100))
def test_every_share_may_hold_a_worker_and_none_holds_all_of_two_or_more(size):
    for crew in crews(2 * size, size):
        assert 1 <= crew.beside_cut_offs <= crew.most <= crew.size
        assert crew.most < crew.size or crew.size == 1


@pytest.mark.parametrize(("count", "reserved"), [(1, 1), (2, 3), (0, 0), (2, -1)])
def test_workers_that_leave_none_for_other_keys_are_refused(count, reserved):
    with pytest.raises(ValueError, match="none is left"):
        crews(count, reserved)

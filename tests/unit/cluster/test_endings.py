"""How many members of a group have not ended: as a count of all would say, through every addition and removal."""

from datetime import timedelta
from unittest import mock

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.cluster import endings as endings_module
from doorward.cluster.endings import Endings
from tests.unit.given import NOW, SECOND

STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=40)


@given_that(steps=STEPS, at=st.integers(-1, 6))
def test_it_counts_what_a_count_of_all_members_says(steps, at):
    with mock.patch.object(endings_module, "LONGEST_LIST", 3):
        check(Endings(), [], steps, NOW + at * SECOND)


def check(endings, members, steps, now):
    for group, second, comes in steps:
        member = (group, NOW + second * SECOND)
        if comes:
            members.append(member)
            endings.add(*member)
        elif member in members:
            members.remove(member)
            endings.remove(*member)
    for group in "ab":
        assert endings.after(group, now) == sum(g == group and ends > now for g, ends in members)


def test_a_member_that_ends_now_has_ended():
    endings = Endings()
    endings.add("a", NOW)
    assert (endings.after("a", NOW - SECOND), endings.after("a", NOW)) == (1, 0)


@pytest.mark.parametrize("ends", [NOW - SECOND, NOW + timedelta(days=1)])
def test_a_member_that_is_not_there_cannot_be_removed(ends):
    endings = Endings()
    endings.add("a", NOW)
    with pytest.raises(KeyError):
        endings.remove("a", ends)


def test_no_list_grows_long_so_that_an_insertion_moves_little():
    endings = Endings()
    for second in range(3 * endings_module.LONGEST_LIST):
        endings.add("a", NOW + second * SECOND)
    lists = endings._ends["a"]
    assert max(map(len, lists)) <= endings_module.LONGEST_LIST
    assert endings.after("a", NOW) == 3 * endings_module.LONGEST_LIST - 1

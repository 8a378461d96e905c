"""Shares take turns, and within a share the first key goes first."""

import pytest

from doorward.workqueue.turns import Turns


def everyone(_share):
    return True


@pytest.fixture
def turns():
    return Turns()


def taken(turns, allowed=everyone):
    keys = []
    while (key := turns.take(allowed)) is not None:
        keys.append(key)
    return keys


def test_keys_of_one_share_go_in_the_order_in_which_they_came(turns):
    for key in "cab":
        turns.add("share", key)
    assert taken(turns) == ["c", "a", "b"]


def test_shares_take_turns_however_many_keys_one_of_them_has(turns):
    for number in range(4):
        turns.add("large", f"large {number}")
    turns.add("small", "small 0")
    turns.add("middle", "middle 0")
    turns.add("middle", "middle 1")
    assert taken(turns) == ["large 0", "small 0", "middle 0", "large 1", "middle 1", "large 2", "large 3"]


def test_a_share_that_comes_later_waits_for_one_key_of_each_other_share(turns):
    for share in "abc":
        for number in range(3):
            turns.add(share, f"{share}{number}")
    turns.take(everyone)
    turns.add("d", "d0")
    assert taken(turns)[:4] == ["b0", "c0", "a1", "d0"]


def test_a_share_that_is_passed_over_keeps_its_place(turns):
    for share in "abc":
        turns.add(share, share)
    assert turns.take(lambda share: share != "a") == "b"
    assert taken(turns) == ["a", "c"]


def test_nothing_is_taken_where_no_share_is_allowed(turns):
    turns.add("a", "a")
    assert turns.take(lambda _: False) is None
    assert taken(turns) == ["a"]


def test_a_key_that_is_removed_is_not_taken(turns):
    for key in "abc":
        turns.add("share", key)
    turns.remove("share", "b")
    assert taken(turns) == ["a", "c"]


def test_of_a_share_without_keys_nothing_is_kept(turns):
    turns.add("taken", "a")
    turns.add("removed", "b")
    turns.remove("removed", "b")
    taken(turns)
    assert turns._shares == {}

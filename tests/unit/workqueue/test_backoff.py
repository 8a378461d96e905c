"""How long a key that failed rests."""

import itertools

import pytest

from doorward.workqueue.backoff import LONGEST, LONGEST_CUT_OFF, Backoff
from doorward.workqueue.priority import Priority


def rests(backoff, key, count, priority=Priority.ISSUANCE):
    return [backoff.failed(key, priority) for _ in range(count)]


def test_the_rest_doubles_with_each_failure_in_a_row():
    assert rests(Backoff(first=0.2), "a", 5) == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])


@pytest.mark.parametrize("priority", Priority)
def test_a_rest_is_never_longer_than_the_longest_of_its_priority(priority):
    assert max(rests(Backoff(), "a", 20, priority)) == (15.0 if priority is Priority.CUT_OFF else 300.0)


@pytest.mark.parametrize("priority", Priority)
def test_a_key_may_fail_for_ever(priority):
    longest = LONGEST_CUT_OFF if priority is Priority.CUT_OFF else LONGEST
    assert set(rests(Backoff(), "a", 5_000, priority)[100:]) == {longest}


def test_a_key_that_failed_often_and_is_needed_by_a_cut_off_rests_no_longer_than_a_cut_off():
    backoff = Backoff()
    rests(backoff, "a", 50)
    assert backoff.failed("a", Priority.CUT_OFF) == LONGEST_CUT_OFF


@pytest.mark.parametrize("priority", Priority)
def test_rests_never_get_shorter_while_a_key_fails(priority):
    steps = rests(Backoff(), "a", 50, priority)
    assert all(one <= next_ for one, next_ in itertools.pairwise(steps))


def test_a_success_begins_again_at_the_first_step():
    backoff = Backoff(first=0.2)
    rests(backoff, "a", 5)
    backoff.succeeded("a")
    assert rests(backoff, "a", 1) == [0.2]


def test_a_failure_of_one_key_lets_no_other_rest_longer():
    backoff = Backoff(first=0.2)
    rests(backoff, "a", 5)
    assert rests(backoff, "b", 1) == [0.2]


def test_of_a_key_that_succeeded_nothing_is_kept():
    backoff = Backoff()
    for number in range(100):
        rests(backoff, number, 3)
        backoff.succeeded(number)
        backoff.succeeded("never failed")
    assert len(backoff) == 0

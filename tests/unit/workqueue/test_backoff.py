"""How long a key that failed rests."""

import itertools

import pytest

from doorward.workqueue.backoff import Backoff


def rests(backoff, key, count):
    return [backoff.failed(key) for _ in range(count)]


def test_the_rest_doubles_with_each_failure_in_a_row():
    assert rests(Backoff(first=0.2, longest=300.0), "a", 5) == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])


def test_a_rest_is_never_longer_than_the_longest():
    assert max(rests(Backoff(first=1.0, longest=8.0), "a", 20)) == 8.0


def test_a_key_may_fail_for_ever():
    assert set(rests(Backoff(), "a", 5_000)[100:]) == {300.0}


def test_rests_never_get_shorter_while_a_key_fails():
    steps = rests(Backoff(), "a", 50)
    assert all(one <= next_ for one, next_ in itertools.pairwise(steps))


def test_a_success_begins_again_at_the_first_step():
    backoff = Backoff(first=0.2)
    rests(backoff, "a", 5)
    backoff.succeeded("a")
    assert backoff.failed("a") == 0.2


def test_a_failure_of_one_key_lets_no_other_rest_longer():
    backoff = Backoff(first=0.2)
    rests(backoff, "a", 5)
    assert backoff.failed("b") == 0.2


def test_the_success_of_a_key_that_never_failed_is_nothing_new():
    backoff = Backoff(first=0.2)
    backoff.succeeded("a")
    assert backoff.failed("a") == 0.2

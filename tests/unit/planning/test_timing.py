"""Sums over instants: durations, clock skew, when a renewal is due, and how often a client may be issued to."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.planning import timing
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2160h", 90 * DAY, id="hours"),
        pytest.param("90m", timedelta(minutes=90), id="minutes"),
        pytest.param("1s", SECOND, id="seconds"),
        pytest.param("1h30m5s", timedelta(hours=1, minutes=30, seconds=5), id="all three, in their order"),
        pytest.param("0h", timedelta(0), id="nothing"),
        pytest.param("262800h", timedelta(hours=262_800), id="thirty years"),
    ],
)
def test_a_duration_is_hours_minutes_and_seconds(text, expected):
    assert timing.duration(text) == expected


@pytest.mark.parametrize("text", ["", "90d", "1.5h", "-1h", "5m1h", "h", "1h 30m", "1h\n", "1H", "١h", "9" * 40 + "h"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as 2160h"):
        timing.duration(text)


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        pytest.param(timedelta(0), False, id="clocks that agree"),
        pytest.param(timedelta(minutes=5), False, id="five minutes are borne"),
        pytest.param(timedelta(minutes=5, seconds=1), True, id="more is not"),
        pytest.param(-timedelta(minutes=5, seconds=1), True, id="in either direction"),
    ],
)
def test_clocks_are_skewed_from_five_minutes_on(skew, expected):
    assert timing.skewed(skew) is expected


@pytest.mark.parametrize(
    ("lifetime", "renew_before", "expected"),
    [
        pytest.param(90 * DAY, None, 60 * DAY, id="two thirds of a long life"),
        pytest.param(10 * DAY, None, 10 * DAY * 2 / 3, id="ten days are long"),
        pytest.param(9 * DAY, None, 9 * DAY / 2, id="half of a short life"),
        pytest.param(90 * DAY, 30 * DAY, 60 * DAY, id="as long before the end as the spec says"),
        pytest.param(90 * DAY, 90 * DAY, 60 * DAY, id="a lifetime before the end would renew for ever"),
        pytest.param(90 * DAY, 91 * DAY, 60 * DAY, id="and so would more"),
        pytest.param(90 * DAY, 90 * DAY - 5 * MINUTE, 5 * MINUTE, id="five minutes are the least between two"),
        pytest.param(90 * DAY, 90 * DAY - 5 * MINUTE + SECOND, 60 * DAY, id="a second less would turn for ever"),
    ],
)
def test_a_renewal_is_due_well_before_the_end(lifetime, renew_before, expected):
    assert timing.client_renewal(NOW - HOUR, NOW + lifetime, renew_before) == NOW + expected


def test_a_certificate_that_begins_with_its_ca_is_renewed_before_it_ends():
    # Its CA has just begun, so it is not backdated: what an hour back would say of its age is wrong.
    assert timing.client_renewal(NOW, NOW + HOUR, None) == NOW + HOUR / 2


@given_that(
    lifetime=st.integers(3600, 9 * 10**7), before=st.none() | st.integers(1, 10**8), backdated=st.integers(0, 3600)
)
def test_a_renewal_is_never_due_within_five_minutes_and_never_after_the_end(lifetime, before, backdated):
    renew_before = None if before is None else before * SECOND
    due = timing.client_renewal(NOW - backdated * SECOND, NOW + lifetime * SECOND, renew_before)
    assert NOW + 5 * MINUTE <= due < NOW + lifetime * SECOND


@pytest.mark.parametrize(
    ("lifetime", "expected"),
    [
        pytest.param(HOUR, 10 * MINUTE, id="a sixth of an hour"),
        pytest.param(6 * HOUR, HOUR, id="an hour of six"),
        pytest.param(90 * DAY, HOUR, id="never more"),
    ],
)
def test_the_last_call_for_a_certificate_is_before_its_end_by(lifetime, expected):
    assert timing.last_call(NOW - HOUR, NOW + lifetime) == NOW + lifetime - expected


def _issued(count, *, last=timedelta(0)):
    return tuple(given.record(serial, issued_at=NOW - last - serial * SECOND) for serial in range(1, count + 1))


@pytest.mark.parametrize(
    ("count", "wait"),
    [
        pytest.param(0, timedelta(0), id="the first waits for nothing"),
        pytest.param(7, timedelta(0), id="nor does the eighth"),
        pytest.param(8, timedelta(minutes=1), id="the ninth waits a minute"),
        pytest.param(9, timedelta(minutes=2), id="the tenth twice as long"),
        pytest.param(40, 6 * HOUR, id="none longer than six hours"),
    ],
)
def test_certificates_lost_in_a_loop_wait_twice_as_long_each_time(count, wait):
    free_at, seen = timing.next_issue(_issued(count), NOW, 90 * DAY)
    assert (free_at, seen) == (NOW + wait - (SECOND if wait else timedelta(0)), count)


def test_what_was_issued_a_day_ago_counts_no_more():
    assert timing.next_issue(_issued(40, last=DAY), NOW, 90 * DAY) == (NOW, 0)


@pytest.mark.parametrize(
    ("lifetime", "free"),
    [
        pytest.param(HOUR, 56, id="an hour"),
        pytest.param(DAY, 10, id="a day"),
        pytest.param(2 * DAY + SECOND, 8, id="two days and more"),
    ],
)
def test_the_renewals_that_a_lifetime_needs_are_free_for(lifetime, free):
    assert timing.next_issue(_issued(free - 1), NOW, lifetime)[0] == NOW
    assert timing.next_issue(_issued(free), NOW, lifetime)[0] == NOW + MINUTE - SECOND


def test_those_that_were_revoked_are_in_the_crl_and_have_no_renewals_free():
    revoked = tuple(replace(record, revocation=given.revocation()) for record in _issued(8))
    assert timing.next_issue(revoked[:7], NOW, HOUR)[0] == NOW
    assert timing.next_issue(revoked, NOW, HOUR)[0] == NOW + MINUTE - SECOND

"""Sums over instants: durations, clock skew, when a renewal is due, and how often a client may be issued to."""

from datetime import timedelta

import pytest

from doorward.planning import timing
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND


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
    ],
)
def test_a_renewal_is_due_well_before_the_end(lifetime, renew_before, expected):
    assert timing.renewal_time(NOW, NOW + lifetime, renew_before) == NOW + expected


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
    free_at, seen = timing.next_issue(_issued(count), NOW)
    assert (free_at, seen) == (NOW + wait - (SECOND if wait else timedelta(0)), count)


def test_what_was_issued_a_day_ago_counts_no_more():
    assert timing.next_issue(_issued(40, last=DAY), NOW) == (NOW, 0)

"""What counts as having got in, of clients who ask without end."""

from collections import defaultdict

import pytest

from tests.gate.asked.tireless import Crowd, Told

ANSWERS = [Told(1.0, 404), Told(2.0, 200), Told(4.0, 403), Told(6.0, 200), Told(7.0, 500)]


def crowd(**closed: float) -> Crowd:
    told = defaultdict(list, {("nobody", "shop"): ANSWERS})
    return Crowd(None, {"nobody": lambda _: None}, ["shop"], closed, told)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("closed", "counted"),
    [
        pytest.param({"shop": 0.0}, [2.0, 6.0], id="protected from its creation"),
        pytest.param({"shop": 5.0}, [6.0], id="protected later"),
        pytest.param({"shop": 6.5}, [], id="protected at the end"),
        pytest.param({}, [], id="open"),
    ],
)
def test_whoever_is_admitted_after_a_host_was_closed_got_in(closed, counted):
    assert [told.begun for _, _, told in crowd(**closed).got_in()] == counted


def test_a_host_that_comes_to_be_asked_again_is_no_less_closed():
    asking = crowd(shop=5.0)
    asking.go_to(["shop"])
    assert asking.closed == {"shop": 5.0}

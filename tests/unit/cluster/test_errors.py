"""What the API server answers, as types."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis.strategies import text

from doorward.cluster import errors
from tests.unit.cluster.http_api import NOW


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        pytest.param(400, "BadRequest", "no", errors.Invalid, id="400, a body it cannot read"),
        pytest.param(401, "Unauthorized", "no", errors.Transient, id="401, a token that is being renewed"),
        pytest.param(403, "Forbidden", "no", errors.Forbidden, id="403, a right that is missing"),
        pytest.param(
            403,
            "Forbidden",
            'secrets "a" is forbidden: unable to create new content in namespace edge because it is being terminated',
            errors.Ending,
            id="403, a namespace on its way out",
        ),
        pytest.param(404, "NotFound", "no", errors.NotFound, id="404, it is not there"),
        pytest.param(404, "", "", errors.NoSuchKind, id="404, its kind is not served"),
        pytest.param(405, "MethodNotAllowed", "no", errors.Transient, id="405, the API server is starting"),
        pytest.param(409, "AlreadyExists", "no", errors.AlreadyExists, id="409, somebody has that name"),
        pytest.param(409, "Conflict", "no", errors.Conflict, id="409, it changed since it was read"),
        pytest.param(409, "", "", errors.Conflict, id="409, without a reason"),
        pytest.param(410, "Expired", "no", errors.Gone, id="410, too far behind"),
        pytest.param(413, "RequestEntityTooLarge", "no", errors.Invalid, id="413, a body that is too large"),
        pytest.param(422, "Invalid", "no", errors.Invalid, id="422, a body that breaks the schema"),
        pytest.param(429, "TooManyRequests", "no", errors.Transient, id="429, slower please"),
        pytest.param(500, "InternalError", "no", errors.Transient, id="500, a webhook that failed"),
        pytest.param(503, "", "", errors.Transient, id="503, no API server behind the balancer"),
        pytest.param(504, "Timeout", "no", errors.Transient, id="504, etcd was too slow"),
    ],
)
def test_an_answer_becomes_a_type_by(status, reason, message, kind):
    error = errors.from_answer(status, reason, message)
    assert (type(error), error.status) == (kind, status)


@pytest.mark.parametrize(
    ("reason", "message", "text"),
    [
        pytest.param("NotFound", 'secrets "a" not found', 'secrets "a" not found', id="the server's message"),
        pytest.param("NotFound", "", "NotFound", id="the reason, where there is no message"),
        pytest.param("", "", "HTTP 404", id="the status, where there is neither"),
    ],
)
def test_an_error_says(reason, message, text):
    assert str(errors.from_answer(404, reason, message)) == text


def test_every_type_is_an_error_of_the_api():
    kinds = (
        errors.NotFound,
        errors.AlreadyExists,
        errors.Conflict,
        errors.Gone,
        errors.Forbidden,
        errors.Invalid,
        errors.Transient,
    )
    assert all(issubclass(kind, errors.ApiError) for kind in kinds)


def at(**after):
    return format_datetime(NOW + timedelta(**after), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param(None, 0, id="none"),
        pytest.param("", 0, id="an empty one"),
        pytest.param("1", 1, id="a second, as the API server asks when it is overloaded"),
        pytest.param(" 30 ", 30, id="seconds among blanks"),
        pytest.param("0", 0, id="no seconds"),
        pytest.param("00000000000000000000030", 30, id="seconds with zeros before them"),
        pytest.param(at(seconds=90), 90, id="a date"),
        pytest.param("Tue, 01 Sep 2026 12:01:30 -0000", 90, id="a date without a zone"),
        pytest.param(at(seconds=-90), 0, id="a date that has passed"),
        pytest.param("-5", 0, id="less than no seconds"),
        pytest.param("1.5", 0, id="a fraction, which is not allowed"),
        pytest.param("1e9", 0, id="a number that is not decimal"),
        pytest.param("inf", 0, id="a float that is no number"),
        pytest.param("²", 0, id="a digit that is none"),
        pytest.param("١٢", 0, id="digits of another script"),
        pytest.param("soon", 0, id="a word"),
        pytest.param("Tue, 01 Sep 2026 12:00:00 +99999999999999999999", 0, id="a date in a zone that is nowhere"),
        pytest.param("Tue, 99999999999 Sep 2026 12:00:00 GMT", 0, id="a date that no calendar has"),
        pytest.param("x" * 8_000, 0, id="a long text"),
    ],
)
def test_a_retry_after_header_asks_for(header, seconds):
    assert errors.seconds_of(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("301", id="seconds"),
        pytest.param("9" * 8_000, id="more digits than an integer may have"),
        pytest.param(at(days=400), id="a date next year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -2359", id="the last date there is"),
    ],
)
def test_nobody_can_stop_the_operator_for_longer_than_five_minutes_by(header):
    answer = errors.from_answer(429, "", "", retry_after=errors.seconds_of(header, NOW))
    assert errors.retry_after(answer) == 300


@given(text())
def test_no_header_breaks_anything(header):
    assert errors.seconds_of(header, NOW) >= 0


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(errors.Transient("busy", retry_after=3), 3, id="an answer that asks for some"),
        pytest.param(errors.Transient("busy", retry_after=-3), 0, id="an answer that asks for less than none"),
        pytest.param(errors.Forbidden("no"), 0, id="an answer that asks for none"),
        pytest.param(TimeoutError(), 0, id="no answer"),
    ],
)
def test_an_error_says_how_long_to_wait(error, seconds):
    assert errors.retry_after(error) == seconds

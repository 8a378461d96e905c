"""What the API server answers, as types."""

import pytest

from doorward.cluster import errors


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

"""What the API server may answer, as types.

ApiError
├── NotFound        404: it is not there
│   └── NoSuchKind  404 that speaks of no object: its kind is not served, which says nothing of the object
├── AlreadyExists   409 to a create: somebody has that name
├── Conflict        409 to a write: it changed since it was read
├── Gone            410: the watch is too far behind, list again
├── Forbidden       403: a right is missing, or an admission policy said no
├── Invalid         400, 413, 422: the API server will never take this body
├── NotLeading      no answer at all: another process leads, and this one did not ask
└── Transient       429, 5xx, timeouts, refused connections: try again
    └── Ending      403: the namespace is on its way out, and takes nothing new
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 300.0
"""Seconds; an answer that asks for more is asked again after that. Nobody can stop the operator with a header."""


class ApiError(Exception):
    """An answer of the API server that is not a success; its text is the server's own message.

    `retry_after`: the seconds that the server asked to wait before the next try, at most LONGEST_RETRY_AFTER; 0: it did not.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)


class NotFound(ApiError): ...


class NoSuchKind(NotFound): ...


class AlreadyExists(ApiError): ...


class Conflict(ApiError): ...


class Gone(ApiError): ...


class Forbidden(ApiError): ...


class Invalid(ApiError): ...


class NotLeading(ApiError): ...


class Transient(ApiError): ...


class Ending(Transient): ...


def retry_after(error: BaseException) -> float:
    """The seconds that the server asked to wait in that answer; 0: it did not, or the error is no answer."""
    return error.retry_after if isinstance(error, ApiError) else 0.0


def seconds_of(header: str | None, now: datetime) -> float:
    """What a `Retry-After` header asks for (RFC 9110, section 10.2.3): delta-seconds, or an HTTP date seen from `now`, the
    server's time. 0 where there is none, where it cannot be read, and for a date that has passed.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)  # however many digits: infinity, at most
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def from_answer(status: int, reason: str, message: str, *, retry_after: float = 0.0) -> ApiError:
    """The error for an HTTP status above 399, with the `reason` and `message` of the API's Status object."""
    kind: type[ApiError]
    if status == 409:
        kind = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif status == 403 and "because it is being terminated" in message:
        kind = Ending
    elif status == 404 and reason != "NotFound":
        kind = NoSuchKind  # `404 page not found`, and no Status
    else:
        kind = {400: Invalid, 401: Transient, 403: Forbidden, 404: NotFound, 410: Gone, 413: Invalid, 422: Invalid}.get(
            status, Transient
        )
    return kind(message or reason or f"HTTP {status}", status=status, retry_after=retry_after)

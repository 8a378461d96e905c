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


class ApiError(Exception):
    """An answer of the API server that is not a success; its text is the server's own message."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


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


def from_answer(status: int, reason: str, message: str) -> ApiError:
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
    return kind(message or reason or f"HTTP {status}", status=status)

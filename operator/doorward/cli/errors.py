"""What a user can fix. It is told in one line, with a hint, and without a traceback."""

import re

from doorward.cluster.errors import ApiError, Forbidden, NoSuchKind, Transient

_MISSING = re.compile(
    r'cannot (?P<verb>[a-z]+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
"""How the API server says that RBAC gives no such right; an admission policy says something else."""
ASK = "ask a cluster administrator for this right"
INSTALL = "install Doorward's CRDs: kubectl apply --server-side -f deploy/crds"
REACH = "see whether kubectl reaches the cluster: kubectl version"


class UserError(Exception):
    """What is wrong, what to do, and the exit status."""

    def __init__(self, message: str, hint: str = "", *, status: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


def of_api(error: ApiError) -> UserError:
    """What the API server answered, as what a user can do about it."""
    if isinstance(error, Forbidden) and (missing := missing_right(error)):
        return UserError(f"you have no right to {missing}", ASK)
    if isinstance(error, NoSuchKind):
        return UserError(str(error), INSTALL)
    return UserError(str(error), REACH if isinstance(error, Transient) and error.status == 0 else "")


def missing_right(error: ApiError) -> str:
    """The right that is missing, such as `list mtlsissuers.doorward.io in namespace edge`; empty: it is another refusal."""
    found = _MISSING.search(str(error))
    if found is None:
        return ""
    kind = ".".join(filter(None, (found["resource"], found["group"])))
    where = f"namespace {found['namespace']}" if found["namespace"] else "all namespaces"
    return f"{found['verb']} {kind} in {where}"

"""What tests of the gate service share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.cluster.policies_support import NGINX
from tests.gate.doors import CLOSED, IN, Door, Files
from tests.support.home import Home
from tests.support.installation import GATE_SERVICE, OperatorProcess
from tests.support.kube import INGRESSES

AUTH_URL = NGINX + "auth-url"
RESPONSE_HEADERS = NGINX + "auth-response-headers"
IDENTITY = "X-Doorward-Client,X-Doorward-Common-Name,X-Doorward-Serial"
QUERY = "verify=$ssl_client_verify&serial=$ssl_client_serial&fingerprint=$ssl_client_fingerprint&ingress=$ingress_name"
AT_ONCE = 10.0
"""Seconds, on a busy machine; the API server's watch, and nothing else, takes milliseconds."""


def question(namespace: str, issuer: str = "partners") -> str:
    """The annotation of an Ingress whose issuer is in its own namespace."""
    return f"{GATE_SERVICE}/ingress-nginx/{namespace}/{namespace}/{issuer}?{QUERY}"


@contextmanager
def without_operator(operator: OperatorProcess) -> Iterator[None]:
    """Nobody publishes a CRL."""
    operator.stop()
    try:
        yield
    finally:
        operator.start()


def annotations(home: Home, name: str = "shop") -> dict[str, str]:
    """Of an Ingress, as the API server has it."""
    return dict(home.body(INGRESSES, name)["metadata"].get("annotations") or {})


def refused_at_once(door: Door, files: Files) -> None:
    """From now on, or the time that a watch takes."""
    since = time.monotonic()
    while door.tells(files) == IN:
        assert time.monotonic() - since < AT_ONCE
    assert {door.tells(files) for _ in range(5)} == {CLOSED}


def undisturbed(story: Callable[[], None], tries: int = 5) -> None:
    """A story of one connection, told again where nginx ended it: it reloads as the hosts of another test go."""
    for _ in range(tries - 1):
        try:
            return story()
        except OSError:
            continue
    return story()

"""The annotations by which ingress-nginx asks the gate service at every request, and those that would undo it.

`auth-url` holds for the paths of its Ingress; what nginx fills in is in `objects/proxy_requests/ingress_nginx.py`.
"""

from collections.abc import Mapping
from typing import Any

from doorward.cluster.gateway import FIELD_MANAGER
from doorward.gates.ingress_nginx.known import PREFIX
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests import ingress_nginx
from doorward.objects.proxy_requests.question import Question, gate_of

AUTH_URL = PREFIX + "auth-url"
RESPONSE_HEADERS = PREFIX + "auth-response-headers"
IDENTITY = "X-Doorward-Client,X-Doorward-Common-Name,X-Doorward-Serial"
"""Set for the application at every request: so a client's own headers of these names never arrive."""
UNDOING = tuple(
    PREFIX + name
    for name in (
        "auth-cache-duration",
        "auth-cache-key",
        "auth-method",
        "auth-signin",
        "auth-signin-redirect-param",
        "enable-global-auth",
    )
)
"""With these an answer is kept, the question is another one, or a refusal becomes a redirect."""
NAMES = (AUTH_URL, RESPONSE_HEADERS, *UNDOING)
"""All that is looked at."""


def wanted(service: str, namespace: str, issuer: ObjectKey) -> dict[str, str]:
    """The annotations for a gate of that issuer; `service`: `http://` and the host of the gate service."""
    return {AUTH_URL: ingress_nginx.url(service, namespace, issuer), RESPONSE_HEADERS: IDENTITY}


def is_question(value: str, namespace: str) -> bool:
    """Whether a value of `auth-url` asks a gate service about a gate of that namespace."""
    base, _, rest = value.partition(f"{ingress_nginx.PREFIX}{namespace}/")
    queries = (f"?{ingress_nginx.QUERY}", f"?{ingress_nginx.EARLIER_QUERY}")
    return base.startswith("http://") and rest.endswith(queries)


def question(body: Mapping[str, Any]) -> Question | None:
    """What nginx asks a gate service at every request of an Ingress, but for the certificate; None: it does not ask as it should."""
    metadata = body["metadata"]
    value = (metadata.get("annotations") or {}).get(AUTH_URL, "")
    if undone(body):
        return None
    gate = gate_of(value.partition(ingress_nginx.PREFIX)[2].partition("?")[0])
    named = metadata["name"] if value.endswith(f"?{ingress_nginx.QUERY}") else ""
    return None if gate is None else Question(gate, None, named)


def asks_another(body: Mapping[str, Any]) -> bool:
    """Whether nginx may ask something else who gets in, or keep an answer of the gate service."""
    asks = AUTH_URL in (body["metadata"].get("annotations") or {})
    return question(body) is None and (asks or undone(body) != "")


def foreign(body: Mapping[str, Any]) -> frozenset[str]:
    """Of the two annotations, those that somebody set to something else."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    found = set()
    if AUTH_URL in annotations and not is_question(annotations[AUTH_URL], metadata["namespace"]):
        found.add(AUTH_URL)
    if annotations.get(RESPONSE_HEADERS, IDENTITY) != IDENTITY:
        found.add(RESPONSE_HEADERS)
    return frozenset(found)


def undone(body: Mapping[str, Any]) -> str:
    """Why the gate service is not asked as it should be at every request of an Ingress, and what to do; empty: it is."""
    annotations = body["metadata"].get("annotations") or {}
    wrong = sorted(foreign(body)) + [name for name in UNDOING if name in annotations]
    return f"remove the annotation {wrong[0]}" if wrong else ""


def without_owner(body: Mapping[str, Any]) -> frozenset[str]:
    """Of the two annotations, those that no other field manager owns: a policy wrote them, or the operator did."""
    owned: set[str] = set()
    for entry in body["metadata"].get("managedFields") or ():
        if entry.get("manager") != FIELD_MANAGER:
            fields = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
            owned.update(name.removeprefix("f:") for name in fields)
    return frozenset({AUTH_URL, RESPONSE_HEADERS} - owned)

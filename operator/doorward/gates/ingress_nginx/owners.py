"""Who owns the annotations by which an Ingress is protected, as server-side apply has it."""

from collections.abc import Iterator, Mapping
from typing import Any

from doorward.cluster.gateway import FIELD_MANAGER
from doorward.gates.ingress_nginx.known import PREFIX
from doorward.planning.field_owners import MOST_TEXT, SetByOther, Setting

LEFT_TO_OTHERS: Mapping[str, Setting] = {
    PREFIX + "auth-tls-error-page": "errorPage",
    PREFIX + "auth-tls-pass-certificate-to-upstream": "passCertificateToUpstream",
    PREFIX + "auth-tls-verify-depth": "verifyDepth",
}
"""The annotations that are left as another manager set them, and the setting of the issuer that each is."""


def others(body: Mapping[str, Any]) -> tuple[SetByOther, ...]:
    """Of these, those that a manager other than the operator owns, of an Ingress as the API server gives it."""
    annotations = body["metadata"].get("annotations") or {}
    owned = dict(_owned_by_others(body))
    return tuple(
        SetByOther(setting=LEFT_TO_OTHERS[name], field=name, value=annotations[name], manager=owned[name])
        for name in sorted(LEFT_TO_OTHERS)
        if name in owned and name in annotations
    )


def _owned_by_others(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in body["metadata"].get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if manager != FIELD_MANAGER:
            fields = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
            yield from ((name.removeprefix("f:"), manager[:MOST_TEXT]) for name in fields)

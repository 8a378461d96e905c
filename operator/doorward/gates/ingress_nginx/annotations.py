"""ingress-nginx: its annotations on an Ingress, and which of them are ours.

All of auth-tls holds for a host, not a path; the controller reads only `ca.crt` and `ca.crl` of the Secret, which must
stand in the Ingress's own namespace (see docs/architecture.md).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from doorward.api.conditions import Condition
from doorward.api.fields import GROUP
from doorward.cluster.gateway import FIELD_MANAGER
from doorward.gates.ingress_nginx import openings as ways
from doorward.gates.ingress_nginx import owners, per_request
from doorward.gates.ingress_nginx.known import PREFIX
from doorward.gates.ingress_nginx.openings import Settings
from doorward.gates.ingress_nginx.shape import Shape, accepted, shape_of
from doorward.gates.interface import Target
from doorward.objects import access_list
from doorward.objects.access_list import ALLOW
from doorward.objects.meta import GATE_ANNOTATION, ISSUER_ANNOTATION, gate_secret_name, key_of
from doorward.planning.field_owners import SetByOther
from doorward.planning.gate import Decision, Protection, differences, parse_reference
from doorward.planning.guarded import reason_of
from doorward.planning.openings import Openings

SECRET = PREFIX + "auth-tls-secret"
VERIFY_CLIENT = PREFIX + "auth-tls-verify-client"
VERIFY_DEPTH = PREFIX + "auth-tls-verify-depth"
ERROR_PAGE = PREFIX + "auth-tls-error-page"
PASS_CERTIFICATE = PREFIX + "auth-tls-pass-certificate-to-upstream"
CHOICE = f"{GROUP}/verify-client"
UNPROTECTED = f"{GROUP}/unprotected"
"""Why an Ingress serves a guarded Service without a certificate."""
GATE = GATE_ANNOTATION
_SHAPE = "shape"
_UNOWNED = "unowned"
_OTHERS = "others"


def kept(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is remembered of an Ingress, of which a cluster may have thousands: its marks that are, or may be, ours, and its
    shape.
    """
    metadata = body["metadata"]
    names = ("namespace", "name", "uid", "resourceVersion", "creationTimestamp")
    annotations = metadata.get("annotations") or {}
    ours = {
        k: v
        for k, v in annotations.items()
        if k.startswith((f"{GROUP}/", f"{PREFIX}auth-tls-")) or k in per_request.NAMES
    }
    fields = [entry for entry in metadata.get("managedFields") or () if entry.get("manager") == FIELD_MANAGER]
    known = {name: metadata[name] for name in names if name in metadata}
    kept_metadata = known | {"annotations": ours, "managedFields": fields}
    return {"metadata": kept_metadata, _SHAPE: _shape(body), _UNOWNED: _unowned(body), _OTHERS: _others(body)}


def _shape(body: Mapping[str, Any]) -> Shape:
    """Of an Ingress as it is remembered, or as the API server gives it."""
    remembered = body.get(_SHAPE)
    return remembered if isinstance(remembered, Shape) else shape_of(body)


def _unowned(body: Mapping[str, Any]) -> frozenset[str]:
    """See `per_request.without_owner`; of an Ingress as it is remembered, or as the API server gives it."""
    remembered = body.get(_UNOWNED)
    return remembered if isinstance(remembered, frozenset) else per_request.without_owner(body)


def _others(body: Mapping[str, Any]) -> tuple[SetByOther, ...]:
    """See `owners.others`; of an Ingress as it is remembered, or as the API server gives it."""
    remembered = body.get(_OTHERS)
    return remembered if isinstance(remembered, tuple) else owners.others(body)


def openings(
    body: Mapping[str, Any],
    sharing: Iterable[Mapping[str, Any]],
    classes: Mapping[str, str] | None,
    controllers: Collection[str],
    settings: Settings,
) -> Openings:
    """What leaves its hosts open though its annotations are right; `sharing`: the others at its hosts."""
    shape, sharing = _shape(body), tuple(sharing)
    return Openings(
        plain=ways.plain(shape, map(_shape, sharing), settings),
        path_taken=ways.taken(_placed(body), map(_placed, sharing)),
        plain_path=ways.plain_path(shape, settings),
        unasked_path=ways.unasked_path(shape, settings),
        unserved="" if classes is None else ways.unserved(shape, classes, controllers),
    )


def _placed(body: Mapping[str, Any]) -> ways.Placed:
    annotations, key = body["metadata"].get("annotations") or {}, key_of(body)
    issuer = parse_reference(annotations.get(ISSUER_ANNOTATION, ""), key.namespace)
    listed = access_list.parse(annotations[ALLOW], key.namespace) if ALLOW in annotations else None
    made_at = str(body["metadata"].get("creationTimestamp", ""))
    return ways.Placed(key=key, shape=_shape(body), made_at=made_at, admits=(issuer, listed))


def read(body: Mapping[str, Any], service: str | None = None) -> Target:
    """What the Ingress says; `service`: where the gate service is, if it is installed."""
    annotations = body["metadata"].get("annotations") or {}
    key = key_of(body)
    reference = annotations.get(ISSUER_ANNOTATION)
    issuer = parse_reference(reference, key.namespace) if reference is not None else None
    secret = annotations.get(SECRET)
    shape = _shape(body)
    other_secret = secret is not None and not _is_gate(secret, key.namespace)
    unredirected = shape.redirects is False and not shape.forced
    return Target(
        key=key,
        reference=reference,
        wants_optional=annotations.get(CHOICE) == "optional",
        other_secret=other_secret,
        fault=shape.fault,
        hosts=shape.hosts,
        host_paths=shape.host_paths,
        overrides=reference is None and (secret is not None or shape.setting != "" or unredirected),
        exempt=reason_of(annotations.get(UNPROTECTED, "")),
        unasked=per_request.undone(body) if service is not None else "",
        access_list=access_list.parse(annotations[ALLOW], key.namespace) if ALLOW in annotations else None,
        question=per_request.question(body),
        asks_another=per_request.asks_another(body),
        set_by_others=_others(body),
        services=shape.services,
        opens=issuer is None or shape.fault != "" or other_secret,
        may_be_plain=shape.may_be_plain,
        catches_all=shape.hostless and secret is not None,
        served_with=(shape.tls, shape.ingress_class, shape.places, body["metadata"].get("creationTimestamp")),
    )


def _is_gate(value: str, namespace: str) -> bool:
    return value.startswith(f"{namespace}/doorward.")


def _wanted(body: Mapping[str, Any], protection: Protection, service: str | None) -> dict[str, str]:
    settings, namespace = protection.settings, body["metadata"]["namespace"]
    wanted = _asked(body, protection, service) | {
        SECRET: f"{namespace}/{gate_secret_name(protection.issuer)}",
        VERIFY_CLIENT: "optional" if protection.optional else "on",
        VERIFY_DEPTH: str(settings.verify_depth),
    }
    if settings.error_page is not None and accepted("page", settings.error_page):
        wanted[ERROR_PAGE] = settings.error_page
    if settings.pass_certificate_to_upstream:
        wanted[PASS_CERTIFICATE] = "true"
    theirs = {each.field: each.value for each in _others(body)}
    return {name: value for name, value in wanted.items() if theirs.get(name, value) == value}


def _asked(body: Mapping[str, Any], protection: Protection, service: str | None) -> dict[str, str]:
    """By which the gate service is asked, as far as it is to be: what a person wrote in their place is left alone, and told.

    Where only the handshake is to decide, what the admission policy wrote is owned first: left out of the next apply, it goes.
    """
    if service is None:
        return {}
    foreign, annotations = per_request.foreign(body), body["metadata"].get("annotations") or {}
    if protection.every_request:
        wanted = per_request.wanted(service, body["metadata"]["namespace"], protection.issuer)
        return {name: value for name, value in wanted.items() if name not in foreign}
    to_own = _unowned(body) - _owned(body) - foreign
    return {name: annotations[name] for name in to_own if name in annotations}


def _kept(body: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, str]:
    """What we own, as it stands, while the gate is one of ours: a slip in the reference must not open a closed door."""
    if not _is_gate(annotations.get(SECRET, ""), body["metadata"]["namespace"]):
        return {}
    return {name: annotations[name] for name in _owned(body) if name in annotations}


def changes(body: Mapping[str, Any], decision: Decision, service: str | None = None) -> Mapping[str, str] | None:
    """The annotations to apply, all of ours, for a decision on an Ingress that opted in; None: nothing differs.

    While nothing is to be said yet, one that is closed already is left as it is.
    """
    if not decision.opted_in:
        return None
    annotations = body["metadata"].get("annotations") or {}
    if decision.protection is not None:
        wanted = _wanted(body, decision.protection, service)
    else:
        wanted = _kept(body, annotations)
    if decision.said is None:
        return wanted if annotations.get(SECRET) != wanted[SECRET] else None
    wanted[GATE] = text_of(decision.said)
    return wanted if differences(wanted, annotations, _owned(body)) else None


def text_of(condition: Condition) -> str:
    """A condition as the annotation of an Ingress says it."""
    return f"{condition.reason.name}: {condition.message}"


def _owned(body: Mapping[str, Any]) -> frozenset[str]:
    """The annotations that we own by server-side apply."""
    for entry in body["metadata"].get("managedFields") or ():
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
            fields = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
            return frozenset(name.removeprefix("f:") for name in fields if name.startswith("f:"))
    return frozenset()


def leftovers(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Annotations of ours on an Ingress that opted out: those we own, and by value the one that a policy wrote.

    Where nothing shows that it ever opted in, or its trust bundle is none of ours, somebody else closed that door, and it
    stays closed: anybody may apply under our field manager's name.
    """
    annotations = body["metadata"].get("annotations") or {}
    names = set(_owned(body)) & set(annotations)
    if GATE in annotations:
        names.add(GATE)
    secret = annotations.get(SECRET)
    if secret is not None and not _is_gate(secret, body["metadata"]["namespace"]):
        names = {name for name in names if name.startswith(f"{GROUP}/")}
    elif names:
        names |= {SECRET} & annotations.keys()
        if per_request.is_question(annotations.get(per_request.AUTH_URL, ""), body["metadata"]["namespace"]):
            names |= {per_request.AUTH_URL, per_request.RESPONSE_HEADERS} & annotations.keys()
    return tuple(sorted(names))

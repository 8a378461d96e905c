"""An object as a file says it, and what the API server has of it once the file is applied.

Only the kinds by which somebody gains or loses access are read: MTLSIssuer, ClientCertificate, Ingress, and Namespace for its labels.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from doorward.api.fields import API_VERSION, DNS_LABEL, DNS_SUBDOMAIN, ISSUER_NAME_ADVICE, Model
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.objects.meta import Object, ObjectKey

ISSUER, CLIENT, INGRESS, NAMESPACE = "MTLSIssuer", "ClientCertificate", "Ingress", "Namespace"
_OWN: Mapping[str, type[Model]] = {ISSUER: MTLSIssuerSpec, CLIENT: ClientCertificateSpec}
_VERSIONS = {ISSUER: API_VERSION, CLIENT: API_VERSION, INGRESS: "networking.k8s.io/v1", NAMESPACE: "v1"}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LARGEST_LAST_APPLIED = 1 << 18
"""Characters: the API server takes no more annotations of an object than that."""
APPLIERS = frozenset({"kubectl", "argocd-controller", "kustomize-controller", "helm-controller", "helm"})
"""The field managers of tools that apply files: what they own, and the file no longer has, is removed."""
_MOST_MISTAKES = 3


class Mistake(ValueError):
    """What is wrong with an object in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object in a file."""

    kind: str
    key: ObjectKey
    body: Object
    place: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}" if self.key.namespace else f"{self.kind} {self.key.name}"


def items_of(document: Any) -> Sequence[Any]:
    """The objects of a document: one, or those of a List."""
    if not isinstance(document, dict) or not str(document.get("kind")).endswith("List"):
        return (document,)
    items = document.get("items")
    return items if isinstance(items, list) else () if items is None else (document,)


def read(item: Any, place: str, namespace: str, *, required: bool) -> Manifest | None:
    """The object, in `namespace` where it names none; None: it is of a kind that is not read. Mistake says what is wrong.

    `required`: one in another namespace is wrong, as it is to kubectl with --namespace.
    """
    if not isinstance(item, dict):
        raise Mistake("it is no object of Kubernetes")
    version, kind, metadata = item.get("apiVersion"), item.get("kind"), item.get("metadata")
    for name, value in (("apiVersion", version), ("kind", kind)):
        if not isinstance(value, str) or not value:
            raise Mistake(f"the object has no {name}")
    if not isinstance(metadata, dict):
        raise Mistake("the object has no metadata")
    known = _VERSIONS.get(str(kind))
    if known is None or str(version).partition("/")[0] != known.partition("/")[0]:
        return None
    if version != known:
        raise Mistake(f"apiVersion {_shown(version)} is not known: write {known}")
    key = _key(str(kind), metadata, namespace, required=required)
    _check_marks(metadata)
    if not isinstance(item.get("spec", {}), dict) or (kind in _OWN and "spec" not in item):
        raise Mistake("spec is no mapping")
    marks = {name: metadata[name] or {} for name in ("labels", "annotations") if name in metadata}
    body = {"apiVersion": version, "kind": kind, "metadata": {**marks, "name": key.name}, "spec": item.get("spec", {})}
    if key.namespace:
        body["metadata"]["namespace"] = key.namespace
    return Manifest(kind=str(kind), key=key, body=body, place=place)


def _key(kind: str, metadata: Mapping[str, Any], namespace: str, *, required: bool) -> ObjectKey:
    name = metadata.get("name")
    if not isinstance(name, str) or not re.fullmatch(DNS_SUBDOMAIN, name) or len(name) > 253:
        told = "the object has no metadata.name" if name is None else f"metadata.name {_shown(name)} is no name"
        raise Mistake(told)
    if kind == ISSUER and not re.fullmatch(DNS_LABEL, name):
        raise Mistake(f"metadata.name: {ISSUER_NAME_ADVICE}")
    if kind == NAMESPACE:
        return ObjectKey("", name)
    own = metadata.get("namespace")
    if own is None or own == "":
        return ObjectKey(namespace, name)
    if not isinstance(own, str) or not re.fullmatch(DNS_LABEL, own) or len(own) > 63:
        raise Mistake(f"metadata.namespace {_shown(own)} is no name of a namespace")
    if required and own != namespace:
        raise Mistake(f"metadata.namespace is {own}, and --namespace is {namespace}")
    return ObjectKey(own, name)


def _check_marks(metadata: Mapping[str, Any]) -> None:
    for marks in ("labels", "annotations"):
        found = metadata.get(marks)
        if found is None:
            continue
        if not isinstance(found, dict):
            raise Mistake(f"metadata.{marks} is no mapping")
        for name, value in found.items():
            if value is not None and not isinstance(value, str):
                raise Mistake(f"metadata.{marks}: the value of {_shown(name)} is no text: put it into quotes")


def _shown(value: object) -> str:
    return ascii(value)[:80]


def mistakes(kind: str, body: Object) -> str:
    """What of a spec is not as its kind has it, a sentence; empty: nothing. The API server prunes fields that it does not know."""
    model = _OWN.get(kind)
    if model is None:
        return ""
    try:
        model.model_validate_json(json.dumps(body["spec"]), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:_MOST_MISTAKES]
        return "; ".join(f"spec.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
    return ""


def applied(live: Object | None, manifest: Object) -> dict[str, Any]:
    """The object after its file was applied: what the file says, and of what is there all that the file never said.

    As `kubectl apply` and server-side apply have it: a field that the file had when it was applied last, and has no longer,
    is removed. Lists are replaced as a whole.
    """
    parts = _parts(manifest)
    if live is None:
        return {
            **manifest,
            "metadata": {**manifest["metadata"], **_merged({}, parts["metadata"])},
            "spec": _merged({}, parts["spec"]),
        }
    there = _without(_parts(live), _said_before(live), parts)
    after = _merged(there, parts)
    return {**live, "metadata": {**live["metadata"], **after["metadata"]}, "spec": after["spec"]}


def _parts(body: Object) -> dict[str, Any]:
    metadata = body["metadata"]
    marks = {name: dict(metadata.get(name) or {}) for name in ("labels", "annotations")}
    marks["annotations"].pop(_LAST_APPLIED, None)
    return {"metadata": marks, "spec": body.get("spec") or {}}


def _merged(there: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386): null removes."""
    found = dict(there)
    for name, value in said.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            before = found.get(name)
            found[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            found[name] = value
    return found


def _without(there: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is there, without what a file said before and does not say now."""
    found = dict(there)
    for name, value in before.items():
        if name not in now:
            deeper = isinstance(value, dict) and value and isinstance(found.get(name), dict)
            found[name] = _without(found[name], value, {}) if deeper else None
            if not found[name]:
                del found[name]
        elif isinstance(value, dict) and isinstance(found.get(name), dict) and isinstance(now[name], dict):
            found[name] = _without(found[name], value, now[name])
    return found


def _said_before(live: Object) -> Mapping[str, Any]:
    """What the file said that was applied last: from kubectl's annotation, else the fields that a tool owns."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if isinstance(text, str) and len(text) <= LARGEST_LAST_APPLIED:
        try:
            said = _parts(json.loads(text))
            return said if isinstance(said["spec"], dict) else {}
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return {}
    entries = [each for each in live["metadata"].get("managedFields") or () if not each.get("subresource")]
    own = [each for each in entries if each.get("operation") == "Apply" and each.get("manager") in APPLIERS]
    others = [_fields(each) for each in entries if each not in own]
    found: dict[str, Any] = {}
    for each in own:
        found = _merged(found, _fields(each))
    for each in others:
        found = _less(found, each)
    return {"metadata": found.get("metadata") or {}, "spec": found.get("spec") or {}}


def _fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a manager, as nested mappings; a list, and what is not a mapping, is an empty one."""
    return _named(entry.get("fieldsV1") or {}, 0)


def _named(fields: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > 32 or any(name[:2] in ("k:", "v:", "i:") for name in fields):
        return {}
    return {
        name[2:]: _named(value, depth + 1)
        for name, value in fields.items()
        if name.startswith("f:") and isinstance(value, dict)
    }


def _less(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that no other manager has."""
    found = {}
    for name, value in fields.items():
        if name not in others:
            found[name] = value
        elif value and (rest := _less(value, others[name])):
            found[name] = rest
    return found


def patch_to(live: Any, wanted: Any) -> dict[str, Any]:
    """The merge patch by which the one becomes the other, in labels, annotations and spec."""
    return _difference(_parts(live), _parts(wanted))


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(there.keys() - wanted.keys())
    for name, value in wanted.items():
        before = there.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if deeper := _difference(before, value):
                found[name] = deeper
        elif name not in there or before != value:
            found[name] = value
    return found

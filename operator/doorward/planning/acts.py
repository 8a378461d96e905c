"""What a person asks of a client in a word, as the change of its spec: revoke, suspend, resume, reissue.

The change is the same whether it is written to the cluster or into a file in Git.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doorward.objects.meta import Object

APPLIERS: Mapping[str, str] = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
    "applyset.kubernetes.io/part-of": "kubectl apply --applyset",
}
"""Labels and annotations by which a tool marks what it applies again."""
_NOISE = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that do not belong into a file."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The change would do nothing of what was asked."""

    why: str
    hint: str


Change = Mapping[str, Any]
"""Fields of a spec, with their new values."""


def revoke(spec: Mapping[str, Any], reason: str | None) -> Change:
    """Refuse it for good. A reason that is not named stays what it is."""
    return _new(spec, {"revoked": True} | ({} if reason is None else {"revocationReason": reason}))


def suspend(spec: Mapping[str, Any]) -> Change | Refused:
    """Refuse it until it is resumed."""
    if spec.get("revoked"):
        return Refused("it is revoked for good, which a suspension does not change", "")
    return _new(spec, {"suspended": True})


def resume(spec: Mapping[str, Any]) -> Change | Refused:
    """End a suspension."""
    if spec.get("revoked"):
        return Refused(
            "it is revoked for good: its certificates are never admitted again",
            "create a ClientCertificate with another name",
        )
    return _new(spec, {"suspended": False}) if spec.get("suspended") else {}


def reissue(spec: Mapping[str, Any], token: str) -> Change | Refused:
    """Ask for another certificate now; `token`: a text that was not used before."""
    if spec.get("revoked"):
        return Refused(
            "it is revoked for good: no certificate is issued to it", "create a ClientCertificate with another name"
        )
    return _new(spec, {"reissue": token})


def _new(spec: Mapping[str, Any], wanted: Change) -> Change:
    """What of it is not so yet."""
    return {name: value for name, value in wanted.items() if spec.get(name) != value}


def for_git(body: Object, change: Change) -> dict[str, Any]:
    """The object as a file says it, with the change: nothing that the API server or the operator wrote."""
    metadata = body["metadata"]
    marks = {name: {**(metadata.get(name) or {})} for name in ("labels", "annotations")}
    for noise in _NOISE:
        marks["annotations"].pop(noise, None)
    kept = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
    return {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "metadata": kept | {name: value for name, value in marks.items() if value},
        "spec": {**body["spec"], **change},
    }


def applier_of(body: Object) -> str | None:
    """The tool that applies the object from a file, and would undo a change that the file does not have; None: none is known."""
    metadata = body["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return next((tool for mark, tool in APPLIERS.items() if mark in marks), None)

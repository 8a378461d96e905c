"""Kubernetes that serves no mutating admission policies, 1.30 to 1.35: what docs/install.md says to do there, and what people write there."""

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.testbed import binaries

ISSUER = "doorward.io/issuer"
SECRET = "nginx.ingress.kubernetes.io/auth-tls-secret"
MANIFESTS = Path(__file__).parents[2] / "deploy" / "manifests"
_FIRST = 36
_INGRESSES = re.compile(r"/apis/networking\.k8s\.io/v1/namespaces/([^/]+)/ingresses(?:/[^/]+)?")
_NAME = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_REFERENCE = re.compile(rf"(?:{_NAME}/)?{_NAME}")


def mutates() -> bool:
    """Whether the test cluster's Kubernetes serves mutating policies as v1, as it does without being told to from 1.36."""
    return binaries.kubernetes_minor() >= _FIRST


def manifests(folder: Path) -> Path:
    """A copy of deploy/manifests in that new folder, without mutating-*.yaml in its kustomization."""
    shutil.copytree(MANIFESTS, folder)
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    kustomization["resources"] = [name for name in kustomization["resources"] if not name.startswith("mutating-")]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def as_written(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest as its author must write it for the test cluster: an Ingress that opts in has its auth-tls-secret."""
    if mutates() or manifest["kind"] != "Ingress":
        return manifest
    return _protected(manifest, manifest["metadata"]["namespace"])


def with_its_secret(path: str, body: Any) -> Any:
    """The same for what is sent to the API server at that path, a patch for instance."""
    where = _INGRESSES.fullmatch(path)
    return _protected(body, where[1]) if where and isinstance(body, dict) else body


def _protected(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    annotations = body.get("metadata", {}).get("annotations") or {}
    reference = annotations.get(ISSUER)
    if SECRET in annotations or reference is None or not _REFERENCE.fullmatch(reference):
        return body
    full = reference if "/" in reference else f"{namespace}/{reference}"
    line = {SECRET: f"{namespace}/doorward.{full.replace('/', '.')}"}
    return body | {"metadata": body["metadata"] | {"annotations": annotations | line}}

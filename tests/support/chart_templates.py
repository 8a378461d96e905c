"""The templates of the chart that nobody configures, made from deploy/: CRDs, RBAC, admission policies, priority levels.

`make chart` writes them. Each is its file, with the release's namespace and cluster domain, and the condition under which Helm
installs it. What has values of its own (Deployments, Services, accounts) is written by hand in charts/doorward/templates.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "doorward"
TEMPLATES = CHART / "templates"
SOURCES = {
    "crds": ROOT / "deploy" / "crds",
    "manifests": ROOT / "deploy" / "manifests",
    "gate-service": ROOT / "deploy" / "gate-service",
}
"""Folders of the templates that are made, and from where."""
NAMES = Path("manifests", "_policies.tpl")
BY_HAND = frozenset(
    {
        "kustomization.yaml",
        "namespace.yaml",  # Helm makes the release's own
        "deployment.yaml",
        "serviceaccount.yaml",
        "deployment-gate.yaml",
        "service-gate.yaml",
        "service-metrics.yaml",
        "service-gate-metrics.yaml",
        "serviceaccount-gate.yaml",
    }
)
KEEP = """  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
"""


def made() -> dict[Path, str]:
    """Every template that is made, by its path below charts/doorward/templates."""
    templates = {
        Path(folder, path.name): _template(folder, path)
        for folder, source in SOURCES.items()
        for path in sorted(source.glob("*.yaml"))
        if path.name not in BY_HAND
    }
    return templates | {NAMES: _names()}


def _names() -> str:
    """What the uninstall hook may delete: each policy and its binding, which have the same name."""
    texts = [path.read_text() for folder in ("manifests", "gate-service") for path in SOURCES[folder].glob("*.yaml")]
    bodies = [body for text in texts for body in yaml.safe_load_all(text)]
    names = sorted({body["metadata"]["name"] for body in bodies if body["kind"].endswith("AdmissionPolicy")})
    lines = "".join(f"- {name}\n" for name in names)
    return f'{{{{- /* Made by `make chart` from deploy/. */}}}}\n{{{{- define "doorward.policies" -}}}}\n{lines}{{{{- end }}}}\n'


def _template(folder: str, path: Path) -> str:
    text = path.read_text()
    assert "{{" not in text, f"{path} has what Helm would take for its own"
    text = text.replace("doorward-system", "{{ .Release.Namespace }}")
    text = text.replace("svc.cluster.local", "svc.{{ .Values.clusterDomain }}")
    if folder == "crds":
        before, metadata, after = text.partition("\nmetadata:\n")
        text = before + metadata + KEEP + after
    conditions = " ".join(_conditions(folder, path))
    if conditions:
        text = f"{{{{- if and {conditions} }}}}\n{text}{{{{- end }}}}\n"
    return f"{{{{- /* Made by `make chart` from {path.relative_to(ROOT)}: change that. */}}}}\n{text}"


def _conditions(folder: str, path: Path) -> Iterator[str]:
    if folder == "crds":
        yield ".Values.crds.enabled"
    if folder == "gate-service":
        yield ".Values.gate.enabled"
    if path.name.startswith("mutating-"):
        yield '(include "doorward.mutating" .)'


def main() -> None:
    """Write them, and take away what is left of files that are gone."""
    for folder in SOURCES:
        shutil.rmtree(TEMPLATES / folder, ignore_errors=True)
        (TEMPLATES / folder).mkdir(parents=True)
    for path, text in made().items():
        (TEMPLATES / path).write_text(text)


if __name__ == "__main__":
    main()

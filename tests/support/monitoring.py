"""The alerts and the dashboard in the tree: what they ask for, and the PrometheusRule made from the alerts.

`python -m tests.support.monitoring` writes deploy/monitoring/prometheusrule.yaml from the chart's file.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "doorward" / "files" / "prometheus-rules.yaml"
MANIFEST = ROOT / "deploy" / "monitoring" / "prometheusrule.yaml"
DASHBOARD = ROOT / "deploy" / "monitoring" / "dashboard.json"
RUNBOOKS = ROOT / "docs" / "runbooks" / "alerts"
_HEAD = "# Made from charts/doorward/files/prometheus-rules.yaml by `make docs`; do not edit.\n"


def alerts() -> list[dict[str, Any]]:
    """All alerting rules."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def manifest() -> str:
    """The alerts as the Prometheus Operator reads them."""
    body = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "doorward",
            "namespace": "doorward-system",
            "labels": {"app.kubernetes.io/name": "doorward"},
        },
        "spec": yaml.safe_load(RULES.read_text()),
    }
    return _HEAD + yaml.safe_dump(body, sort_keys=False, width=160)


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that ask for something."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    """What the panels of the dashboard ask for."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]


def metrics_in(expression: str) -> set[str]:
    """The series that an expression names."""
    return set(re.findall(r"\b(?:doorward|process)_[a-z_]+", expression))


def documented() -> set[str]:
    """The series that docs/reference/metrics.md describes; of a histogram each of its three."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    rows = re.findall(r"(?m)^\| `(doorward_[a-z_]+)` \| (\w+) \|", page)
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + suffix for name, kind in rows for suffix in suffixes.get(kind, ("",))}


if __name__ == "__main__":
    MANIFEST.write_text(manifest())

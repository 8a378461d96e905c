"""The page docs/reference/metrics.md: every metric of the operator and of the gate service, from the tables in the code.

`python -m tests.support.metrics_page` prints it.
"""

from collections.abc import Iterator

from doorward.gate_service import metrics as gate_metrics
from doorward.runtime import metric_names

_HEAD = """\
# Metrics

Made from `operator/doorward/runtime/metric_names.py` by `make docs`; do not edit.

The operator serves metrics in Prometheus' text format on the health port (`--health-port`, 8080, named `http` in the Deployment), at
the path `/metrics`. Every replica serves them. Only the replica that leads publishes CRLs and revokes access: add
`and on (pod) doorward_leader == 1` to a query that must not see the others.

Labels never contain the name of a client, a serial number or a message. The series of an MTLSIssuer disappear when it is deleted.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
"""
_FOOT = """
The operator also serves `process_open_fds`, `process_max_fds`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
`process_cpu_seconds_total` and `process_start_time_seconds` of the Prometheus client library.

## Alerts

`deploy/monitoring/prometheusrule.yaml` holds the alerts for the Prometheus Operator, and
`charts/doorward/files/prometheus-rules.yaml` the same for Prometheus itself. The chart installs them with
`prometheusRule.enabled=true`, and a ServiceMonitor with `metrics.serviceMonitor.enabled=true`. Each alert has a page in `docs/runbooks/alerts/` that says
what it means and what to do. `deploy/monitoring/dashboard.json` is a dashboard for Grafana.
"""

_GATE = """
## The gate service

Made from `operator/doorward/gate_service/metrics.py`. The gate service serves them on its health port (`--health-port`, 8081), at the
path `/metrics`. Every replica counts the requests that it answered.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
"""


def lines() -> Iterator[str]:
    """One row for each metric."""
    for each in metric_names.DEFINITIONS:
        yield _line(each)


def gate_lines() -> Iterator[str]:
    """One row for each metric of the gate service."""
    for each in gate_metrics.DEFINITIONS:
        yield _line(each)


def _line(each: metric_names.Definition | gate_metrics.Described) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels)
    return f"| `{each.name}` | {each.type} | {labels} | {each.help} |\n"


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(lines()) + _FOOT + _GATE + "".join(gate_lines())


if __name__ == "__main__":
    print(page(), end="")

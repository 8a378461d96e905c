"""Alerts and dashboard ask for metrics that exist, and each alert has a runbook page."""

import pytest

from doorward.runtime import metric_names
from tests.support import monitoring

ALERTS = {rule["alert"]: rule for rule in monitoring.alerts()}


def test_the_manifest_holds_the_alerts_of_the_chart():
    assert monitoring.MANIFEST.read_text() == monitoring.manifest(), "make docs"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_metrics_that_are_documented(name):
    asked = monitoring.metrics_in(ALERTS[name]["expr"])
    assert asked
    assert asked - monitoring.documented() == set()


def test_every_alert_has_a_page_and_every_page_an_alert():
    pages = {path.stem: str(path.relative_to(monitoring.ROOT)) for path in monitoring.RUNBOOKS.glob("*.md")}
    assert pages == {name: rule["annotations"]["runbook"] for name, rule in ALERTS.items()}
    assert all((monitoring.ROOT / page).read_text().startswith(f"# {name}\n") for name, page in pages.items())


def test_every_documented_metric_is_one_of_the_code():
    names = {definition.name for definition in metric_names.DEFINITIONS}
    documented = {name for name in monitoring.documented() if not name.startswith("doorward_gate_")}
    bare = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in documented}
    assert bare <= names


@pytest.mark.parametrize("panel", monitoring.panels(), ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_that_are_documented(panel):
    asked = {name for target in panel["targets"] for name in monitoring.metrics_in(target["expr"])}
    assert asked
    assert asked - monitoring.documented() == set()
    assert panel["description"].endswith(".")

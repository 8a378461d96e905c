"""Each alert fires when it should and at no other time, and the dashboard's queries are valid: asked of promtool."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from doorward.planning.targets_told import CLOSED_OR_PROTECTED
from tests.support import monitoring
from tests.testbed import debian
from tests.testbed.debian import Tool

AT = 'issuer_namespace="edge",issuer="partners"'
HEALTHY = {
    "doorward_leader": "1x60",
    f"doorward_gates_current{{{AT}}}": "1x60",
    f"doorward_crl_age_seconds{{{AT}}}": "100000x60",
    f"doorward_crl_next_update_seconds{{{AT}}}": "500000x60",
    f"doorward_crl_size_ratio{{{AT}}}": "0.69x60",
    f"doorward_ca_expiry_seconds{{{AT}}}": "2600000x60",
    f"doorward_ca_lifetime_seconds{{{AT}}}": "31536000x60",
    f'doorward_gate_hosts{{{AT},enforced="True"}}': "3x60",
    f'doorward_gate_hosts{{{AT},enforced="False"}}': "0x60",
    f'doorward_ingresses{{{AT},reason="Protected"}}': "3x60",
    f'doorward_ingresses{{{AT},reason="GateMissing"}}': "1x60",
    'doorward_cut_off_oldest_pending_seconds{stage="gates"}': "119x60",
    'doorward_gate_silence_seconds{kind="Ingress"}': "89x60",
    'doorward_writes_refused_total{kind="Secret",code="409"}': "0+1x60",
    'doorward_writes_refused_total{kind="Secret",code="403"}': "4x60",
    'doorward_work_duration_seconds_count{result="done"}': "0+100x60",
    'doorward_work_duration_seconds_count{result="failed"}': "7x60",
}
"""Series, one value a minute, that are just good enough."""
CA, LEFT = f"doorward_ca_expiry_seconds{{{AT}}}", f"doorward_crl_next_update_seconds{{{AT}}}"
AGE, LIFETIME = f"doorward_crl_age_seconds{{{AT}}}", f"doorward_ca_lifetime_seconds{{{AT}}}"
OPEN = f'doorward_gate_hosts{{{AT},enforced="False"}}'
SILENCE = 'doorward_gate_silence_seconds{kind="Ingress"}'
PENDING = 'doorward_cut_off_oldest_pending_seconds{stage="gates"}'
REFUSED = 'doorward_writes_refused_total{kind="Secret",code="403"}'
FAILED = 'doorward_work_duration_seconds_count{result="failed"}'
FIRES = {
    "DoorwardNoLeader": ({"doorward_leader": "0x60"}, 1, 3),
    "DoorwardCutOffPending": ({PENDING: "121x60"}, 0, 2),
    "DoorwardGateNotCurrent": ({f"doorward_gates_current{{{AT}}}": "0x60"}, 1, 3),
    "DoorwardGateOpen": ({OPEN: "1x60"}, 0, 2),
    "DoorwardHostNotProtected": ({f'doorward_ingresses{{{AT},reason="PlainHTTP"}}': "1x60"}, 4, 6),
    "DoorwardGateServiceStale": ({SILENCE: "91x60"}, 0, 2),
    "DoorwardCRLExpiresIn3Days": ({LEFT: "259100x60", AGE: "345600x60"}, 9, 11),
    "DoorwardCRLExpiresIn1Day": ({LEFT: "86300x60", AGE: "518400x60"}, 4, 6),
    "DoorwardCRLOld": ({AGE: "129700x60"}, 9, 11),
    "DoorwardCRLNearLimit": ({f"doorward_crl_size_ratio{{{AT}}}": "0.71x60"}, 9, 11),
    "DoorwardCAExpiresWithoutSuccessor": ({CA: "2591000x60"}, 9, 11),
    "DoorwardWritesRefused": ({REFUSED: "0+1x60"}, 2, 5),
    "DoorwardReconcileErrors": ({FAILED: "0+1x60"}, 14, 25),
}
"""By alert: the series that are bad, the minute at which it is silent still, and the one at which it fires."""
WITH_IT = {
    "DoorwardCRLExpiresIn3Days": {"DoorwardCRLOld"},
    "DoorwardCRLExpiresIn1Day": {"DoorwardCRLOld", "DoorwardCRLExpiresIn3Days"},
}
"""Others that fire then, or a little later."""
SILENT = {
    "a CRL whose validity is two days": {LEFT: "86500x60", AGE: "86300x60"},
    "a CA of two days with a day left": {CA: "86400x60", LIFETIME: "172800x60"},
    "conflicts between two that write at once": {},
    "a standby beside the leader": {'doorward_leader{pod="b"}': "0x60"},
}


@pytest.fixture(scope="module")
def promtool() -> Tool:
    """The machine's, or Debian's."""
    return debian.tool("promtool", package="prometheus")


def firing(promtool: Tool, folder: Path, series: dict[str, str], expected: dict[int, set[str]]) -> str:
    """What promtool objects to where other alerts fire than are expected, by minute; empty: nothing."""
    shutil.copy(monitoring.RULES, folder / "rules.yaml")
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in (HEALTHY | series).items()],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
                }
                for minute, names in expected.items()
            ],
        }
    ]
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(body))
    done = promtool.run("test", "rules", folder / "tests.yaml")
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


def test_promtool_takes_the_rules(promtool: Tool):
    done = promtool.run("check", "rules", "--lint-fatal", monitoring.RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_queries_of_the_dashboard(promtool: Tool, tmp_path: Path):
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$issuer_namespace", ".*")}
        for number, query in enumerate(monitoring.queries())
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool.run("check", "rules", tmp_path / "rules.yaml")
    assert len(rules) > 10
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_on_hosts_leaves_out_the_reasons_that_open_none():
    (rule,) = [rule for rule in monitoring.alerts() if rule["alert"] == "DoorwardHostNotProtected"]
    (left_out,) = re.findall(r'reason!~"([^"]*)"', rule["expr"])
    assert left_out.split("|") == sorted(CLOSED_OR_PROTECTED)


def test_every_alert_is_tried():
    assert set(FIRES) == {rule["alert"] for rule in monitoring.alerts()}


@pytest.mark.parametrize("name", FIRES)
def test_an_alert_fires_when_its_time_has_come_and_not_before(promtool: Tool, tmp_path: Path, name: str):
    series, silent, fires = FIRES[name]
    others = WITH_IT.get(name, set())
    assert firing(promtool, tmp_path, series, {silent: set(), 60: {name} | others}) == ""
    if not others:
        assert firing(promtool, tmp_path, series, {fires: {name}}) == ""


@pytest.mark.parametrize("name", SILENT)
def test_no_alert_fires_at(promtool: Tool, tmp_path: Path, name: str):
    assert firing(promtool, tmp_path, SILENT[name], {5: set(), 30: set(), 60: set()}) == ""


def test_a_ca_that_cannot_sign_and_has_no_successor_is_told(promtool: Tool, tmp_path: Path):
    series = {CA: "86400x60", LIFETIME: "_x60"}
    assert firing(promtool, tmp_path, series, {20: {"DoorwardCAExpiresWithoutSuccessor"}}) == ""

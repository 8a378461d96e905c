"""A real Prometheus (Debian's), which scrapes what a test names and evaluates our alerts."""

import contextlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support import monitoring
from tests.testbed import debian, ports
from tests.testbed.process import Process, answers

EVERY = "1s"


class Prometheus:
    """Each alert fires as soon as its expression holds: how long it must hold is left out, and tested with promtool."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    @classmethod
    @contextlib.contextmanager
    def scraping(cls, folder: Path, targets: Mapping[str, int]) -> Iterator["Prometheus"]:
        """For the length of a block; `targets`: by job, the port on this machine."""
        tool, (port,) = debian.tool("prometheus", package="prometheus"), (leased := ports.lease(1))
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
            for job, target in targets.items()
        ]
        intervals = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
        (folder / "rules.yaml").write_text(yaml.safe_dump(_at_once()))
        configuration = {"global": intervals, "rule_files": ["rules.yaml"], "scrape_configs": jobs}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        command = [tool.binary, f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=1h"]
        process = Process("prometheus", command, folder / "prometheus.log", env=tool.env)
        process.start()
        try:
            prometheus = cls(port)
            process.wait_until(prometheus._ready)
            yield prometheus
        finally:
            process.stop()
            ports.give_back(leased)

    def firing(self, namespace: str = "") -> set[str]:
        """The alerts that fire now: with `namespace`, those that name an issuer in it, else those that name none."""
        alerts = self._ask("alerts")["alerts"]
        return {
            alert["labels"]["alertname"]
            for alert in alerts
            if alert["state"] == "firing" and alert["labels"].get("issuer_namespace", "") == namespace
        }

    def value(self, expression: str) -> float | None:
        """Of the first series that an expression gives now; None: there is none."""
        result = self._ask(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
        return float(result[0]["value"][1]) if result else None

    def evaluations(self) -> Mapping[str, str]:
        """By alert, when it was evaluated last. Raises AssertionError where one could not be."""
        rules = [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]
        assert [rule["lastError"] for rule in rules if rule["health"] == "err"] == []
        return {rule["name"]: rule["lastEvaluation"] for rule in rules if rule["health"] == "ok"}

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self._address}/api/v1/{what}", timeout=30) as answer:
            return json.load(answer)["data"]

    def _ready(self) -> bool:
        return answers(f"{self._address}/-/ready")


def _at_once() -> Mapping[str, object]:
    rules = yaml.safe_load(monitoring.RULES.read_text())
    for group in rules["groups"]:
        group["rules"] = [{key: value for key, value in rule.items() if key != "for"} for rule in group["rules"]]
    return dict(rules)

"""One client put out: how long until the gate Secret is written, and until the first request is refused."""

import base64
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes import config

from tests.bench.figures import Since, percentile, show
from tests.support import installation
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import CERTIFICATES, OPERATOR, SECRETS, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

TO_WRITE = 0.150
ABOVE_DIRECT = 0.5
OURS, DIRECT = "ours.example.com", "direct.example.com"


def run(folder: Path, runs: int, refusals: int) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nCut-off: spec.revoked on an idle cluster, {runs} runs; first refused request, {refusals} runs each way\n")
    with (
        Cluster.start(folder) as cluster,
        IngressNginx.start(cluster) as ingress,
        installation.running(cluster) as operator,
    ):
        admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
        home = Home.found(admin, folder)
        home.partners(*_names("w", runs), *_names("r", refusals))
        annotations = {"doorward.io/issuer": "partners"}
        ingress.back(home.namespace, OURS, name="ours", annotations=annotations)
        eventually(lambda: _ask(ingress, OURS, home.files(f"r{refusals - 1}")) == 200, "the host lets a client in")
        before = operator.metrics()
        kept = _to_write(cluster, home, _names("w", runs))
        counted = Since(before, operator.metrics())
        show("mean of ledger + CRL + gates, by the operator's metrics", counted.stages())
        return kept & _to_refusal(ingress, home, refusals)


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _to_write(cluster: Cluster, home: Home, names: list[str]) -> bool:
    """From the API server's answer to `spec.revoked: true` to its answer to the gate's write, by its own audit log."""
    for name in names:
        home.respec(CERTIFICATES, name, revoked=True)
        home.says(CERTIFICATES, name, "Admitted", "Revoked")

    def found() -> list[float]:
        return list(_between(list(cluster.audit_events()), home.namespace, names))

    # A status tells of the CRL; the gate's write, and the log of it, may come after.
    eventually(lambda: len(found()) == len(names), "all cut-offs are in the audit log")
    seconds = found()
    show("answer to gate Secret written, median", f"{statistics.median(seconds) * 1000:.0f} ms")
    p95 = percentile(seconds, 0.95)
    return show(
        "answer to gate Secret written, 95th percentile",
        f"{p95 * 1000:.0f} ms",
        limit=f"at most {TO_WRITE * 1000:.0f} ms",
        kept=p95 <= TO_WRITE,
    )


def _between(events: list[dict[str, Any]], namespace: str, names: list[str]) -> Iterator[float]:
    answered: datetime | None = None
    for event in events:
        ref, at = event.get("objectRef", {}), datetime.fromisoformat(event["stageTimestamp"])
        if ref.get("namespace") != namespace or event["verb"] not in ("patch", "update"):
            continue
        theirs = event["user"]["username"] == OPERATOR
        if ref["resource"] == "clientcertificates" and not theirs and ref["name"] in names:
            answered = at
        elif ref["resource"] == "secrets" and theirs and ref["name"].startswith("doorward.") and answered is not None:
            yield (at - answered).total_seconds()
            answered = None


def _to_refusal(ingress: IngressNginx, home: Home, count: int) -> bool:
    """Doorward and a direct write of a Secret in turn, on one controller, each until the first new connection is refused."""
    authority = OpensslCa(home.folder / "direct")
    authority.create("/CN=direct")
    home.secret("direct", {"ca.crt": authority.certificate.read_bytes(), "ca.crl": authority.crl()})
    annotations = {"nginx.ingress.kubernetes.io/auth-tls-secret": f"{home.namespace}/direct"}
    ingress.back(home.namespace, DIRECT, name="direct", annotations=annotations)
    ours, direct = [], []
    for number, name in enumerate(_names("r", count)):
        files = home.files(name)
        ours.append(
            _refused_after(ingress, OURS, files, lambda name=name: home.respec(CERTIFICATES, name, revoked=True))
        )  # type: ignore[misc]
        pair = authority.client(f"client-{number}")
        authority.revoke(pair["tls.crt"])
        change = {"data": {"ca.crl": base64.b64encode(authority.crl()).decode()}}
        direct.append(
            _refused_after(ingress, DIRECT, pair, lambda change=change: home.change(SECRETS, "direct", change))
        )  # type: ignore[misc]
    show("first refused request, Doorward: median (min to max)", _spread(ours))
    show("first refused request, direct write: median (min to max)", _spread(direct))
    above = statistics.median(ours) - statistics.median(direct)
    return show("Doorward above direct, medians", f"{above:.2f} s", limit="at most 0.5 s", kept=above <= ABOVE_DIRECT)


def _refused_after(ingress: IngressNginx, host: str, files: dict[str, Path], cut: Callable[[], object]) -> float:
    eventually(lambda: _ask(ingress, host, files) == 200, f"{host} lets the client in")
    cut()
    answered = time.perf_counter()
    eventually(lambda: _ask(ingress, host, files) == 400, f"{host} refuses the client", pause=0.01)
    return time.perf_counter() - answered


def _ask(ingress: IngressNginx, host: str, files: dict[str, Path]) -> int:
    return ingress.hosts.ask(host, cert=files["tls.crt"], key=files["tls.key"]).status


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"

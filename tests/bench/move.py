"""Clients that move to the next CA, and what people who ask for something meanwhile have to wait."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from kubernetes import config

from tests.bench.figures import Since, show
from tests.support import installation
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, ISSUERS, Person, eventually
from tests.testbed.controlplane import Cluster

PEOPLE = 5
"""Who ask for a certificate while the others move; and as many who are put out."""


def run(folder: Path, count: int) -> bool:
    """Measure and print; there is no limit to keep."""
    print(f"\nMove: {count} clients to the next CA, {PEOPLE} new ones and {PEOPLE} cut-offs meanwhile\n")
    with Cluster.start(folder) as cluster, installation.running(cluster) as operator:
        admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
        home = Home.found(admin, folder)
        home.partners(*(f"c{number}" for number in range(count)))
        home.respec(ISSUERS, "partners", ca={"generate": {"rotate": "now"}})
        begun = time.perf_counter()
        eventually(lambda: _moved(home) > 0, "the first has moved", seconds=60, pause=0.05)
        new = [_timed(lambda number=number: _ask(home, f"new{number}")) for number in range(PEOPLE)]  # type: ignore[misc]
        before = operator.metrics()
        out = [_timed(lambda number=number: _put_out(home, f"c{number}")) for number in range(PEOPLE)]  # type: ignore[misc]
        counted = Since(before, operator.metrics())
        left = count - _moved(home)
        eventually(lambda: _moved(home) >= count - PEOPLE, "all have moved", seconds=300, pause=0.2)
        seconds = time.perf_counter() - begun
    show("moved", f"{count} in {seconds:.1f} s: {count / seconds:.0f} a second")
    show("a new client's certificate meanwhile, median (max)", f"{statistics.median(new):.2f} s ({max(new):.2f})")
    show("a cut-off meanwhile until the CRL names it, median (max)", f"{statistics.median(out):.2f} s ({max(out):.2f})")
    show("mean of ledger + CRL + gates, by the operator's metrics", counted.stages())
    show("still to move when people had what they asked for", str(left))
    return True


def _moved(home: Home) -> int:
    """Records of the second generation, but for new clients'."""
    names = (r["spec"] for r in home.records() if r["metadata"]["name"].startswith("partners.2."))
    return sum(1 for spec in names if spec["clientCertificate"]["name"].startswith("c"))


def _ask(home: Home, name: str) -> None:
    home.make(CERTIFICATES, client(name))
    home.issued(name)


def _put_out(home: Home, name: str) -> None:
    home.respec(CERTIFICATES, name, revoked=True)
    home.says(CERTIFICATES, name, "Admitted", "Revoked")


def _timed(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun

"""A real Prometheus scrapes the operator and the gate service while each fault is caused: its alert fires, and others do not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from doorward.clock import SystemClock
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import build_ca, certificate_pem
from doorward.pki.crls import CrlEntry, build_crl
from doorward.pki.keys import KeyAlgorithm, KeyKind, generate, private_key_pem
from doorward.pki.subjects import Subject
from tests.support import monitoring
from tests.support.api_proxy import WRITES, ApiProxy, Asked, Choice, Fault
from tests.support.home import Home, issuer
from tests.support.installation import ACCOUNT, GATE_ACCOUNT, NAMESPACE, ROOT, GateServiceProcess, OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, INGRESSES, ISSUERS, OPERATOR, Person, eventually
from tests.support.prometheus import Prometheus
from tests.testbed import ports
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

RIGHTS = [f"--filename={ROOT}/deploy/gate-service/{name}-gate.yaml" for name in ("serviceaccount", "clusterrole")]
"""The gate service's; its policies would ask for it at every Ingress."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FORBIDDEN = Fault(403, reason="Forbidden")
CA_ENDS = "DoorwardCAExpiresWithoutSuccessor"
LASTING = {"DoorwardWritesRefused", "DoorwardReconcileErrors"}
"""They count what happened in the last minutes, the faults of other tests here too."""
MANY = 15_000
"""Serials that fill a CRL to more than 70 % of its limit."""
MINUTES = 200.0
"""Seconds: two alerts need two minutes of silence or of a cut-off that is pending, and no clock is turned here."""


@dataclass(frozen=True)
class Watched:
    """Operator and gate service, each by way of a proxy of its own, and the Prometheus that scrapes both."""

    operator: OperatorProcess
    api: ApiProxy
    api_of_gate: ApiProxy
    prometheus: Prometheus

    def evaluated(self) -> None:
        """Wait until each alert was evaluated on what was scraped from now on."""
        for _ in range(2):
            self._evaluated_after(self.prometheus.evaluations())

    def _evaluated_after(self, before: Mapping[str, str]) -> None:
        asked = self.prometheus.evaluations
        eventually(lambda: all(before[name] < at for name, at in asked().items()), "evaluated again")

    def fires(self, names: set[str], namespace: str = "", seconds: float = 60.0) -> None:
        """Wait until these alerts fire, and see that no others do."""
        firing = self.prometheus.firing
        eventually(lambda: names <= firing(namespace), f"{names} fire", seconds=seconds, pause=0.5)
        assert firing(namespace) - LASTING == names - LASTING

    def silent(self, name: str) -> None:
        """Wait until this alert fires no more."""
        eventually(lambda: name not in self.prometheus.firing(), f"{name} is over")


@pytest.fixture(scope="module")
def watched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, leased = tmp_path_factory.mktemp("prometheus"), ports.lease(1)
    cluster.kubectl("apply", "--server-side", *RIGHTS)
    with ApiProxy.running(cluster) as api, ApiProxy.running(cluster) as api_of_gate:
        known = api.kubeconfig(folder / "operator.kubeconfig", (NAMESPACE, ACCOUNT))
        operator = OperatorProcess(cluster, name="scraped", arguments=[f"--kubeconfig={known}"])
        known = api_of_gate.kubeconfig(folder / "gate.kubeconfig", (NAMESPACE, GATE_ACCOUNT))
        gate = GateServiceProcess(cluster, leased[0], arguments=[f"--kubeconfig={known}"])
        try:
            operator.start()
            gate.start()
            scraped = {"doorward": operator.health_port, "doorward-gate": gate.health_port}
            with Prometheus.scraping(folder, scraped) as prometheus:
                yield Watched(operator, api, api_of_gate, prometheus)
        finally:
            operator.close()
            gate.close()
            ports.give_back(leased)
            cluster.kubectl("delete", "--ignore-not-found", *RIGHTS)


@pytest.fixture
def home(admin: Person, watched: Watched, tmp_path: Path) -> Iterator[Home]:  # noqa: ARG001 - they run
    home = Home.found(admin, tmp_path)
    yield home
    home.abandon()


def protect(home: Home, *, tls: bool = True) -> None:
    body = ingress(home.namespace, {ISSUER: "partners"})
    if tls:
        body["spec"]["tls"] = [{"hosts": [body["spec"]["rules"][0]["host"]]}]
    home.make(INGRESSES, body)
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")


def writes_of(home: Home, path: str, fault: Fault = FORBIDDEN) -> Choice:
    """What becomes of each write there in the namespace."""

    def choose(asked: Asked) -> Fault | None:
        return fault if f"/namespaces/{home.namespace}/{path}" in asked.path and asked.method in WRITES else None

    return choose


def own_ca(home: Home, now: datetime) -> dict[str, bytes]:
    """A CA of a year that ends in ten days, made the issuer's."""
    key = generate(KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256))
    made = build_ca(
        subject=Subject(common_name="A year"), key=key, serial=7, not_before=now - 355 * DAY, not_after=now + 10 * DAY
    )
    files = {"tls.crt": certificate_pem(made), "tls.key": private_key_pem(key).reveal()}
    home.secret("ours", files, type="kubernetes.io/tls")
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "ours"}}))
    home.signing()
    return files


def test_no_alert_fires_where_all_is_well(watched: Watched, home: Home):
    home.partners("alice")
    protect(home)
    current = f'doorward_gates_current{{issuer_namespace="{home.namespace}"}}'
    eventually(lambda: watched.prometheus.value(current) == 1, "the gate is scraped")
    watched.evaluated()
    rules = {rule["alert"]: rule["expr"] for rule in monitoring.alerts()}
    assert set(watched.prometheus.evaluations()) == set(rules)
    assert watched.prometheus.firing(home.namespace) == set()
    assert watched.prometheus.firing() <= LASTING
    for name in LASTING:
        lately = re.sub(r"\[\d+m\]", "[10s]", rules[name])
        eventually(lambda asked=lately: watched.prometheus.value(asked) is None, f"{name} would not fire")


def test_an_operator_that_stopped_is_told(watched: Watched):
    watched.operator.stop()
    try:
        watched.fires({"DoorwardNoLeader"})
    finally:
        watched.operator.start()
    watched.silent("DoorwardNoLeader")


def test_a_host_that_something_visible_opens_is_told(watched: Watched, home: Home):
    home.partners()
    protect(home, tls=False)
    watched.fires({"DoorwardHostNotProtected"}, home.namespace)


def test_a_ca_that_ends_without_a_successor_is_told(watched: Watched, home: Home):
    own_ca(home, SystemClock().now())
    watched.fires({CA_ENDS}, home.namespace)


def test_a_gate_that_cannot_be_written_is_told_and_so_is_the_cut_off_that_waits_for_it(watched: Watched, home: Home):
    home.partners("alice")
    protect(home)
    with watched.api.failing(writes_of(home, f"secrets/{home.gate}")):
        home.respec(CERTIFICATES, "alice", revoked=True)
        watched.fires({"DoorwardGateNotCurrent"}, home.namespace)
        watched.fires({"DoorwardWritesRefused", "DoorwardCutOffPending"}, seconds=MINUTES)
    watched.silent("DoorwardCutOffPending")


def test_writes_that_fail_again_and_again_are_told(watched: Watched, home: Home):
    with watched.api.failing(writes_of(home, "", Fault(500))):
        home.make(ISSUERS, issuer())
        watched.fires({"DoorwardReconcileErrors"})


def test_a_gate_service_that_hears_nothing_is_told(watched: Watched):
    with watched.api_of_gate.away():
        watched.fires({"DoorwardGateServiceStale"}, seconds=MINUTES)
    watched.silent("DoorwardGateServiceStale")


def test_a_crl_that_could_not_be_published_for_days_is_told(watched: Watched, home: Home):
    """As the operator finds it that was refused its writes, or did not run: six days old, twelve hours from its end, and large."""
    now = SystemClock().now()
    files = own_ca(home, now)
    ca = load_ca(certificate=files["tls.crt"], key=files["tls.key"], chain=None, now=now)
    entries = [CrlEntry(serial=(1 << 150) + number, revoked_at=now - 7 * DAY, reason=None) for number in range(MANY)]
    old = build_crl(ca=ca, entries=entries, number=1, this_update=now - 6 * DAY, next_update=now + 12 * HOUR)
    watched.operator.stop()
    published = home.body(CONFIGMAPS, "partners-crl")
    published["data"]["ca.crl"] = old.decode()
    assert home.admin.alias(OPERATOR).replace(CONFIGMAPS, published).ok
    with watched.api.failing(writes_of(home, "configmaps")):
        watched.operator.start()
        lists = {"DoorwardCRLOld", "DoorwardCRLExpiresIn3Days", "DoorwardCRLExpiresIn1Day", "DoorwardCRLNearLimit"}
        watched.fires(lists | {CA_ENDS}, home.namespace)

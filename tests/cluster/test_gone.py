"""Deletion in every order, with the operator up or down: nothing hangs, nobody gets in, and who is only thought to be gone stays.

Three namespaces: of the issuer, of its clients, and of the host that lets them in.
"""

import base64
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.support import quotas
from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    INGRESSES,
    ISSUERS,
    MERGE,
    NAMESPACES,
    RECORDS,
    SECRETS,
    Answer,
    Kind,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress, unbound

CONFIGMAPS = Kind("api/v1", "configmaps")
BEFORE_PATIENCE = 25.0
"""Seconds: a deletion would wait for a gate for 30."""
EVERYWHERE = {"allowedNamespaces": {"from": "All"}}
FORCED = {"metadata": {"finalizers": None}}


@dataclass(frozen=True)
class Domain:
    """An issuer, its client alice, and the host that lets her in."""

    issuers: Home
    clients: Home
    front: Home
    openssl: OpenSsl

    def fill(self) -> None:
        self.issuers.make(ISSUERS, self.issuer())
        self.clients.make(CERTIFICATES, self.alice())
        reference = f"{self.issuers.namespace}/partners"
        self.front.make(INGRESSES, ingress(self.front.namespace, {ISSUER: reference}))

    def issuer(self) -> dict[str, object]:
        return issuer(issuance=EVERYWHERE | {"allowedSubjects": [{"commonName": "*"}]}, gates=EVERYWHERE)

    def alice(self) -> dict[str, object]:
        return client(issuerRef={"name": "partners", "namespace": self.issuers.namespace})

    def settle(self) -> None:
        self.clients.issued()
        eventually(lambda: self.lets_in(self.clients.serial()), "she gets in")

    def lets_in(self, serial: str) -> bool:
        """A gate is there, and its CRL does not name the serial; without one the host answers 403 (tests/gate)."""
        gate = self.gate()
        return gate.ok and serial not in self.openssl.crl_entries(base64.b64decode(gate.body["data"]["ca.crl"]))

    def gate(self) -> Answer:
        return self.front.get(SECRETS, f"doorward.{self.issuers.namespace}.partners")

    def went(self, *homes: Home) -> None:
        """Wait until these namespaces are gone."""
        for home in homes:
            eventually(lambda home=home: home.admin.get(NAMESPACES, None, home.namespace).status == 404, "it is gone")


@contextmanager
def domains(number: int, admin: Person, folder: Path, openssl: OpenSsl) -> Iterator[list[Domain]]:
    """So many, each with alice let in; cleaned up after."""
    names = ("issuers", "clients", "front")
    made = [Domain(*(Home.found(admin, folder, prefix=f"{name}-") for name in names), openssl) for _ in range(number)]
    for domain in made:
        domain.fill()
    for domain in made:
        domain.settle()
    yield made
    for domain in made:
        for home in (domain.issuers, domain.clients, domain.front):
            home.abandon()


@pytest.fixture
def domain(admin: Person, running_operator: OperatorProcess, tmp_path: Path, openssl: OpenSsl) -> Iterator[Domain]:  # noqa: ARG001 - it runs
    with domains(1, admin, tmp_path, openssl) as (made,):
        yield made


# What is deleted, in order; and how it is seen that nothing hangs


def _client(domain: Domain) -> None:
    domain.clients.remove(CERTIFICATES, "alice")


def _issuer(domain: Domain) -> None:
    domain.issuers.remove(ISSUERS, "partners")


def _namespace_of_the_issuer(domain: Domain) -> None:
    domain.issuers.abandon()


def _namespace_of_the_client(domain: Domain) -> None:
    domain.clients.abandon()


ORDERS = {
    "the client": (_client,),
    "the issuer": (_issuer,),
    "the client, then its issuer": (_client, _issuer),
    "the issuer, then its client": (_issuer, _client),
    "the namespace of the issuer": (_namespace_of_the_issuer,),
    "the namespace of the issuer, then the client": (_namespace_of_the_issuer, _client),
    "the namespace of the client": (_namespace_of_the_client,),
    "both namespaces": (_namespace_of_the_client, _namespace_of_the_issuer),
}


def ends_well(domain: Domain, serial: str, steps: tuple[Callable[[Domain], None], ...]) -> None:
    """What was deleted goes, and the serial is let in no more."""
    if _client in steps:
        domain.clients.gone(CERTIFICATES, "alice")
    if _issuer in steps:
        domain.issuers.gone(ISSUERS, "partners")
    ending = {_namespace_of_the_issuer: domain.issuers, _namespace_of_the_client: domain.clients}
    domain.went(*(home for step, home in ending.items() if step in steps))
    eventually(lambda: not domain.lets_in(serial), "nobody gets in")


@pytest.fixture(scope="module", params=["with the operator up", "with the operator down"])
def ending(
    request: pytest.FixtureRequest,
    admin: Person,
    running_operator: OperatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
    openssl: OpenSsl,
) -> Iterator[dict[str, tuple[Domain, str]]]:
    """By order, a domain in which that was deleted, and alice's serial."""
    with domains(len(ORDERS), admin, tmp_path_factory.mktemp("orders"), openssl) as made:
        found = {name: (domain, domain.clients.serial()) for name, domain in zip(ORDERS, made, strict=True)}
        if request.param == "with the operator down":
            running_operator.stop()
        for name, steps in ORDERS.items():
            for step in steps:
                step(found[name][0])
        if request.param == "with the operator down":
            running_operator.start()
        yield found


@pytest.mark.promise(3)
@pytest.mark.parametrize("order", ORDERS)
def test_nothing_hangs_and_nobody_gets_in_after_the_deletion_of(ending: dict[str, tuple[Domain, str]], order: str):
    ends_well(*ending[order], ORDERS[order])


# An issuer that is gone, and is made again


def test_whoever_deletes_an_issuer_with_live_certificates_is_told_first(domain: Domain, cluster: Cluster):
    eventually(lambda: domain.issuers.body(ISSUERS, "partners")["status"].get("counts", {}).get("live"), "it counts")
    delete = ("-n", domain.issuers.namespace, "delete", "mtlsissuer", "partners")
    assert "1 certificates of MTLSIssuer" in cluster.kubectl(*delete, "--dry-run=server").stderr
    assert domain.issuers.get(ISSUERS, "partners").ok


def test_whoever_deletes_an_issuer_without_any_is_not_bothered(home: Home, cluster: Cluster):
    home.partners()
    done = cluster.kubectl("-n", home.namespace, "delete", "mtlsissuer", "partners")
    assert "Warning" not in done.stderr


@pytest.mark.promise(1)
def test_an_issuer_made_again_lets_in_the_same_clients_and_none_that_went_meanwhile(domain: Domain):
    domain.clients.make(CERTIFICATES, domain.alice() | {"metadata": {"name": "bob"}})
    domain.clients.issued("bob")
    alice, bob = domain.clients.serial(), domain.clients.serial("bob")
    _issuer(domain)
    eventually(lambda: not domain.lets_in(bob), "the gate is closed")
    _client(domain)
    domain.clients.gone(CERTIFICATES, "alice")
    domain.issuers.make(ISSUERS, domain.issuer())
    eventually(lambda: domain.lets_in(bob), "the gate is open again")
    assert not domain.lets_in(alice)


# Gates that cannot be written


def test_a_host_in_a_namespace_that_ends_holds_no_deletion_back(domain: Domain):
    hook = domain.front.make(CONFIGMAPS, {"metadata": {"name": "hook", "finalizers": ["example.com/hook"]}})
    domain.front.abandon()
    eventually(lambda: not domain.gate().ok, "the gate went")
    _client(domain)
    eventually(lambda: not domain.clients.get(CERTIFICATES, "alice").ok, "she is gone", seconds=BEFORE_PATIENCE)
    domain.front.admin.patch(CONFIGMAPS, hook, FORCED)


def test_a_quota_that_refuses_the_gate_is_told_and_holds_no_deletion_back(domain: Domain, home: Home):
    quotas.impose(home, **{"count/secrets": "0"})
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: f"{domain.issuers.namespace}/partners"}))
    says = partial(domain.issuers.condition, ISSUERS, "partners", "GatesCurrent")
    eventually(lambda: "exceeded quota" in says().get("message", ""), "the issuer tells of the quota")
    _client(domain)
    eventually(lambda: not domain.clients.get(CERTIFICATES, "alice").ok, "she is gone", seconds=BEFORE_PATIENCE)


# The backstop


@pytest.fixture
def hasty(cluster: Cluster) -> Iterator[OperatorProcess]:
    """An operator whose grace is two seconds."""
    shorter = "from datetime import timedelta; from doorward.planning import gone; gone.GRACE = timedelta(seconds=2)"
    main = "import sys; from doorward.cli.main import main; sys.exit(main())"
    operator = OperatorProcess(cluster, name="hasty", program=(sys.executable, "-c", f"{shorter}; {main}"))
    yield operator
    operator.close()


def test_only_the_operator_lets_a_client_go_that_is_being_deleted(domain: Domain, running_operator: OperatorProcess):
    running_operator.stop()
    _client(domain)
    forced = domain.clients.admin.patch(CERTIFICATES, domain.clients.body(CERTIFICATES, "alice"), FORCED)
    assert (forced.status, "fence-clients.doorward.io" in forced.message) == (403, True)
    running_operator.start()
    domain.clients.gone(CERTIFICATES, "alice")


@pytest.mark.promise(1)
def test_a_client_that_was_forced_out_is_held(domain: Domain, running_operator: OperatorProcess, hasty):
    domain.clients.make(CERTIFICATES, domain.alice() | {"metadata": {"name": "probe"}})
    serial = domain.clients.serial()
    running_operator.stop()
    for name in ("alice", "probe"):
        domain.clients.remove(CERTIFICATES, name)
    path = CERTIFICATES.path(domain.clients.namespace, "probe")
    probe = partial(domain.clients.admin.ask, "PATCH", path, FORCED, content=MERGE, query="dryRun=All")
    with unbound(domain.clients.admin, "fence-clients.doorward.io", probe):
        domain.clients.change(CERTIFICATES, "alice", FORCED)
    assert domain.clients.get(CERTIFICATES, "alice").status == 404
    hasty.start()
    eventually(lambda: not domain.lets_in(serial), "she gets in no more")
    record = domain.issuers.body(RECORDS, f"partners.1.{serial}")
    assert record["spec"]["revocation"]["reason"] == "certificateHold"
    hasty.stop()
    running_operator.start()

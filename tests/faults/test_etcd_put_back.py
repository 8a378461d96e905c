"""etcd put back to a snapshot under a running operator: nothing that it published is forgotten, and it hears and serves on."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes import config

from tests.cluster.policies_support import ISSUER, ingress
from tests.support import installation
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, Person, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster


@dataclass(frozen=True)
class PutBack:
    """A cluster that was put back, with the operator at work all the time, and what had come after the snapshot."""

    home: Home
    operator: OperatorProcess
    openssl: OpenSsl
    pid: int
    serials: dict[str, str]
    """Of alice, who was revoked, dave, who was deleted, and carol, who came."""
    number: int
    """Of the last CRL before."""

    def revoked(self) -> set[str]:
        text = self.openssl.crl_text(self.home.crl().read_bytes()).lower()
        return {line.split(":")[1].strip().lstrip("0") for line in text.splitlines() if "serial number:" in line}

    def gate(self) -> bytes:
        return self.home.data(self.home.gate)["ca.crl"]


def crl_number(home: Home) -> int:
    return int(home.body(ISSUERS, "partners")["status"]["crl"]["number"])


@pytest.fixture(scope="module")
def put_back(tmp_path_factory: pytest.TempPathFactory, openssl: OpenSsl) -> Iterator[PutBack]:
    folder = tmp_path_factory.mktemp("put-back")
    with Cluster.start(folder / "cluster", unsafe_no_fsync=True) as cluster, installation.running(cluster) as operator:
        home = Home.found(Person(config.new_client_from_config(config_file=str(cluster.kubeconfig))), folder)
        home.partners("alice", "bob", "dave")
        home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
        home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
        cluster.control_plane.snapshot(folder / "snapshot")
        serials = {name: serial_of(home, name) for name in ("alice", "dave")}
        after_the_snapshot(home)
        serials["carol"] = serial_of(home, "carol")
        before = PutBack(home, operator, openssl, operator.pid, serials, crl_number(home))
        cluster.control_plane.put_back(folder / "snapshot")
        probe = home.here(client("probe"))
        eventually(lambda: home.admin.create(CERTIFICATES, probe, dry_run=True).ok, "the API server serves our kinds")
        yield before


def serial_of(home: Home, name: str) -> str:
    return str(home.issued(name)["status"]["serialNumber"])


def after_the_snapshot(home: Home) -> None:
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.remove(CERTIFICATES, "dave")
    home.make(CERTIFICATES, client("carol"))
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    home.gone(CERTIFICATES, "dave")


@pytest.mark.promise(1)
def test_what_was_revoked_after_the_snapshot_is_on_the_crl_again(put_back: PutBack):
    lost = {put_back.serials["alice"], put_back.serials["dave"]}
    eventually(lambda: lost <= put_back.revoked(), "the CRL names them")


def test_the_gate_holds_that_crl_too(put_back: PutBack):
    lost = {put_back.serials["alice"], put_back.serials["dave"]}
    eventually(lambda: lost <= put_back.revoked(), "the CRL names them")
    eventually(lambda: put_back.gate() == put_back.home.crl().read_bytes(), "the gate follows")


def test_crl_numbers_go_on_rising(put_back: PutBack):
    eventually(lambda: crl_number(put_back.home) > put_back.number, "a higher number")


@pytest.mark.promise(2)
def test_a_serial_that_was_signed_after_the_snapshot_is_on_record_again(put_back: PutBack):
    name = f"partners.1.{put_back.serials['carol']}"
    eventually(lambda: put_back.home.get(RECORDS, name).ok, "the record is back")


def test_the_ledger_says_again_why_a_client_is_refused(put_back: PutBack):
    name = f"partners.1.{put_back.serials['dave']}"
    eventually(
        lambda: put_back.home.body(RECORDS, name)["spec"].get("revocation", {}).get("finalAt"),
        "the hold of the deleted client, with its end",
    )


def test_the_issuer_says_that_more_may_be_lost_and_what_to_do(put_back: PutBack):
    said = put_back.home.says(ISSUERS, "partners", "LedgerComplete", "ClusterRolledBack")
    assert "spec.ca.distrust" in said


def test_nobody_else_is_cut_off(put_back: PutBack):
    put_back.home.make(CERTIFICATES, client("erin"))
    put_back.home.issued("erin")
    (bob,) = put_back.home.records("bob")
    assert "revocation" not in bob["spec"]


def test_people_are_heard_again_without_a_restart(put_back: PutBack):
    put_back.home.make(CERTIFICATES, client("frank"))
    serial = serial_of(put_back.home, "frank")
    put_back.home.respec(CERTIFICATES, "frank", revoked=True)
    eventually(lambda: serial in put_back.revoked(), "frank is refused")
    assert put_back.operator.pid == put_back.pid

"""A suspended client: on hold at once, whatever else is wrong; let in again with what it had."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from doorward.clock import SystemClock
from doorward.objects.meta import ISSUER_ANNOTATION
from tests.support.audit import Audit
from tests.support.home import Home
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, SECRETS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .policies_support import ingress

MANAGED = "app.kubernetes.io/managed-by"


def suspend(cluster: Cluster, home: Home, to: bool = True) -> None:
    """As a person does it."""
    patch = f'{{"spec": {{"suspended": {str(to).lower()}}}}}'
    cluster.kubectl("-n", home.namespace, "patch", "clientcertificate", "alice", "--type=merge", "-p", patch)
    home.says(CERTIFICATES, "alice", *(("Admitted", "OnHold") if to else ("Admitted", "Live")))


def revocation(home: Home, serial: str) -> dict[str, Any]:
    return dict(home.body(RECORDS, f"partners.1.{serial}")["spec"].get("revocation") or {})


def verdict(home: Home, openssl: OpenSsl) -> str:
    files = {name: path.read_bytes() for name, path in home.files().items()}
    crl = home.crl().read_bytes()
    return openssl.verdict(files["tls.crt"], anchor=files["ca.crt"], crl=crl, at=SystemClock().now())


@pytest.mark.promise(1)
def test_a_suspended_client_is_on_hold_and_is_good_again_with_the_very_same_files(
    cluster: Cluster, home: Home, openssl: OpenSsl
):
    home.partners("alice", "bob")
    before = home.body(SECRETS, "alice-mtls")
    suspend(cluster, home)
    assert openssl.crl_entries(home.crl().read_bytes()) == {home.serial(): "Certificate Hold"}
    assert verdict(home, openssl) == "certificate revoked"
    assert home.condition(CERTIFICATES, "alice", "Ready")["status"] == "True"
    suspend(cluster, home, to=False)
    assert verdict(home, openssl) == "OK"
    assert home.body(SECRETS, "alice-mtls") == before


def test_a_suspension_and_its_end_cost_one_record_one_crl_one_gate_and_two_statuses(
    cluster: Cluster, home: Home, audit: Audit
):
    home.partners("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER_ANNOTATION: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    eventually(lambda: "doorward.io/gate" in home.get(INGRESSES, "app").annotations, "the Ingress is told")
    home.says(ISSUERS, "partners", "HostsProtected", "SomeNotProtected")  # what it was told last, its gate being there
    audit.rest(home.namespace)
    for to in (True, False):
        with audit.writes(home.namespace) as written:
            suspend(cluster, home, to=to)
        del written["patch mtlsissuers/status"]
        assert written.pop("patch clientcertificates/status") <= 2
        assert written.pop("create events") == (2 if to else 1)
        assert written == {"patch issuedcertificates": 1, "update configmaps": 1, "update secrets": 1}


# Whatever else is wrong


@contextmanager
def without_its_ca(home: Home) -> Iterator[None]:
    ca = home.data("partners-ca-1")
    labels = home.body(SECRETS, "partners-ca-1")["metadata"]["labels"]
    home.remove(SECRETS, "partners-ca-1")
    home.says(ISSUERS, "partners", "Ready", "CaSecretMissing")
    yield
    home.secret("partners-ca-1", ca)
    home.change(SECRETS, "partners-ca-1", {"metadata": {"labels": labels}})


@contextmanager
def with_a_secret_that_is_not_ours(home: Home) -> Iterator[None]:
    home.change(SECRETS, "alice-mtls", {"metadata": {"labels": {MANAGED: None}}})
    home.says(CERTIFICATES, "alice", "Ready", "SecretUnmanaged")
    yield
    home.change(SECRETS, "alice-mtls", {"metadata": {"labels": {MANAGED: "doorward"}}})


@contextmanager
def without_consent(home: Home) -> Iterator[None]:
    home.withdraw()
    home.says(CERTIFICATES, "alice", "Ready", "NotPermitted")
    yield
    home.consent()


WRONG = [without_its_ca, with_a_secret_that_is_not_ours, without_consent]


@pytest.mark.promise(1)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_client_is_suspended_in_the_ledger_and_let_in_again_after(
    cluster: Cluster, home: Home, openssl: OpenSsl, wrong: Any
):
    home.partners("alice")
    serial, before = home.serial(), home.data("alice-mtls")
    with wrong(home):
        home.respec(CERTIFICATES, "alice", suspended=True)
        home.says(CERTIFICATES, "alice", "Ready", "Suspended")
        assert revocation(home, serial)["heldBy"] == "Suspension"
    home.says(CERTIFICATES, "alice", "Admitted", "OnHold")
    assert verdict(home, openssl) == "certificate revoked"
    suspend(cluster, home, to=False)
    home.issued()
    assert (home.serial(), home.data("alice-mtls")) == (serial, before)


@pytest.mark.promise(1)
def test_a_suspended_client_that_is_deleted_is_out_for_good_after_the_undo_window(
    cluster: Cluster, home: Home, openssl: OpenSsl
):
    home.partners("alice", revocation={"undoWindow": "2s"})
    serial = home.serial()
    suspend(cluster, home)
    since = revocation(home, serial)["time"]
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    over = {"reason": "cessationOfOperation", "time": since, "lifted": False}
    eventually(lambda: revocation(home, serial) == over, "the hold is final")
    wanted = {serial: "Cessation Of Operation"}
    eventually(lambda: openssl.crl_entries(home.crl().read_bytes()) == wanted, "the CRL says so")


def test_a_secret_that_goes_while_suspended_is_recreated_afterwards_and_the_old_file_works_for_a_while(
    cluster: Cluster, home: Home, openssl: OpenSsl
):
    home.partners("alice")
    lost = home.serial()
    suspend(cluster, home)
    home.remove(SECRETS, "alice-mtls")
    home.respec(CERTIFICATES, "alice", secretTemplate={"labels": {"seen": "yes"}})
    home.says(CERTIFICATES, "alice", "Ready", "Suspended")
    assert revocation(home, lost)["reason"] == "certificateHold"
    home.respec(CERTIFICATES, "alice", suspended=False)
    home.reissued(lost)
    eventually(lambda: openssl.crl_entries(home.crl().read_bytes()) == {}, "the old file works again")

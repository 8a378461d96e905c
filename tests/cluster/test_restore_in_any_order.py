"""`kubectl apply` of a backup into an empty namespace while the operator runs: whatever comes first, clients are as they were.

The orders are a few of those that tests/unit/runtime/test_restore_orders.py generates; here are the real rights, fences and garbage
collector.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from doorward.clock import SystemClock
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, NAMESPACES, Object, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

KINDS = "mtlsissuers,clientcertificates,issuedcertificates,secrets,configmaps"
PARTS: dict[str, Callable[[Object], bool]] = {
    "issuer": lambda body: body["kind"] == "MTLSIssuer",
    "clients": lambda body: body["kind"] == "ClientCertificate",
    "records": lambda body: body["kind"] == "IssuedCertificate",
    "client Secrets": lambda body: body["kind"] == "Secret" and body["metadata"]["name"].endswith("-mtls"),
    "CA Secret": lambda body: body["kind"] == "Secret" and "-ca-" in body["metadata"]["name"],
    "CRL": lambda body: body["kind"] == "ConfigMap" and body["metadata"]["name"].endswith("-crl"),
}
CONSENT = "consent"
ORDERS = {
    "as kubectl lists them": (CONSENT, *PARTS),
    "as kubectl lists them, consent last": (*PARTS, CONSENT),
    "records last": (CONSENT, "issuer", "clients", "client Secrets", "CA Secret", "CRL", "records"),
    "the CA last": (CONSENT, "records", "CRL", "issuer", "clients", "client Secrets", "CA Secret"),
    "the CA first": (CONSENT, "CA Secret", "issuer", "clients", "records", "CRL", "client Secrets"),
}


@dataclass(frozen=True)
class Backup:
    """What was printed, without uid and resourceVersion, and the files that people have."""

    bodies: list[Object]
    files: dict[str, bytes]
    serials: dict[str, str]


@pytest.fixture
def backup(home: Home, cluster: Cluster, running_operator: OperatorProcess) -> Backup:
    """Alice has access, bob is revoked. Then the namespace is deleted, and made again."""
    home.partners("alice", "bob")
    home.respec(CERTIFICATES, "bob", revoked=True)
    home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    bodies = json.loads(cluster.kubectl("-n", home.namespace, "get", KINDS, "--output=json").stdout)["items"]
    for body in bodies:
        for name in ("uid", "resourceVersion"):
            body["metadata"].pop(name)
    names = ("alice", "bob")
    made = Backup(
        bodies, {name: home.data(f"{name}-mtls")["tls.crt"] for name in names}, {n: home.serial(n) for n in names}
    )
    home.abandon()
    eventually(lambda: home.admin.get(NAMESPACES, None, home.namespace).status == 404, "the namespace is gone")
    running_operator.restart()
    assert home.admin.create(NAMESPACES, {"metadata": {"name": home.namespace}}).ok
    return made


@pytest.mark.promise(1)
@pytest.mark.parametrize("slow", [False, True], ids=["at once", "one after the other"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_backup_that_is_applied_leaves_all_clients_as_they_were(
    home: Home, cluster: Cluster, openssl: OpenSsl, backup: Backup, order: tuple[str, ...], slow: bool
):
    for part in order:
        if part == CONSENT:
            home.consent()
        else:
            items = [body for body in backup.bodies if PARTS[part](body)]
            # The fences refuse what the operator has written already, which kubectl says, and goes on.
            listed = {"apiVersion": "v1", "kind": "List", "items": items}
            cluster.kubectl("apply", "-f", "-", input=json.dumps(listed), check=False)
        if slow and home.get(ISSUERS, "partners").ok:
            _said(home)
    home.signing()
    home.issued()
    home.says(CERTIFICATES, "bob", "Admitted", "Revoked")

    def as_before() -> bool:
        bundle = home.body(CONFIGMAPS, "partners-crl")["data"]
        told = {name: _verdict(openssl, leaf, bundle) for name, leaf in backup.files.items()}
        return told == {"alice": "OK", "bob": "certificate revoked"}

    eventually(as_before, "alice has access with her file, and bob has none")
    assert openssl.crl_entries(home.crl().read_bytes()).keys() == {backup.serials["bob"]}
    assert _verdict(openssl, home.data("alice-mtls")["tls.crt"], home.body(CONFIGMAPS, "partners-crl")["data"]) == "OK"


def _said(home: Home) -> None:
    """Wait until the issuer says something of what is there."""
    eventually(lambda: home.condition(ISSUERS, "partners", "Ready").get("reason"), "the issuer is looked at")


def _verdict(openssl: OpenSsl, leaf: bytes, bundle: dict[str, str]) -> str:
    anchor, crl = bundle["ca.crt"].encode(), bundle["ca.crl"].encode()
    return openssl.verdict(leaf, anchor=anchor, crl=crl, at=SystemClock().now())

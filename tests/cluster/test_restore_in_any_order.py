"""`kubectl apply` of a backup into an empty namespace while the operator runs: whatever comes first, clients are as they were.

The orders are a few of those that tests/unit/runtime/test_restore_orders.py generates; here are the real rights, fences and garbage
collector.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from doorward.clock import SystemClock
from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    ISSUERS,
    NAMESPACES,
    RECORDS,
    SECRETS,
    Object,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

NAMES = ("alice", "bob")
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
ROWS = {
    f"{name}, {pace}": (order, slow)
    for name, order in ORDERS.items()
    for pace, slow in (("at once", False), ("one after the other", True))
}


@dataclass(frozen=True)
class Backup:
    """What was printed of a namespace, without uid and resourceVersion, and the files that people have."""

    home: Home
    bodies: list[Object]
    files: dict[str, bytes]
    serials: dict[str, str]

    @classmethod
    def of(cls, home: Home, cluster: Cluster) -> "Backup":
        """As kubectl prints it."""
        bodies = json.loads(cluster.kubectl("-n", home.namespace, "get", KINDS, "--output=json").stdout)["items"]
        for body in bodies:
            for name in ("uid", "resourceVersion"):
                body["metadata"].pop(name)
        files = {name: home.data(f"{name}-mtls")["tls.crt"] for name in NAMES}
        return cls(home, bodies, files, {name: home.serial(name) for name in NAMES})


@pytest.fixture(scope="module")
def backups(
    admin: Person, cluster: Cluster, running_operator: OperatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Backup]]:
    """By row, a namespace of its own: alice has access, bob is revoked. Then the namespaces are deleted, and made again.

    All at once, since most of the time goes by in waiting for them to go; and the operator then starts with none of them.
    """
    homes = {row: Home.found(admin, tmp_path_factory.mktemp("row")) for row in ROWS}
    for home in homes.values():
        home.make(ISSUERS, issuer())
        for name in NAMES:
            home.make(CERTIFICATES, client(name))
    for home in homes.values():
        for name in NAMES:
            home.issued(name)
        home.respec(CERTIFICATES, "bob", revoked=True)
    for home in homes.values():
        home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    made = {row: Backup.of(home, cluster) for row, home in homes.items()}
    for home in homes.values():
        home.abandon()
    for home in homes.values():
        eventually(lambda home=home: admin.get(NAMESPACES, None, home.namespace).status == 404, "the namespace is gone")
    running_operator.restart()
    for home in homes.values():
        assert admin.create(NAMESPACES, {"metadata": {"name": home.namespace}}).ok
    yield made
    for home in homes.values():
        home.abandon()


@pytest.mark.promise(1)
@pytest.mark.parametrize("row", ROWS)
def test_a_backup_that_is_applied_leaves_all_clients_as_they_were(
    backups: Mapping[str, Backup], cluster: Cluster, openssl: OpenSsl, row: str
):
    backup, (order, slow) = backups[row], ROWS[row]
    home = backup.home
    assert home.admin.ask("GET", RECORDS.path(home.namespace)).body["items"] == []
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

    def holds_a_good_one() -> bool:
        secret = home.get(SECRETS, "alice-mtls")
        bundle = home.body(CONFIGMAPS, "partners-crl")["data"]
        return secret.ok and _verdict(openssl, b64decode(secret.body["data"]["tls.crt"]), bundle) == "OK"

    eventually(holds_a_good_one, "her Secret holds a certificate that has access")


def _said(home: Home) -> None:
    """Wait until the issuer says something of what is there."""
    eventually(lambda: home.condition(ISSUERS, "partners", "Ready").get("reason"), "the issuer is looked at")


def _verdict(openssl: OpenSsl, leaf: bytes, bundle: dict[str, str]) -> str:
    anchor, crl = bundle["ca.crt"].encode(), bundle["ca.crl"].encode()
    return openssl.verdict(leaf, anchor=anchor, crl=crl, at=SystemClock().now())

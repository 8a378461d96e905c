"""20,000 certificates are revoked within seconds, more than a CRL lists: nobody of them has access, and all others go on."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from doorward.cluster.gateway import ISSUED_CERTIFICATE
from doorward.objects.meta import key_of
from tests.support import planted
from tests.support.gate_clients import admits, held
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, SECRETS, Object, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

AT_ONCE = 20_000
FIRST = 1 << 150
HOUR = timedelta(hours=1)


def revoked(namespace: str, serial: int) -> Object:
    """The record of a serial that is revoked from the first moment."""
    now = SystemClock().now()
    return {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "IssuedCertificate",
        "metadata": {"namespace": namespace, "name": f"partners.1.{serial:x}"},
        "spec": {
            "issuerName": "partners",
            "generation": 1,
            "serialNumber": f"{serial:x}",
            "subject": "CN=many",
            "notBefore": instant(now - HOUR),
            "notAfter": instant(now + 2000 * HOUR),
            "fingerprints": {"sha256": f"{serial:064x}"[-64:], "sha1": f"{serial:040x}"[-40:]},
            "publicKeySHA256": f"{serial:064x}"[-64:],
            "clientCertificate": {"namespace": namespace, "name": f"many-{serial % 50}", "uid": "1"},
            "revocation": {"reason": "keyCompromise", "time": instant(now)},
        },
    }


def gate_of(home: Home) -> Object | None:
    """The gate's Secret; None where it is not there."""
    found = home.get(SECRETS, home.gate)
    return found.body if found.ok else None


def plant(cluster: Cluster, first: Object) -> None:
    """Many more like the first, which is there."""
    pattern = planted.stored(cluster, ISSUED_CERTIFICATE, key_of(first))

    def like(number: int) -> Object:
        body = revoked(first["metadata"]["namespace"], FIRST + number)
        return pattern | {
            "metadata": pattern["metadata"] | body["metadata"] | {"uid": f"{number}"},
            "spec": body["spec"],
        }

    planted.plant(cluster, ISSUED_CERTIFICATE, map(like, range(1, AT_ONCE)), at_once=1)


@pytest.fixture
def flooded(home: Home, cluster: Cluster) -> Iterator[Home]:
    """A namespace whose records are too many to delete one by one."""
    yield home
    planted.uproot(cluster, ISSUED_CERTIFICATE, home.namespace)


@pytest.mark.promise(1)
def test_a_mass_revocation_refuses_all_and_a_later_one_is_refused_too(flooded: Home, cluster: Cluster):
    home = flooded
    home.partners("alice", "bob")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    before = {name: held(home.body(SECRETS, f"{name}-mtls")) for name in ("alice", "bob")}
    assert all(admits(home.body(SECRETS, home.gate), each) for each in before.values())
    plant(cluster, home.make(RECORDS, revoked(home.namespace, FIRST)))

    def gate_admits(name: str) -> bool:
        return admits(gate_of(home), held(home.body(SECRETS, f"{name}-mtls")))

    home.says(ISSUERS, "partners", "CRLRoom", "CaGenerationClosed")
    eventually(lambda: home.body(CERTIFICATES, "alice")["status"].get("issuerGeneration") == 2, "alice has a new one")
    home.signing()
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    eventually(lambda: gate_admits("alice"), "the gate admits alice with it")
    gate = home.body(SECRETS, home.gate)
    assert not any(admits(gate, each) for each in before.values())
    home.respec(CERTIFICATES, "bob", revoked=True)
    home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    eventually(lambda: not gate_admits("bob"), "the gate refuses bob, who was revoked afterwards")
    assert gate_admits("alice")
    home.make(CERTIFICATES, client("carol"))
    home.issued("carol")
    assert gate_admits("carol")

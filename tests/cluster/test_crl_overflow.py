"""20,000 certificates are revoked at once, written straight to the API server: nobody of them has access, and all others go on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from tests.support.gate_clients import admits, held
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, SECRETS, Object, eventually

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


@pytest.mark.promise(1)
def test_a_mass_revocation_refuses_all_and_a_later_one_is_refused_too(home: Home):
    home.partners("alice", "bob")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    before = {name: held(home.body(SECRETS, f"{name}-mtls")) for name in ("alice", "bob")}
    assert all(admits(home.body(SECRETS, home.gate), each) for each in before.values())

    def plant(number: int) -> int:
        return home.admin.create(RECORDS, revoked(home.namespace, FIRST + number)).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(plant, range(AT_ONCE), chunksize=100)) == {201}

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

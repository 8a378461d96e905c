"""What a client and its certificate take in memory: a hundred thousand of them are to fit into 150 MB with the process."""

import gc
import hashlib
import json
import tracemalloc

from doorward.gate_service.ledger import Clients, Serials

NUMBER = 5_000
MOST = 600
"""Bytes (measured: 532); the process takes 80 MB without any."""


def objects(number: int) -> tuple[str, str]:
    """ClientCertificate and IssuedCertificate, as JSON from the API server."""
    namespace, name = f"team-{number % 50}", f"client-{number}"
    serial = hashlib.sha1(b"%d" % number).hexdigest()[1:]
    fingerprints = {"sha1": hashlib.sha1(b"c%d" % number).hexdigest(), "sha256": "b" * 64}
    client = {
        "metadata": {"namespace": namespace, "name": name, "labels": {"a": "b"}, "managedFields": [{"c": "d"}]},
        "spec": {"issuerRef": {"namespace": "issuers", "name": "partners"}, "commonName": f"{name}.example"},
    }
    record = {
        "metadata": {"namespace": "issuers", "name": f"partners.1.{serial.lstrip('0')}"},
        "spec": {
            "issuerName": "partners",
            "generation": 1,
            "serialNumber": serial,
            "subject": f"CN={name}.example,O=ACME",
            "notBefore": "2026-09-01T12:00:00Z",
            "notAfter": "2026-11-30T12:00:00Z",
            "fingerprints": fingerprints,
            "publicKeySHA256": "c" * 64,
            "clientCertificate": {"namespace": namespace, "name": name, "uid": f"{number:036}"},
        },
    }
    return json.dumps(client), json.dumps(record)


def test_a_client_and_its_certificate_take_half_a_kilobyte():
    texts = [objects(number) for number in range(NUMBER)]
    clients = Clients()
    serials = Serials(clients)
    gc.collect()
    tracemalloc.start()
    try:
        for client, record in texts:
            clients.take(json.loads(client))
            serials.take(json.loads(record))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(clients) == len(serials) == NUMBER
    assert held / NUMBER < MOST

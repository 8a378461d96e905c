"""Retention on a real API server, with the operator's own rights and every fence in force."""

import json
import subprocess
from datetime import timedelta
from typing import Any

import pytest

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from tests.support.home import Home
from tests.support.installation import DOORWARD
from tests.support.kube import CONFIGMAPS, ISSUERS, RECORDS, Object, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import record

DAY = timedelta(days=1)
OLD = 200
"""Days since the certificates expired; their time was over 103 days ago."""


def planted(home: Home, serial: int, **spec: Any) -> Object:
    """A record of long ago, as a backup brings it back: its client does not exist any more."""
    now = SystemClock().now()
    body = record(home.namespace)
    body["metadata"] |= {"name": f"partners.1.{serial:x}"}
    body["spec"] |= {
        "serialNumber": f"{serial:x}",
        "notBefore": instant(now - (OLD + 30) * DAY),
        "notAfter": instant(now - OLD * DAY),
        "clientCertificate": {"namespace": home.namespace, "name": f"old-{serial}", "uid": "1"},
    }
    body["spec"] |= spec
    return home.make(RECORDS, body)


def listed(cluster: Cluster, home: Home, *options: str) -> list[dict[str, Any]]:
    """What `doorward records` prints of this namespace's issuer."""
    issuer = f"--issuer={home.namespace}/partners"
    command = [DOORWARD, "records", issuer, "--output=json", f"--kubeconfig={cluster.kubeconfig}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.promise(1)
def test_old_records_move_to_the_archive_and_are_read_there(cluster: Cluster, home: Home):
    home.partners("alice")
    revoked = {"reason": "keyCompromise", "time": instant(SystemClock().now() - (OLD + 1) * DAY)}
    planted(home, 0xA1)
    planted(home, 0xA2, revocation=revoked)
    young = planted(home, 0xA3, notAfter=instant(SystemClock().now() - 20 * DAY))
    # Whoever looks at the ledger and finds nothing looks again in a day: the operator must know of all when the spec changes.
    known = {"live": 1, "revoked": 1, "expired": 2}
    eventually(lambda: home.body(ISSUERS, "partners")["status"].get("counts") == known, "the records are known")
    home.respec(ISSUERS, "partners", ledger={"retention": "2000h"})

    def left() -> set[str]:
        items = home.admin.ask("GET", RECORDS.path(home.namespace)).body["items"]
        return {item["spec"]["serialNumber"] for item in items}

    alice = home.serial()
    eventually(lambda: left() == {"a3", alice}, "the old records are archived")
    assert home.get(RECORDS, young["metadata"]["name"]).ok
    assert {line["serial"] for line in listed(cluster, home)} == {"a3", alice}
    lines = {line["serial"]: line for line in listed(cluster, home, "--archived")}
    assert {serial: line["archived"] for serial, line in lines.items()} == {
        "a1": True,
        "a2": True,
        "a3": False,
        alice: False,
    }
    assert lines["a2"]["revocation"] == revoked
    assert "revocation" not in lines["a1"]
    index = json.loads(home.body(CONFIGMAPS, "partners-archive")["data"]["index.json"])
    assert (index["generations"], index["barred"]) == ([1], ["c" * 64])

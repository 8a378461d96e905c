"""A prune that was a mistake: 300 clients are deleted, created again and restored; all are refused, then all in with their old files."""

import base64
import subprocess
import time

import pytest

from tests.support.home import Home, client
from tests.support.installation import DOORWARD
from tests.support.kube import CERTIFICATES, SECRETS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .doors import IN, REFUSED, Door, Files

CLIENTS = [f"client-{number}" for number in range(300)]
SAMPLE = CLIENTS[::15]
LONGEST = 60.0
"""Seconds: from the prune until all are refused, and from the command until all are in again, together."""
LOOK = 0.5


def serials(home: Home) -> dict[str, str]:
    """By client, what its status shows."""
    items = home.admin.ask("GET", CERTIFICATES.path(home.namespace)).body["items"]
    shown = ((item["metadata"]["name"], item.get("status", {}).get("serialNumber")) for item in items)
    return {name: serial for name, serial in shown if serial}


def apply(home: Home) -> None:
    for name in CLIENTS:
        home.make(CERTIFICATES, client(name))
    eventually(lambda: len(serials(home)) == len(CLIENTS), "all have their certificates", pause=LOOK)


def files(home: Home) -> dict[str, Files]:
    """The certificates of the sample, as the clients took them home."""
    found: dict[str, Files] = {}
    for name in SAMPLE:
        data = home.body(SECRETS, f"{name}-mtls")["data"]
        found[name] = {key: home.folder / f"{name}.{key}" for key in ("tls.crt", "tls.key")}
        for key, path in found[name].items():
            path.write_bytes(base64.b64decode(data[key]))
    return found


def all_told(shop: Door, clients: dict[str, Files]) -> set[str]:
    return {shop.tells(held) for held in clients.values()}


def prune(home: Home) -> None:
    assert home.admin.ask("DELETE", CERTIFICATES.path(home.namespace)).ok
    path = CERTIFICATES.path(home.namespace)
    eventually(lambda: not home.admin.ask("GET", path).body["items"], "all are gone", pause=LOOK)


def restore(cluster: Cluster, home: Home) -> None:
    arguments = [f"--issuer={home.namespace}/partners", "--since=30m", f"--kubeconfig={cluster.kubeconfig}"]
    done = subprocess.run([DOORWARD, "restore", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("restored"), done.stderr) == (0, len(CLIENTS), "")


@pytest.mark.promise(1)
def test_a_prune_of_300_clients_is_undone(cluster: Cluster, home: Home, shop: Door, openssl: OpenSsl):
    home.partners()
    apply(home)
    old, held = set(serials(home).values()), files(home)
    shop.comes_to_tell(held[SAMPLE[-1]], IN)

    begun = time.monotonic()
    prune(home)
    assert set(openssl.crl_entries(home.crl().read_bytes())) == old
    shop.comes_to_tell(held[SAMPLE[-1]], REFUSED)
    assert all_told(shop, held) == {REFUSED}

    pruned = time.monotonic()
    apply(home)
    applied = time.monotonic()
    restore(cluster, home)
    eventually(lambda: not openssl.crl_entries(home.crl().read_bytes()), "the CRL names nobody")
    shop.comes_to_tell(held[SAMPLE[-1]], IN)
    assert all_told(shop, held) == {IN}
    out, back = pruned - begun, time.monotonic() - applied
    print(f"\n{len(CLIENTS)} deleted: all out after {out:.1f} s; restored: all in after {back:.1f} s")
    assert out + back < LONGEST

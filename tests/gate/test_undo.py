"""A prune that was a mistake: 300 clients are deleted, restored and created again; all are refused, then all in with their old files.

And a deletion that was none: a client whose file was stolen is deleted and created again, and no restoring at large admits the thief.
"""

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
LONGEST = 180.0
"""Seconds: from the prune until all are refused, and from the command until all are in again, together; 56 on a busy machine."""
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


def run_restore(cluster: Cluster, home: Home, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [f"--issuer={home.namespace}/partners", f"--kubeconfig={cluster.kubeconfig}", *options]
    command = [DOORWARD, "restore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def restore(cluster: Cluster, home: Home) -> None:
    done = run_restore(cluster, home, "--since=30m")
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
    # nginx may have a CRL from between, which names some of them only.
    eventually(lambda: all_told(shop, held) == {REFUSED}, "all are refused", pause=LOOK)

    pruned = time.monotonic()
    restore(cluster, home)
    eventually(lambda: not openssl.crl_entries(home.crl().read_bytes()), "the CRL names nobody")
    eventually(lambda: all_told(shop, held) == {IN}, "all get in", pause=LOOK)
    out, back = pruned - begun, time.monotonic() - pruned
    print(f"\n{len(CLIENTS)} deleted: all out after {out:.1f} s; restored: all in after {back:.1f} s")
    assert out + back < LONGEST
    apply(home)
    assert all_told(shop, held) == {IN}


def stolen(home: Home, shop: Door) -> Files:
    """The file of a client that was deleted because of it, and created again; the thief is refused."""
    home.partners("alice")
    files = home.files("alice")
    shop.comes_to_tell(files, IN)
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    shop.comes_to_tell(files, REFUSED)
    return files


AT_LARGE = (["--since=30m"], ["--all", "--yes"], ["--since=2020-01-01T00:00:00Z", "--all", "--yes"])


@pytest.mark.promise(1)
def test_a_stolen_file_stays_out_whatever_is_restored_at_large(cluster: Cluster, home: Home, shop: Door):
    files = stolen(home, shop)
    for refused in ([], ["--all"], ["--dry-run"]):
        assert run_restore(cluster, home, *refused).returncode == 2
    for options in (*AT_LARGE, [f"--namespace={home.namespace}"]):
        done = run_restore(cluster, home, *options)
        assert (done.returncode, "left alone: the client has newer certificate" in done.stdout) == (1, True), done
    home.make(CERTIFICATES, client("bob"))
    home.issued("bob")
    shop.comes_to_tell(home.files("bob"), IN)  # so the gate has what was published since
    shop.comes_to_tell(files, REFUSED)


def test_a_stolen_file_comes_back_to_whoever_names_the_client(cluster: Cluster, home: Home, shop: Door):
    files = stolen(home, shop)
    done = run_restore(cluster, home, "--name=alice")
    assert done.returncode == 0, done
    shop.comes_to_tell(files, IN)

"""docs/runbooks/move-and-restore.md, done: everything is backed up, wiped, and brought back with new UIDs and without status."""

import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import older
from tests.support.audit import Audit
from tests.support.home import Home
from tests.support.installation import DOORWARD, OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, INGRESSES, ISSUERS, NAMESPACES, OPERATOR, SECRETS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

KINDS = "issuedcertificates,configmaps,secrets,mtlsissuers,clientcertificates"


def wipe(home: Home) -> None:
    """The namespace and all that is in it, though no operator runs."""
    home.abandon()
    operator = home.admin.alias(OPERATOR)
    gone = {"metadata": {"finalizers": None}}

    def ended() -> bool:
        for body in home.admin.ask("GET", CERTIFICATES.path(home.namespace)).body["items"]:
            if "deletionTimestamp" in body["metadata"]:
                operator.patch(CERTIFICATES, body, gone)
        return home.admin.get(NAMESPACES, None, home.namespace).status == 404

    eventually(ended, "the namespace is gone", pause=0.3)


def words(printed: str) -> list[list[str]]:
    """The lines, without what only a dry run says."""
    return sorted(
        line.replace("would be created", "created").replace("would be given", "given").split()
        for line in printed.splitlines()
    )


def adopt(cluster: Cluster, *arguments: str | Path) -> str:
    command = [DOORWARD, "adopt", *arguments, f"--kubeconfig={cluster.kubeconfig}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Moved:
    """What was there before, where it is now, and what the operator wrote when it started."""

    home: Home
    uid: str
    files: Mapping[str, bytes]
    serials: Mapping[str, str]
    crl: bytes
    writes: Counter[str]


@pytest.fixture
def moved(cluster: Cluster, home: Home, running_operator: OperatorProcess, tmp_path: Path) -> Moved:
    home.partners("alice", "bob", "carol")
    home.respec(CERTIFICATES, "bob", revoked=True)
    home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    home.remove(CERTIFICATES, "carol")
    home.gone(CERTIFICATES, "carol")
    before = home.body(CERTIFICATES, "alice")["metadata"]["uid"]
    files, crl = home.data("alice-mtls"), home.crl().read_bytes()
    serials = {name: home.serial(name) for name in ("alice", "bob")}
    running_operator.stop()
    backup = tmp_path / "backup.yaml"
    backup.write_text(cluster.kubectl("-n", home.namespace, "get", KINDS, "--output=yaml").stdout)
    wipe(home)
    assert home.admin.create(NAMESPACES, {"metadata": {"name": home.namespace}}).ok
    home.consent()
    said = adopt(cluster, backup, "--dry-run")
    assert home.admin.ask("GET", CERTIFICATES.path(home.namespace)).body["items"] == []
    done = adopt(cluster, backup)
    assert words(done) == words(said)
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    with Audit(cluster).writes(home.namespace) as writes:
        running_operator.start()
        home.issued()
        home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return Moved(home, before, files, serials, crl, writes)


def test_what_was_moved_serves_the_same_certificates_and_revokes_nobody(moved: Moved, openssl: OpenSsl):
    home = moved.home
    assert home.body(CERTIFICATES, "alice")["metadata"]["uid"] != moved.uid
    assert home.data("alice-mtls") == moved.files
    assert {name: home.serial(name) for name in moved.serials} == moved.serials
    assert home.body(CONFIGMAPS, "partners-crl")["data"]["ca.crl"].encode() == moved.crl
    refused = openssl.crl_entries(moved.crl)
    assert (len(refused), moved.serials["alice"] in refused, moved.serials["bob"] in refused) == (2, False, True)
    assert openssl.crl_entries(home.data(home.gate)["ca.crl"]) == refused
    [owner] = home.body(SECRETS, "alice-mtls")["metadata"]["ownerReferences"]
    assert owner["uid"] == home.body(CERTIFICATES, "alice")["metadata"]["uid"]
    statuses = {"patch clientcertificates/status", "patch mtlsissuers/status", "patch ingresses"}
    finalizers = set() if older.mutates() else {"patch clientcertificates"}
    allowed = {*statuses, *finalizers, "create secrets", "create configmaps", "create events"}
    assert set(moved.writes) <= allowed
    # The gate, and the names of the guarded Services.
    assert (moved.writes["create secrets"], moved.writes["create configmaps"]) in ((1, 1), (1, 0))


def test_nothing_is_adopted_while_an_operator_has_the_lease(
    cluster: Cluster, home: Home, running_operator: OperatorProcess
):
    running_operator.stop()
    elected = OperatorProcess(cluster, name="elected", elected=True)
    command = [DOORWARD, "adopt", f"--namespace={home.namespace}", f"--kubeconfig={cluster.kubeconfig}"]
    try:
        elected.start()
        eventually(lambda: elected.part == "leads", "it has the Lease")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        elected.close()
        running_operator.start()
    assert (done.returncode, "an operator is at work" in done.stderr) == (1, True)


def test_adopting_again_finds_nothing_to_do(cluster: Cluster, home: Home):
    home.partners("alice")
    assert adopt(cluster, f"--namespace={home.namespace}") == "nothing to do\n"

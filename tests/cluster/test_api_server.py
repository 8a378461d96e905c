"""The API server restarts and the operator goes on; what kubectl prints and waits for."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import installation, older
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, INGRESSES, ISSUERS, SECRETS, Person, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

NO_OBJECTS = ("kustomization.yaml", "names.yaml")
EXAMPLES = sorted(p for p in (installation.ROOT / "examples").rglob("*.yaml") if p.name not in NO_OBJECTS)


def restart(cluster: Cluster, admin: Person) -> None:
    """An outage, until the API server knows the kinds of its CRDs again, which its policies need, those of Ingresses too."""
    cluster.control_plane.restart_api_server()
    body = client("probe")
    body["metadata"]["namespace"] = "default"
    eventually(lambda: admin.create(CERTIFICATES, body, dry_run=True).ok, "the API server serves our kinds")
    host = ingress("default", {})
    eventually(lambda: admin.create(INGRESSES, host, dry_run=True).ok, "its policies find the kinds that they read")


@pytest.fixture(scope="class")
def _restarted(cluster: Cluster, admin: Person, running_operator: OperatorProcess) -> None:
    pid = running_operator.pid
    restart(cluster, admin)
    assert running_operator.pid == pid


@pytest.mark.usefixtures("_restarted")
class TestAfterARestart:
    def test_a_client_is_issued_and_cut_off(self, home: Home):
        home.partners("alice")
        home.respec(CERTIFICATES, "alice", revoked=True)
        home.says(CERTIFICATES, "alice", "Admitted", "Revoked")

    def test_a_lost_secret_is_noticed(self, home: Home):
        home.partners("alice")
        lost = home.issued()["status"]["serialNumber"]
        home.remove(SECRETS, "alice-mtls")
        home.reissued(lost)

    def test_an_ingress_is_told(self, home: Home):
        home.partners()
        home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
        home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")


def test_a_restart_changes_nothing_of_what_was_there(home: Home, cluster: Cluster, running_operator: OperatorProcess):
    """The operator is frozen until the API server is ready: one that starts knows no rights yet and answers 403, and the operator
    says so of an issuer if this lasts.
    """
    home.partners("alice")
    before = home.issued(), home.body(CONFIGMAPS, "partners-crl")
    with running_operator.frozen():
        restart(cluster, home.admin)
    home.make(CERTIFICATES, client("bob"))
    home.issued("bob")
    assert (home.issued(), home.body(CONFIGMAPS, "partners-crl")) == before
    assert len(home.records("alice")) == 1


def table(cluster: Cluster, home: Home, kind: str, *options: str) -> list[dict[str, str]]:
    """What `kubectl get` prints, by column; columns begin where their heads do."""
    head, *lines = cluster.kubectl("get", kind, f"--namespace={home.namespace}", *options).stdout.splitlines()
    starts = [i for i, char in enumerate(head) if char != " " and (i == 0 or head[i - 1] == " ")]
    ends = [*starts[1:], None]
    columns = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    return [{head[c].strip(): line[c].strip() for c in columns} for line in lines]


def test_kubectl_get_prints_who_gets_in_and_until_when(home: Home, cluster: Cluster):
    home.partners("alice")
    status = home.issued()["status"]
    [row], [wide] = (table(cluster, home, "clientcertificates", *more) for more in ((), ("--output=wide",)))
    assert row.pop("AGE")
    assert row == {
        "NAME": "alice",
        "ISSUER": "partners",
        "WHO": "alice.example",
        "READY": "True",
        "ADMITTED": "True",
        "WHY": "Live",
        "EXPIRES": status["notAfter"],
    }
    assert (wide["SECRET"], wide["SERIAL"]) == ("alice-mtls", status["serialNumber"])


@pytest.mark.parametrize(("field", "why"), [("revoked", "Revoked"), ("suspended", "OnHold")])
def test_kubectl_get_prints_who_was_cut_off_why_and_when(home: Home, cluster: Cluster, field: str, why: str):
    home.partners("alice")
    home.respec(CERTIFICATES, "alice", **{field: True})
    home.says(CERTIFICATES, "alice", "Admitted", why)
    [row] = table(cluster, home, "ccert", "--output=wide")
    since = home.body(CERTIFICATES, "alice")["status"].get("revokedAt", "")
    assert [row[c] for c in ("READY", "ADMITTED", "WHY", "REVOKED")] == ["True", "False", why, since]


def test_kubectl_get_prints_the_issuer(home: Home, cluster: Cluster):
    home.partners("alice")
    [row] = table(cluster, home, "mtlsissuers")
    until = home.body(ISSUERS, "partners")["status"]["crl"]["nextUpdate"]
    assert (row["READY"], row["CA"], row["GENERATION"], row["NEXT-UPDATE"]) == ("True", "CN=partners CA", "1", until)


def test_kubectl_get_prints_the_ledger(home: Home, cluster: Cluster):
    home.partners("alice")
    home.respec(CERTIFICATES, "alice", revoked=True, revocationReason="keyCompromise")
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    [row] = table(cluster, home, "issuedcertificates", "--output=wide")
    until = home.records("alice")[0]["spec"]["notAfter"]
    assert (row["SUBJECT"], row["CLIENT"], row["NAMESPACE"]) == ("CN=alice.example", "alice", home.namespace)
    assert (row["REASON"], row["EXPIRES"], row["ISSUER"]) == ("keyCompromise", until, "partners")


def test_kubectl_selects_clients_and_records_by_their_fields(home: Home, cluster: Cluster):
    home.partners("alice", "bob")
    status = home.issued("alice")["status"]
    serial, digest = status["serialNumber"], status["fingerprintSHA256"]
    alice = f"spec.clientCertificate.name=alice,spec.clientCertificate.namespace={home.namespace}"
    for kind, selector in (
        ("clientcertificates", "spec.commonName=alice.example"),
        ("clientcertificates", f"status.serialNumber={serial}"),
        ("clientcertificates", f"status.fingerprintSHA256={digest}"),
        ("issuedcertificates", f"spec.serialNumber={serial}"),
        ("issuedcertificates", f"spec.fingerprints.sha256={digest}"),
        ("issuedcertificates", alice),
    ):
        names = [row["NAME"] for row in table(cluster, home, kind, f"--field-selector={selector}")]
        assert names == ["alice" if kind == "clientcertificates" else f"partners.1.{serial}"], selector
    for kind, selector in (
        ("clientcertificates", "spec.issuerRef.name=partners"),
        ("issuedcertificates", "spec.issuerName=partners"),
    ):
        assert len(table(cluster, home, kind, f"--field-selector={selector}")) == 2, selector


def test_the_category_takes_in_all_kinds(home: Home, cluster: Cluster):
    home.partners("alice")
    listed = json.loads(cluster.kubectl("get", "doorward", f"--namespace={home.namespace}", "-o", "json").stdout)
    kinds = {item["kind"] for item in listed["items"]}
    assert kinds == {"MTLSIssuer", "ClientCertificate", "IssuedCertificate"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: str(path.relative_to(installation.ROOT)))
def test_an_example_is_taken(home: Home, cluster: Cluster, file: Path):
    here = file.read_text().replace("namespace: edge", f"namespace: {home.namespace}")
    here = here.replace("namespace: doorward-issuers", f"namespace: {home.namespace}")
    manifests = [
        older.as_written({**body, "metadata": {"namespace": home.namespace, **body["metadata"]}})
        for body in yaml.safe_load_all(here)
    ]
    text = yaml.safe_dump_all(manifests)
    cluster.kubectl("apply", "--dry-run=server", f"--namespace={home.namespace}", "-f", "-", input=text)


@pytest.mark.parametrize("what", ["mtlsissuer/partners", "clientcertificate/alice"])
def test_kubectl_wait_ends_when_it_is_ready(home: Home, cluster: Cluster, what: str):
    home.partners("alice")
    cluster.kubectl("wait", "--for=condition=Ready", what, f"--namespace={home.namespace}", "--timeout=90s")

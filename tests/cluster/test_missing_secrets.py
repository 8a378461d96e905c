"""A client's Secret that is deleted, copied, or goes with its namespace: nobody is revoked for it by mistake."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    ISSUERS,
    NAMESPACES,
    RECORDS,
    SECRETS,
    Kind,
    Object,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

EVENTS = Kind("api/v1", "events")
SERVES_ALL = {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]}


@pytest.fixture
def far(home: Home, admin: Person, tmp_path: Path) -> Iterator[Home]:
    """Another namespace, with an alice of its own, below the issuer of the first."""
    home.make(ISSUERS, issuer(issuance=SERVES_ALL))
    made = Home.found(admin, tmp_path, prefix="far-")
    reference = {"name": "partners", "namespace": home.namespace}
    home.make(CERTIFICATES, client())
    made.make(CERTIFICATES, client(issuerRef=reference))
    for each in (home, made):
        each.issued()
    yield made
    made.abandon()


def record(home: Home, serial: str) -> Object:
    return home.body(RECORDS, f"partners.1.{serial}")


def refused(home: Home, openssl: OpenSsl) -> dict[str, str]:
    """What the published CRL says, by serial."""
    return openssl.crl_entries(home.crl().read_bytes())


# Deleted


def test_whoever_deletes_a_client_secret_is_warned_and_the_file_works_on(
    home: Home, cluster: Cluster, openssl: OpenSsl
):
    home.partners("alice")
    lost = home.serial()
    done = cluster.kubectl("-n", home.namespace, "delete", "secret", "alice-mtls")
    assert "ClientCertificate alice" in done.stderr
    assert "spec.revoked" in done.stderr
    home.reissued(lost)
    assert refused(home, openssl) == {}
    events = home.admin.ask("GET", EVENTS.path(home.namespace)).body["items"]
    (told,) = [event for event in events if event["reason"] == "SecretMissing"]
    assert lost in told["message"]


def test_whoever_deletes_another_secret_is_not_bothered(home: Home, cluster: Cluster):
    home.secret("mine", {"a": b"1"})
    assert "Warning" not in cluster.kubectl("-n", home.namespace, "delete", "secret", "mine").stderr


def test_a_restored_secret_keeps_its_certificate_good(home: Home, cluster: Cluster, openssl: OpenSsl):
    home.partners("alice")
    kept, before = home.serial(), home.body(SECRETS, "alice-mtls")
    home.remove(SECRETS, "alice-mtls")
    home.reissued(kept)
    backup = before | {"metadata": {k: v for k, v in before["metadata"].items() if k not in ("uid", "resourceVersion")}}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(backup))
    eventually(lambda: home.serial() == kept, "the restored certificate is the client's again")
    home.issued()
    marks = "doorward.io/secret-missing-since"
    eventually(lambda: marks not in record(home, kept)["metadata"].get("annotations", {}), "its record has no mark")
    assert refused(home, openssl) == {}


# Copied


@pytest.mark.promise(1)
def test_a_copy_of_another_namespaces_secret_costs_nobody_access(
    far: Home, home: Home, openssl: OpenSsl, cluster: Cluster
):
    own = far.serial()
    body = home.body(SECRETS, "alice-mtls")
    kept = {k: body["metadata"][k] for k in ("name", "labels", "annotations")} | {"namespace": far.namespace}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(body | {"metadata": kept}))
    assert "is a copy" in far.says(CERTIFICATES, "alice", "Ready", "SecretCopied")
    assert base64.b64decode(body["data"]["tls.crt"]) == far.data("alice-mtls")["tls.crt"]
    assert refused(home, openssl) == {}
    far.remove(SECRETS, "alice-mtls")
    far.reissued(own)
    assert refused(home, openssl) == {}


# A namespace that ends


@pytest.mark.promise(1)
@pytest.mark.parametrize("secret_first", [True, False], ids=["the Secret goes first", "as the API server will"])
def test_in_a_namespace_that_ends_clients_are_held_and_come_back_with_their_files(
    far: Home, home: Home, openssl: OpenSsl, admin: Person, secret_first: bool
):
    number = far.serial()
    stays = {"metadata": {"name": "stays", "namespace": far.namespace, "finalizers": ["tests.example/stays"]}}
    assert admin.create(CONFIGMAPS, stays).ok
    far.abandon()
    if secret_first:
        admin.delete(SECRETS, far.here({"metadata": {"name": "alice-mtls"}}))
    far.gone(CERTIFICATES, "alice")
    far.gone(SECRETS, "alice-mtls")
    revocation = record(home, number)["spec"]["revocation"]
    assert (revocation["reason"], revocation["heldBy"]) == ("certificateHold", "Deletion")
    assert len(home.records()) == 2
    assert refused(home, openssl) == {number: "Certificate Hold"}
    assert admin.get(NAMESPACES, None, far.namespace).ok
    far.change(CONFIGMAPS, "stays", {"metadata": {"finalizers": None}})

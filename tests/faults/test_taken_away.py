"""A right, a namespace's consent, a namespace, a kind taken away and given back: nobody regains access by it, and others are served."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.scenes import Scene
from tests.gate.doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Files
from tests.support import installation
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CRDS,
    ISSUERS,
    MERGE,
    NAMESPACES,
    OPERATOR,
    RECORDS,
    Kind,
    Object,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

CLUSTER_ROLE = Kind("apis/rbac.authorization.k8s.io/v1", "clusterroles").path(None, "doorward")
CLIENTS_CRD = "clientcertificates.doorward.io"
NOT_SERVED = "the API server does not serve clientcertificates"


def build(admin: Person, folder: Path, ingress: IngressNginx, openssl: OpenSsl) -> Scene:
    scene = Scene.build(admin, folder, ingress, openssl, "taken-")
    scene.people("alice", "bob")
    scene.settled("alice", "bob")
    return scene


@pytest.fixture
def scene(
    admin: Person, tmp_path: Path, running_operator: OperatorProcess, ingress_nginx: IngressNginx, openssl: OpenSsl
) -> Iterator[Scene]:
    """Alice and bob are in."""
    pid = running_operator.pid
    scene = build(admin, tmp_path, ingress_nginx, openssl)
    yield scene
    scene.home.abandon()
    assert running_operator.pid == pid


@contextmanager
def without_the_right(admin: Person, verb: str) -> Iterator[None]:
    """Without one right on the ledger."""
    rules = admin.ask("GET", CLUSTER_ROLE).body["rules"]
    fewer = [rule | {"verbs": [v for v in rule["verbs"] if v != verb]} if _of_ledger(rule) else rule for rule in rules]
    operator = admin.alias(OPERATOR)
    try:
        assert admin.ask("PATCH", CLUSTER_ROLE, {"rules": fewer}, content=MERGE).ok
        eventually(lambda: not operator.may(verb, RECORDS), "the right is gone")
        yield
    finally:
        assert admin.ask("PATCH", CLUSTER_ROLE, {"rules": rules}, content=MERGE).ok
        eventually(lambda: operator.may(verb, RECORDS), "the right is back")


def _of_ledger(rule: Object) -> bool:
    return rule["resources"] == ["issuedcertificates"]


def test_a_client_that_could_not_be_recorded_is_issued_once_when_the_right_is_back(scene: Scene, admin: Person):
    with without_the_right(admin, "create"):
        scene.home.make(CERTIFICATES, client("carol"))
        scene.home.respec(CERTIFICATES, "alice", revoked=True)
        scene.home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
        assert not scene.home.records("carol")
    scene.comes_right({"bob": 1, "carol": 1}, {"alice"})
    assert len(scene.home.records("carol")) == 1


def test_a_revocation_that_could_not_be_recorded_is_when_the_right_is_back(scene: Scene, admin: Person):
    with without_the_right(admin, "patch"):
        scene.home.respec(CERTIFICATES, "alice", revoked=True)
        scene.home.make(CERTIFICATES, client("carol"))
        scene.home.issued("carol")
    scene.comes_right({"bob": 1, "carol": 1}, {"alice"})
    scene.comes_to_tell({"bob": 1, "carol": 1}, {"alice"})


def test_a_consent_that_is_withdrawn_and_given_again_cuts_nobody_off_and_lets_nobody_in(
    scene: Scene, admin: Person, tmp_path: Path, ingress_nginx: IngressNginx, openssl: OpenSsl
):
    scene.home.withdraw()
    scene.home.says(ISSUERS, "partners", "Ready", "NotPermitted")
    scene.home.respec(CERTIFICATES, "alice", revoked=True)
    other = build(admin, tmp_path, ingress_nginx, openssl)
    other.comes_to_tell({"alice": 1, "bob": 1}, set())
    scene.home.consent()
    scene.comes_right({"bob": 1}, {"alice"})
    other.home.abandon()


@pytest.fixture
def afar(scene: Scene, admin: Person, tmp_path: Path) -> Iterator[Home]:
    """A namespace with a client of the scene's issuer, erin, who is in."""
    home = Home.found(admin, tmp_path, prefix="afar-")
    subjects = [{"commonName": "*.example"}]
    scene.home.respec(ISSUERS, "partners", issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": subjects})
    home.make(CERTIFICATES, erin(scene))
    home.issued("erin")
    yield home
    home.abandon()


def new_files(home: Home, name: str) -> Files:
    """What the client holds now, beside what it held before."""
    folder = home.folder / "new"
    folder.mkdir()
    return replace(home, folder=folder).files(name)


def erin(scene: Scene) -> Object:
    return client("erin", issuerRef={"name": "partners", "namespace": scene.home.namespace})


def test_a_namespace_that_is_deleted_and_made_again_gives_nobody_access_back(scene: Scene, admin: Person, afar: Home):
    old = afar.files("erin")
    scene.door.comes_to_tell(old, IN)
    afar.abandon()
    eventually(lambda: admin.get(NAMESPACES, None, afar.namespace).status == 404, "the namespace is gone")
    scene.door.comes_to_tell(old, REFUSED)
    assert admin.create(NAMESPACES, {"metadata": {"name": afar.namespace}}).ok
    afar.consent()
    eventually(lambda: admin.create(CERTIFICATES, afar.here(erin(scene))).ok, "erin is applied again")
    afar.issued("erin")
    scene.door.comes_to_tell(new_files(afar, "erin"), IN)
    assert scene.door.tells(old) == REFUSED


@pytest.fixture
def without_the_kind(scene: Scene, cluster: Cluster) -> Iterator[None]:
    """ClientCertificates are no kind any more; they are again in the end."""
    admin = scene.home.admin
    assert admin.delete(CRDS, {"metadata": {"name": CLIENTS_CRD}}).ok
    eventually(lambda: admin.get(CRDS, None, CLIENTS_CRD).status == 404, "the CRD is gone")
    yield
    installation.install(cluster)


@pytest.mark.usefixtures("without_the_kind")
class TestWithoutTheKind:
    def test_everybody_is_out_and_the_gates_stay(self, scene: Scene):
        for name in ("alice", "bob"):
            scene.door.comes_to_tell(scene.files[name], REFUSED)
        assert scene.door.tells(NOBODY) == NO_CERTIFICATE
        assert all(record["spec"]["revocation"]["reason"] == "certificateHold" for record in scene.home.records())

    def test_given_back_it_lets_nobody_in_who_is_not_applied_again(
        self, scene: Scene, cluster: Cluster, running_operator: OperatorProcess
    ):
        """And it is watched again, though it was not there when Kopf looked for it anew."""
        before = running_operator.log.count(NOT_SERVED)
        eventually(lambda: running_operator.log.count(NOT_SERVED) > before, "Kopf has looked for it in vain")
        installation.install(cluster)
        scene.home.make(CERTIFICATES, client("alice"))
        scene.home.issued("alice")
        scene.door.comes_to_tell(new_files(scene.home, "alice"), IN)
        assert [scene.door.tells(scene.files[name]) for name in ("alice", "bob")] == [REFUSED, REFUSED]

"""Kopf's part stops when a permission vanishes: everything else goes on, and it comes back with the permission."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    MERGE,
    OPERATOR,
    RECORDS,
    Answer,
    Kind,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl

from .policies_support import ISSUER, ingress, unbound

CLUSTER_ROLES = Kind("apis/rbac.authorization.k8s.io/v1", "clusterroles")
STOPPED = "kopf watcher restarts"


@contextmanager
def without_ingresses(admin: Person, running: OperatorProcess) -> Iterator[None]:
    """Without the right to list and watch Ingresses, and Kopf's part stopped for it."""
    path, operator = CLUSTER_ROLES.path(None, "doorward"), admin.alias(OPERATOR)
    rules = admin.ask("GET", path).body["rules"]
    fewer = [rule for rule in rules if "ingresses" not in rule["resources"]]
    try:
        assert admin.ask("PATCH", path, {"rules": fewer}, content=MERGE).ok
        eventually(lambda: not operator.may("list", INGRESSES), "the right is gone")
        heard = running.log.count(STOPPED)
        running.restart()  # a watch that is open would go on without the right
        eventually(lambda: running.log.count(STOPPED) > heard, "Kopf's part stops")
        yield
    finally:
        assert admin.ask("PATCH", path, {"rules": rules}, content=MERGE).ok
        eventually(lambda: operator.may("list", INGRESSES), "the right is back")


@pytest.fixture(scope="class")
def _without(admin: Person, running_operator: OperatorProcess) -> Iterator[None]:
    with without_ingresses(admin, running_operator):
        yield


@pytest.mark.usefixtures("_without")
class TestWithoutKopf:
    @pytest.mark.promise(1)
    def test_a_revocation_on_the_record_is_published(self, home: Home, openssl: OpenSsl):
        home.partners("alice")
        serial = home.issued()["status"]["serialNumber"]
        revocation = {"reason": "keyCompromise", "time": "2026-01-01T00:00:00Z"}
        home.respec(RECORDS, f"partners.1.{serial}", revocation=revocation)
        eventually(lambda: serial in openssl.crl_text(home.crl().read_bytes()).lower(), "it is on the CRL")

    def test_a_deleted_crl_comes_back(self, home: Home):
        home.partners()
        crl = home.body(CONFIGMAPS, "partners-crl")
        with unbound(home.admin, "fence-crl.doorward.io", lambda: deletion(home, dry_run=True)):
            assert deletion(home, dry_run=False).ok
        eventually(lambda: home.get(CONFIGMAPS, "partners-crl").body["metadata"].get("uid") not in (None, crl["metadata"]["uid"]),
                   "it is back")  # fmt: skip

    def test_a_client_is_cut_off_by_its_object_all_the_same(self, home: Home):
        home.partners("alice")
        home.respec(CERTIFICATES, "alice", revoked=True)
        home.says(CERTIFICATES, "alice", "Admitted", "Revoked")


def deletion(home: Home, *, dry_run: bool) -> Answer:
    path = CONFIGMAPS.path(home.namespace, "partners-crl")
    return home.admin.ask("DELETE", path, query="dryRun=All" if dry_run else "")


def test_kopfs_part_comes_back_with_the_right(home: Home, admin: Person, running_operator: OperatorProcess):
    home.partners()
    with without_ingresses(admin, running_operator):
        pass
    # The first may be heard of by the sweep, which rests once it has listed everything; the second only by Kopf.
    for name in ("first", "second"):
        home.make(CERTIFICATES, client(name))
        home.issued(name)
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    eventually(lambda: "doorward.io/gate" in home.body(INGRESSES, "app")["metadata"]["annotations"], "it is told")

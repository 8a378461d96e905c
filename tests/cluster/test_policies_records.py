"""The operator deletes ledger records only when their certificates expired at least a day ago, by the API server's own clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from doorward.objects.archive import ARCHIVE_ROLE, RECORDS_KEY
from doorward.objects.archive_index import INDEX_KEY, INDEX_ROLE
from doorward.objects.meta import labels
from tests.support.kube import CONFIGMAPS, LEASES, RECORDS, ROLES, Object, Person, bind, eventually

from .policies_support import Place, configmap, record

HOUR = timedelta(hours=1)
IDENTITY = "apiserver.kubernetes.io/identity"


def expiring(edge: Place, ends: timedelta) -> Object:
    """A record of a certificate that ends so long from now, as the operator wrote it."""
    now = SystemClock().now()
    body = record(edge.namespace)
    body["spec"] |= {"notBefore": instant(now + ends - 720 * HOUR), "notAfter": instant(now + ends)}
    answer = edge.operator.create(RECORDS, body)
    assert answer.ok, answer.message
    return answer.body


def test_the_operator_deletes_a_record_of_a_certificate_that_expired_a_day_ago(edge):
    answer = edge.operator.delete(RECORDS, expiring(edge, -25 * HOUR))
    assert answer.ok, answer.message


@pytest.mark.promise(1)
@pytest.mark.parametrize("ends", [2000 * HOUR, HOUR, -HOUR, -23 * HOUR], ids=str)
def test_the_operator_deletes_no_other_record(edge, ends):
    body = expiring(edge, ends)
    answer = edge.operator.delete(RECORDS, body)
    assert answer.status == 403
    assert body["spec"]["notAfter"] in answer.message
    assert edge.admin.get(RECORDS, edge.namespace, body["metadata"]["name"]).ok


def test_even_with_every_right_the_operator_deletes_no_ledger_at_once(edge):
    rules = [{"apiGroups": ["doorward.io"], "resources": ["issuedcertificates"], "verbs": ["deletecollection"]}]
    edge.admin.create(ROLES, {"metadata": {"namespace": edge.namespace, "name": "sweeper"}, "rules": rules})
    assert edge.operator.ask("DELETE", RECORDS.path(edge.namespace)).status == 403
    bind(edge.admin, edge.namespace, edge.operator.name, "sweeper", kind="Role")
    eventually(lambda: edge.operator.may("deletecollection", RECORDS, edge.namespace), "the grant is seen")
    expiring(edge, HOUR)
    assert edge.operator.ask("DELETE", RECORDS.path(edge.namespace)).status == 403


@contextmanager
def clock_that_stands(admin: Person) -> Iterator[None]:
    """The Lease of an API server that stopped years ago."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": "kube-system", "generateName": "stopped-", "labels": {IDENTITY: "kube-apiserver"}},
        "spec": {"leaseDurationSeconds": 3600, "renewTime": "2020-01-01T00:00:00.000000Z"},
    }
    made = admin.create(LEASES, body)
    assert made.ok, made.message
    try:
        yield
    finally:
        assert admin.delete(LEASES, made.body).ok


def test_the_clock_that_is_furthest_behind_decides(edge):
    path = RECORDS.path(edge.namespace, expiring(edge, -25 * HOUR)["metadata"]["name"])

    def trial() -> int:
        return edge.operator.ask("DELETE", path, query="dryRun=All").status

    assert trial() == 200
    with clock_that_stands(edge.admin):
        eventually(lambda: trial() == 403, "the stopped clock is seen")
    eventually(lambda: trial() == 200, "the stopped clock is gone")


def test_the_operator_sets_no_clock(edge):
    assert not edge.operator.may("update", LEASES, "kube-system")
    assert not edge.operator.may("patch", LEASES, "kube-system")
    assert not edge.operator.may("create", LEASES, "kube-system")


@pytest.mark.parametrize(
    ("role", "name", "held"),
    [
        (ARCHIVE_ROLE, "partners-archive-2026-01", {"binaryData": {RECORDS_KEY: "YQ=="}, "data": None}),
        (INDEX_ROLE, "partners-archive", {"data": {INDEX_KEY: "{}"}}),
    ],
)
def test_nobody_but_the_operator_changes_an_archive_and_nobody_deletes_one(edge, role, name, held):
    made = edge.operator.create(CONFIGMAPS, configmap(edge.namespace, name, labels=labels(role)) | held)
    assert made.ok, made.message
    for who in (edge.person, edge.admin):
        assert who.patch(CONFIGMAPS, made.body, {"binaryData": {RECORDS_KEY: "Yg=="}}).status == 403
        assert who.delete(CONFIGMAPS, made.body).status == 403
    bind(edge.admin, edge.namespace, edge.operator.name, "edit")
    eventually(lambda: edge.operator.may("delete", CONFIGMAPS, edge.namespace), "every right")
    assert edge.operator.delete(CONFIGMAPS, made.body).status == 403

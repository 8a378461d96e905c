"""A restart in a settled cluster writes nothing, whichever list comes late: what is unknown is neither a yes nor a no."""

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
)
from doorward.objects.meta import FINALIZER, ObjectKey
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit import given
from tests.unit.given import NOW

KINDS = (NAMESPACE, ROLE_BINDING, ISSUER, CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, INGRESS, SECRET, CONFIG_MAP)
LATE = 60.0
TEAM = {"from": "Selector", "selector": {"matchLabels": {"team": "edge"}}}


def _client(bed, namespace, name, **spec):
    body = {
        "metadata": {"name": name, "finalizers": [FINALIZER]},
        "spec": {"issuerRef": {"name": ISSUER_AT.name, "namespace": NAMESPACE_NAME}, "commonName": name} | spec,
    }
    bed.cluster.create(CLIENT_CERTIFICATE, namespace, body, PEOPLE)


def _ingress(bed, namespace, name):
    marks = {"doorward.io/issuer": str(ISSUER_AT)}
    body = {"metadata": {"name": name, "annotations": marks}, "spec": host_spec(f"{name}.{namespace}.example")}
    bed.cluster.create(INGRESS, namespace, body, PEOPLE)


def _said(bed, kind, namespace, name):
    conditions = bed.cluster.find(kind, ObjectKey(namespace, name))["status"]["conditions"]
    return {item["type"]: item["reason"] for item in conditions}


def _gate(bed, namespace, name):
    return bed.cluster.find(INGRESS, ObjectKey(namespace, name))["metadata"]["annotations"]["doorward.io/gate"]


@pytest.fixture(scope="module")
def built():
    """Namespaces that are allowed by their labels and one that is not, each with a client and a host; clients in all states."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "shop", "labels": {"team": "edge"}}}, PEOPLE)
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "stranger"}}, PEOPLE)
        names = [{"commonName": "*"}]
        bed.issuer(
            issuance={"allowedNamespaces": TEAM, "allowedSubjects": names},
            gates={"allowedNamespaces": TEAM},
        )
        for namespace in (NAMESPACE_NAME, "shop", "stranger"):
            _client(bed, namespace, "alice")
            _ingress(bed, namespace, "app")
        bed.settle()
        _client(bed, NAMESPACE_NAME, "taker", secretName="alice-mtls")
        bed.apply("out", revoked=True)
        bed.apply("held")
        bed.settle()
        bed.apply("held", suspended=True)
        bed.apply("moved")
        bed.apply("owner", request=given.csr())
        bed.settle()
        bed.apply("taker-of-a-key", request=given.csr())
        bed.settle()
        bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
        bed.settle()
        bed.advance(600)
        bed.settle()
        yield bed


@pytest.fixture
def settled(built):
    built.kill()
    return built


def test_the_bed_has_all_that_may_be_taken_for_a_no(built):
    ready = {ns: _said(built, CLIENT_CERTIFICATE, ns, "alice")["Ready"] for ns in (NAMESPACE_NAME, "shop", "stranger")}
    assert ready == {NAMESPACE_NAME: "Issued", "shop": "Issued", "stranger": "NamespaceNotAllowed"}
    assert _said(built, CLIENT_CERTIFICATE, NAMESPACE_NAME, "taker")["Ready"] == "SecretNameTaken"
    assert _gate(built, "shop", "app").startswith("Protected")
    assert _gate(built, "stranger", "app").startswith("NotAllowedHere")
    assert _said(built, ISSUER, NAMESPACE_NAME, ISSUER_AT.name)["GatesCurrent"] == "AllCurrent"


@pytest.mark.parametrize("late", KINDS, ids=lambda kind: kind.plural)
def test_a_restart_writes_nothing_while_a_list_is_late_and_nothing_after(settled, late):
    settled.start(slow_lists=lambda kind, _: LATE if kind == late else 0.0)
    settled.advance(3 * LATE)
    assert settled.gateway.writes == []


@pytest.mark.parametrize("late", [SECRET, CONFIG_MAP], ids=lambda kind: kind.plural)
@pytest.mark.parametrize("namespace", [NAMESPACE_NAME, "shop", "stranger"])
def test_a_restart_writes_nothing_while_the_list_of_one_namespace_is_late(settled, namespace, late):
    settled.start(slow_lists=lambda kind, where: LATE if (kind, where) == (late, namespace) else 0.0)
    settled.advance(3 * LATE)
    assert settled.gateway.writes == []


def _shop_opted_out(kind, namespace):
    return Forbidden("no", status=403) if (kind, namespace) == (SECRET, "shop") else None


@pytest.mark.parametrize("late", KINDS, ids=lambda kind: kind.plural)
def test_the_next_ca_that_waits_for_a_gate_waits_on_while_a_list_is_late(late):
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.kill()
        bed.start(refuse_reads=_shop_opted_out)
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "shop", "labels": {"team": "edge"}}}, PEOPLE)
        bed.issuer(gates={"allowedNamespaces": TEAM})
        for namespace in (NAMESPACE_NAME, "shop"):
            _ingress(bed, namespace, "app")
        bed.apply("alice")
        bed.settle()
        bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
        bed.settle()
        assert _said(bed, ISSUER, NAMESPACE_NAME, ISSUER_AT.name)["CASettled"] == "NextCaAwaitsGates"
        bed.kill()
        bed.start(refuse_reads=_shop_opted_out, slow_lists=lambda kind, _: LATE if kind == late else 0.0)
        bed.advance(3 * LATE)
        assert bed.gateway.writes == []


def test_whoever_shares_a_secret_name_is_told_so_only_once_all_clients_are_known(settled):
    settled.start(slow_lists=lambda kind, _: LATE if kind == CLIENT_CERTIFICATE else 0.0)
    settled.advance(5)
    taker = settled.cluster.find(CLIENT_CERTIFICATE, ObjectKey(NAMESPACE_NAME, "taker"))
    settled.operator.handle(CLIENT_CERTIFICATE.plural, "MODIFIED", taker)  # as Kopf may bring it before any other
    settled.advance(3 * LATE)
    assert settled.gateway.writes == []

"""A gate that no target names any more is closed and deleted, whoever runs when its last target goes."""

import base64

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CONFIG_MAP, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.gates.ingress_nginx.plane import SETTLES
from doorward.objects.meta import ObjectKey
from doorward.pki.pem import load_certificates
from doorward.planning.timing import IDLE_GATE
from tests.support.operator_bed import ISSUER_AT, PEOPLE, host_spec
from tests.unit.runtime.looks import CRL, GATE

FAR = ObjectKey("far", GATE)
WHILE = IDLE_GATE.total_seconds()
pytestmark = pytest.mark.promise(3)


@pytest.fixture
def far(served):
    """The gate of another namespace, with one host."""
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    opted_in(served)
    assert admits(served)
    return served


def gate(bed):
    return bed.cluster.find(SECRET, FAR)


def held(bed, name):
    return base64.b64decode(gate(bed)["data"][name]).decode()


def admits(bed):
    """Whether the gate trusts the CA that signs."""
    return gate(bed) is not None and held(bed, "ca.crt") == bed.find(CONFIG_MAP, CRL)["data"]["ca.crt"]


def admits_nobody(bed):
    (anchor,) = load_certificates(held(bed, "ca.crt").encode())
    return anchor.subject.rfc4514_string() == "CN=closed by Doorward"


def named_in_status(bed):
    return [entry["namespace"] for entry in bed.find(ISSUER, ISSUER_AT.name)["status"].get("gates", ())]


def opted_in(bed):
    host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
    bed.cluster.create(INGRESS, "far", {"metadata": host, "spec": host_spec("shop.example")}, PEOPLE)
    bed.settle()


def opted_out(bed):
    bed.cluster.merge_patch(
        INGRESS, ObjectKey("far", "shop"), {"metadata": {"annotations": {"doorward.io/issuer": None}}}, PEOPLE, ""
    )
    bed.advance(5)


def deleted(bed):
    bed.cluster.delete(INGRESS, ObjectKey("far", "shop"), PEOPLE)
    bed.advance(5)


@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
@pytest.mark.parametrize("end", [opted_out, deleted])
def test_a_gate_that_no_target_names_is_closed_and_deleted_after_a_while(far, end, restart):
    end(far)
    if restart:
        far.restart()
    far.advance(WHILE - 60)
    assert admits(far)
    far.advance(70)
    assert admits_nobody(far)
    far.advance(SETTLES.total_seconds() + 5)
    assert gate(far) is None
    far.advance(60)
    assert "far" not in named_in_status(far)


@pytest.mark.parametrize("end", [opted_out, deleted])
def test_until_then_it_takes_every_crl_also_after_a_restart(far, end):
    far.apply("bob")
    far.settle()
    end(far)
    before = held(far, "ca.crl")
    far.restart()
    far.apply("bob", revoked=True)
    far.advance(30)
    assert held(far, "ca.crl") == far.find(CONFIG_MAP, CRL)["data"]["ca.crl"] != before


def test_a_restart_beside_it_writes_nothing(far):
    deleted(far)
    far.advance(60)
    far.restart()
    far.advance(60)
    assert far.writes(far.gateway) == []


def test_it_is_closed_after_a_restart_though_its_secrets_are_listed_late(far):
    deleted(far)
    far.advance(30)
    far.kill()
    far.start(refuse_reads=lambda kind, namespace: Transient("slow") if (kind, namespace) == (SECRET, "far") else None)
    far.advance(600)
    assert admits(far)
    far.gateway.refuse_reads = lambda *_: None
    far.advance(600 + WHILE + 2 * SETTLES.total_seconds())
    assert gate(far) is None


def test_a_namespace_that_is_gone_is_not_named_for_ever(far):
    deleted(far)
    far.advance(30)
    far.cluster.delete(NAMESPACE, ObjectKey("", "far"), PEOPLE)  # heard of before its Secrets are
    far.advance(120)
    assert "far" not in named_in_status(far)


def test_one_whose_last_target_goes_while_no_operator_runs_is_closed_too(far):
    far.kill()
    far.cluster.delete(INGRESS, ObjectKey("far", "shop"), PEOPLE)
    far.restart()
    far.advance(WHILE + SETTLES.total_seconds() + 30)
    assert gate(far) is None


def test_a_busy_issuer_closes_it_as_soon(far):
    clients = [f"client-{number}" for number in range(int(WHILE / 60) + 1)]
    for name in clients:
        far.apply(name)
    far.settle()
    deleted(far)
    for name in clients:
        far.apply(name, revoked=True)
        far.advance(60)
    assert gate(far) is None or admits_nobody(far)


def test_one_that_is_named_again_stays_open(far):
    deleted(far)
    far.advance(WHILE - 30)
    opted_in(far)
    far.advance(2 * WHILE)
    assert admits(far)


def test_one_that_was_closed_opens_with_the_next_target(far):
    deleted(far)
    far.advance(WHILE + 5)
    assert admits_nobody(far)
    opted_in(far)
    assert admits(far)


def test_while_targets_cannot_be_listed_none_is_called_idle(far):
    far.kill()
    far.start(refuse_reads=lambda kind, _: Forbidden("may not list", status=403) if kind == INGRESS else None)
    far.advance(2 * WHILE)
    assert admits(far)

"""More is revoked than a CRL lists: whoever was revoked is refused at once, and everybody else gets a new certificate."""

import base64
from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Revocation, record_name
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import build_ca
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import Subject
from doorward.planning import room
from tests.support import gate_clients
from tests.support.gate_clients import held
from tests.support.operator_bed import ISSUER_AT, PEOPLE, OperatorBed
from tests.unit import given
from tests.unit.given import DAY, NOW
from tests.unit.runtime.looks import CRL, GATE, issuer_said, said, serial

AT_ONCE = 20_000
FIRST = 1 << 150


def revoke_many(bed, count, *, generation=1, first=FIRST, **revocation):
    """What an administrator, or a loop, writes into the ledger at one instant: live serials that are revoked."""
    revoked = Revocation(**{"reason": "keyCompromise", "time": bed.cluster.now()} | revocation)
    for number in range(first, first + count):
        made = given.record(
            number,
            key=ObjectKey(ISSUER_AT.namespace, record_name(ISSUER_AT.name, generation, number)),
            issuer=ISSUER_AT,
            generation=generation,
            holder=ObjectKey(ISSUER_AT.namespace, f"client-{number % 50}"),
            issued_at=bed.cluster.now() - DAY,
            revocation=revoked,
        )
        bed.cluster.create(ISSUED_CERTIFICATE, ISSUER_AT.namespace, ledger_record.render_again(made), PEOPLE)


def leaf(bed, name):
    return held(bed.find(SECRET, f"{name}-mtls"))


def admits(bed, certificate):
    return gate_clients.admits(bed.find(SECRET, GATE), certificate)


def generation_of(bed, name):
    number = serial(bed, name)
    bodies = [b["spec"] for b in bed.cluster.all(ISSUED_CERTIFICATE) if int(b["spec"]["serialNumber"], 16) == number]
    return [spec["generation"] for spec in bodies]


@pytest.fixture(scope="module")
def flooded():
    """Alice, bob and carol have certificates. Then 20,000 others are revoked at once, and bob after them."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.ingress()
        for name in ("alice", "bob", "carol"):
            bed.apply(name)
        bed.settle()
        bed.before = {name: leaf(bed, name) for name in ("alice", "bob", "carol")}
        assert all(admits(bed, certificate) for certificate in bed.before.values())
        revoke_many(bed, AT_ONCE)
        bed.settle()
        bed.apply("bob", revoked=True)
        bed.settle()
        yield bed


@pytest.mark.promise(1)
def test_nobody_has_access_with_a_certificate_of_the_generation_that_overflowed(flooded):
    assert [admits(flooded, certificate) for certificate in flooded.before.values()] == [False] * 3


def test_who_is_not_revoked_has_access_with_a_new_certificate(flooded):
    assert [admits(flooded, leaf(flooded, name)) for name in ("alice", "carol")] == [True, True]
    assert generation_of(flooded, "alice") == [2]
    assert said(flooded, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(1)
def test_who_is_revoked_afterwards_is_refused_with_the_new_one_too(flooded):
    assert generation_of(flooded, "bob") == [2]
    assert not admits(flooded, leaf(flooded, "bob"))
    assert said(flooded, "bob") == {"Ready": "CutOff", "Admitted": "Revoked"}


def test_the_issuer_says_what_happened_and_goes_on(flooded):
    reasons = issuer_said(flooded)
    names = ("Ready", "CRLCurrent", "CRLRoom", "GatesCurrent")
    assert [reasons[name] for name in names] == ["Signing", "Published", "CaGenerationClosed", "AllCurrent"]


@pytest.mark.promise(6)
def test_a_restart_changes_nothing(flooded):
    flooded.restart()
    flooded.settle()
    assert flooded.gateway.writes == []


@pytest.mark.promise(1)
def test_the_generation_stays_closed_when_most_of_the_records_are_deleted(flooded):
    for body in flooded.cluster.all(ISSUED_CERTIFICATE):
        if int(body["spec"]["serialNumber"], 16) >= FIRST:
            flooded.cluster.delete(ISSUED_CERTIFICATE, ObjectKey(ISSUER_AT.namespace, body["metadata"]["name"]), PEOPLE)
    flooded.settle()
    flooded.restart()
    flooded.settle()
    assert [admits(flooded, certificate) for certificate in flooded.before.values()] == [False] * 3


# The same with little room


@pytest.fixture
def small(served, monkeypatch):
    """A ConfigMap that takes two generations with some twenty entries."""
    size = sum(map(len, served.find(CONFIG_MAP, CRL)["data"].values()))
    monkeypatch.setattr(room, "ROOM", 4 * size + 20 * 72)
    return served


@pytest.mark.promise(1)
def test_only_the_generation_that_overflows_is_closed(small):
    before = leaf(small, "bob")
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    small.settle()
    assert generation_of(small, "alice") == [2]
    after = leaf(small, "bob")
    assert admits(small, before)
    small.apply("alice", revoked=True)
    small.settle()
    alice = leaf(small, "alice")
    revoke_many(small, 60, generation=1)
    small.settle()
    assert [admits(small, certificate) for certificate in (before, after, alice)] == [False, True, False]
    assert issuer_said(small)["CRLRoom"] == "CaGenerationClosed"


@pytest.mark.promise(1)
def test_the_generation_that_signs_can_overflow_beside_an_older_one(small):
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    small.settle()
    before = leaf(small, "bob")
    revoke_many(small, 100, generation=2)
    small.settle()
    assert generation_of(small, "bob") == [3]
    assert [admits(small, before), admits(small, leaf(small, "bob"))] == [False, True]


@pytest.mark.parametrize(
    "revocation",
    [
        pytest.param({"time": NOW + timedelta(days=365 * 300)}, id="in three hundred years"),
        pytest.param({"time": NOW - timedelta(days=365 * 300)}, id="three hundred years ago"),
        pytest.param({"reason": "unspecified"}, id="without a reason"),
        pytest.param({"reason": "certificateHold", "held_by": "Suspension"}, id="on hold"),
    ],
)
@pytest.mark.promise(1)
def test_the_generation_is_closed_whatever_the_revocations_say(small, revocation):
    before = leaf(small, "bob")
    revoke_many(small, 150, **revocation)
    small.settle()
    assert generation_of(small, "bob") == [2]
    assert not admits(small, before)


@pytest.mark.promise(1)
def test_it_is_closed_again_where_the_configmap_is_lost(small):
    before = leaf(small, "bob")
    revoke_many(small, 150)
    small.settle()
    small.cluster.delete(CONFIG_MAP, ObjectKey(ISSUER_AT.namespace, CRL), PEOPLE)
    small.settle()
    assert [admits(small, before), admits(small, leaf(small, "bob"))] == [False, True]


@pytest.mark.promise(1)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_client_of_a_closed_generation_can_be_deleted(small, restarts):
    revoke_many(small, 150)
    if restarts:
        small.restart()
    small.delete(CLIENT_CERTIFICATE, "bob")
    small.settle()
    assert small.find(CLIENT_CERTIFICATE, "bob") is None


CLUSTER_CAS = {"metadata": {"name": "extension-apiserver-authentication"}, "data": {}}


def own_ca(number):
    key = given.key(number)
    certificate = build_ca(
        subject=Subject(common_name="Own"), key=key, serial=number, not_before=NOW - DAY, not_after=NOW + 300 * DAY
    )
    values = {"tls.crt": certificate_pem(certificate), "tls.key": private_key_pem(key).reveal()}
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


@pytest.fixture
def own(monkeypatch):
    """An issuer with a person's own CA, and bob; its ConfigMap then takes some twenty entries."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "kube-system"}}, PEOPLE)
        bed.cluster.create(CONFIG_MAP, "kube-system", CLUSTER_CAS, PEOPLE)
        body = {"metadata": {"name": "mine"}, "type": "kubernetes.io/tls", "data": own_ca(31)}
        bed.cluster.create(SECRET, ISSUER_AT.namespace, body, PEOPLE)
        bed.issuer(ca={"secretRef": {"name": "mine"}})
        bed.ingress()
        bed.apply("bob")
        bed.settle()
        size = sum(map(len, bed.find(CONFIG_MAP, CRL)["data"].values()))
        monkeypatch.setattr(room, "ROOM", 4 * size + 20 * 72)
        yield bed


def put_ca(bed, number):
    bed.edit(SECRET, "mine", {"data": own_ca(number)})
    bed.settle()


@pytest.mark.promise(1)
def test_a_persons_own_ca_stays_closed_until_another_is_put_there_and_also_when_it_comes_back(own):
    before = leaf(own, "bob")
    assert admits(own, before)
    revoke_many(own, 150)
    own.settle()
    assert (issuer_said(own)["Ready"], admits(own, before)) == ("CrlFull", False)
    put_ca(own, 32)
    assert (issuer_said(own)["Ready"], admits(own, before), admits(own, leaf(own, "bob"))) == ("Signing", False, True)
    put_ca(own, 31)
    own.restart()
    own.settle()
    assert (issuer_said(own)["Ready"], admits(own, before)) == ("CrlFull", False)

"""A cut-off in time: soon after writes are possible again, and beside whatever another tenant does."""

import asyncio

import pytest
from cryptography import x509

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import live, serial

HOUR = 3600.0
LONGEST = 15.0
"""Seconds in which a cut-off whose writes failed is tried again."""
SHOP = "shop"
"""Another tenant's namespace, with an issuer and a client of his own."""
BOB = ObjectKey(SHOP, "bob")
MANY = 100
SLOW = 20.0  # seconds


def refuse_all(bed, *, asks=0.0):
    bed.gateway.refuse = lambda _: Transient("overloaded", status=429, retry_after=asks)


def allow_all(bed):
    bed.gateway.refuse = lambda _: None


@pytest.mark.promise(1)
@pytest.mark.parametrize("asks", [0.0, 1.0, 1e9], ids=["says nothing", "asks for a second", "asks for ever"])
def test_a_client_that_is_revoked_in_an_hour_of_refused_writes_is_cut_off_soon_after_it_by_a_server_that(served, asks):
    number = serial(served, "alice")
    refuse_all(served, asks=asks)
    served.apply("alice", revoked=True)
    served.advance(HOUR)
    assert number in live(served)
    allow_all(served)
    served.advance(LONGEST + 1)
    assert promises.gate_crls(served.cluster) == {NAMESPACE_NAME: {number}}


@pytest.mark.promise(1)
def test_a_client_whose_writes_failed_for_an_hour_before_it_was_revoked_is_cut_off_at_the_same_pace(served):
    number = serial(served, "alice")
    refuse_all(served)
    served.apply("alice", reissue="now")
    served.advance(HOUR)
    served.apply("alice", revoked=True)
    served.advance(200)
    allow_all(served)
    served.advance(LONGEST + 1)
    assert promises.gate_crls(served.cluster)[NAMESPACE_NAME] >= {number}


@pytest.mark.promise(1)
def test_a_client_that_is_revoked_while_the_server_asks_to_wait_does_not_wait_for_longer_than_a_cut_off(served):
    number = serial(served, "alice")
    refuse_all(served, asks=1e9)
    served.apply("alice", reissue="now")
    served.advance(10)
    allow_all(served)
    served.apply("alice", revoked=True)
    served.advance(LONGEST + 1)
    assert number not in live(served)


def test_a_server_that_asks_to_wait_is_left_alone_for_as_long(served):
    refuse_all(served, asks=60)
    before = len(served.gateway.writes)
    served.apply("alice", reissue="now")
    served.advance(59)
    tried, told = served.gateway.writes[before:]
    assert (tried.kind, told.kind, told.subresource) == ("IssuedCertificate", "ClientCertificate", "status")
    served.advance(2)
    assert len(served.gateway.writes) > before + 2


# Beside another tenant whose every write takes long, by a webhook for example


@pytest.fixture
def two():
    """Two tenants: the one of the other tests, and the shop with its client bob."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": SHOP}}, PEOPLE)
        make_issuer(bed, "staff", SHOP)
        client = {"metadata": {"name": BOB.name}, "spec": {"issuerRef": {"name": "staff"}, "commonName": "bob"}}
        bed.cluster.create(CLIENT_CERTIFICATE, SHOP, client, PEOPLE)
        bed.settle()
        yield bed


def make_issuer(bed, name, namespace=NAMESPACE_NAME):
    spec = {"ca": {"generate": {"commonName": name, "privateKey": {"algorithm": "RSA", "size": 4096}}}}
    bed.cluster.create(ISSUER, namespace, {"metadata": {"name": name}, "spec": spec}, PEOPLE)


def issue_many(bed):
    for number in range(MANY):
        bed.apply(f"client-{number}")


def revoke_many(bed):
    for number in range(MANY):
        bed.apply(f"client-{number}", revoked=True)


def make_many_issuers(bed):
    for number in range(MANY):
        make_issuer(bed, f"issuer-{number}")


def fill_every_worker(bed):
    """Of two shares, so that each may hold half of the workers that are not reserved."""
    issue_many(bed)
    for number in range(MANY):
        bed.ingress(f"shop-{number}")


def slow_down(bed):
    """Every write in the other tenant's namespace."""
    at_once = bed.gateway._write

    async def write(asked, carry_out):
        await asyncio.sleep(SLOW if asked.namespace == NAMESPACE_NAME else 0)
        return await at_once(asked, carry_out)

    bed.gateway._write = write


def is_published(bed, number):
    body = bed.cluster.find(CONFIG_MAP, ObjectKey(SHOP, "staff-crl"))
    crl = x509.load_pem_x509_crl(body["data"]["ca.crl"].encode())
    return crl.get_revoked_certificate_by_serial_number(number) is not None


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("before", "storm"),
    [
        pytest.param(None, issue_many, id="issues many certificates"),
        pytest.param(issue_many, revoke_many, id="revokes many clients"),
        pytest.param(None, make_many_issuers, id="makes many issuers"),
        pytest.param(None, fill_every_worker, id="issues many certificates, and protects many Ingresses"),
    ],
)
def test_a_cut_off_does_not_wait_for_another_tenant_who(two, before, storm):
    number = promises.held_serial(two.cluster.find(SECRET, ObjectKey(SHOP, "bob-mtls")))
    if before is not None:
        before(two)
        two.settle()
    slow_down(two)
    storm(two)
    two.advance(1)
    two.cluster.merge_patch(CLIENT_CERTIFICATE, BOB, {"spec": {"revoked": True}}, PEOPLE, "")
    two.advance(1)
    assert is_published(two, number)

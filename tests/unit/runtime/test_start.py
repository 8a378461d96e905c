"""A start in a large cluster: nothing is listed twice, and who has a certificate does not hold up who has none."""

import pytest

from doorward.cluster.gateway import ISSUED_CERTIFICATE, LEASE, SECRET
from tests.support.operator_bed import LEASE_AT, PEOPLE, OperatorBed
from tests.unit.given import NOW

MANY = 30


@pytest.fixture
def settled():
    """Many clients with certificates, and a cluster in which nobody leads."""
    with OperatorBed(NOW, elected=True, finalizer_at_creation=True) as bed:
        bed.issuer()
        for number in range(MANY):
            bed.apply(f"client-{number}")
        bed.settle()
        bed.kill()
        bed.cluster.delete(LEASE, LEASE_AT, PEOPLE)
        yield bed


def lists(gateway, kind):
    return sum(listed == kind for listed, _ in gateway.lists)


@pytest.mark.parametrize("kind", [ISSUED_CERTIFICATE, SECRET], ids=lambda kind: kind.name)
def test_a_process_that_finds_the_lease_free_lists_nothing_twice(settled, kind):
    settled.start()
    settled.advance(10)
    assert (settled.operator.part, lists(settled.gateway, kind)) == ("leads", 1)


def test_one_that_waited_for_the_lease_lists_all_again_when_it_leads(settled):
    settled.start()
    settled.advance(5)
    settled.start()
    settled.advance(5)
    waits = settled.gateway
    assert (settled.leader is waits, lists(waits, ISSUED_CERTIFICATE)) == (False, 1)
    settled.kill_leader()
    settled.advance(30)
    assert (settled.leader is waits, lists(waits, ISSUED_CERTIFICATE)) == (True, 2)


def test_no_secret_is_asked_for_while_the_ledger_is_unknown(settled):
    asked = []
    settled.start(slow_lists=lambda kind, _: 60.0 if kind == ISSUED_CERTIFICATE else 0.0)
    settled.gateway.missing = lambda verb, kind, _: bool(asked.append((verb, kind)))
    settled.advance(50)
    assert asked.count(("get", "Secret")) < 5  # the issuer's own
    settled.settle()
    assert asked.count(("get", "Secret")) >= MANY

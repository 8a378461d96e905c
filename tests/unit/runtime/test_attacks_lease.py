"""Somebody writes the Lease, or slows each write: the next leads in time, nothing that is revoked comes back."""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from doorward.cluster.gateway import LEASE
from tests.support import promises
from tests.support.memory_gateway import MemoryGateway, Write
from tests.support.operator_bed import LEASE_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import serial

LONGEST = 90.0
"""Seconds: the longest that a Lease is waited for, and a restart."""


@pytest.fixture
def pair() -> Iterator[OperatorBed]:
    """Two replicas, and alice, who has her certificate."""
    with OperatorBed(NOW, finalizer_at_creation=True, elected=True) as bed:
        bed.start()
        bed.issuer()
        bed.ingress()
        bed.settle()
        bed.apply("alice")
        bed.settle()
        yield bed


def cut_off(bed: OperatorBed, seconds: float) -> bool:
    """Whether the gate refuses alice that long after she was revoked."""
    lost = serial(bed, "alice")
    bed.apply("alice", revoked=True)
    for _ in range(int(seconds / 5)):
        bed.advance(5)
        bed.replace_the_dead()
    return promises.gate_crls(bed.cluster)[NAMESPACE_NAME] == promises.newest_crl(bed.cluster) == {lost}


STOLEN: dict[str, dict[str, Any]] = {
    "another holder": {"holderIdentity": "mallory"},
    "another holder for 68 years": {"holderIdentity": "mallory", "leaseDurationSeconds": 2**31 - 1},
    "another holder who renewed it in a far future": {
        "holderIdentity": "mallory",
        "renewTime": "9999-12-31T23:59:59.000000Z",
    },
    "a duration below zero": {"holderIdentity": "mallory", "leaseDurationSeconds": -1},
    "a name of thousands of letters": {"holderIdentity": "m" * 10_000},
    "nobody": {"holderIdentity": ""},
    "no holder": {"holderIdentity": None},
    "as many changes as it can count": {"holderIdentity": "mallory", "leaseTransitions": 2**31 - 1},
}


@pytest.mark.parametrize("spec", STOLEN.values(), ids=STOLEN)
def test_a_lease_that_somebody_writes_once_delays_a_cut_off_by_a_minute_at_most(pair, spec):
    pair.cluster.merge_patch(LEASE, LEASE_AT, {"spec": spec}, PEOPLE, "")
    assert cut_off(pair, LONGEST)
    assert promises.broken(pair.cluster) == []


def test_a_lease_without_a_spec_delays_a_cut_off_by_a_minute_at_most(pair):
    pair.cluster.merge_patch(LEASE, LEASE_AT, {"spec": None}, PEOPLE, "")
    assert cut_off(pair, LONGEST)


def test_a_lease_that_is_deleted_every_few_seconds_stops_no_cut_off(pair):
    lost = serial(pair, "alice")
    pair.apply("alice", revoked=True)
    for _ in range(10):
        if pair.cluster.find(LEASE, LEASE_AT) is not None:
            pair.cluster.delete(LEASE, LEASE_AT, PEOPLE)
        pair.advance(3)
    pair.settle()
    assert promises.newest_crl(pair.cluster) == {lost}
    assert promises.broken(pair.cluster) == []


def test_whoever_may_write_the_lease_stops_everything_as_long_as_he_goes_on(pair):
    """Not defended: it is the right to say who leads. deploy/manifests give it to the operator's account alone."""
    for number in range(300):
        pair.cluster.merge_patch(LEASE, LEASE_AT, {"spec": {"holderIdentity": f"mallory-{number}"}}, PEOPLE, "")
        pair.advance(0.4)
        pair.replace_the_dead()
        if number == 30:
            pair.apply("alice", revoked=True)
    assert promises.newest_crl(pair.cluster) == set()
    pair.settle()
    assert promises.newest_crl(pair.cluster) == {serial(pair, "alice")}


def slow(seconds: float, *, leases: bool) -> Any:
    """Each write takes so long, as behind an admission webhook; `leases`: those of the Lease too."""
    write = MemoryGateway._write

    async def slowly(self: MemoryGateway, *asked: Any) -> Any:
        of_lease = any(isinstance(each, Write) and each.kind == LEASE.name for each in asked)
        if leases or not of_lease:
            await asyncio.sleep(seconds)
        return await write(self, *asked)

    return mock.patch.object(MemoryGateway, "_write", slowly)


def test_a_webhook_that_delays_each_write_by_nine_seconds_delays_a_cut_off_by_one_such_delay_a_stage(pair):
    with slow(9.0, leases=False):
        assert cut_off(pair, 45)


def test_a_webhook_that_delays_the_lease_too_leaves_nobody_in_the_lead_and_nothing_is_lost(pair):
    """Not defended, by this or by any controller with a Lease: name no Leases in a webhook's rules."""
    with slow(9.0, leases=True):
        assert not cut_off(pair, LONGEST)
        assert pair.leader is None
    pair.settle()
    assert promises.newest_crl(pair.cluster) == {serial(pair, "alice")}

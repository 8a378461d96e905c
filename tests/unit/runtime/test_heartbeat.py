"""The renewTime of the Lease is the operator's heartbeat: it follows the clock while one leads, and stands still while none runs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, LEASE
from doorward.cluster.lease import DURATION
from doorward.objects.meta import parse_instant
from tests.support.operator_bed import LEASE_AT, OperatorBed
from tests.unit.given import NOW


@pytest.fixture
def led() -> Iterator[OperatorBed]:
    """An operator that leads, and alice, who has her certificate."""
    with OperatorBed(NOW, finalizer_at_creation=True, elected=True) as bed:
        bed.start()
        bed.issuer()
        bed.apply("alice")
        bed.settle()
        yield bed


def silence(bed: OperatorBed) -> timedelta:
    """How long ago the Lease was renewed, as a reader reckons it."""
    lease = bed.cluster.find(LEASE, LEASE_AT)
    assert lease is not None
    return bed.clock.now() - parse_instant(lease["spec"]["renewTime"])


def ready(bed: OperatorBed) -> str:
    return next(
        c["status"] for c in bed.find(CLIENT_CERTIFICATE, "alice")["status"]["conditions"] if c["type"] == "Ready"
    )


@pytest.mark.parametrize("seconds", [1, 7, 60, 3600])
def test_the_lease_is_younger_than_it_lasts_while_the_operator_leads(led: OperatorBed, seconds: int):
    led.advance(seconds)
    assert silence(led) < timedelta(seconds=DURATION)


def test_the_lease_tells_that_the_operator_is_down_while_its_last_conditions_stay(led: OperatorBed):
    led.kill()
    led.advance(600)
    assert ready(led) == "True"  # nobody is there to say another thing
    assert silence(led) >= timedelta(seconds=600 - DURATION)


def test_the_lease_is_renewed_by_the_next_that_starts(led: OperatorBed):
    led.kill()
    led.advance(600)
    led.start()
    led.advance(60)
    assert silence(led) < timedelta(seconds=DURATION)

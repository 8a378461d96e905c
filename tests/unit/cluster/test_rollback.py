"""After a rollback of etcd lost ledger records are written again; not those whose time is over, which may be archived."""

import asyncio

import pytest

from doorward.cluster.gateway import ISSUED_CERTIFICATE, NAMESPACE
from doorward.cluster.rollback import Rollback
from doorward.cluster.store import Store
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from tests.support.clock import FakeClock
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit.given import NOW, record, revocation


async def restored(known: Record, *, is_over: bool) -> list[Record]:
    """What is in the ledger after a list showed less than this record."""
    cluster = MemoryCluster(FakeClock(NOW))
    cluster.create(NAMESPACE, "", {"metadata": {"name": known.key.namespace}}, "kubectl")
    store: Store[Record] = Store(ledger_record.parse)
    told: list[Record] = []
    rollback = Rollback(
        MemoryGateway(cluster), store, noticed=lambda: None, restored=told.append, is_over=lambda _: is_over
    )

    async def start_over() -> None:
        return

    rollback.notice(ISSUED_CERTIFICATE, {known.key: known})
    keeping = asyncio.create_task(rollback.keep(start_over, lambda: None))
    await asyncio.sleep(0.05)
    keeping.cancel()
    return [ledger_record.parse(body) for body in cluster.all(ISSUED_CERTIFICATE)]


@pytest.mark.promise(1)
async def test_a_record_that_was_lost_is_written_again_revocation_and_all():
    lost = record(revocation=revocation())
    [found] = await restored(lost, is_over=False)
    assert (found.serial, found.revocation) == (lost.serial, lost.revocation)


async def test_a_record_whose_time_is_over_is_not_written_again():
    assert await restored(record(), is_over=True) == []


async def test_a_lifted_hold_is_left_out_since_no_crl_names_it():
    lost = record(revocation=revocation(reason="certificateHold", held_by="Suspension", lifted=True))
    [found] = await restored(lost, is_over=False)
    assert (found.serial, found.revocation) == (lost.serial, None)

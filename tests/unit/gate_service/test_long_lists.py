"""A full list that lacks thousands: requests are answered while they are forgotten, and what is made meanwhile stays."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from doorward.cluster import steps
from doorward.gate_service.ingresses import Ingresses
from doorward.gate_service.issuers import Issuers
from doorward.gate_service.ledger import Clients, Serials
from doorward.objects.meta import ObjectKey
from tests.unit import given as rules

from . import given

MANY = 300


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop turns after each object."""
    monkeypatch.setattr(steps, "STEP", 0.0)


def clients() -> Iterator[dict[str, object]]:
    return (given.client(ObjectKey("shop", f"c{number}")) for number in range(MANY))


def records() -> Iterator[dict[str, object]]:
    for number in range(1, MANY + 1):
        key = ObjectKey("issuers", f"partners.1.{number:x}")
        holder = ObjectKey("shop", f"c{number}")
        yield given.record(replace(rules.record(number), key=key, serial=number, holder=holder))


async def turns_of(walk: object) -> int:
    """How often another task had its turn before the walk ended."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await walk  # type: ignore[misc]
    turning.cancel()
    return turns


def issuers() -> Iterator[dict[str, object]]:
    return (given.issuer(ObjectKey("issuers", f"i{number}")) for number in range(MANY))


@pytest.mark.parametrize("sha256", [False, True])
async def test_what_a_list_lacks_is_forgotten_step_by_step(sha256: bool) -> None:
    held = Clients()
    serials = Serials(held, sha256=sha256)
    for table, bodies in ((held, clients()), (serials, records()), (Issuers(), issuers()), (Ingresses(), issuers())):
        table.begin()
        for body in bodies:
            table.take(body)
        await table.end()
        assert len(table) == MANY
        table.begin()
        assert await turns_of(table.end()) >= MANY
        assert len(table) == 0
    assert list(held._all()) == []
    assert not serials._sha1_of


async def test_a_client_that_goes_and_comes_while_a_list_is_gone_through_is_there() -> None:
    """Its ledger record goes by another watch in the middle of the walk, and a new record names it again."""
    held = Clients()
    serials = Serials(held)
    (body,) = [each for each in records() if each["spec"]["clientCertificate"]["name"] == "c9"]  # type: ignore[index]
    for each in clients():
        if each["metadata"]["name"] != "c9":  # type: ignore[index]
            held.take(each)
    serials.take(body)  # last, so that the walk comes to it last
    held.begin()
    for each in clients():
        if each["metadata"]["name"] != "c9":  # type: ignore[index]
            held.take(each)
    ending = asyncio.create_task(held.end())
    await asyncio.sleep(0)
    serials.remove(body)
    serials.take(body)
    await ending
    (serial,) = serials.find(bytes.fromhex(body["spec"]["fingerprints"]["sha1"]), rules.ISSUER)  # type: ignore[index]
    assert held.named(ObjectKey("shop", "c9")) is serial.client


async def test_a_namespace_that_is_emptied_while_a_list_is_gone_through_is_no_error() -> None:
    held = Clients()
    serials = Serials(held)
    bodies = list(records())
    for body in bodies:
        serials.take(body)
    held.begin()
    ending = asyncio.create_task(held.end())
    await asyncio.sleep(0)
    for body in bodies:
        serials.remove(body)
    await ending
    assert list(held._all()) == []

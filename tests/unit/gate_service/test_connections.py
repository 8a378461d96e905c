"""Connections of those that are slow, that are many, and at the end."""

import asyncio
import gc
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from doorward.gate_service import connections as http
from doorward.gate_service.connections import Connection, Connections, Request
from tests.support.clock import FakeClock

ASKED = b"GET /a HTTP/1.1\r\nHost: gate\r\n\r\n"


class Wire(asyncio.Transport):
    """What the other side of a connection sees."""

    def __init__(self, lost: Callable[[None], None]) -> None:
        super().__init__()
        self.said = b""
        self.ended = ""
        self.reads = True
        self._lost = lost

    def write(self, data: Any) -> None:
        self.said += data

    def close(self) -> None:
        self.ended = self.ended or "closed"
        self._lost(None)

    def abort(self) -> None:
        self.ended = self.ended or "aborted"
        self._lost(None)

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


def all_admitted(_: Request) -> tuple[int, bytes]:
    return 200, b""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 6, 8, 49, 37, 999_000, tzinfo=UTC))


@pytest.fixture
def server(clock: FakeClock) -> Connections:
    return Connections(all_admitted, clock)


def connect(server: Connections, *said: bytes, told: bool = True) -> tuple[Connection, Wire]:
    """`told`: the end of the connection is told at once."""
    connection = Connection(server)
    wire = Wire(connection.connection_lost if told else lambda _: None)
    connection.connection_made(wire)
    for part in said:
        connection.data_received(part)
    return connection, wire


@pytest.mark.parametrize(("asked", "status"), [(ASKED, b"200"), (b"no request\r\n\r\n", b"403")])
def test_every_answer_carries_its_date(server: Connections, clock: FakeClock, asked: bytes, status: bytes) -> None:
    said = connect(server, asked)[1].said
    assert said.startswith(b"HTTP/1.1 " + status)
    assert b"\r\ndate: Fri, 06 Nov 2026 08:49:37 GMT\r\n" in said
    clock.advance(seconds=1)
    assert b"\r\ndate: Fri, 06 Nov 2026 08:49:38 GMT\r\n" in connect(server, asked)[1].said


def test_a_date_is_formatted_once_a_second(
    server: Connections, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    formatted: list[datetime] = []
    monkeypatch.setattr(
        http, "format_datetime", lambda now, *, usegmt: formatted.append(now) or format_datetime(now, usegmt=usegmt)
    )
    for _second in range(2):
        assert connect(server, ASKED, ASKED, ASKED)[1].said.count(b"\r\ndate: ") == 3
        clock.advance(seconds=1)
    assert len(formatted) == 2


@pytest.mark.parametrize("said", [(), (ASKED[:9],), (ASKED, ASKED[:9]), (ASKED + ASKED[:9],)], ids=str)
def test_who_does_not_finish_a_request_is_ended_at_the_second_look(
    server: Connections, said: tuple[bytes, ...]
) -> None:
    _, wire = connect(server, *said)
    server.hurry()
    assert not wire.ended
    server.hurry()
    assert wire.ended == "aborted"
    assert len(server) == 0


def test_who_waits_between_two_requests_is_left(server: Connections) -> None:
    _, wire = connect(server, ASKED)
    for _look in range(3):
        server.hurry()
    assert not wire.ended


def test_who_is_in_the_midst_of_another_request_at_each_look_is_left(server: Connections) -> None:
    connection, wire = connect(server, ASKED[:9])
    for _look in range(3):
        server.hurry()
        connection.data_received(ASKED[9:] + ASKED[:9])
    assert not wire.ended


async def test_the_looks_are_taken_again_and_again(server: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.0)
    _, wire = connect(server, ASKED[:9])
    looking = asyncio.ensure_future(server.look_after())
    async with asyncio.timeout(5):
        while not wire.ended:
            await asyncio.sleep(0)
    looking.cancel()


@pytest.mark.parametrize("told", [True, False])
def test_each_one_more_than_there_may_be_ends_the_first(
    server: Connections, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setattr(http, "MOST", 2)
    wires = [connect(server, ASKED, told=told)[1] for _ in range(4)]
    assert [wire.ended for wire in wires] == ["aborted", "aborted", "", ""]
    assert len(server) == 2


def test_who_does_not_read_answers_is_not_read(server: Connections) -> None:
    connection, wire = connect(server, ASKED)
    connection.pause_writing()
    assert not wire.reads
    connection.resume_writing()
    assert wire.reads


def test_a_connection_that_has_ended_leaves_nothing_to_collect(server: Connections) -> None:
    gc.collect()
    gc.disable()
    try:
        connection, wire = connect(server, ASKED, told=False)
        connection.connection_lost(None)
        del connection, wire
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_at_the_end_a_request_that_has_begun_is_answered(server: Connections) -> None:
    waiting, silent = connect(server, ASKED)[1], connect(server)
    begun, wire = connect(server, ASKED[:9])
    closing = asyncio.ensure_future(server.close())
    await asyncio.sleep(0)
    assert waiting.ended == "closed"
    begun.data_received(ASKED[9:])
    silent[0].data_received(ASKED)
    await closing
    for each in (wire, silent[1]):
        assert each.said.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in each.said
        assert each.ended == "closed"


async def test_the_end_does_not_wait_for_ever(server: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "GRACE", 0.0)
    wires = [connect(server)[1], connect(server, ASKED[:9])[1]]
    await server.close()
    assert [wire.ended for wire in wires] == ["aborted", "aborted"]


async def test_without_connections_the_end_is_at_once(server: Connections) -> None:
    async with asyncio.timeout(http.GRACE / 2):
        await server.close()

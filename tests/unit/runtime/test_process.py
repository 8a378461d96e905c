"""What a process asks of Python before anything else."""

import asyncio
import sys
from types import SimpleNamespace
from typing import ClassVar
from unittest import mock

import pytest

from doorward.runtime import garbage, process


class NoCluster(Exception):
    """In place of a connection."""


def test_threads_wait_a_millisecond_for_each_other_at_most(monkeypatch):
    asked = []

    async def connect(_identity):
        raise NoCluster

    monkeypatch.setattr(garbage, "configure", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", asked.append)
    monkeypatch.setattr(process, "connect_as", connect)
    with pytest.raises(NoCluster):
        asyncio.run(process.run(SimpleNamespace(kubeconfig=None)))
    assert asked == [0.001]


class Running:
    """An operator that works for a moment."""

    asked: ClassVar[list] = []
    known = "how much it knows"

    def __init__(self, *_, **__):
        pass

    async def run(self, _stop):
        await asyncio.sleep(0)


def test_garbage_is_collected_in_short_steps_from_the_start_and_while_the_operator_runs(monkeypatch):
    async def keep_aside(known):
        Running.asked.append(known)

    monkeypatch.setattr(Running, "asked", [])
    monkeypatch.setattr(garbage, "configure", lambda: Running.asked.append("thresholds"))
    monkeypatch.setattr(garbage, "keep_aside", keep_aside)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(process, "connect_as", mock.AsyncMock())
    monkeypatch.setattr(process, "LiveGateway", mock.Mock(return_value=mock.AsyncMock()))
    monkeypatch.setattr(process, "Operator", Running)
    monkeypatch.setattr(process, "planes", lambda *_: ())
    asyncio.run(process.run(mock.Mock(kubeconfig=None)))
    assert Running.asked == ["thresholds", "how much it knows"]

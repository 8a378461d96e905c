"""What a process asks of Python before anything else."""

import asyncio
import gc
import sys
from types import SimpleNamespace

import pytest

from doorward.runtime import process


class NoCluster(Exception):
    """In place of a connection."""


def test_threads_wait_a_millisecond_for_each_other_at_most(monkeypatch):
    asked = []

    async def connect(_identity):
        raise NoCluster

    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(sys, "setswitchinterval", asked.append)
    monkeypatch.setattr(process, "connect_as", connect)
    with pytest.raises(NoCluster):
        asyncio.run(process.run(SimpleNamespace(kubeconfig=None)))
    assert asked == [0.001]

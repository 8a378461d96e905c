"""Free ports: different ones, kept until they are given back, and none that somebody listens on."""

import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import ports


def test_all_are_different_and_kept() -> None:
    first, second = ports.lease(5), ports.lease(5)
    try:
        assert len({*first, *second}) == 10
    finally:
        ports.give_back([*first, *second])


@pytest.fixture
def port() -> int:
    """A free one that no other testbed on this machine is given, since it is in nobody's range."""
    numbers = range(10000, ports.FIRST)
    return next(number for number in random.sample(numbers, len(numbers)) if ports._is_free(number))


def only(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_candidates", lambda: (port, port))


def test_another_process_does_not_get_ours(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    only(port, monkeypatch)
    assert ports.lease(1) == [port]
    try:
        ask = f"from tests.testbed import ports; print(ports._take({port}))"
        root = Path(__file__).parents[3]
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=root)
        assert said.stdout.strip() == "False"
    finally:
        ports.give_back([port])
    ports.give_back(ports.lease(1))


def test_one_that_somebody_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        only(other.getsockname()[1], monkeypatch)
        with pytest.raises(RuntimeError, match="no 1 free ports"):
            ports.lease(1)


def test_a_failed_lease_keeps_none(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    only(port, monkeypatch)
    with pytest.raises(RuntimeError):
        ports.lease(2)
    ports.give_back(ports.lease(1))

"""An operator that is forked is a process as any other: its session, log, environment and end are its own."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import nursery
from tests.testbed.nursery import Nursery
from tests.testbed.process import Process


@pytest.fixture(scope="module")
def opened() -> Iterator[Nursery]:
    with nursery.opened() as made:
        yield made


def process(opened: Nursery, log: Path, *arguments: str, **env: str) -> Process:
    return Process("doorward", ["doorward", *arguments], log, env=env, fork=opened.fork)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [(["version"], 0, "doorward"), (["no-such-verb"], 2, "no-such-verb"), (["run", "--no-such"], 2, "--no-such")],
    ids=["a verb", "no such verb", "no such option of the operator"],
)
def test_it_ends_as_the_script_does(opened: Nursery, tmp_path: Path, arguments: list[str], status: int, said: str):
    log = tmp_path / "log"
    log.write_text("before\n")
    child = process(opened, log, *arguments)
    child.start()
    assert child.ended(60) == status
    assert log.read_text().startswith("before\n")
    assert said in log.read_text()
    assert not child.running


def test_a_number_that_comes_round_is_of_the_process_that_has_it_now(monkeypatch: pytest.MonkeyPatch):
    """The kernel gives each number again after some ten thousand processes, within minutes of this suite."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(os, "fork", lambda: 4711)
    monkeypatch.setattr(os, "waitpid", lambda pid, _: (pid, 0) if len(asked) == 1 else (0, 0))
    monkeypatch.setattr(os, "read", lambda *_: b"")
    asked: list[str] = []
    with ours, theirs:
        server = threading.Thread(target=nursery._serve, args=(theirs,))
        server.start()
        file = ours.makefile("rw")

        def answer(question: dict[str, object]) -> object:
            file.write(json.dumps(question) + "\n")
            file.flush()
            return json.loads(file.readline())

        child = {"arguments": [], "log": "", "env": {}}
        assert answer(child) == 4711
        asked.append("it has ended")
        assert answer({"poll": 4711}) == answer({"poll": 4711}) == 0
        assert answer(child) == 4711
        asked.append("the next one runs")
        assert answer({"poll": 4711}) is None
        file.close()
        ours.shutdown(socket.SHUT_RDWR)
        server.join()


@pytest.fixture
def paused(opened: Nursery, tmp_path: Path) -> Iterator[Process]:
    """One that waits until a file has a writer, which comes never."""
    pipe = tmp_path / "kubeconfig"
    os.mkfifo(pipe)
    child = process(opened, tmp_path / "log", "run", f"--kubeconfig={pipe}", "--health-port=0")
    child.start()
    yield child
    child.stop(signal.SIGKILL)


def test_it_has_a_session_and_an_environment_of_its_own(paused: Process):
    assert os.getsid(paused.pid) == os.getpgid(paused.pid) == paused.pid
    assert paused.running
    with pytest.raises(subprocess.TimeoutExpired):
        paused.ended(0.1)


def test_a_signal_ends_it_and_its_status_tells_so(paused: Process):
    paused.send(signal.SIGKILL)
    assert paused.ended(60) == -signal.SIGKILL


def test_it_gets_the_environment_that_it_is_given(opened: Nursery, tmp_path: Path):
    log = tmp_path / "log"
    child = process(
        opened, log, "restore", "--issuer=edge/partners", "--all", "--dry-run", KUBECONFIG=str(tmp_path / "nowhere")
    )
    child.start()
    assert child.ended(60) == 1
    assert "nowhere" in log.read_text()


def test_it_ends_with_its_nursery(tmp_path: Path):
    pipe = tmp_path / "kubeconfig"
    os.mkfifo(pipe)
    with nursery.opened() as made:
        child = made.fork(["run", f"--kubeconfig={pipe}"], tmp_path / "log", os.environ)
        assert child.poll() is None
    end = time.monotonic() + 60
    while Path(f"/proc/{child.pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert Nursery.current is None

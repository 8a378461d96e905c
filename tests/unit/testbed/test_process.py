"""Children that cannot outlive us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.testbed.process import NotReady, Process, run

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def eventually_gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone(pid)


def test_stop_ends_it_with_what_it_started(tmp_path: Path) -> None:
    process = Process("sleeper", ["sh", "-c", "sleep 60 & echo $!; wait"], tmp_path / "log")
    process.start()
    process.wait_until(lambda: (tmp_path / "log").read_text().strip().isdigit(), PATIENCE)
    process.stop()
    assert not process.running
    assert eventually_gone(int((tmp_path / "log").read_text()))


def test_one_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    process = Process("stubborn", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], tmp_path / "log")
    process.start()
    process.wait_until(lambda: "up" in (tmp_path / "log").read_text(), PATIENCE)
    process.stop(patience=0.2)
    assert not process.running


def test_a_paused_one_can_be_stopped(tmp_path: Path) -> None:
    process = Process("sleeper", ["sleep", "60"], tmp_path / "log")
    process.start()
    process.send(signal.SIGSTOP)
    begun = time.monotonic()
    process.stop(patience=PATIENCE)
    assert time.monotonic() - begun < PATIENCE


def test_one_that_ends_too_early_says_why(tmp_path: Path) -> None:
    process = Process("loser", ["sh", "-c", "echo no such flag; exit 1"], tmp_path / "log")
    process.start()
    with pytest.raises(NotReady, match="no such flag"):
        process.wait_until(lambda: False, PATIENCE)
    process.stop()


def test_when_we_are_killed_it_ends(tmp_path: Path) -> None:
    code = (
        "import pathlib, time; from tests.testbed.process import Process\n"
        f"p = Process('sleeper', ['sleep', '60'], pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "p.start(); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        process_name = Path(f"/proc/{child}/comm")
        while process_name.read_text() != "sleep\n":  # until then the kernel may not have been told yet
            time.sleep(0.02)
        os.kill(parent.pid, signal.SIGKILL)
    assert eventually_gone(child)


def test_run_gives_the_output_or_what_went_wrong() -> None:
    assert run(["echo", "hello"]) == "hello\n"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(["sh", "-c", "echo broken >&2; exit 3"])
    assert failed.value.__notes__ == ["broken\n"]

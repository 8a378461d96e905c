"""Child processes that cannot outlive us: in a session of their own, ended in reverse order, killed by the kernel if we die.

The kernel's part (PR_SET_PDEATHSIG) goes by the *thread* that starts them: start from one that lives as long as they should.
"""

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

_DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class NotReady(RuntimeError):
    """A process ended, or did not answer in time; the text ends with the last lines of its log."""


class Child(Protocol):
    """What is needed of a Popen."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


Fork = Callable[[Sequence[str], Path, Mapping[str, str]], Child]
"""Starts a command's arguments, with a log and an environment, in a session of its own that ends with us."""


class Process:
    """One child with a log file. Its output is appended, so a restart keeps what was said before.

    `fork`: starts the program that it stands for, in place of the command's first word.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        fork: Fork | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._env = {**os.environ, **(env or {})}
        self._fork = fork
        self._child: Child | None = None

    def start(self) -> None:
        """Begin; ready or not is another question."""
        if self._fork is not None:
            self._child = self._fork(self._command[1:], self.log, self._env)
            return
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*_DIE_WITH_US, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id of the running child."""
        assert self._child is not None, f"{self.name} does not run"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait_until(self, answers: Callable[[], bool], seconds: float = 180.0) -> None:
        """Until the process answers. Raises NotReady."""
        deadline = time.monotonic() + seconds
        while not answers():
            ended = not self.running
            if ended or time.monotonic() > deadline:
                why = "ended" if ended else f"did not answer within {seconds:.0f} s"
                tail = self.log.read_text(errors="replace").splitlines()[-20:]
                raise NotReady("\n".join([f"{self.name} {why}; {self.log} ends with:", *tail]))
            time.sleep(0.05)

    def ended(self, seconds: float) -> int:
        """Wait until it has ended by itself; its exit status. Raises TimeoutExpired."""
        assert self._child is not None, f"{self.name} does not run"
        return self._child.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, patience: float = 10.0) -> None:
        """End it and whatever is left of its process group."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
            # A paused process takes no other signal before this one.
            os.killpg(child.pid, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def answers(url: str) -> bool:
    """Whether a process answers 200 there: what most of them are ready by."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def run(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a helper to its end and give its output; interrupted, nothing of it stays. Raises CalledProcessError."""
    full = [*_DIE_WITH_US, *(str(part) for part in command)]
    child = subprocess.Popen(
        full,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    if child.returncode:
        failed = subprocess.CalledProcessError(child.returncode, full, output, errors)
        failed.add_note(errors[-4000:])
        raise failed
    return output

"""A reader who pastes commands into one shell, and looks at what each of them prints."""

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.support import pages

PATIENCE = 120.0
"""Seconds that one command may take, and that an answer may take to come."""


class Reader:
    """One bash without start files; functions, variables and the folder stay from command to command."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def follow_page(self, page: Path) -> None:
        """All that a page says to type."""
        for block in pages.read(page):
            for step in () if block.reason else block.steps:
                self.follow(step)

    def follow(self, step: pages.Step) -> None:
        """Do what the page says; AssertionError where it says something else than what happens."""
        script = f"set -e\n{step.command}\nset +e" if step.expected is None else step.command
        deadline = time.monotonic() + PATIENCE
        while True:
            status, said = self.type(script)
            as_shown = step.expected is None or pages.answers(step.expected, said)
            if status == 0 and as_shown:
                return
            if not pages.only_asks(step.command) or time.monotonic() > deadline:
                raise AssertionError(
                    f"{step.command}\nended with {status} and said:\n{said}\nand not:\n{step.expected}"
                )
            time.sleep(0.2)

    def type(self, command: str) -> tuple[int, str]:
        """Exit status and output, of both kinds."""
        mark = uuid.uuid4().hex
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        watch = threading.Timer(PATIENCE, self._kill)
        watch.start()
        try:
            self._bash.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n{mark} %d\\n' $?\n")
            self._bash.stdin.flush()
            said = ""
            for line in self._bash.stdout:
                if line.startswith(mark):
                    return int(line.split()[1]), said.removesuffix("\n")
                said += line
        finally:
            watch.cancel()
        raise AssertionError(f"the shell ended, or took {PATIENCE:.0f} s, at:\n{command}\nand said:\n{said}")

    def close(self) -> None:
        """End it, and what it started."""
        self._kill()
        self._bash.wait()
        for pipe in (self._bash.stdin, self._bash.stdout):
            assert pipe is not None
            pipe.close()

    def _kill(self) -> None:
        if self._bash.poll() is None:
            os.killpg(self._bash.pid, signal.SIGKILL)

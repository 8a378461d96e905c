"""A process that has imported the operator once, and forks each operator that a test starts.

The import costs more than a second of CPU time, and the suite starts some 150 operators. Each child is a process of its own as
`Process` starts one: a session and a log of its own, the given environment, and killed by the kernel if the nursery dies,
which dies with us.
"""

import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TextIO

_PR_SET_PDEATHSIG = 1
_PAUSE = 0.02
ROOT = Path(__file__).parents[2]


class Child:
    """A forked process, with what `Process` asks of a Popen."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, as Popen's; None: it runs."""
        if self._status is None:
            self._status = self._nursery.ask({"poll": self.pid})
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended. Raises TimeoutExpired."""
        end = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(_PAUSE)
        return status


class Nursery:
    """The tests' end of it; any thread may ask."""

    current: "ClassVar[Nursery | None]" = None
    """The one that is open; None: none is."""

    def __init__(self, connection: socket.socket) -> None:
        self._file: TextIO = connection.makefile("rw")
        self._lock = threading.Lock()

    def ask(self, question: Mapping[str, Any]) -> Any:
        """What it answers."""
        with self._lock:
            self._file.write(json.dumps(question) + "\n")
            self._file.flush()
            return json.loads(self._file.readline())

    def fork(self, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> Child:
        """`doorward` with these arguments, its output appended to the log."""
        return Child(self, self.ask({"arguments": list(arguments), "log": str(log), "env": dict(env)}))

    def close(self) -> None:
        """Ask nothing more."""
        self._file.close()


@contextmanager
def opened() -> Iterator[Nursery]:
    """The current nursery for the length of a block; what it forked ends with it."""
    ours, theirs = socket.socketpair()
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", __name__, str(theirs.fileno())]
    with ours, theirs:
        process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        Nursery.current = nursery = Nursery(ours)
        try:
            yield nursery
        finally:
            Nursery.current = None
            nursery.close()
            ours.shutdown(socket.SHUT_RDWR)
            process.wait()


def _serve(connection: socket.socket) -> None:
    """Answer until nobody asks any more. A child returns from here to be the operator."""
    ended: dict[int, int] = {}
    file = connection.makefile("rw")
    for line in file:
        question = json.loads(line)
        answer: int | None
        if "poll" in question:
            answer = _status(question["poll"], ended)
        else:
            born, bears = os.pipe()
            answer = os.fork()
            if answer == 0:
                file.close()
                connection.close()
                os.close(born)
                _operate(bears, **question)
            os.close(bears)
            os.read(born, 1)  # until it has its session, so that a signal to its group finds it
            os.close(born)
            ended.pop(answer, None)  # numbers come round: one that ended long ago had this one's
        file.write(json.dumps(answer) + "\n")
        file.flush()


def _status(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


def _operate(bears: int, arguments: list[str], log: str, env: dict[str, str]) -> NoReturn:
    """What the script `doorward` does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.close(bears)
    with Path(os.devnull).open("rb") as nothing, Path(log).open("ab") as said:
        for number, file in enumerate((nothing, said, said)):
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["doorward", *arguments]
    gc.unfreeze()
    from doorward.cli.main import main

    sys.exit(main())


if __name__ == "__main__":
    import doorward.cli.main
    import doorward.runtime.process  # noqa: F401 - what the operator imports when it runs

    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as _connection:
        _serve(_connection)

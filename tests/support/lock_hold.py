"""How long work in a thread keeps the interpreter's lock, and so the event loop, from everybody else.

Counted in CPU time of that thread, which says nearly the same on a busy machine: while it waits for a core, it counts nothing.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SWITCH = 0.0005
"""Seconds after which a thread that runs Python gives the lock to one that waits for it; Python's own is 5 ms."""


@dataclass(frozen=True, slots=True)
class Held:
    """Milliseconds of CPU: the longest step that nobody could interrupt, and the whole."""

    longest: float
    whole: float

    def __str__(self) -> str:
        return f"{self.longest:.1f} ms at a time, {self.whole:.1f} ms in all"


def held(work: Callable[[], object]) -> Held:
    """What the work does in a thread of its own, while this thread asks for the lock all the time."""
    whole: list[float] = []
    go, end = threading.Event(), threading.Event()

    def run() -> None:
        go.wait()
        begun = time.thread_time()
        try:
            work()
        finally:
            whole.append(time.thread_time() - begun)
            end.wait()

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    worker = threading.Thread(target=run)
    worker.start()
    try:
        clock = time.pthread_getcpuclockid(worker.ident or 0)
        last, longest = time.clock_gettime(clock), 0.0
        go.set()
        while not whole:
            now = time.clock_gettime(clock)
            last, longest = now, max(longest, now - last)
    finally:
        end.set()
        worker.join()
        sys.setswitchinterval(before)
    return Held(longest * 1000, whole[0] * 1000)

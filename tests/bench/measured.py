"""`doorward run`, or `doorward gate`, with a stopwatch around every callback of its event loop; on SIGUSR1 it writes the longest one to a file.

On two cores that the API server keeps busy, most of a long callback is waiting for a core or for the interpreter's lock: so
the CPU that the callback itself used is told beside it, and how much of that Python's garbage collection took.

The stopwatch is the bench's, not the operator's: `python -m tests.bench.measured FILE run ...`.
"""

import asyncio
import gc
import json
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import uvloop

from doorward.cli.main import main


class Stopwatch:
    """The longest that one callback held the main thread's event loop, in seconds, since the last answer."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._longest = 0.0
        self._most_cpu = 0.0
        self._busiest = ""
        self._what = ""
        self._computed: float | None = None
        """CPU time of this thread as the last callback ended; None before the first: imports and options are not the loop's. What the loop
        itself did since counts with the next callback: asked twice, the clock took so much of the operator's time that a storm was slower
        for being measured."""
        self._main = threading.main_thread().ident
        self._collected = ""
        """The collections within this callback, each with its generation."""
        self._collects_since = 0.0
        self._collections: dict[int, tuple[int, float, float]] = {}
        """By generation, in all threads: how many, their CPU in all, and the most of one."""

    def install(self) -> None:
        """Time every callback from now on."""
        run = asyncio.Handle._run  # type: ignore[attr-defined]  # the one place that every callback goes through
        now, cpu, thread, main = time.perf_counter, time.thread_time, threading.get_ident, self._main

        def timed(handle: asyncio.Handle) -> None:
            if thread() != main:
                run(handle)
                return
            if self._computed is None:
                self._computed, self._collected = cpu(), ""
            begun = now()
            run(handle)
            spent, before, self._computed = now() - begun, self._computed, cpu()
            if (computed := self._computed - before) > self._most_cpu:
                self._most_cpu, self._busiest = computed, f"{self._collected}{handle!r}"
            if spent > self._longest:
                told = f"{computed * 1000:.1f} ms of it its own CPU, {self._collected}{handle!r}"
                self._longest, self._what = spent, told
            if self._collected:
                self._collected = ""

        asyncio.Handle._run = timed  # type: ignore[attr-defined]
        # The gate service's own loop has no place where callbacks can be timed; the steps that it takes are the same.
        uvloop.run = asyncio.run
        gc.callbacks.append(self._collecting)
        signal.signal(signal.SIGUSR1, self._answer)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        """Python tells of each collection, in the thread that it stops for it; no two are under way at once."""
        if phase == "start":
            self._collects_since = time.thread_time()
            return
        spent, generation = time.thread_time() - self._collects_since, info["generation"]
        count, whole, most = self._collections.get(generation, (0, 0.0, 0.0))
        self._collections[generation] = (count + 1, whole + spent, max(most, spent))
        if threading.get_ident() == self._main:
            self._collected += f"{spent * 1000:.1f} ms a collection of generation {generation}, "

    def _answer(self, _number: int, _frame: FrameType | None) -> None:
        unfinished = self._file.with_suffix(".new")
        found = {
            "wall": self._longest,
            "longest": self._what,
            "cpu": self._most_cpu,
            "busiest": self._busiest,
            "collections": self._collections,
        }
        unfinished.write_text(json.dumps(found))
        unfinished.rename(self._file)
        self._longest, self._most_cpu, self._busiest, self._what, self._collections = 0.0, 0.0, "", "", {}


if __name__ == "__main__":
    Stopwatch(Path(sys.argv.pop(1))).install()
    sys.exit(main())

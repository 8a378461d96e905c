"""An event loop in which waiting takes no time: when nothing is ready, the clock goes on to the next timer.

Work handed to threads is done on the spot, so that the same story has the same order every time.
"""

import asyncio
import math
import selectors
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.clock import FakeClock

REAL_PATIENCE = 60.0  # seconds in which a thread of asyncio's own may report


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(REAL_PATIENCE)
            if not ready:
                raise RuntimeError("nothing will ever happen again")
            return ready
        if timeout > 0:
            self._clock.advance(seconds=math.ceil(timeout * 1e6) / 1e6)
        return super().select(0)


class _OnTheSpot(ThreadPoolExecutor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(error)
        return done


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._fake = clock
        super().__init__(_Selector(clock))
        self._clock_resolution = 1e-6  # asyncio's nanosecond is lost in a float after half a year, and no timer ends
        self._on_the_spot = _OnTheSpot(max_workers=1)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # noqa: ARG002 - whichever it is
        return super().run_in_executor(self._on_the_spot, func, *args)

    def time(self) -> float:
        return self._fake.monotonic()


def runner(clock: FakeClock) -> asyncio.Runner:
    """Runs coroutines in the time of `clock`; to be closed."""
    return asyncio.Runner(loop_factory=lambda: _Loop(clock))

"""The work: keys are taken as they become ready, and a key that fails rests and comes again, alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from doorward.clock import Clock
from doorward.logged import Once, about
from doorward.workqueue.backoff import LONGEST_CUT_OFF, Backoff, longest
from doorward.workqueue.crew import Crew, crews
from doorward.workqueue.meter import Result
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import WorkQueue

K = TypeVar("K", bound=Hashable)
logger = logging.getLogger(__name__)


class NotSettled(Exception):
    """Raised by `reconcile` for a key whose plan still has actions after some passes.

    Its own writes do not wake it before its rest is over: see `WorkQueue.rest`. `seconds` is the shortest rest; it is never
    longer than that of any key that failed.
    """

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


async def work(
    queue: WorkQueue[K],
    reconcile: Callable[[K], Awaitable[datetime | None]],
    *,
    clock: Clock,
    transient: tuple[type[Exception], ...],
    count: int,
    reserved: int = 0,
    retry_after: Callable[[BaseException], float] = lambda _: 0.0,
) -> None:
    """Work on up to `count` keys at once until cancelled; `reserved` of the workers take cut-offs only.

    `reconcile` gives the instant (UTC) at which the key is due again, or None. An exception of `transient` is worth a
    warning and a retry with backoff; any other is a bug: logged with its traceback, and retried just the same, so that
    it harms one key only. `retry_after` gives the seconds that an error asks to wait, 0 for none.
    """
    workers = _Workers(queue, reconcile, clock, transient, retry_after)
    async with asyncio.TaskGroup() as group:
        for crew in crews(count, reserved):
            group.create_task(workers.serve(crew, group))


class _Workers(Generic[K]):
    def __init__(
        self,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Awaitable[datetime | None]],
        clock: Clock,
        transient: tuple[type[Exception], ...],
        retry_after: Callable[[BaseException], float],
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._clock = clock
        self._transient = transient
        self._retry_after = retry_after
        self._backoff: Backoff[K] = Backoff()
        self._faults: Once[K] = Once()

    async def serve(self, crew: Crew, group: asyncio.TaskGroup) -> None:
        """For ever: a key for each worker of the crew that is free."""
        free = asyncio.Semaphore(crew.size)
        while True:
            await free.acquire()
            group.create_task(self._run(await self._queue.get(crew), free))

    async def _run(self, key: K, free: asyncio.Semaphore) -> None:
        priority, begun = self._queue.working_priority(key), self._clock.monotonic()
        assert priority is not None
        try:
            result = await self._one(key, priority)
            self._queue.meter.worked(priority, self._clock.monotonic() - begun, result)
        finally:
            self._queue.done(key)
            free.release()

    async def _one(self, key: K, priority: Priority) -> Result:
        try:
            due = await self._reconcile(key)
        except NotSettled as error:
            self._failed(key, priority, error)
            return Result.NOT_SETTLED
        except self._transient as error:
            self._failed(key, priority, error)
            return Result.FAILED
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a bug harms one key; a panic in cryptography's Rust is no Exception
            self._failed(key, priority, error, loud=True)
            return Result.BUG
        self._backoff.succeeded(key)
        if self._faults.over(key):
            logger.info("key works again", extra=about(key))
        self._queue.add_at(key, due)
        return Result.DONE

    def _failed(self, key: K, priority: Priority, error: BaseException, *, loud: bool = False) -> None:
        asked = self._retry_after(error)
        least = max(asked, error.seconds if isinstance(error, NotSettled) else 0.0)
        seconds = max(self._backoff.failed(key, priority), min(least, longest(priority)))
        if least > 0 or isinstance(error, NotSettled):
            # A cut-off that failed knows how long to wait. One that comes to a key that failed at something else does not.
            cut_off_after = seconds if priority is Priority.CUT_OFF else min(asked, LONGEST_CUT_OFF)
            self._queue.rest(key, seconds, cut_off_after=cut_off_after)
        self._queue.add_at(key, self._clock.now_precise() + timedelta(seconds=seconds))
        self._log(key, seconds, error, loud=loud)

    def _log(self, key: K, seconds: float, error: BaseException, *, loud: bool) -> None:
        """The same once, until the key works again: it is tried again every few minutes, for as long as it takes."""
        text = f"{type(error).__name__}: {error}"
        if self._faults.is_new(key, text):
            level, shown = (logging.ERROR, error) if loud else (logging.WARNING, None)
            told = about(key, error=text, next_try_seconds=round(seconds, 1))
            logger.log(level, "key failed", exc_info=shown, extra=told)

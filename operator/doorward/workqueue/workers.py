"""The work: keys are taken as they become ready, and a key that fails rests and comes again, alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import TypeVar

from doorward.clock import Clock
from doorward.workqueue.backoff import Backoff
from doorward.workqueue.queue import WorkQueue

K = TypeVar("K", bound=Hashable)
logger = logging.getLogger(__name__)


async def work(
    queue: WorkQueue[K],
    reconcile: Callable[[K], Awaitable[datetime | None]],
    *,
    clock: Clock,
    transient: tuple[type[Exception], ...],
    count: int,
) -> None:
    """Work on up to `count` keys at once until cancelled.

    `reconcile` gives the instant (UTC) at which the key is due again, or None. An exception of `transient` is worth a
    warning and a retry with backoff; any other is a bug: logged with its traceback, and retried just the same, so that
    it harms one key only.
    """
    backoff: Backoff[K] = Backoff()
    free = asyncio.Semaphore(count)

    async def run(key: K) -> None:
        try:
            due = await reconcile(key)
            backoff.succeeded(key)
            queue.add_at(key, due)
        except transient as error:
            rest(key, error, loud=False)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a bug harms one key; a panic in cryptography's Rust is no Exception
            rest(key, error, loud=True)
        finally:
            queue.done(key)
            free.release()

    def rest(key: K, error: BaseException, *, loud: bool) -> None:
        seconds = backoff.failed(key)
        queue.add_at(key, clock.now_precise() + timedelta(seconds=seconds))
        message = "%s failed, next try in %.1f s: %s: %s"
        arguments = (key, seconds, type(error).__name__, error)
        named = {"object": str(key)}
        if loud:
            logger.error(message, *arguments, exc_info=error, extra=named)
        else:
            logger.warning(message, *arguments, extra=named)

    async with asyncio.TaskGroup() as group:
        while True:
            await free.acquire()
            group.create_task(run(await queue.get()))

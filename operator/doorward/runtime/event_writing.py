"""Writes Events, one after the other and not too many a second, while no cut-off is under way."""

import asyncio
import logging
from collections.abc import Callable

from doorward.cluster.errors import ApiError
from doorward.logged import Once, about
from doorward.view.apply import EventApplier
from doorward.view.outbox import Outbox, Outcome

logger = logging.getLogger(__name__)
PACE = 0.0625
"""Seconds between two Events: at most 16 a second."""
GIVE_WAY, LOOK = 5.0, 0.125
"""Seconds for which an Event waits for a cut-off that is under way, and seconds between two looks. One that takes longer waits for
a gate that cannot be written, and needs the API server seldom.
"""


class EventWriting:
    """The only one who writes Events. `cut_off_for`: seconds since the longest cut-off that is under way began; None: none is."""

    def __init__(self, outbox: Outbox, applier: EventApplier, cut_off_for: Callable[[], float | None]) -> None:
        self._outbox = outbox
        self._applier = applier
        self._cut_off_for = cut_off_for
        self._refused: Once[str] = Once()
        """By namespace."""

    async def keep(self) -> None:
        """Write what comes, for ever. What cannot be written is left: the change that it tells of was made all the same."""
        while True:
            waiting = await self._outbox.get()
            await self._give_way()
            outcome, rest = Outcome.WRITTEN, 0.0
            namespace, reason = waiting.about["namespace"], waiting.notice.reason
            thing = f"{waiting.about['kind']} {namespace}/{waiting.about['name']}"
            try:
                await self._applier.write(waiting)
                self._refused.over(namespace)
            except ApiError as error:
                outcome, rest = Outcome.REFUSED, error.retry_after
                if self._refused.is_new(namespace, error):
                    logger.warning("event not written", extra=about(thing, reason=reason, error=str(error)))
            except Exception:  # a bug here costs one Event, not the process
                outcome = Outcome.REFUSED
                logger.exception("event not written", extra=about(thing, reason=reason))
            self._outbox.done(outcome)
            self._say_left_out()
            await asyncio.sleep(max(PACE, rest))

    async def _give_way(self) -> None:
        waited = 0.0
        while waited < GIVE_WAY and (begun := self._cut_off_for()) is not None and begun < GIVE_WAY:
            await asyncio.sleep(LOOK)
            waited += LOOK

    def _say_left_out(self) -> None:
        """Once the outbox is empty: by the log, as the object would need another Event for it."""
        if self._outbox.left_out and not len(self._outbox):
            logger.warning("events left out", extra=about("events", count=self._outbox.left_out))
            self._outbox.left_out = 0

"""By how much the local clock is ahead of the API server's: heard with answers, and known at once when it is set."""

from datetime import datetime, timedelta

from doorward.clock import Clock


class Skew:
    """Zero until an answer was heard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: timedelta | None = None
        self._booted = self._boot_time()

    def _boot_time(self) -> datetime:
        """When the monotonic clock began, as the wall clock has it: it moves with the wall clock only."""
        return self._clock.now_precise() - timedelta(seconds=self._clock.monotonic())

    def hear(self, server: datetime) -> None:
        """What time it is to the server, in whole seconds."""
        self._heard = self._clock.now() - server
        self._booted = self._boot_time()

    def now(self) -> timedelta:
        """The last that was heard, and by how much the local clock was set since."""
        return timedelta(0) if self._heard is None else self._heard + (self._boot_time() - self._booted)

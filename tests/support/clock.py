"""A clock that stands still until it is told to move."""

from datetime import datetime, timedelta


class FakeClock:
    """The Clock protocol over one instant; `monotonic` moves only forward, also when the wall clock is set back."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now.replace(microsecond=0)

    def now_precise(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, **by: float) -> datetime:
        """Let time pass: `advance(hours=1)`."""
        passed = timedelta(**by)
        if passed < timedelta(0):
            raise ValueError("time passes forward; to set the wall clock back use `set`")
        self._now += passed
        self._monotonic += passed.total_seconds()
        return self._now

    def set(self, now: datetime) -> None:
        """Somebody sets the wall clock; no time passes."""
        self._now = now

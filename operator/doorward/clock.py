"""The time, as something that is passed in: only queue, controllers and the command line see a Clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock instants for certificates, a monotonic count for waiting."""

    def now(self) -> datetime:
        """The instant, UTC-aware, in whole seconds: what a certificate and a status can say."""
        ...

    def now_precise(self) -> datetime:
        """The instant, UTC-aware, with its microseconds: what a CRL number is made from."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return self.now_precise().replace(microsecond=0)

    def now_precise(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    def monotonic(self) -> float:
        return time.monotonic()

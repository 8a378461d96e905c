"""What the queue and its workers report about themselves, for metrics."""

from enum import StrEnum
from typing import Protocol

from doorward.workqueue.priority import Priority


class Result(StrEnum):
    """How the work on a key ended."""

    DONE = "done"
    FAILED = "failed"
    """An error that is expected, for example an answer of the API server."""
    NOT_SETTLED = "not_settled"
    """The plan did not come to an end (`NotSettled`)."""
    BUG = "bug"
    """Any other exception."""


class Meter(Protocol):
    """Told of each change, in the event loop of the queue: it must neither wait nor raise."""

    def depth(self, priority: Priority, keys: int) -> None:
        """So many keys of that priority are waiting for a worker now."""
        ...

    def waited(self, priority: Priority, seconds: float) -> None:
        """A worker took a key that had been ready at that priority for so long."""
        ...

    def worked(self, priority: Priority, seconds: float, result: Result) -> None:
        """The work on a key of that priority took so long, and ended so."""
        ...


class NoMeter:
    """See `Meter`; keeps nothing."""

    def depth(self, priority: Priority, keys: int) -> None: ...

    def waited(self, priority: Priority, seconds: float) -> None: ...

    def worked(self, priority: Priority, seconds: float, result: Result) -> None: ...

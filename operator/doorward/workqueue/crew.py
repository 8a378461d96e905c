"""Which keys a group of workers takes, and how many of them one share may hold."""

from dataclasses import dataclass
from typing import Self

from doorward.workqueue.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Workers that take the same keys."""

    size: int
    lowest: Priority
    """They take keys of this priority and of those before it."""
    most: int
    """How many keys of one share they work on at once: the next share finds workers free, and an API server that still answers."""
    beside_cut_offs: int
    """How many keys of one share they work on at once while a cut-off of any share is ready or worked on."""

    @classmethod
    def general(cls, size: int) -> Self:
        """For all keys. One share holds at most half of them, and while access is revoked somewhere an eighth: an API server that
        answers as many requests at once answers each of them late. With three quarters the first cut-off beside a storm took
        1.12 s, with half of them 0.77 s (`python -m tests.bench storms`, measured).
        """
        return cls(size=size, lowest=max(Priority), most=(size + 1) // 2, beside_cut_offs=(size + 7) // 8)

    @classmethod
    def reserved(cls, size: int) -> Self:
        """For cut-offs only. One share never holds more than half of them."""
        half = (size + 1) // 2
        return cls(size=size, lowest=Priority.CUT_OFF, most=half, beside_cut_offs=half)


def crews(count: int, reserved: int) -> tuple[Crew, ...]:
    """`count` workers, `reserved` of them for cut-offs. Raises ValueError where no worker is left for other keys."""
    if not 0 <= reserved < count:
        raise ValueError(f"{reserved} of {count} workers are reserved for cut-offs: none is left for other keys")
    return (Crew.general(count - reserved), *([Crew.reserved(reserved)] if reserved else ()))

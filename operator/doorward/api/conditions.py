"""Conditions of the field's usual shape: a reason said of one generation, and when its status last changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from doorward.api.reason import Reason
from doorward.api.reasons import REASONS

MAX_MESSAGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A reason with its message filled in."""

    reason: Reason
    message: str
    ends: datetime | None = None
    """When it is over though nothing else changes, as far as that is known: whoever says it looks again then."""

    @property
    def type(self) -> str:
        return self.reason.condition

    def until(self, ends: datetime) -> "Condition":
        """The same, over at that instant by itself."""
        return replace(self, ends=ends)


def said(name: str, /, **values: object) -> Condition:
    """The condition of the reason `name`, its message made of `values`; KeyError if there is no such reason."""
    reason = REASONS[name]
    return Condition(reason=reason, message=reason.message.format(**values)[:MAX_MESSAGE])


def first_end(conditions: Iterable[Condition]) -> datetime | None:
    """When the first of them is over by itself; None: none is, as far as that is known."""
    return min((condition.ends for condition in conditions if condition.ends is not None), default=None)


def instant(moment: datetime) -> str:
    """An instant as the API writes it: RFC 3339, UTC, whole seconds."""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def merge(
    conditions: Iterable[Condition], before: Iterable[Mapping[str, Any]], *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The conditions as a status carries them; lastTransitionTime moves only where the status changes."""
    known = {item.get("type"): item for item in before if isinstance(item, Mapping)}
    result = []
    for condition in conditions:
        old = known.get(condition.type, {})
        unchanged = old.get("status") == condition.reason.status and isinstance(old.get("lastTransitionTime"), str)
        result.append(
            {
                "type": condition.type,
                "status": condition.reason.status,
                "reason": condition.reason.name,
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if unchanged else instant(now),
            }
        )
    return result

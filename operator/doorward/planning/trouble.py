"""What is said of an object whose writes are refused, or do not last; and how long such a write is left alone.

A plan that repeats its actions is a failure of its key: another controller, or an admission policy, changes what is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from doorward.api.conditions import Condition, instant, merge, said
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    ApplyTarget,
    Issue,
    PatchTarget,
    Plan,
    RewriteSecret,
    WriteGuarded,
    WriteStatus,
)

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
CALM = timedelta(minutes=10)
"""So long after the last of them is the same action no repetition any more."""
TOLD_AFTER = timedelta(seconds=10)
"""An error that may pass is told of when it has lasted for so long."""
RACES_TOLD_AFTER = timedelta(minutes=1)
"""So is what happens between two who write at once, which is over in a moment as a rule."""
MOST_DETAIL = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One write that is refused (or, `repeats`, done in vain)."""

    what: str
    """As a verb phrase: "update Secret edge/alice-mtls"."""
    detail: str
    """The API server's word, or which field is changed by whom."""
    repeats: bool = False
    publication: bool = False
    """It is the publication of a CRL."""
    gate: str = ""
    """The namespace of the gate that cannot be written; empty: it is something else."""
    again_at: datetime | None = None
    """When it is tried again; None: with backoff."""

    @property
    def _retry(self) -> str:
        return (
            f"The operator tries again at {instant(self.again_at)}." if self.again_at else "The operator tries again."
        )

    def condition(self) -> Condition:
        """As Ready says it."""
        values = {"what": self.what, "detail": self.detail[:MOST_DETAIL], "retry": self._retry}
        return said("NotSettling", **values) if self.repeats else said("WriteRefused", **values)

    def of_target(self) -> Condition:
        """As the target itself says it, where it can be written at all."""
        detail = f"what protects this host is changed again: {self.detail[:MOST_DETAIL]}"
        return said("FieldConflict", detail=detail, retry=self._retry)


def failed(status: Mapping[str, Any], generation: int, detail: str, now: datetime) -> Plan:
    """The plan that says in a status that the work on its object fails, of which no more is known; all else stays as it is."""
    before = status.get("conditions") or ()
    told = said("ReconcileFailed", detail=detail[:MOST_DETAIL])
    others = [item for item in before if item.get("type") != told.type]
    conditions = [*merge((told,), before, generation=generation, now=now), *others]
    if conditions == list(before):
        return Plan()
    return Plan(actions=(WriteStatus(status={**status, "conditions": conditions}),))


def identity(action: Action) -> object | None:
    """What two actions of a key have in common if the second one repeats the first; None: it may be repeated at will, since
    it is bounded otherwise or is another one each time.
    """
    match action:
        case Issue():
            return None if action.within_budget else ("issue", action.wanted)
        case RewriteSecret():
            form = action.form
            parts = (action.because, sorted(form.labels.items()), sorted(form.annotations.items()))
            return ("rewrite", repr((*parts, form.keystore_profile, form.password, action.generation)))
        case ApplyTarget():
            return ("apply", repr(action.fields))
        case PatchTarget():
            return ("patch", repr(action.patch))
        case WriteGuarded():
            return ("guarded", hash(tuple(action.data.items())))
        case WriteStatus():
            return ("status", repr(action.status))
        case AddFinalizer():
            return ("finalizer",)
        case _:
            return None


def free_repetitions(action: Action) -> int:
    """How often the action may be repeated within `CALM` before it waits: somebody may undo it by hand, once."""
    return 0 if isinstance(action, Issue | RewriteSecret) else 2


def wait(repetitions: int, free: int) -> timedelta:
    """How long after the last one the action may be repeated: at once while it is free, then a minute, doubling."""
    if repetitions <= free:
        return timedelta(0)
    doubled: int = 2 ** min(repetitions - free - 1, 10)
    return min(LONGEST_WAIT, FIRST_WAIT * doubled)

"""What the targets of an issuer were told, and what the issuer's status says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward.api.conditions import Condition, said

CLOSED_OR_PROTECTED = frozenset(
    {
        "Protected",
        "OptionalNotAllowed",
        "NoSuchIssuer",
        "IssuerNotRead",
        "GateMissing",
        "GateClosing",
        "GateOutOfReach",
        "NotAllowedHere",
        "ListNotRead",
        "ListedNotSelectable",
    }
)
"""Reasons that open no host, or that GatesCurrent explains."""
MOST_NAMED = 3
"""Targets in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of the targets that name one issuer."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """How many were told each reason."""
    open: tuple[str, ...] = ()
    """The first by name of those that may be open, each with its reason."""

    def all_of(self, targets: int) -> bool:
        """Whether that many targets, all that there are, were told something since this process began."""
        return sum(self.counts.values()) >= targets

    @property
    def wrong(self) -> int:
        """How many may be open."""
        return sum(count for reason, count in self.counts.items() if reason not in CLOSED_OR_PROTECTED)


NOTHING = Told()


def condition(told: Told, targets: int, before: Condition | None) -> Condition | None:
    """Said where something may open the host of a target; `targets`: how many there are, `before`: what was said last.

    While some were not looked at since this process began, what was said before stays.
    """
    if not told.all_of(targets):
        return before
    wrong = told.wrong
    if not wrong:
        return None
    named = "; ".join(told.open[:MOST_NAMED])
    more = f"; and {wrong - len(told.open[:MOST_NAMED])} more" if wrong > len(told.open[:MOST_NAMED]) else ""
    return said("SomeNotProtected", count=wrong, detail=named + more)

"""The rules of the guarded Services of one namespace, and what an issuer says of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from doorward.api.conditions import Condition, said
from doorward.objects.guarded_services import data_of
from doorward.planning.observed import Exempt, Unseen
from doorward.planning.plan import DeleteGuarded, Plan, WriteGuarded
from doorward.planning.trouble import MOST_DETAIL

PAUSE = timedelta(seconds=2)
"""After a write in one namespace it is left alone: thousands of Ingresses that come together are a few writes."""
MOST_NAMED = 3
"""In a condition."""
MOST_REASON = 100
"""Characters of what a user gave as the reason of an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The ConfigMap as it is."""

    version: str
    data: Mapping[str, str] | None
    """None: it is not as the operator writes it."""
    immutable: bool
    deleting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedObserved:
    """The Services of one namespace that are behind targets which opted in."""

    namespace: str
    guarded: Mapping[str, Sequence[str]] | Unseen
    """By Service, the names of those targets; unknown until all targets were heard of."""
    found: Found | Unseen


def plan(o: GuardedObserved) -> Plan:
    """One write at most, and only where something differs. Where nothing is known nothing is done."""
    if isinstance(o.guarded, Unseen) or o.found in (Unseen.UNKNOWN, Unseen.DENIED):
        return Plan()
    wanted = data_of(o.guarded)
    found = o.found if isinstance(o.found, Found) else None
    if not wanted:
        # An empty one guards nothing: it is what is left where it may not be deleted.
        if found is None or found.data == {} or found.deleting:
            return Plan()
        return Plan(actions=(DeleteGuarded(version=found.version),))
    if found is not None and found.data == wanted:
        return Plan()
    if found is not None and found.immutable:
        return Plan(actions=() if found.deleting else (DeleteGuarded(version=found.version),))
    return Plan(actions=(WriteGuarded(data=wanted, version=found.version if found is not None else None),))


def conditions(unguarded: Sequence[str], exempt: Sequence[Exempt]) -> Iterator[Condition]:
    """What an issuer says of the Services behind its gates: nothing while all is as it should be.

    `unguarded`: why namespaces have no ConfigMap that is up to date; `exempt`: the exceptions at its Services.
    """
    if unguarded:
        yield said("ServicesNotGuarded", detail="; ".join(unguarded[:MOST_NAMED])[:MOST_DETAIL])
    elif exempt:
        more = f" and {len(exempt) - MOST_NAMED} more" if len(exempt) > MOST_NAMED else ""
        yield said("ServicesUnprotected", detail="; ".join(map(_words, exempt[:MOST_NAMED])) + more)


def _words(exempt: Exempt) -> str:
    return f'Ingress {exempt.key} serves Service {exempt.service} ("{exempt.reason}")'


def reason_of(text: str) -> str:
    """The reason of an exception as a user wrote it, on one line and not too long; empty: none."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 4 * MOST_REASON]).split())
    return line if len(line) <= MOST_REASON else line[: MOST_REASON - 3] + "..."

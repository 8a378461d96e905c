"""What an MTLSIssuer says of its targets: their hosts, what probes show of them, and the Services behind them."""

from collections.abc import Iterator
from datetime import datetime

from doorward.api.conditions import Condition
from doorward.api.kinds import MTLSIssuerSpec
from doorward.api.reasons import BY_CONDITION, REASONS
from doorward.planning import enforcement_status, guarded, separation, targets_told
from doorward.planning.observed import IssuerObserved


def as_before(o: IssuerObserved, condition: str) -> Condition | None:
    """What the status says already: where something is unknown, that is no reason to say something else."""
    for item in o.status.get("conditions") or ():
        if item.get("type") == condition and item.get("reason") in BY_CONDITION[condition]:
            return Condition(reason=REASONS[item["reason"]], message=str(item.get("message", "")))
    return None


def conditions(o: IssuerObserved, now: datetime) -> Iterator[Condition]:
    """Those that can be said; until all targets were heard of, those that were said before."""
    yield from _now(o, now) if o.gates_known else _as_they_were(o)


def _now(o: IssuerObserved, now: datetime) -> Iterator[Condition]:
    """What is said of targets, of their hosts and of the Services behind them."""
    if (hosts := targets_told.condition(o.told, _targets(o), as_before(o, "HostsProtected"))) is not None:
        yield hosts
    before = as_before(o, "Enforced")
    enforced = enforcement_status.condition(o.probed, before, now)
    if enforced is None and not _looked_at(o):
        enforced = before
    if enforced is not None:
        yield enforced
    if (separated := _separated(o, now)) is not None:
        yield separated
    yield from guarded.conditions(o.unguarded, o.exempt)


def _separated(o: IssuerObserved, now: datetime) -> Condition | None:
    before = as_before(o, "HostsSeparated")
    if not isinstance(o.spec, MTLSIssuerSpec) or (not o.probed.gates and not _looked_at(o)):
        return before
    known = separation.Known(
        spec=o.spec,
        probed=o.probed,
        unnamed=o.unnamed,
        canaries=o.canaries,
        targets_protected=_looked_at(o) and not o.told.wrong,
    )
    return separation.condition(known, before, now)


def _targets(o: IssuerObserved) -> int:
    return sum(len(gate.targets) for gate in o.gates)


def _looked_at(o: IssuerObserved) -> bool:
    """Whether this process has looked at all targets: before that, none that is missing is gone."""
    return o.gates_known and o.told.all_of(_targets(o))


def _as_they_were(o: IssuerObserved) -> Iterator[Condition]:
    """The same, until all targets were heard of: that none is known yet says nothing of them."""
    for condition in ("HostsProtected", "Enforced", "HostsSeparated", "ServicesGuarded"):
        if (before := as_before(o, condition)) is not None:
            yield before


def enforcement(o: IssuerObserved, now: datetime) -> list[dict[str, object]]:
    """The hosts that the status lists, with what probes show of each."""
    before = o.status.get("enforcement") or ()
    return enforcement_status.listed(o.probed, before, now) if _looked_at(o) else list(before)

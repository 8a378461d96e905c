"""What an MTLSIssuer says of its gates from what probes show: the condition Enforced, and each host."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from doorward.api.conditions import Condition, instant, said
from doorward.api.reasons import REASONS
from doorward.planning.enforcement import HANGS_AFTER, NOT_KNOWN, Gate, Probed, State, Verdict, state_of

MOST_HOSTS = 3
"""Hosts that a condition names."""
MOST_REPLICAS = 8
"""Replicas that a condition names."""
MOST_LISTED = 50
MOST_DETAIL = 512
FIRST_ROUND = timedelta(seconds=90)
"""So long after its start a process is given to probe all gates once: until then what was said before stays."""
_WORST_FIRST = ("False", "Unknown", "True")


def condition(probed: Probed, before: Condition | None, now: datetime) -> Condition | None:
    """The condition Enforced; None: there is no gate. `before`: what the status says already."""
    if not probed.gates:
        return None
    found = _found(probed, now)
    begun = None if probed.since is None else probed.since + FIRST_ROUND
    waiting = found.reason.name == "NotVerified" and _is_waiting(probed)
    if before is None or begun is None or now >= begun or not waiting:
        return found
    return before.until(begun)


def _is_waiting(probed: Probed) -> bool:
    """Whether nothing is wrong but that not all was probed yet."""
    if probed.unprobed:
        return probed.unprobed == NOT_KNOWN
    return not probed.left_out and not any(gate.unprobed or gate.has(Verdict.UNCLEAR) for gate in probed.gates)


def _found(probed: Probed, now: datetime) -> Condition:
    if probed.unprobed:
        return said("NotVerified", detail=probed.unprobed)
    states: dict[str, list[tuple[Gate, str]]] = {}
    for gate in probed.gates:
        state = state_of(gate, probed.replicas, now)
        states.setdefault(state.reason.name, []).append((gate, state.detail))
    if is_open := states.get("Open"):
        return said("Open", detail=_named(is_open))
    if hanging := states.get("ControllerHangs"):
        return said("ControllerHangs", detail=_named(hanging))
    if away := states.get("NotReachable"):
        found = said("NotReachable", detail=_named(away))
        ends = [f.since + HANGS_AFTER for g, _ in away for f in g.findings.values() if f.verdict is Verdict.SILENT]
        return found.until(min(ends)) if ends else found
    if unknown := states.get("NotVerified"):
        return said("NotVerified", detail=_named(unknown))
    if probed.left_out:
        return said("NotVerified", detail=_left_out(probed))
    replicas = probed.replicas
    more = f" and {len(replicas) - MOST_REPLICAS} more" if len(replicas) > MOST_REPLICAS else ""
    return said("ProbesRefused", hosts=len(probed.gates), replicas=", ".join(replicas[:MOST_REPLICAS]) + more)


def _left_out(probed: Probed) -> str:
    probes = len(probed.replicas)
    return f"the ingress controller has {probes + probed.left_out} replicas, of which the operator probes {probes}"


def _named(gates: Sequence[tuple[Gate, str]]) -> str:
    more = f"; and {len(gates) - MOST_HOSTS} more" if len(gates) > MOST_HOSTS else ""
    return "; ".join(f"host {gate.host} of {gate.target} {why}" for gate, why in gates[:MOST_HOSTS]) + more


def listed(probed: Probed, before: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The hosts as the status lists them, those that are not enforced first; `before`: as it lists them already."""
    starting = probed.since is not None and now < probed.since + FIRST_ROUND
    if probed.unprobed:
        return [dict(entry) for entry in before] if starting and probed.gates and _is_waiting(probed) else []
    known = {_place(entry): entry for entry in before}
    entries = []
    for gate in probed.gates:
        state = state_of(gate, probed.replicas, now)
        if state.enforced == "True" and probed.left_out:
            state = State(reason=REASONS["NotVerified"], detail=_left_out(probed))
        entry = {
            "namespace": gate.target.namespace,
            "target": gate.target.name,
            "host": gate.host,
            "enforced": state.enforced,
            "reason": state.reason.name,
        }
        old = known.get(_place(entry))
        if old is not None and starting and state.enforced == "Unknown" and not gate.findings:
            entries.append(dict(old))
            continue
        same = old is not None and old.get("enforced") == state.enforced and "since" in old
        entry["since"] = old["since"] if same and old else instant(now)
        entries.append(entry | ({"detail": state.detail[:MOST_DETAIL]} if state.detail else {}))
    entries.sort(key=lambda entry: (_WORST_FIRST.index(entry["enforced"]), _place(entry)))
    return entries[:MOST_LISTED]


def _place(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(entry.get("namespace")), str(entry.get("target")), str(entry.get("host"))

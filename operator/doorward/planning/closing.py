"""When a gate must admit nobody any more. It is closed by a bundle that admits nobody, and deleted once its data plane has
taken that: a data plane that reads a Secret while it is deleted may go on with what it has read.
"""

from collections.abc import Iterator
from datetime import datetime

from doorward.planning import timing
from doorward.planning.observed import Gate, GateState
from doorward.planning.plan import CloseGate, RemoveGate, earliest


def must_close(gate: Gate, now: datetime, *, everywhere: bool = False) -> bool:
    """Whether it may admit nobody; `everywhere`: no CA is left that may be trusted, so none may.

    One that nobody asks for and that admits nobody already is not opened for a while first.
    """
    idle = gate.idle_until is not None and (gate.idle_until <= now or gate.opens_from > 0)
    return everywhere or gate.allowed is False or idle


def actions(gates: tuple[Gate, ...], now: datetime, *, everywhere: bool = False) -> Iterator[CloseGate | RemoveGate]:
    """For gates that may admit nobody and still do, and for those that are closed for long enough."""
    for gate in gates:
        if gate.left_alone_until is not None and now < gate.left_alone_until:
            continue  # the others must not wait for one that refuses
        closing = must_close(gate, now, everywhere=everywhere)
        if closing and _is_open(gate):
            yield CloseGate(namespace=gate.namespace)
        elif _waits(gate, now, everywhere=everywhere) and gate.removable_at is not None and gate.removable_at <= now:
            yield RemoveGate(namespace=gate.namespace)


def due(gates: tuple[Gate, ...], now: datetime, *, everywhere: bool = False) -> datetime | None:
    """When to look again for the sake of a gate that is not closed yet, or not deleted."""
    removals = (gate.removable_at for gate in gates if _waits(gate, now, everywhere=everywhere))
    idle = (
        gate.idle_until for gate in gates if gate.idle_until is not None and now < gate.idle_until and _is_open(gate)
    )
    passing = (GateState.REFUSED, GateState.UNKNOWN, GateState.NOT_CLOSED)
    left = any(gate.state in passing and must_close(gate, now, everywhere=everywhere) for gate in gates)
    retries = (gate.left_alone_until for gate in gates if must_close(gate, now, everywhere=everywhere))
    return earliest(*removals, *idle, *retries, now + timing.LOOK_AGAIN if left else None)


def not_closed(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Gates that should be gone, and cannot be closed or deleted, or not be reached; as far as anything shows that they are there."""
    beyond = (GateState.REFUSED, GateState.DENIED, GateState.UNREADABLE)
    return tuple(
        gate
        for gate in gates
        if gate.state is GateState.NOT_CLOSED
        or gate.left_alone_until is not None
        or (gate.allowed is False and gate.held and gate.state in beyond)
    )


def _is_open(gate: Gate) -> bool:
    """What cannot be read may be writable all the same. What is not Doorward's is in the way only where a target points at it."""
    ours = gate.state in (GateState.CURRENT, GateState.STALE, GateState.UNREADABLE)
    denied = gate.state is GateState.DENIED and gate.held
    return ours or denied or (gate.state is GateState.FOREIGN and bool(gate.targets))


def _waits(gate: Gate, now: datetime, *, everywhere: bool) -> bool:
    """Whether it is closed, and nobody asks for it to be opened."""
    wanted = gate.targets and not must_close(gate, now, everywhere=everywhere)
    return gate.state is GateState.CLOSED and not wanted

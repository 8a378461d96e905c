"""When a gate gets what is published, and when a new CRL must be published first.

A gate that was closed is never opened with bytes that it held before. ingress-nginx does not read a Secret that no Ingress refers
to, and a new Ingress is served with what it read last: it takes the same bytes for loaded already, and loads nothing
(docs/decisions/0041).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from doorward.pki.crls import next_number
from doorward.planning import closing
from doorward.planning.observed import Gate, GateState


def to_write(gates: Iterable[Gate], now: datetime) -> Iterator[Gate]:
    """Those that are to hold what is published, and do not. Stale gates are updated also where no Ingress is left, until they are
    closed: one that opts in again must not meet an old CRL. One that was closed stays so until a target asks for it.
    """
    for gate in gates:
        missing = gate.state in (GateState.ABSENT, GateState.FOREIGN, GateState.CLOSED)
        stale = gate.state is GateState.STALE
        needed = (missing or stale) if gate.targets else stale and not gate.opens_from
        if gate.allowed and needed and not closing.must_close(gate, now):
            yield gate


def must_publish(opened: Iterable[Gate], published: int, now: datetime) -> bool:
    """Whether these gates must wait for a new CRL, above the number that is published.

    None is published for a number that a CRL of now would not reach: whoever wrote that, each would be followed by another.
    """
    return any(published < gate.opens_from <= next_number(published, now) for gate in opened)

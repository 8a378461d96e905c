"""The plan for a ClientCertificate in a world that `given` builds, and what it says."""

from datetime import datetime
from typing import Any

from doorward.planning import certificate, issuance
from doorward.planning.observed import Pending
from doorward.planning.plan import Plan, WriteStatus
from tests.unit import given
from tests.unit.given import NOW


def planned(now: datetime = NOW, **world: Any) -> Plan:
    return certificate.plan(given.certificate(**world), now)


def asked(now: datetime = NOW, **world: Any) -> list[str]:
    """The kinds of its actions, in their order."""
    return given.names(planned(now, **world).actions)


def status_of(**world: Any) -> dict[str, Any]:
    """The status, where that is all it asks for."""
    (action,) = planned(**world).actions
    assert isinstance(action, WriteStatus)
    return action.status


def told(**world: Any) -> dict[str, str]:
    """The reasons in that status, by condition."""
    return given.reasons(status_of(**world))


def settled(**world: Any) -> Plan:
    """The plan once the status it asks for is written."""
    return planned(**world, status=status_of(**world))


def on_its_way(**override: Any) -> Pending:
    """A certificate that is signed for Alice's spec, and not delivered."""
    return given.pending(wanted=issuance.wanted(given.spec(), None, given.authority()), **override)

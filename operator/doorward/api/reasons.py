"""Every condition, every reason it may have, the sentence it is said with, and who has to act.

The page docs/reference/reasons.md (`make docs`) and `doorward explain` are made from this module. In `Ready=True` the
spec is fulfilled, also where that means that nobody gets in: GitOps health checks must not fail for ever on a revoked
entry.
"""

from doorward.api import reasons_client as client
from doorward.api import reasons_cut_off as cut_off
from doorward.api import reasons_enforced as enforced
from doorward.api import reasons_guarded as guarded
from doorward.api import reasons_ingress as ingress
from doorward.api import reasons_issuer as issuer
from doorward.api import reasons_separated as separated
from doorward.api import reasons_sometimes as sometimes
from doorward.api import reasons_writes as writes
from doorward.api.reason import Reason

BY_CONDITION: dict[str, dict[str, Reason]] = {
    "Ready": client.READY | issuer.READY | writes.READY,
    "Admitted": client.ADMITTED,
    "CRLCurrent": issuer.CRL,
    "GatesCurrent": issuer.GATES | writes.GATES,
    "Enforced": enforced.ENFORCED,
    "HostsSeparated": separated.SEPARATED,
    "CAExclusive": issuer.EXCLUSIVE,
    "CASettled": sometimes.SETTLED,
    "CAKeyHeld": sometimes.KEY,
    "CAOrigin": sometimes.ORIGIN,
    "CAFilesUsed": sometimes.FILES,
    "CRLRoom": sometimes.ROOM,
    "CutOffHolds": cut_off.CUT_OFF,
    "DurationsInRange": sometimes.RANGE,
    "HostsProtected": sometimes.HOSTS,
    "LedgerArchived": sometimes.ARCHIVED,
    "LedgerComplete": sometimes.COMPLETE,
    "Reconciling": sometimes.RECONCILING,
    "ServicesGuarded": guarded.SERVICES,
    "Synced": sometimes.SYNCED,
    "Gate": ingress.GATE | writes.GATE,
}

REASONS: dict[str, Reason] = {name: reason for table in BY_CONDITION.values() for name, reason in table.items()}
"""By name; a name stands for one reason of one condition."""

if len(REASONS) != sum(map(len, BY_CONDITION.values())):  # pragma: no cover - a slip while editing the table
    raise AssertionError("a reason's name stands twice")

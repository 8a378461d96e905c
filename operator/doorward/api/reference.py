"""The reference page of all reasons, docs/reference/reasons.md: `doorward explain --markdown` prints it."""

from doorward.api.reason import Reason
from doorward.api.reasons import BY_CONDITION

_ASKS = {
    "Ready": "Of a ClientCertificate and of an MTLSIssuer: is the spec fulfilled?",
    "Admitted": "Of a ClientCertificate: does the client have access?",
    "CRLCurrent": "Of an MTLSIssuer: is its CRL published?",
    "GatesCurrent": "Of an MTLSIssuer: does every gate hold the published CRL?",
    "Enforced": "Of an MTLSIssuer with gates: do all gates refuse clients without a certificate of it, as probes show?",
    "HostsSeparated": "Of an MTLSIssuer with gates: do its hosts refuse clients of other hosts and other CAs?",
    "CAExclusive": "Of an MTLSIssuer: does only Doorward sign with this CA?",
    "CAFilesUsed": "Of an MTLSIssuer whose CA Secret holds more than it needs: does the operator use all of it?",
    "CAKeyHeld": "Of an MTLSIssuer whose CA Secret cannot be used: does the operator hold the key to sign CRLs, also after a restart?",
    "CAOrigin": "Of an MTLSIssuer with Secrets that look like its CA generations: did the operator make them?",
    "CASettled": "Of an MTLSIssuer, while its CA generations change: do the gates trust only one?",
    "CRLRoom": "Of an MTLSIssuer whose CRL grows large: can it list all certificates that may have to be revoked?",
    "CutOffHolds": "Of an MTLSIssuer that leaves access to the TLS handshake, or that has canaries: is a revoked client refused?",
    "DurationsInRange": "Of an MTLSIssuer that is older than a limit: does the operator follow every duration in its spec?",
    "HostsProtected": "Of an MTLSIssuer, while the host of an Ingress that names it may be open: is every such host protected?",
    "LedgerArchived": "Of an MTLSIssuer, while it is not so: can the operator archive its old records?",
    "LedgerComplete": "Of an MTLSIssuer, after a restore of etcd: is every serial on record?",
    "Reconciling": "Of a ClientCertificate whose access changes: does the operator still have to publish the CRL?",
    "ServicesGuarded": "Of an MTLSIssuer, while it is not so: do only its clients have access to every Service behind its gates?",
    "Synced": "Of an MTLSIssuer, while a list fails: can the operator list all objects that it depends on?",
    "Gate": (
        "Of an Ingress. It has no conditions of Doorward, so its annotation `doorward.io/gate` begins with the reason."
    ),
}

_HEAD = """\
# Conditions and their reasons

Generated from `operator/doorward/api/reasons*.py` by `make docs`; do not edit. `doorward explain NAME` prints the same for one
reason, and `doorward explain` for all. The message of the
condition names the object concerned and says what to do.
"""

_COLUMNS = """\
| reason | status | meaning | action required by |
| --- | --- | --- | --- |
"""


def conditions_of(kind: str) -> tuple[tuple[str, str], ...]:
    """The conditions that objects of a kind may have, each with what it asks."""
    asked = ((condition, _ASKS[condition]) for condition in BY_CONDITION)
    return tuple((condition, asks) for condition, asks in asked if kind in asks.partition(":")[0])


def _row(reason: Reason) -> str:
    meaning = reason.doc.replace("<", "\\<").replace("|", "\\|")  # Markdown would take <name> for a tag
    return f"| `{reason.name}` | {reason.status} | {meaning} | {reason.mender.value} |\n"


def markdown() -> str:
    """The whole page; KeyError for a condition that nobody has described here."""
    sections = (
        f"\n## {condition}\n\n{_ASKS[condition]}\n\n{_COLUMNS}" + "".join(map(_row, reasons.values()))
        for condition, reasons in BY_CONDITION.items()
    )
    return _HEAD + "".join(sections)

"""The status that kstatus computes for an object of a kind that it does not know, by its documented rules.

Flux and `kubectl apply --prune` of kpt wait for `Current` with them: sigs.k8s.io/cli-utils, pkg/kstatus.
"""

from typing import Any


def computed(body: dict[str, Any]) -> str:
    """Terminating, InProgress, Failed or Current."""
    metadata, status = body["metadata"], body.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return "InProgress"
    said = [(each["type"], each["status"]) for each in status.get("conditions") or ()]
    for each in said:
        if each == ("Reconciling", "True"):
            return "InProgress"
        if each == ("Stalled", "True"):
            return "Failed"
    ready = next((answer for name, answer in said if name == "Ready"), None)
    return "InProgress" if ready in ("False", "Unknown") else "Current"

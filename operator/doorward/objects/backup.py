"""A backup, as `kubectl get -o json` makes it: what of it is brought back, in which order, and as what."""

from typing import Any

from doorward.objects import client_secret, guarded_services
from doorward.objects.archive import ARCHIVE_ROLE
from doorward.objects.archive_index import INDEX_ROLE
from doorward.objects.crl_configmap import CRL_ROLE
from doorward.objects.meta import CLIENT_ANNOTATION, Object, is_ours, issuer_of_gate, owner_reference

ORDER = ("IssuedCertificate", "ConfigMap", "Secret", "MTLSIssuer", "ClientCertificate")
"""What a thing hangs on comes before it: an issuer without its ledger, its CRL and its Secret would make a new CA, and a
client without its Secret would be reissued."""
_KEPT = ("namespace", "name", "labels", "annotations")


def why_left(body: Object) -> str:
    """Why an object is not brought back; empty where it is."""
    kind, metadata = body.get("kind"), body["metadata"]
    if kind not in ORDER:
        return "restore it yourself"
    if "deletionTimestamp" in metadata:
        return "was being deleted"
    if kind == "ConfigMap" and metadata["name"] == guarded_services.NAME:
        return "the operator writes it again"
    if kind == "ConfigMap" and not any(is_ours(body, role) for role in (CRL_ROLE, ARCHIVE_ROLE, INDEX_ROLE)):
        return "restore it yourself"
    if kind == "Secret" and issuer_of_gate(metadata["name"]) is not None:
        return "the operator writes it again"
    if kind == "Secret" and body.get("type") == "kubernetes.io/service-account-token":
        return "the cluster creates it"
    return ""


def fresh(body: Object) -> dict[str, Any]:
    """The object as it is created: no status, no UID, and no owner, whose UID is another by now."""
    metadata = {name: body["metadata"][name] for name in _KEPT if name in body["metadata"]}
    return {name: value for name, value in body.items() if name != "status"} | {"metadata": metadata}


def holder(secret: Object) -> str | None:
    """The ClientCertificate, in the same namespace, that a client Secret is of; None: it is no client's Secret."""
    if not is_ours(secret, client_secret.ROLE):
        return None
    name: str | None = (secret["metadata"].get("annotations") or {}).get(CLIENT_ANNOTATION)
    return name


def owner_patch(secret: Object, certificate: Object) -> dict[str, Any] | None:
    """What gives a client Secret to its ClientCertificate, with which it is to go; None where it has it."""
    owners = secret["metadata"].get("ownerReferences") or ()
    if any(owner.get("uid") == certificate["metadata"]["uid"] for owner in owners):
        return None
    version = secret["metadata"]["resourceVersion"]
    owner = owner_reference(certificate, "ClientCertificate")
    return {"metadata": {"ownerReferences": [owner], "resourceVersion": version}}

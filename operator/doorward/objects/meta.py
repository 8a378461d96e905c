"""Names, labels and marks: how an object says that it is Doorward's, and of what."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from doorward.api.fields import API_VERSION, GROUP

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = "doorward"
SELECTOR = f"{MANAGED_BY}={OWNER}"
"""Of lists and watches: ours alone."""
ROLE = f"{GROUP}/role"
FINALIZER = f"{GROUP}/cut-off"

OFFER = f"{GROUP}/keystore-password"
"""The label by which a person's Secret offers its values as passwords of keystores."""

ISSUER_ANNOTATION = f"{GROUP}/issuer"
CLIENT_ANNOTATION = f"{GROUP}/client-certificate"
KEYSTORE_ANNOTATION = f"{GROUP}/keystore"
REISSUE_ANNOTATION = f"{GROUP}/reissue"
ROTATE_ANNOTATION = f"{GROUP}/rotate"
ANCHORS_SINCE_ANNOTATION = f"{GROUP}/anchors-since"
GATE_ANNOTATION = f"{GROUP}/gate"
"""On a target: what Doorward says of how it is protected."""
MISSING_ANNOTATION = f"{GROUP}/missing-since"
SECRET_MISSING_ANNOTATION = f"{GROUP}/secret-missing-since"
GENERATIONS_ANNOTATION = f"{GROUP}/ca-generations"
CLOSED_ANNOTATION = f"{GROUP}/ca-closed"
KNOWN_ANNOTATION = f"{GROUP}/ca-known"
IDENTITIES_ANNOTATION = f"{GROUP}/ca-identities"

Object = Mapping[str, Any]


class ObjectKey(NamedTuple):
    """Namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(body: Object) -> ObjectKey:
    """Namespace and name of an object."""
    metadata = body["metadata"]
    return ObjectKey(metadata.get("namespace", ""), metadata["name"])


def labels(role: str) -> dict[str, str]:
    """The labels that every Secret and ConfigMap of ours carries; the fence lets the operator touch no other."""
    return {MANAGED_BY: OWNER, ROLE: role}


def is_ours(body: Object, role: str) -> bool:
    """Whether the object carries our labels for that role."""
    found = body["metadata"].get("labels") or {}
    return found.get(MANAGED_BY) == OWNER and found.get(ROLE) == role


def interned(marks: Mapping[str, str] | None) -> dict[str, str]:
    """Labels or annotations, their texts shared in memory with all that are equal: thousands of objects say the same."""
    return {sys.intern(name): sys.intern(value) for name, value in (marks or {}).items()}


def is_deleting(body: Object) -> bool:
    """Whether the object was deleted and is still there, for as long as somebody's finalizer keeps it."""
    return "deletionTimestamp" in body["metadata"]


def offers_password(body: Object) -> bool:
    """Whether a Secret offers its values as passwords of keystores: of any other, not even its absence is told."""
    return (body["metadata"].get("labels") or {}).get(OFFER) == "true"


def crl_configmap_name(issuer: str) -> str:
    """The ConfigMap with the issuer's CRL, in the issuer's namespace."""
    return f"{issuer}-crl"


def ca_secret_name(issuer: str, generation: int) -> str:
    """The Secret with the key of one CA generation, in the issuer's namespace."""
    return f"{issuer}-ca-{generation}"


def issuer_of_ca_secret(at: ObjectKey) -> tuple[ObjectKey, int] | None:
    """The issuer and CA generation whose Secret has that name; None: no such name."""
    match = re.fullmatch(r"(.+)-ca-([1-9][0-9]{0,6})", at.name)
    return (ObjectKey(at.namespace, match[1]), int(match[2])) if match else None


def gate_secret_name(issuer: ObjectKey) -> str:
    """The Secret that a gate reads, in the namespace of the Ingress; the dots keep such names apart."""
    return f"doorward.{issuer.namespace}.{issuer.name}"


def issuer_of_gate(name: str) -> ObjectKey | None:
    """The issuer whose gate has that name; None: no gate's name. A namespace has no dot in it."""
    prefix, _, rest = name.partition(".")
    namespace, _, issuer = rest.partition(".")
    return ObjectKey(namespace, issuer) if prefix == OWNER and namespace and issuer else None


def client_secret_name(certificate: str, chosen: str | None) -> str:
    """The Secret with the client's certificate."""
    return chosen or f"{certificate}-mtls"


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant of the API, UTC-aware; ValueError on anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"an instant without an offset: {text!r}")
    try:
        return moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:  # the first or last day of the calendar, in another zone
        raise ValueError(f"an instant outside of the calendar: {text!r}") from error


def owner_reference(body: Object, kind: str) -> dict[str, Any]:
    """An ownerReference to one of our own kinds, for the garbage collector."""
    metadata = body["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }

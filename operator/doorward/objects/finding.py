"""The labels by which people find the Secrets of an issuer or a client.

They prove nothing: no rule reads them, and whoever may edit a Secret may change those on it. IssuedCertificates have none: a field
selector finds them, and with labels two of them fit into a page of etcd, not three (docs/decisions/0034-columns-events-alerts-heartbeat.md).
"""

import hashlib

from doorward.api.fields import GROUP
from doorward.objects.meta import ObjectKey

ISSUER_LABEL = f"{GROUP}/issuer"
ISSUER_NAMESPACE_LABEL = f"{GROUP}/issuer-namespace"
CLIENT_LABEL = f"{GROUP}/client"
LONGEST = 63
"""Characters of a label's value, as Kubernetes allows them."""
KEPT = 42
"""Characters that a longer name keeps in front of its digest."""


def label_value(name: str) -> str:
    """A name of Kubernetes as a label's value: the name itself, dots and all, where it fits. Of a longer one the beginning, an
    underscore, which no name has in it, and a digest of the whole.
    """
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[:KEPT]}_{digest[: LONGEST - KEPT - 1]}"


def of_secret(issuer: ObjectKey, client: ObjectKey) -> dict[str, str]:
    """Of a client's Secret, which is in the namespace of its ClientCertificate."""
    return {
        ISSUER_LABEL: label_value(issuer.name),
        ISSUER_NAMESPACE_LABEL: issuer.namespace,
        CLIENT_LABEL: label_value(client.name),
    }

"""The ledger record of a serial number that another CA tool revoked, before Doorward had the CA.

Such a tool tells little: a record of it has the serial number in place of each digest, no ClientCertificate, and an annotation that says
so. It is revoked from the first, so it admits nobody.
"""

from datetime import datetime
from typing import Any

from doorward.api.conditions import instant
from doorward.api.fields import API_VERSION, GROUP
from doorward.objects.ledger_record import record_name
from doorward.objects.meta import ObjectKey
from doorward.pki.foreign_ledgers import Revoked

IMPORTED_ANNOTATION = f"{GROUP}/imported"
NOBODY = "imported"
"""Name and UID of the ClientCertificate of a record that has none."""
UNKNOWN = "the fingerprints and the public key are not known: the serial number is in their place"
MOST_SUBJECT = 4096


def render(revoked: Revoked, *, issuer: ObjectKey, generation: int, expires: datetime) -> dict[str, Any]:
    """The IssuedCertificate; `expires`: where it is not known, when the CA does."""
    ends = revoked.expires or expires
    began = min(revoked.at, ends)
    return {
        "apiVersion": API_VERSION,
        "kind": "IssuedCertificate",
        "metadata": {
            "namespace": issuer.namespace,
            "name": record_name(issuer.name, generation, revoked.serial),
            "annotations": {IMPORTED_ANNOTATION: UNKNOWN},
        },
        "spec": {
            "issuerName": issuer.name,
            "generation": generation,
            "serialNumber": f"{revoked.serial:x}",
            "subject": revoked.subject[:MOST_SUBJECT],
            "notBefore": instant(began),
            "notAfter": instant(ends),
            "fingerprints": {"sha256": f"{revoked.serial:064x}", "sha1": f"{revoked.serial:040x}"},
            "publicKeySHA256": f"{revoked.serial:064x}",
            "clientCertificate": {"namespace": issuer.namespace, "name": NOBODY, "uid": NOBODY},
            "revocation": render_revocation(revoked),
        },
    }


def render_revocation(revoked: Revoked) -> dict[str, Any]:
    """`spec.revocation`."""
    return {"reason": revoked.reason, "time": instant(revoked.at)}

"""The Events that tell of a change which no condition names: the reason, what it means, and how it is said of one object.

A condition that turns bad is told by an Event, too, with the condition's own reason and message (`planning/notices.py`).
"""

from dataclasses import dataclass
from typing import Literal

Subject = Literal["ClientCertificate", "MTLSIssuer", "Ingress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReason:
    """One reason of an Event; `message` is a template for `str.format`."""

    name: str
    subject: Subject
    warning: bool
    doc: str
    message: str


def _table(subject: Subject, *rows: tuple[str, bool, str, str]) -> tuple[EventReason, ...]:
    return tuple(
        EventReason(name=name, subject=subject, warning=warning, doc=doc, message=message)
        for name, warning, doc, message in rows
    )


CLIENT = _table(
    "ClientCertificate",
    (
        "Issued",
        False,
        "The first certificate of the client is in its Secret.",
        "Certificate {serial} is in Secret {secret}. It is valid until {until}",
    ),
    (
        "Renewed",
        False,
        "Another certificate is in the Secret: it was renewed, reissued, or restored.",
        "Certificate {serial} is in Secret {secret} and replaces {before}. It is valid until {until}",
    ),
    (
        "Held",
        False,
        "A certificate is on hold (CRL reason `certificateHold`). The hold can be lifted.",
        "{actor} put certificate {serial} on hold. {undo}",
    ),
    (
        "Released",
        False,
        "The hold of a certificate was lifted. The client has access again when the next CRL is published, within seconds.",
        "{actor} lifted the hold of certificate {serial}. The client has access again when the next CRL is published",
    ),
    (
        "Revoked",
        False,
        "A certificate is revoked for good, by the spec, by a user, after a hold, or because it was lost or replaced.",
        "{actor} revoked certificate {serial} for good (CRL reason {reason})",
    ),
    (
        "CutOffComplete",
        False,
        "The published CRL lists the certificates, and every gate has this CRL. ingress-nginx refuses them when it has loaded it.",
        "The CRL lists {serials}, and every gate has it, {seconds} s after the operator saw the change",
    ),
    (
        "CutOffIncomplete",
        True,
        "Half a minute has passed, and the CRL is not published, or gates do not have it. The client may still have access.",
        "The client may still have access: {unreached} could not be written. See the conditions of MTLSIssuer {issuer}",
    ),
    (
        "SecretMissing",
        True,
        "The Secret was deleted or is unusable. The certificate that it held stays valid for a grace period.",
        (
            "{why}. Serial {serials} stays valid until {until} at least, and is then revoked as superseded, unless the Secret is"
            " restored. The operator issues another certificate. To revoke the access of a client at once, set spec.revoked"
        ),
    ),
    (
        "ReadyAgain",
        False,
        "What the condition `Ready` reported is over, and the client keeps its certificate.",
        "The problem is solved: {message}",
    ),
)

ISSUER = _table(
    "MTLSIssuer",
    (
        "CaCreated",
        False,
        "The operator created a CA generation.",
        "The operator created CA generation {generation} in Secret {secret}: {because}",
    ),
    (
        "CaActive",
        False,
        "A CA generation signs new certificates from now on.",
        "CA generation {generation} signs new certificates. The CA is valid until {until}",
    ),
    (
        "CaRetired",
        False,
        "The published trust bundle no longer has a CA generation, so gates refuse all certificates from it.",
        "CA generation {generation} is retired: gates do not trust it any more, and refuse all certificates from it",
    ),
    (
        "GateReady",
        False,
        "A namespace has a gate with the published CRL.",
        "The gate in namespace {namespace} has the published CRL: clients of this issuer have access there",
    ),
    (
        "GateClosed",
        False,
        "The gate of a namespace was closed: no Ingress there names the issuer, or the issuer does not allow the namespace.",
        "The gate in namespace {namespace} is closed: no client of this issuer has access there",
    ),
    (
        "GateEnforced",
        False,
        "Probes show that all hosts of the issuer refuse clients without a certificate.",
        "{message}",
    ),
)

INGRESS = _table(
    "Ingress",
    (
        "Protected",
        False,
        "The Ingress has a gate, and only clients of the MTLSIssuer have access.",
        "{message}",
    ),
    (
        "GateEnforced",
        False,
        "Probes show that all hosts of the Ingress refuse clients without a certificate of the MTLSIssuer.",
        "Every replica of the ingress controller refuses clients without a certificate of MTLSIssuer {issuer} at {hosts}",
    ),
    (
        "Closed",
        True,
        "The host answers 403 to everybody. The annotation `doorward.io/gate` says why.",
        "{message}",
    ),
    (
        "NotProtected",
        True,
        "The host may be open, or admit clients that it should not. The annotation `doorward.io/gate` says why.",
        "{message}",
    ),
    (
        "Open",
        True,
        "A probe got an answer without a certificate of the MTLSIssuer: the host is open.",
        "{message}",
    ),
)

BY_SUBJECT: dict[Subject, dict[str, EventReason]] = {
    table[0].subject: {reason.name: reason for reason in table} for table in (CLIENT, ISSUER, INGRESS)
}

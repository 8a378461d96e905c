"""Whether a certificate gets a client in at one Ingress, and by which rule: what the operator says of the gate, what ingress-nginx
decides at the handshake, and what the gate service answers, put together.

Each of the three has its own rules elsewhere. Nothing is said to be admitted or refused where one of them does not show it.
"""

from dataclasses import dataclass
from enum import StrEnum

from doorward.planning.admission import Verdict
from doorward.planning.handshake import Refusal


class Answer(StrEnum):
    """What a client is answered."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNCLEAR = "not clear"


class Rule(StrEnum):
    """What decides it."""

    GATE = "gate"
    HANDSHAKE = "TLS handshake"
    GATE_SERVICE = "gate service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An answer, and why."""

    answer: Answer
    rule: Rule
    why: str


CLOSED = frozenset({"NoSuchIssuer", "GateMissing", "NotAllowedHere"})
"""What the operator says of a gate that answers 403 to everybody."""
AS_THE_RULES_SAY = frozenset(
    {"Protected", "ListNotEnforced", "ListNotRead", "ListedNotSelectable", "OptionalNotAllowed", "NotAsked"}
)
"""What it says of a gate at which the handshake and the gate service decide. Anything else may let others in, or nobody."""

HANDSHAKE = {
    Refusal.NOT_SIGNED: "no CA generation that the gate trusts signed the certificate",
    Refusal.NOT_FOR_CLIENTS: "its extended key usage is not for clients",
    Refusal.NOT_YET_VALID: "the certificate is not valid yet",
    Refusal.EXPIRED: "the certificate has expired",
    Refusal.CA_EXPIRED: "the CA has expired",
    Refusal.NO_CRL: "the CA that signed it has no CRL",
    Refusal.CRL_EXPIRED: "the CRL has expired: the gate refuses everybody",
    Refusal.HELD: "the CRL lists the serial number as on hold",
    Refusal.REVOKED: "the CRL lists the serial number as revoked",
}
GATE_SERVICE = {
    Verdict.NOT_READ: "the question cannot be read",
    Verdict.NOT_VERIFIED: "ingress-nginx did not verify a certificate",
    Verdict.NOT_SYNCED: "it has not read all objects yet",
    Verdict.STALE: "it has had no answer from the API server for too long",
    Verdict.NO_ISSUER: "there is no such MTLSIssuer",
    Verdict.NOT_ISSUED: "the ledger of the gate's issuer has no record of the certificate",
    Verdict.HELD: "the certificate is on hold",
    Verdict.REVOKED: "the certificate is revoked",
    Verdict.EXPIRED: "the certificate has expired",
    Verdict.DISTRUSTED: "its CA generation is in spec.ca.distrust of the issuer",
    Verdict.CLIENT_GONE: "its ClientCertificate does not exist, or names another issuer",
    Verdict.CLIENT_DELETED: "its ClientCertificate is being deleted",
    Verdict.CLIENT_REVOKED: "spec.revoked of its ClientCertificate is true",
    Verdict.CLIENT_SUSPENDED: "spec.suspended of its ClientCertificate is true",
    Verdict.LEDGER_BEHIND: "it has not read the ledger since its ClientCertificate was deleted or revoked",
    Verdict.NO_INGRESS: "there is no such Ingress",
    Verdict.INGRESS_NOT_SAID: "the Ingress does not say its name, and another one of its namespace has an access list",
    Verdict.LIST_NOT_READ: "doorward.io/allow of the Ingress cannot be read, so it selects nobody",
    Verdict.NOT_SELECTED: "doorward.io/allow of the Ingress does not select the client",
}
NOT_TOLD = "the operator has not said yet whether this Ingress is protected"
OLD_BUNDLE = "the gate may hold an older CRL than the one that is published: see `doorward status`"
NO_BUNDLE = "the CRL ConfigMap of the issuer cannot be read"
ANOTHER = "annotations of the Ingress let something else than Doorward's gate service decide, too"
NO_CLIENT = "its ClientCertificate cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one certificate at one Ingress."""

    told: str
    """The reason that the operator wrote onto the Ingress; empty: none yet."""
    message: str = ""
    """And its message."""
    current: bool = True
    """Whether the gate holds what the issuer publishes."""
    handshake: Refusal | None
    """What the published bundle refuses it for; None: it passes."""
    bundle_read: bool = True
    """Whether that bundle could be read."""
    asked: Verdict | None
    """What the gate service answers; None: it is not asked."""
    client_unread: bool = False
    """The ClientCertificate could not be read, so nothing is known of it."""
    another: bool = False
    """Something else is asked as well."""


def decide(seen: Seen) -> Access:
    """Admitted, refused, or not clear."""
    if seen.told in CLOSED:
        return Access(answer=Answer.REFUSED, rule=Rule.GATE, why=seen.message or seen.told)
    if seen.told not in AS_THE_RULES_SAY:
        return _unclear(Rule.GATE, f"{seen.told}: {seen.message}" if seen.told else NOT_TOLD)
    if isinstance(seen.handshake, Refusal) and seen.current:
        return Access(answer=Answer.REFUSED, rule=Rule.HANDSHAKE, why=HANDSHAKE[seen.handshake])
    if seen.asked is Verdict.CLIENT_GONE and seen.client_unread:
        return _unclear(Rule.GATE_SERVICE, NO_CLIENT)
    if seen.asked not in (None, Verdict.ADMITTED):
        return Access(answer=Answer.REFUSED, rule=Rule.GATE_SERVICE, why=GATE_SERVICE[seen.asked])
    if isinstance(seen.handshake, Refusal):
        return _unclear(Rule.HANDSHAKE, OLD_BUNDLE)
    if not seen.bundle_read:
        return _unclear(Rule.HANDSHAKE, NO_BUNDLE)
    if seen.another:
        return _unclear(Rule.GATE, ANOTHER)
    if seen.asked is None:
        return Access(
            answer=Answer.ADMITTED, rule=Rule.HANDSHAKE, why="the handshake alone decides here, and it passes"
        )
    return Access(answer=Answer.ADMITTED, rule=Rule.GATE_SERVICE, why="the ledger and the ClientCertificate admit it")


def _unclear(rule: Rule, why: str) -> Access:
    return Access(answer=Answer.UNCLEAR, rule=rule, why=why)

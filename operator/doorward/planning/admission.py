"""The rule of the gate service: whether a request gets in, by what is known of its certificate at that moment.

It is an allow-list. A certificate that the ledger of the gate's issuer does not know gets in nowhere, whoever signed it.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from doorward.objects.meta import ObjectKey
from doorward.planning.entitlement import CutOff, stands_behind

FRESH = timedelta(seconds=90)
"""The API server sends a bookmark every minute. For so long after the last one, nothing that was said is taken for old."""


class Verdict(StrEnum):
    """What a request is told, and why; as metrics and logs name it."""

    # Enum's own is made in Python, and each answer is counted by its verdict.
    __hash__ = str.__hash__

    ADMITTED = "admitted"
    NOT_READ = "not_read"
    """The question is not one that its proxy asks."""
    NOT_VERIFIED = "not_verified"
    """The proxy did not verify a certificate."""
    NOT_SYNCED = "not_synced"
    """This replica has not heard of all objects yet."""
    STALE = "stale"
    """The API server was not heard of for too long."""
    NO_ISSUER = "no_issuer"
    """There is no such MTLSIssuer."""
    NOT_ISSUED = "not_issued"
    """The ledger of the gate's issuer has no record of the certificate."""
    HELD = "held"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DISTRUSTED = "distrusted"
    """The CA generation that signed it is in `spec.ca.distrust`."""
    CLIENT_GONE = "client_gone"
    """There is no such ClientCertificate, or it names another issuer now."""
    CLIENT_DELETED = CutOff.DELETED.value
    CLIENT_REVOKED = CutOff.REVOKED.value
    CLIENT_SUSPENDED = CutOff.SUSPENDED.value
    LEDGER_BEHIND = "ledger_behind"
    """The ClientCertificate was deleted or revoked, and is there again. What was refused then is not known yet."""
    NO_INGRESS = "no_ingress"
    """There is no such Ingress as the one that the proxy names, so it is not known whom it admits."""
    INGRESS_NOT_SAID = "ingress_not_said"
    """The proxy does not say which Ingress asks, as before there were access lists, and one of its namespace has a list."""
    LIST_NOT_READ = "list_not_read"
    """The Ingress's `doorward.io/allow` cannot be read."""
    NOT_SELECTED = "not_selected"
    """The Ingress's `doorward.io/allow` does not select the client."""


class IssuerKnown(Protocol):
    """What the rule reads of an MTLSIssuer."""

    @property
    def distrusted(self) -> frozenset[int]:
        """The CA generations of `spec.ca.distrust`."""
        ...

    @property
    def next_update(self) -> datetime | None:
        """Until when the published CRL is good, by the status; None: the status does not say."""
        ...

    @property
    def max_staleness(self) -> timedelta | None:
        """`spec.enforcement.maxStaleness`."""
        ...


class SerialKnown(Protocol):
    """What the rule reads of a ledger record."""

    @property
    def issuer(self) -> ObjectKey: ...

    @property
    def generation(self) -> int: ...

    @property
    def not_after(self) -> datetime: ...

    @property
    def refused(self) -> bool: ...

    @property
    def is_hold(self) -> bool: ...


class ClientKnown(Protocol):
    """What the rule reads of a ClientCertificate."""

    @property
    def issuer(self) -> ObjectKey: ...

    @property
    def cut_off(self) -> CutOff | None: ...


def verdict(
    issuer: IssuerKnown | None,
    serial: SerialKnown | None,
    client: ClientKnown | None,
    *,
    silence: timedelta,
    now: datetime,
) -> Verdict:
    """Whether a verified certificate gets in: `issuer` is the gate's, `serial` its record of that certificate, `client` the
    ClientCertificate that the record names. `silence` is the time since the API server was last heard of.
    """
    if issuer is None:
        return Verdict.NO_ISSUER
    if is_stale(issuer, silence, now):
        return Verdict.STALE
    if serial is None:
        return Verdict.NOT_ISSUED
    if serial.refused:
        return Verdict.HELD if serial.is_hold else Verdict.REVOKED
    if now >= serial.not_after:
        return Verdict.EXPIRED
    if serial.generation in issuer.distrusted:
        return Verdict.DISTRUSTED
    if client is None or not stands_behind(client.issuer, serial.issuer):
        return Verdict.CLIENT_GONE
    return Verdict(client.cut_off) if client.cut_off is not None else Verdict.ADMITTED


def is_stale(issuer: IssuerKnown, silence: timedelta, now: datetime) -> bool:
    """Whether what is known is too old to admit anybody.

    While the API server is away nobody can revoke, so the last known state holds for as long as the CRL does. Without a CRL
    nothing says for how long.
    """
    if issuer.max_staleness is not None and silence > max(issuer.max_staleness, FRESH):
        return True
    return silence > FRESH and (issuer.next_update is None or now >= issuer.next_update)

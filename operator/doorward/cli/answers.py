"""What a certificate is answered at each Ingress of a host."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.cli.host import Door, Host
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Presented
from doorward.planning import access, handshake
from doorward.planning.access import Access, Answer, Rule, Seen
from doorward.planning.handshake import Refusal, Shown

NO_GATE = "no Ingress of the host names an MTLSIssuer: nobody is asked for a certificate"
NOT_OPTED_IN = "this Ingress names no MTLSIssuer: the TLS handshake of the host alone decides"
NOT_READ = "the MTLSIssuer or its ledger cannot be read"
SEVERAL = "Ingresses of the host name different MTLSIssuers, and this one names none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One certificate at one Ingress."""

    door: Door
    issuer: ObjectKey | None
    """Whose bundle decides at the handshake."""
    access: Access
    crl: int
    """The number of the CRL that was looked at; 0: none was."""


def shown_by(record: Record) -> Shown:
    """The certificate of a ledger record."""
    return Shown(
        serial=record.serial,
        sha1=bytes.fromhex(record.sha1),
        not_before=record.not_before,
        not_after=record.not_after,
        generations={str(record.issuer): record.generation},
    )


def answers(host: Host, shown: Shown, now: datetime) -> Iterator[Answered]:
    """At each Ingress of the host."""
    for door in host.doors:
        if door.issuer is not None:
            yield _answered(door, door.issuer, _opted_in(host, door, door.issuer, shown, now), host)
        else:
            yield _unprotected(host, door, shown, now)


def _answered(door: Door, issuer: ObjectKey | None, given: Access, host: Host) -> Answered:
    trust = host.trust.get(issuer) if issuer is not None else None
    return Answered(door=door, issuer=issuer, access=given, crl=trust.number if trust is not None else 0)


def _opted_in(host: Host, door: Door, issuer: ObjectKey, shown: Shown, now: datetime) -> Access:
    if issuer in host.blind:
        return Access(answer=Answer.UNCLEAR, rule=Rule.GATE_SERVICE, why=NOT_READ)
    known, asked = host.knowledge.serials.find(shown.sha1, issuer), None
    question = door.target.question
    if question is not None:
        certificate = Presented(shown.sha1, shown.serial)
        asked = host.knowledge.answer(question, certificate, silence=timedelta(0), now=now).verdict
    return access.decide(
        Seen(
            told=door.told,
            message=door.message,
            current=host.current(door),
            handshake=_handshake(host, issuer, shown, now),
            bundle_read=issuer in host.trust,
            asked=asked,
            client_unread=any(each.client.namespace in host.unread for each in known),
            another=door.target.asks_another,
        )
    )


def _handshake(host: Host, issuer: ObjectKey, shown: Shown, now: datetime) -> Refusal | None:
    trust = host.trust.get(issuer)
    return None if trust is None else handshake.refusal(shown, str(issuer), trust, now)


def _unprotected(host: Host, door: Door, shown: Shown, now: datetime) -> Answered:
    """At an Ingress that has not opted in: it is under the handshake of the others at its host, if there are any."""
    if not host.issuers:
        return _answered(door, None, Access(answer=Answer.ADMITTED, rule=Rule.GATE, why=NO_GATE), host)
    if len(host.issuers) > 1:
        return _answered(door, None, Access(answer=Answer.UNCLEAR, rule=Rule.GATE, why=SEVERAL), host)
    (issuer,) = host.issuers
    protected = next(each for each in host.doors if each.issuer == issuer)
    seen = Seen(
        told=protected.told,
        message=protected.message,
        current=host.current(protected),
        handshake=_handshake(host, issuer, shown, now),
        bundle_read=issuer in host.trust,
        asked=None,
        another=door.target.asks_another,
    )
    given = access.decide(seen)
    if given.answer is Answer.ADMITTED:
        given = Access(answer=Answer.ADMITTED, rule=Rule.HANDSHAKE, why=NOT_OPTED_IN)
    return _answered(door, issuer, given, host)

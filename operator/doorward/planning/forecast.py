"""Who has access by what the objects say, once the operator has done all that follows: the same rule for the cluster as it is and
as it would be.

Between the two, `changes.py` says who gains and who loses access. Why somebody has none is said by every rule that is against it, so
that a client and an Ingress that are both new are both named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.api.limits import SHORTEST_LIFETIME
from doorward.objects.access_list import AccessList, Unreadable
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.pki.requests import ClientRequest
from doorward.planning import names
from doorward.planning.entitlement import CutOff
from doorward.planning.issuance import lifetime
from doorward.planning.permission import namespace_allowed, spec_problems
from doorward.planning.selection import is_selected, selectable_namespaces
from doorward.planning.terms import alt_names_of, subject_of
from doorward.planning.timing import at_least


class Rule(StrEnum):
    """What is against access; the names are for programs."""

    NO_INGRESS = "ingress"
    NO_HOST = "ingress-host"
    OTHER_ISSUER = "ingress-issuer"
    NO_ISSUER = "issuer"
    GATE_NOT_ALLOWED = "gates.allowedNamespaces"
    NO_CLIENT = "client"
    DELETED = "client-deleted"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NOT_ISSUED = "not-issued"
    LIST_NOT_READ = "access-list-unreadable"
    NOT_SELECTED = "access-list"


_CUT_OFF = {CutOff.DELETED: Rule.DELETED, CutOff.REVOKED: Rule.REVOKED, CutOff.SUSPENDED: Rule.SUSPENDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A ClientCertificate."""

    key: ObjectKey
    issuer: ObjectKey
    spec: ClientCertificateSpec | None
    """None: it cannot be read, and nothing is issued to it."""
    request: ClientRequest | None = None
    """What its CSR says, where it has one that can be read."""
    cut_off: CutOff | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An Ingress."""

    key: ObjectKey
    issuer: ObjectKey | None
    """None: it names none."""
    hosts: tuple[str, ...]
    access_list: AccessList | Unreadable | None = None
    wants_optional: bool = False


@dataclass(frozen=True, kw_only=True)
class World:
    """All that decides who has access, as it is, or as it would be."""

    issuers: Mapping[ObjectKey, MTLSIssuerSpec]
    clients: Mapping[ObjectKey, Client]
    doors: Mapping[ObjectKey, Door]
    labels: Mapping[str, Mapping[str, str]]
    """Of namespaces, as far as they are known."""
    records: Mapping[ObjectKey, tuple[Record, ...]] = field(default_factory=dict)
    """By ClientCertificate."""
    now: datetime
    asks: bool = True
    """Whether the gate service is installed, so that access lists are enforced."""

    @cached_property
    def issuers_at(self) -> Mapping[str, frozenset[ObjectKey]]:
        """By host, the issuers that Ingresses name there."""
        found: dict[str, set[ObjectKey]] = {}
        for door in self.doors.values():
            for host in door.hosts if door.issuer is not None else ():
                found.setdefault(host, set()).add(door.issuer)  # type: ignore[arg-type]  # it is one
        return {host: frozenset(issuers) for host, issuers in found.items()}

    def issuer_at(self, door: Door, host: str) -> ObjectKey | None:
        """Whose clients pass the TLS handshake there; None: nobody is asked for a certificate, or it is not clear.

        An Ingress that names no issuer is under the handshake of those at its host that do.
        """
        if door.issuer is not None:
            return door.issuer
        named = self.issuers_at.get(host, frozenset())
        return next(iter(named)) if len(named) == 1 else None

    def is_open(self, door: ObjectKey, host: str) -> bool:
        """Whether everybody has access there, without a certificate."""
        there = self.doors.get(door)
        if there is None or host not in there.hosts:
            return False
        if not self.issuers_at.get(host):
            return True
        issuer = self.issuer_at(there, host)
        spec = self.issuers.get(issuer) if issuer is not None else None
        if spec is None or (self._asked(spec) and there.issuer is not None):
            return False
        wanted = there.wants_optional or spec.ingress.verify_client == "optional"
        return wanted and spec.gates.allow_optional

    def _asked(self, spec: MTLSIssuerSpec) -> bool:
        return self.asks and spec.enforcement.mode == "EveryRequest"

    def against(self, client: ObjectKey, issuer: ObjectKey, door: ObjectKey, host: str) -> dict[Rule, str]:
        """What is against the access of a client of that issuer, each with a detail; nothing: it has access."""
        return dict(
            [
                *self._against_door(issuer, door, host),
                *self._against_client(client, issuer),
                *self._list(client, issuer, door),
            ]
        )

    def _against_door(self, issuer: ObjectKey, key: ObjectKey, host: str) -> Iterator[tuple[Rule, str]]:
        spec, door = self.issuers.get(issuer), self.doors.get(key)
        if spec is None:
            yield Rule.NO_ISSUER, ""
        if door is None:
            yield Rule.NO_INGRESS, ""
        elif host not in door.hosts:
            yield Rule.NO_HOST, ""
        elif self.issuer_at(door, host) != issuer:
            yield Rule.OTHER_ISSUER, str(door.issuer or "none")
        if spec is not None:
            allowed = namespace_allowed(
                spec.gates.allowed_namespaces, issuer, key.namespace, self.labels.get(key.namespace)
            )
            if allowed is False:
                yield Rule.GATE_NOT_ALLOWED, ""

    def _against_client(self, key: ObjectKey, issuer: ObjectKey) -> Iterator[tuple[Rule, str]]:
        client, spec = self.clients.get(key), self.issuers.get(issuer)
        if client is None or client.issuer != issuer:
            yield Rule.NO_CLIENT, ""
        elif client.cut_off is not None:
            yield _CUT_OFF[client.cut_off], ""
        elif spec is not None and not self._holds(client, spec) and (why := self._not_issued(client, spec)):
            yield Rule.NOT_ISSUED, why

    def _holds(self, client: Client, issuer: MTLSIssuerSpec) -> bool:
        """Whether it has a certificate that is good, or is again when its suspension is lifted."""
        return any(
            record.issuer == client.issuer and self._good(record) and record.generation not in issuer.ca.distrust
            for record in self.records.get(client.key, ())
        )

    def _good(self, record: Record) -> bool:
        held = record.revocation
        suspended = held is not None and held.is_hold and held.held_by == "Suspension"
        return self.now < record.not_after and (not record.refused or suspended)

    def _not_issued(self, client: Client, issuer: MTLSIssuerSpec) -> str:
        """Why no certificate is issued to it; empty: one is."""
        spec, namespace = client.spec, client.key.namespace
        if spec is None:
            return "its spec cannot be read"
        if (problem := next(spec_problems(spec), None)) is not None:
            return problem
        if spec.request is not None and client.request is None:
            return "spec.request cannot be read"
        rule = issuer.issuance.allowed_namespaces
        if namespace_allowed(rule, client.issuer, namespace, self.labels.get(namespace)) is False:
            return "issuance.allowedNamespaces of the MTLSIssuer does not include its namespace"
        allowed = issuer.issuance.allowed_subjects
        refused = names.first_refused(allowed, subject_of(spec), alt_names_of(spec), namespace)
        if refused is not None:
            return f"issuance.allowedSubjects of the MTLSIssuer: {refused}"
        algorithm = client.request.key_kind.algorithm.value if client.request else spec.private_key.algorithm
        if algorithm not in issuer.certificates.allowed_keys:
            return f"certificates.allowedKeys of the MTLSIssuer does not include {algorithm}"
        try:
            too_long = lifetime(spec, issuer) > at_least(issuer.certificates.max_duration, SHORTEST_LIFETIME)
        except ValueError as error:  # an issuer that the API server has not checked
            return f"certificates of the MTLSIssuer: {error}"
        longest = issuer.certificates.max_duration
        return f"its duration is longer than certificates.maxDuration {longest} of the MTLSIssuer" if too_long else ""

    def _list(self, key: ObjectKey, issuer: ObjectKey, at: ObjectKey) -> Iterator[tuple[Rule, str]]:
        client, spec, door = self.clients.get(key), self.issuers.get(issuer), self.doors.get(at)
        if client is None or spec is None or door is None or door.access_list is None or not self._asked(spec):
            return
        if isinstance(door.access_list, Unreadable):
            yield Rule.LIST_NOT_READ, door.access_list.fix
            return
        namespaces = selectable_namespaces(issuer, spec.gates.selectable_namespaces)
        if not is_selected(door.access_list, key, client.labels, namespaces):
            yield Rule.NOT_SELECTED, "" if key.namespace in namespaces else "namespace"

"""Who gains and who loses access between two states of a cluster: `doorward plan`.

Only what differs between the two is looked at: ten thousand clients at a thousand Ingresses are ten million questions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from doorward.objects.meta import ObjectKey
from doorward.planning.forecast import Rule, World

T = TypeVar("T")
Cause = tuple[str, ObjectKey]
"""An object that changes: its kind and key."""
OPEN, OPTIONAL = "ingress-issuer", "verify-client"
"""The rules by which everybody has access."""

_GAINED: Mapping[Rule, str] = {
    Rule.NO_INGRESS: "Ingress {door} is new",
    Rule.NO_HOST: "Ingress {door} serves this host now",
    Rule.OTHER_ISSUER: "Ingress {door} names MTLSIssuer {issuer} now (before: {detail})",
    Rule.NO_ISSUER: "MTLSIssuer {issuer} is new",
    Rule.GATE_NOT_ALLOWED: "gates.allowedNamespaces of MTLSIssuer {issuer} includes namespace {door.namespace} now",
    Rule.NO_CLIENT: "ClientCertificate {client} is new",
    Rule.DELETED: "ClientCertificate {client} is created again",
    Rule.REVOKED: "spec.revoked is no longer true: a new certificate is issued",
    Rule.SUSPENDED: "spec.suspended is no longer true: the same certificate is admitted again",
    Rule.NOT_ISSUED: "a certificate can be issued now (before: {detail})",
    Rule.LIST_NOT_READ: "doorward.io/allow of Ingress {door} can be read now",
    Rule.NOT_SELECTED: "doorward.io/allow of Ingress {door} selects the client now: {cause} changed",
}
_LOST: Mapping[Rule, str] = {
    Rule.NO_INGRESS: "Ingress {door} is deleted",
    Rule.NO_HOST: "Ingress {door} no longer serves this host",
    Rule.OTHER_ISSUER: "Ingress {door} no longer names MTLSIssuer {issuer} (now: {detail})",
    Rule.NO_ISSUER: "MTLSIssuer {issuer} is deleted",
    Rule.GATE_NOT_ALLOWED: "gates.allowedNamespaces of MTLSIssuer {issuer} no longer includes namespace {door.namespace}",
    Rule.NO_CLIENT: "ClientCertificate {client} is deleted",
    Rule.DELETED: "ClientCertificate {client} is deleted",
    Rule.REVOKED: "spec.revoked is true: its certificates are refused for good",
    Rule.SUSPENDED: "spec.suspended is true: its certificates are refused until it is false",
    Rule.NOT_ISSUED: "no certificate can be issued: {detail}",
    Rule.LIST_NOT_READ: "doorward.io/allow of Ingress {door} cannot be read: {detail}",
    Rule.NOT_SELECTED: "doorward.io/allow of Ingress {door} no longer selects the client: {cause} changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Somebody gains or loses access to a host, at one Ingress."""

    effect: Literal["gains", "loses"]
    client: ObjectKey | None
    """None: everybody, without a certificate."""
    host: str
    door: ObjectKey
    issuer: ObjectKey | None
    rules: tuple[str, ...]
    why: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, kw_only=True)
class Both:
    """A cluster as it is, and as it would be."""

    before: World
    after: World

    @cached_property
    def clients(self) -> frozenset[ObjectKey]:
        """Those that change."""
        return _changed(self.before.clients, self.after.clients)

    @cached_property
    def issuers(self) -> frozenset[ObjectKey]:
        """Those that change."""
        return _changed(self.before.issuers, self.after.issuers)

    @cached_property
    def doors(self) -> frozenset[ObjectKey]:
        """Those that change."""
        return _changed(self.before.doors, self.after.doors)

    @cached_property
    def all_doors(self) -> frozenset[ObjectKey]:
        return frozenset(self.before.doors) | frozenset(self.after.doors)

    @cached_property
    def affected(self) -> frozenset[ObjectKey]:
        """The doors that change, and all that share a host with one of them."""
        hosts = {host for key in self.doors for host in self.hosts(key)}
        return self.doors | {key for key in self.all_doors if not hosts.isdisjoint(self.hosts(key))}

    @cached_property
    def changed_at(self) -> Mapping[str, tuple[ObjectKey, ...]]:
        """By host, the doors that change."""
        found: dict[str, list[ObjectKey]] = {}
        for key in sorted(self.doors):
            for host in self.hosts(key):
                found.setdefault(host, []).append(key)
        return {host: tuple(keys) for host, keys in found.items()}

    def hosts(self, key: ObjectKey) -> frozenset[str]:
        """That a door serves, before or after."""
        return frozenset().union(*(d.hosts for world in self.worlds if (d := world.doors.get(key)) is not None))

    def issuers_of(self, key: ObjectKey) -> frozenset[ObjectKey]:
        """All that decide at a door, before or after."""
        named = (world.issuers_at.get(host, frozenset()) for world in self.worlds for host in self.hosts(key))
        return frozenset[ObjectKey]().union(*named)

    @property
    def worlds(self) -> tuple[World, World]:
        return self.before, self.after

    def causes(
        self, client: ObjectKey | None, issuers: Iterable[ObjectKey], door: ObjectKey, host: str
    ) -> tuple[Cause, ...]:
        """The objects whose change it is."""
        found: list[Cause] = []
        if client in self.clients and client is not None:
            found.append(("ClientCertificate", client))
        at_host = self.changed_at.get(host, ())
        found += (("Ingress", key) for key in at_host if key == door or (not found and door not in at_host))
        found += (("MTLSIssuer", key) for key in sorted(self.issuers.intersection(issuers)))
        for namespace in sorted({door.namespace, client.namespace if client is not None else door.namespace}):
            if self.before.labels.get(namespace) != self.after.labels.get(namespace):
                found.append(("Namespace", ObjectKey("", namespace)))
        return tuple(found)


def _changed(before: Mapping[ObjectKey, T], after: Mapping[ObjectKey, T]) -> frozenset[ObjectKey]:
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def access(both: Both) -> list[Change]:
    """Every change of access, by effect, client and host."""
    found = [*_of_everybody(both), *_of_clients(both)]
    return sorted(found, key=lambda each: (each.effect, each.client or ObjectKey("", ""), each.host, each.door))


def _of_everybody(both: Both) -> Iterator[Change]:
    """Hosts that somebody protects, before or after, and that are open in one of the two."""
    for key in both.all_doors if both.issuers else both.affected:
        for host in both.hosts(key):
            if not any(world.issuers_at.get(host) for world in both.worlds):
                continue
            was, becomes = (world.is_open(key, host) for world in both.worlds)
            if was != becomes:
                yield _everybody(both, key, host, opens=becomes)


def _everybody(both: Both, key: ObjectKey, host: str, *, opens: bool) -> Change:
    open_in, closed_in = (both.after, both.before) if opens else (both.before, both.after)
    issuer = min(closed_in.issuers_at.get(host, ()), default=None)
    optional = bool(open_in.issuers_at.get(host))
    return Change(
        effect="gains" if opens else "loses",
        client=None,
        host=host,
        door=key,
        issuer=issuer,
        rules=(OPTIONAL if optional else OPEN,),
        why=_opened(both, key, optional=optional) if opens else _closed(both, key, host, issuer),
        causes=both.causes(None, both.issuers_of(key), key, host),
    )


def _opened(both: Both, key: ObjectKey, *, optional: bool) -> str:
    if optional:
        return "a certificate is optional there now, and nobody is asked for one"
    if key not in both.before.doors:
        return f"Ingress {key} is new, and no Ingress of the host names an MTLSIssuer"
    return "no Ingress of the host names an MTLSIssuer any more: nobody is asked for a certificate"


def _closed(both: Both, key: ObjectKey, host: str, issuer: ObjectKey | None) -> str:
    there = both.after.doors.get(key)
    if there is None or host not in there.hosts:
        return f"Ingress {key} no longer serves this host"
    return (
        f"a certificate of MTLSIssuer {issuer} is needed there now" if issuer else "a certificate is needed there now"
    )


def _of_clients(both: Both) -> Iterator[Change]:
    by_issuer: dict[ObjectKey, set[ObjectKey]] = {}
    for world in both.worlds:
        for client in world.clients.values():
            by_issuer.setdefault(client.issuer, set()).add(client.key)
    relabelled = both.before.labels != both.after.labels
    for key in both.all_doors:
        for issuer in both.issuers_of(key):
            all_of_it = by_issuer.get(issuer, set())
            every = relabelled or issuer in both.issuers or key in both.affected
            for host in both.hosts(key):
                yield from _at(both, all_of_it if every else all_of_it & both.clients, issuer, key, host)


def _at(both: Both, clients: Iterable[ObjectKey], issuer: ObjectKey, door: ObjectKey, host: str) -> Iterator[Change]:
    if any(world.is_open(door, host) for world in both.worlds):
        return  # that is said of everybody
    for client in clients:
        was, becomes = (world.against(client, issuer, door, host) for world in both.worlds)
        if bool(was) == bool(becomes):
            continue
        texts, against = (_LOST, becomes) if becomes else (_GAINED, was)
        known = {"client": client, "issuer": issuer, "door": door, "cause": _selects(both, client, issuer, door)}
        yield Change(
            effect="loses" if becomes else "gains",
            client=client,
            host=host,
            door=door,
            issuer=issuer,
            rules=tuple(rule.value for rule in against),
            why="; ".join(texts[rule].format(**known, detail=detail) for rule, detail in against.items()),
            causes=both.causes(client, (issuer,), door, host),
        )


def _selects(both: Both, client: ObjectKey, issuer: ObjectKey, door: ObjectKey) -> str:
    """What makes a list select other clients."""
    doors = [world.doors.get(door) for world in both.worlds]
    if len({each.access_list if each else None for each in doors}) > 1:
        return "the list"
    clients = [world.clients.get(client) for world in both.worlds]
    if len({each.labels if each else () for each in clients}) > 1:
        return f"labels of ClientCertificate {client}"
    return f"MTLSIssuer {issuer}"


def conflicts(world: World, doors: Iterable[ObjectKey]) -> list[str]:
    """Hosts of these doors at which several issuers are named: nothing is certain there."""
    found = {host for key in doors if key in world.doors for host in world.doors[key].hosts}
    several = {host: sorted(world.issuers_at[host]) for host in found if len(world.issuers_at.get(host, ())) > 1}
    return [
        f"host {host or '*'}: its Ingresses name different MTLSIssuers ({', '.join(map(str, issuers))}), so it is not clear"
        " whose clients have access"
        for host, issuers in sorted(several.items())
    ]

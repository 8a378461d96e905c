"""A host as it is seen from the cluster: its Ingresses, what the operator says of them, and all by which a client is let in there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from doorward.cli.errors import UserError
from doorward.cli.reading import Reader
from doorward.cli.status_view import dictionary, listed, records_of
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, Object
from doorward.gate_service.knowledge import Knowledge
from doorward.gates.interface import DataPlane, Target, issuer_of
from doorward.gates.registry import PLANES
from doorward.objects.crl_configmap import parse_configmap
from doorward.objects.ledger_record import Record
from doorward.objects.meta import GATE_ANNOTATION, ObjectKey, crl_configmap_name, key_of
from doorward.planning.handshake import Trust, trust_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One target of the host."""

    target: Target
    issuer: ObjectKey | None
    """None: it has not opted in, or names none."""
    told: str
    message: str
    """What the operator wrote onto it: a reason, and what it says."""


@dataclass(slots=True, kw_only=True)
class Host:
    """A host, and what decides there."""

    name: str
    doors: Sequence[Door]
    knowledge: Knowledge
    """As the gate service would have it."""
    records: dict[ObjectKey, list[Record]] = field(default_factory=dict)
    """By issuer."""
    bodies: dict[ObjectKey, Object] = field(default_factory=dict)
    """The MTLSIssuers that there are."""
    trust: dict[ObjectKey, Trust] = field(default_factory=dict)
    """What each publishes, as far as it may be read."""
    blind: set[ObjectKey] = field(default_factory=set)
    """Issuers that may not be read, or their ledgers."""
    unread: set[str] = field(default_factory=set)
    """Namespaces whose ClientCertificates may not be read."""

    @property
    def issuers(self) -> list[ObjectKey]:
        """Of its doors."""
        return sorted({door.issuer for door in self.doors if door.issuer is not None})

    def current(self, door: Door) -> bool:
        """Whether the gate holds what its issuer publishes, as the issuer says."""
        assert door.issuer is not None
        said = dictionary(dictionary(self.bodies.get(door.issuer)).get("status"))
        trust = self.trust.get(door.issuer)
        if trust is not None and dictionary(said.get("crl")).get("number") != trust.number:
            return False  # what the issuer says is older than what is published
        gates = (dictionary(each) for each in listed(said.get("gates")))
        return any(g.get("namespace") == door.target.key.namespace and g.get("state") == "Current" for g in gates)


async def look_at(reader: Reader, name: str) -> Host:
    """The host, with its Ingresses and their issuers; UserError where nothing serves it."""
    named = (urlsplit(name).hostname or "" if "//" in name else name).lower().rstrip(".")
    doors, knowledge = [], Knowledge()
    for plane in PLANES:
        bodies = {key_of(body): body for body in await _targets(reader, plane)}
        for body in bodies.values():
            knowledge.ingresses.take(body)
        targets = serving(named, map(plane.read, bodies.values()))
        doors += [_door(target, bodies[target.key]) for target in targets]
    if not doors:
        raise UserError(
            f"no Ingress serves the host {named}", "; ".join(reader.notes) or "see: kubectl get ingresses -A"
        )
    host = Host(name=named, doors=sorted(doors, key=lambda door: door.target.key), knowledge=knowledge)
    for issuer in host.issuers:
        await _learn(reader, host, issuer)
    return host


async def _targets(reader: Reader, plane: DataPlane) -> list[Object]:
    """All of them; only those of the namespace to look in where the others may not be listed."""
    found = await reader.list(plane.kind, None)
    if found is None and reader.namespace is not None:
        found = await reader.list(plane.kind, reader.namespace)
    return found or []


def serving(host: str, targets: Iterable[Target]) -> list[Target]:
    """Those that serve a host: by its name; else by the longest wildcard; else those without a host."""
    known = list(targets)
    wildcards = ["*" + host[at:] for at, char in enumerate(host) if char == "."]
    for name in (host, *wildcards, ""):
        if found := [target for target in known if name in target.hosts]:
            return found
    return []


def _door(target: Target, body: Object) -> Door:
    text = (body["metadata"].get("annotations") or {}).get(GATE_ANNOTATION, "")
    told, _, message = str(text).partition(": ")
    return Door(target=target, issuer=next(issuer_of(target), None), told=told, message=message)


async def _learn(reader: Reader, host: Host, issuer: ObjectKey) -> None:
    """The issuer, its ledger and its bundle."""
    body = await reader.get(ISSUER, issuer)
    if body is not None:
        host.bodies[issuer] = body
        host.knowledge.issuers.take(body)
    found = await reader.list(ISSUED_CERTIFICATE, issuer.namespace) or []
    if reader.was_denied(ISSUER, issuer.namespace) or reader.was_denied(ISSUED_CERTIFICATE, issuer.namespace):
        host.blind.add(issuer)
    host.records[issuer] = records_of(found, issuer)
    for each in found:
        host.knowledge.serials.take(each)
    bundle = await reader.get(CONFIG_MAP, ObjectKey(issuer.namespace, crl_configmap_name(issuer.name)))
    if bundle is not None:
        host.trust[issuer] = trust_of(parse_configmap(bundle), {r.generation for r in host.records[issuer]})


async def learn_clients(reader: Reader, host: Host, records: Iterable[Record]) -> None:
    """The ClientCertificates of these records, namespace by namespace."""
    for namespace in sorted({record.holder.namespace for record in records}):
        found = await reader.list(CLIENT_CERTIFICATE, namespace)
        if found is None:
            host.unread.add(namespace)
        for body in found or ():
            host.knowledge.clients.take(body)

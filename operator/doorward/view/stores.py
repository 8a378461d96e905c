"""What was last seen of the cluster, by kind; used from the operator's own event loop only.

Nothing here is the truth: every store can be filled again from the cluster.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from doorward.clock import Clock
from doorward.cluster.errors import NotFound
from doorward.cluster.gateway import Kind, Object
from doorward.cluster.store import Store
from doorward.objects import guarded_services
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, is_deleting, key_of
from doorward.planning import key_owner
from doorward.planning.entitlement import stands_behind
from doorward.view.archives import Archives
from doorward.view.ledger import Ledger
from doorward.view.parsed import (
    CertificateObject,
    IssuerObject,
    ca_of,
    gate_in,
    gate_of,
    metadata_only,
    namespace_only,
    password_secret,
    requested_key,
)
from doorward.view.sources import Sources, Unsynced
from doorward.view.surroundings import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """A kind of object by which a data plane opts in: what is kept of it, which issuer it names, and at which hosts."""

    kind: Kind
    keep: Callable[[Object], Object]
    issuer_of: Callable[[Object], Iterable[ObjectKey]]
    hosts_of: Callable[[Object], Iterable[str]]
    shared: Callable[[Object], object]
    """What of it matters to another one with the same host, as something that can be compared."""
    opens: Callable[[Object], Iterable[ObjectKey]]
    """The Services to which it lets clients without protection, or may do so."""
    guards: Callable[[Object], Iterable[ObjectKey]]
    """The Services in front of which it is to ask for a certificate."""
    exempt: Callable[[Object], Iterable[ObjectKey]]
    """The Services that it serves without one, since it says so."""
    catches_all: Callable[[Object], bool]
    """Whether it sets the trust bundle for clients that name no host."""


def parent_of(host: str) -> str:
    """The wildcard that a host falls under."""
    return "*." + host.partition(".")[2]


def _takes_part(target: TargetKind, body: Object) -> Iterable[str]:
    if any(True for _ in target.issuer_of(body)):
        yield body["metadata"]["namespace"]


ALL = "all"
"""The only entry of an index."""


def _catches_all(target: TargetKind, body: Object) -> Iterable[str]:
    if target.catches_all(body):
        yield ALL


def _guards_of(target: TargetKind, body: Object) -> Iterator[tuple[ObjectKey, ObjectKey]]:
    """Each issuer that it names, with each Service that it guards."""
    services = tuple(target.guards(body))
    return ((issuer, service) for issuer in target.issuer_of(body) for service in services)


def _hosts(target: TargetKind, body: Object) -> Iterable[str]:
    """One without a name is every host's, and shared with none in particular."""
    return filter(None, target.hosts_of(body))


def _wildcards(target: TargetKind, body: Object) -> Iterable[str]:
    return {parent_of(host) for host in _hosts(target, body)}


class View:
    """The stores of one operator."""

    def __init__(
        self, clock: Clock, *, account: str, scope: Iterable[str] = (), targets: Sequence[TargetKind] = ()
    ) -> None:
        self.account = account
        """The operator's own service account, `<namespace>:<name>`."""
        self.scope = frozenset(scope)
        """The namespaces that are served; none: all of them."""
        self.certificates: Store[CertificateObject] = Store(
            CertificateObject.parse,
            {
                "issuer": lambda c: (c.issuer,),
                "secret": lambda c: (c.secret,),
                "deleting": lambda c: (c.issuer,) if c.deleting else (),
                "password": password_secret,
                "namespace": lambda c: (c.secret.namespace,),
                "key": requested_key,
            },
        )
        self.issuers: Store[IssuerObject] = Store(
            IssuerObject.parse,
            {
                "namespace": lambda i: (i.key.namespace,),
                "gates in": lambda i: i.gates_in,
                "ca": lambda i: () if i.own_ca is None else (i.own_ca,),
            },
        )
        self.target_kinds = {target.kind.plural: target for target in targets}
        self.targets: dict[str, Store[Object]] = {
            target.kind.plural: Store(
                target.keep,
                {
                    "issuer": target.issuer_of,
                    "namespace": lambda body: (body["metadata"]["namespace"],),
                    "takes part": partial(_takes_part, target),
                    "host": partial(_hosts, target),
                    "wildcard": partial(_wildcards, target),
                    "opens": target.opens,
                    "guards": target.guards,
                    "guards of": partial(_guards_of, target),
                    "exempt": target.exempt,
                    "catches all": partial(_catches_all, target),
                },
            )
            for target in targets
        }
        """By the plural of their kind."""
        self.surroundings = Surroundings()
        self.ledger = Ledger()
        self.configmaps: Store[Object] = Store(lambda body: body)
        """CRLs, and the indexes of archives; no archive."""
        self.archives = Archives(self.configmaps)
        self.secrets: Store[Object] = Store(metadata_only, {"gate": gate_of, "gate in": gate_in, "ca": ca_of})
        self.namespaces: Store[Object] = Store(namespace_only)
        self.sources = Sources(clock)
        self.opted_in: dict[str, bool | None] = {}
        """By namespace, whether Secrets and ConfigMaps there may be read: True once listed, False where denied."""

    def held(self) -> int:
        """How many objects it holds, of the kinds that may be many."""
        many: tuple[Store[Any], ...] = (self.certificates, self.ledger.store, self.secrets, *self.targets.values())
        return sum(map(len, many))

    def serves(self, namespace: str) -> bool:
        """Whether the namespace is in scope: of any other, nothing can be called absent."""
        return not self.scope or namespace in self.scope

    def namespace_ends(self, namespace: str) -> bool:
        """Whether the namespace is being deleted: it takes no new object any more, and all that is in it goes."""
        found = self.namespaces.get(ObjectKey("", namespace))
        return found is not None and is_deleting(found)

    def is_out(self, client: CertificateObject) -> bool:
        """Whether all serials of the client are to be refused."""
        return client.out or self.namespace_ends(client.key.namespace)

    def signed_generations(self, issuer: ObjectKey) -> frozenset[int]:
        """The CA generations that have signed, by ledger and archive."""
        return self.ledger.generations(issuer) | self.archives.index(issuer).generations

    def is_barred(self, issuer: ObjectKey, public_key_sha256: str, client: ObjectKey) -> bool:
        """Whether the public key is never certified again for the client: an owner revoked it as keyCompromise, by ledger or archive."""
        if public_key_sha256 in self.archives.index(issuer).barred:
            return True
        return key_owner.is_barred(self.ledger.of_key(issuer, public_key_sha256), client)

    def askers(self, issuer: ObjectKey, public_key_sha256: str) -> tuple[ObjectKey, ...]:
        """The ClientCertificates whose request has that public key."""
        found = self.certificates.lookup("key", (issuer, public_key_sha256))
        return tuple(certificate.key for certificate in found)

    def unsynced(self) -> tuple[Unsynced, ...]:
        """The lists that this view is made from and that are not as the API server has them now."""
        return self.sources.unsynced()

    def takes_part(self, namespace: str) -> bool:
        """Whether something of ours is in the namespace, or is to be: a gate Secret counts until it is deleted."""
        return bool(
            self.certificates.lookup("namespace", namespace)
            or self.issuers.lookup("namespace", namespace)
            or self.issuers.lookup("gates in", namespace)
            or any(store.lookup("takes part", namespace) for store in self.targets.values())
            or self.secrets.lookup("gate in", namespace)
            or self._names_guarded(namespace)
        )

    def _names_guarded(self, namespace: str) -> bool:
        """Whether guarded Services are named there, which nobody but the operator can delete."""
        found = self.configmaps.get(ObjectKey(namespace, guarded_services.NAME))
        return found is not None and bool(found.get("data"))

    def targets_synced(self) -> bool:
        """Whether all targets were heard of; before that, none can be called absent."""
        return all(store.synced for store in self.targets.values())

    def certificate(self, key: ObjectKey) -> CertificateObject:
        """The ClientCertificate that is worked on; NotFound where it was deleted in the meantime."""
        found = self.certificates.get(key)
        if found is None:
            raise NotFound(f"ClientCertificate {key} was deleted while it was worked on")
        return found

    def targets_of(self, issuer: ObjectKey) -> Iterator[tuple[Kind, Object]]:
        """Every target that names the issuer, with its kind."""
        for plural, store in self.targets.items():
            for body in store.lookup("issuer", issuer):
                yield self.target_kinds[plural].kind, body

    def sharing(self, plural: str, key: ObjectKey, hosts: Iterable[str]) -> Iterator[Object]:
        """The other targets at these hosts, and those at a name that one of them stands for."""
        store = self.targets[plural]
        for host in filter(None, hosts):
            found = store.lookup("host", host)
            for body in (*found, *store.lookup("wildcard", host)) if host.startswith("*.") else found:
                if key_of(body) != key:
                    yield body

    def shared_by(self, plural: str, key: ObjectKey, hosts: Iterable[str]) -> Iterator[ObjectKey]:
        """The other targets that opted in and are at these hosts, or at a wildcard that one of them falls under."""
        kind = self.target_kinds[plural]
        hosts = frozenset(hosts)
        for body in self.sharing(plural, key, hosts | {parent_of(host) for host in hosts if host}):
            if any(True for _ in kind.issuer_of(body)):
                yield key_of(body)

    def open_at(self, plural: str, key: ObjectKey, service: ObjectKey) -> Iterator[Object]:
        """The other targets that let clients to the Service without protection, or may do so, by name."""
        store = self.targets[plural]
        for other in store.ordered("opens", service):
            if other != key and (body := store.get(other)) is not None:
                yield body

    def catching_all(self, plural: str, key: ObjectKey | None = None) -> ObjectKey | None:
        """The first other target that sets the trust bundle for clients that name no host."""
        return next((other for other in self.targets[plural].ordered("catches all", ALL) if other != key), None)

    def pending_again(self, issuer: ObjectKey, serials: AbstractSet[int], now: datetime) -> frozenset[int]:
        """Of the serials, those that no record refuses though their client is deleted, revoked or suspended: its own rules
        are about to refuse them again.
        """
        records = self.ledger.concerning(issuer, serials)
        admitted = (r for r in records if ((v := r.revocation) is None or v.lifted) and r.serial in serials)
        return frozenset(record.serial for record in admitted if record.live(now) and self._is_out(record))

    def _is_out(self, record: Record) -> bool:
        client = self.certificates.get(record.holder)
        return client is not None and stands_behind(client.issuer, record.issuer) and self.is_out(client)

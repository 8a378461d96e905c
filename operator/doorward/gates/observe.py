"""Targets and gates for rules to look at: what a host asks for, and what the gates of an issuer hold."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from doorward.api.issuer_parts import NamespaceRule
from doorward.api.kinds import MTLSIssuerSpec
from doorward.cluster.errors import ApiError, NotFound
from doorward.cluster.gateway import SECRET, Gateway, Object
from doorward.cluster.store import version_of
from doorward.gates.interface import Around, DataPlane, Target
from doorward.gates.memory import GateMemory, GateView, WantedBundle
from doorward.objects import closed_bundle, crl_configmap, trust_bundle
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.meta import ObjectKey, gate_secret_name, is_deleting, is_ours, parse_instant
from doorward.planning import timing
from doorward.planning.gate import GateObserved, handshake_alone, parse_reference, rival_of
from doorward.planning.observed import Gate, GateState, Unseen
from doorward.planning.openings import Neighbour, elsewhere
from doorward.planning.permission import namespace_allowed
from doorward.view.keys import Key
from doorward.view.reads import Reads
from doorward.view.stores import View

_UNSEEN = {Unseen.DENIED: GateState.DENIED, Unseen.ABSENT: GateState.ABSENT, Unseen.UNKNOWN: GateState.UNKNOWN}


class TargetObserver:
    """Looks at one target and the issuer that it names."""

    def __init__(self, view: View, reads: Reads, planes: Sequence[DataPlane]) -> None:
        self._view = view
        self._reads = reads
        self._planes = {plane.kind.plural: plane for plane in planes}

    def plane(self, key: Key) -> DataPlane:
        """The data plane of a target."""
        return self._planes[key.plural]

    def observe(self, key: Key) -> tuple[Object, GateObserved] | None:
        """The target as it is kept, and what it says and whom it names; None where it is not there."""
        view, at = self._view, key.at
        body = view.targets[key.plural].get(at)
        if body is None:
            return None
        target = self._planes[key.plural].read(body)
        seen = self._observed(target, body)
        return body, seen if seen.reference is None else self._among_others(key, target, body, seen)

    def _among_others(self, key: Key, target: Target, body: Object, seen: GateObserved) -> GateObserved:
        """With what others do at its hosts and Services; unknown while not all targets were heard of."""
        view, plane = self._view, self._planes[key.plural]
        if not (view.targets[key.plural].synced and view.surroundings.heard(plane.settings_at)):
            return replace(seen, rival=Unseen.UNKNOWN)
        sharing = tuple(view.sharing(key.plural, key.at, target.hosts))
        others = ((plane.read(other), other) for other in sharing)
        rivals = (self._observed(o, other) for o, other in others if o.reference is not None or o.overrides)
        openings = replace(
            plane.openings(body, sharing, self._around(plane)),
            catches_all=view.catching_all(key.plural, key.at),
            elsewhere=self._elsewhere(key, target, handshake_alone=handshake_alone(seen, asks=plane.asks)),
        )
        return replace(seen, rival=rival_of(seen, rivals), openings=openings, asks=plane.asks)

    def _around(self, plane: DataPlane) -> Around:
        around = self._view.surroundings
        at = plane.settings_at
        return Around(classes=around.by_class(), settings=around.settings.get(at) if at is not None else None)

    def _elsewhere(self, key: Key, target: Target, *, handshake_alone: bool) -> tuple[str, ObjectKey] | None:
        """A Service of the target to which another one lets clients without protection, and which."""
        plane, hosts = self._planes[key.plural], frozenset(target.hosts)
        for service in target.services:
            at = ObjectKey(key.at.namespace, service)
            others = (
                _neighbour(plane.read(other))
                for other in self._view.open_at(key.plural, key.at, at)
                if self._opens(plane, other)
            )
            if (found := elsewhere(hosts, others, handshake_alone=handshake_alone)) is not None:
                return service, found
        return None

    def _opens(self, plane: DataPlane, body: Object) -> bool:
        """Whether a target that may let clients to its Services without protection does."""
        target = plane.read(body)
        if target.opens:
            return True
        sharing = self._view.sharing(plane.kind.plural, target.key, target.hosts)
        return plane.openings(body, sharing, self._around(plane)).plain != ""

    def _observed(self, target: Target, body: Object) -> GateObserved:
        """One target by itself."""
        view, at = self._view, target.key
        issuer_at = parse_reference(target.reference, at.namespace) if target.reference is not None else None
        found = view.issuers.get(issuer_at) if issuer_at else None
        heard = view.issuers.synced_in(issuer_at.namespace if issuer_at else at.namespace)
        issuer: MTLSIssuerSpec | Unseen = Unseen.ABSENT if heard else Unseen.UNKNOWN
        allowed: bool | None = None
        gate = self._reads.secret_metadata(ObjectKey(at.namespace, gate_secret_name(issuer_at or at)))
        if found is not None and issuer_at is not None and not isinstance(found.spec, str):
            issuer = found.spec
            rule = issuer.gates.allowed_namespaces
            allowed = namespace_allowed(rule, issuer_at, at.namespace, self._reads.namespace_labels(at.namespace))
        return GateObserved(
            account=view.account,
            key=at,
            reference=target.reference,
            wants_optional=target.wants_optional,
            other_secret=target.other_secret,
            issuer=issuer,
            issuer_unread=found is not None and isinstance(found.spec, str),
            allowed=allowed,
            made_at=_made_at(body),
            # One that was deleted is on its way out: nothing is said of it.
            gate=gate if isinstance(gate, Unseen) else Unseen.UNKNOWN if is_deleting(gate) else _made_at(gate),
            foreign=not isinstance(gate, Unseen) and not is_ours(gate, crl_configmap.GATE_ROLE),
            fault=target.fault,
            overrides=target.overrides,
            unasked=target.unasked,
            access_list=target.access_list,
            set_by_others=target.set_by_others,
        )


def _neighbour(target: Target) -> Neighbour:
    return Neighbour(
        key=target.key,
        hosts=frozenset(target.hosts),
        opted_in=target.reference is not None,
        overrides=target.overrides,
    )


def _made_at(body: Object) -> datetime:
    return parse_instant(body["metadata"]["creationTimestamp"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at the gates of one issuer."""

    issuer: ObjectKey
    wanted: WantedBundle | None
    cas: Mapping[int, x509.Certificate]
    now: datetime


class GateObserver:
    """Looks at all gates of one issuer: namespaces with a target that names it, or with a bundle of it."""

    def __init__(self, view: View, gateway: Gateway, reads: Reads, planes: Sequence[DataPlane]) -> None:
        self._view = view
        self._gateway = gateway
        self._reads = reads
        self._planes = {plane.kind.plural: plane for plane in planes}

    async def observe(
        self,
        issuer: ObjectKey,
        rule: NamespaceRule | None,
        wanted: WantedBundle | None,
        cas: Mapping[int, x509.Certificate],
        known: Mapping[str, GateMemory],
        now: datetime,
    ) -> tuple[tuple[Gate, ...], dict[str, GateMemory]]:
        """The gates by namespace, and what is known of each from now on.

        `rule` says which namespaces may have one, None: the issuer's spec cannot be read; `wanted` is what is committed,
        None: nothing; `cas` are the CAs that CRLs are verified with; `known` is the memory of the last look.
        """
        look = _Look(issuer=issuer, wanted=wanted, cas=cas, now=now)
        targets = self._targets(issuer)
        gates, learned = [], {}
        for namespace in sorted(targets):
            at = ObjectKey(namespace, gate_secret_name(issuer))
            labels = self._reads.namespace_labels(namespace)
            allowed = None if rule is None else namespace_allowed(rule, issuer, namespace, labels)
            before = known.get(namespace, GateMemory())
            state, detail, memory = await self._state(look, at, before, allowed=allowed)
            absent = self._reads.secret_metadata(at) is Unseen.ABSENT
            if absent and self._view.namespace_ends(namespace):
                continue  # it takes no new Secret, and without one it lets nobody in
            idle = not targets[namespace] and self._view.targets_synced()
            memory = replace(memory, idle_since=(memory.idle_since or now) if idle else None)
            learned[namespace] = memory
            refusal = None if absent or state is GateState.CLOSED else memory.refused(now)
            gates.append(
                Gate(
                    namespace=namespace,
                    targets=tuple(sorted(name for _, name in targets[namespace])),
                    allowed=allowed,
                    state=state,
                    detail=detail or (refusal.detail if refusal is not None else ""),
                    shut=absent or state is GateState.CLOSED,
                    held=self._view.secrets.get(at) is not None,
                    removable_at=self._removable_at(memory, state),
                    left_alone_until=refusal.retry_at if refusal is not None and refusal.wait else None,
                    idle_until=None if memory.idle_since is None else memory.idle_since + timing.IDLE_GATE,
                    anchors_taken=self._anchors_taken(look, memory, state, targets[namespace]),
                    opens_from=memory.view.opens_from if memory.view is not None else 0,
                )
            )
        return tuple(gates), learned

    async def left(
        self, issuer: ObjectKey, known: Mapping[str, GateMemory], now: datetime
    ) -> tuple[tuple[Gate, ...], dict[str, GateMemory]]:
        """The gates of an issuer that is not there any more, which may admit nobody, and what is known of each from now on."""
        look = _Look(issuer=issuer, wanted=None, cas={}, now=now)
        gates, learned = [], {}
        for namespace in sorted(s["metadata"]["namespace"] for s in self._view.secrets.lookup("gate", issuer)):
            at = ObjectKey(namespace, gate_secret_name(issuer))
            state, detail, memory = await self._state(look, at, known.get(namespace, GateMemory()), allowed=False)
            learned[namespace] = memory
            removable_at = self._removable_at(memory, state)
            gates.append(
                Gate(
                    namespace=namespace,
                    targets=(),
                    allowed=False,
                    state=state,
                    detail=detail,
                    removable_at=removable_at,
                )
            )
        return tuple(gates), learned

    def _removable_at(self, memory: GateMemory, state: GateState) -> datetime | None:
        """From when a gate that is closed may be deleted: its data plane, whichever it is, has taken the bundle by then."""
        if state is not GateState.CLOSED or memory.closed is None:
            return None
        return memory.closed.at + max(plane.settling_time for plane in self._planes.values())

    def _targets(self, issuer: ObjectKey) -> dict[str, list[tuple[str, str]]]:
        """By namespace with a gate, or where one is asked for: the targets, as plural of the kind and name."""
        targets: dict[str, list[tuple[str, str]]] = {}
        for kind, body in self._view.targets_of(issuer):
            metadata = body["metadata"]
            targets.setdefault(metadata["namespace"], []).append((kind.plural, metadata["name"]))
        for secret in self._view.secrets.lookup("gate", issuer):
            targets.setdefault(secret["metadata"]["namespace"], [])
        for namespace in self._said_to_have_one(issuer):
            targets.setdefault(namespace, [])
        return targets

    def _said_to_have_one(self, issuer: ObjectKey) -> Iterator[str]:
        """Namespaces whose gate its status names, and which may still have it: no target may be left that names it."""
        found = self._view.issuers.get(issuer)
        for namespace in found.gates_in if found is not None else ():
            gone = self._view.namespaces.synced and self._view.namespaces.get(ObjectKey("", namespace)) is None
            if (
                not gone
                and self._reads.secret_metadata(ObjectKey(namespace, gate_secret_name(issuer))) is not Unseen.ABSENT
            ):
                yield namespace

    def _anchors_taken(
        self, look: _Look, memory: GateMemory, state: GateState, targets: list[tuple[str, str]]
    ) -> datetime | None:
        view, wanted = memory.view, look.wanted
        if state not in (GateState.CURRENT, GateState.STALE) or view is None or wanted is None or not targets:
            return None
        settles = max(self._planes[plural].settling_time for plural, _ in targets)
        return view.since + settles if view.anchors == wanted.bundle.anchors else None

    async def _state(
        self, look: _Look, at: ObjectKey, memory: GateMemory, *, allowed: bool | None
    ) -> tuple[GateState, str, GateMemory]:
        metadata = self._reads.secret_metadata(at)
        refusal = memory.refused(look.now)
        if refusal is not None and not (refusal.wait and (allowed or metadata is Unseen.ABSENT)):
            return GateState.NOT_CLOSED if refusal.wait else GateState.REFUSED, refusal.detail, memory
        if isinstance(metadata, Unseen):
            if metadata is Unseen.DENIED and self._is_as_we_closed_it(at, memory):
                return GateState.CLOSED, "", memory
            return _UNSEEN[metadata], "", replace(memory, view=None)
        if not is_ours(metadata, crl_configmap.GATE_ROLE):
            return GateState.FOREIGN, "a Secret of the gate's name is not Doorward's", memory
        view = memory.view
        if view is None or view.version != version_of(metadata):
            try:
                body = await self._gateway.get(SECRET, at.namespace, at.name)
            except NotFound:
                return GateState.UNKNOWN, "", memory  # the watch will tell
            except ApiError as error:  # of one gate, which must not stop the CRL of all others
                return GateState.UNREADABLE, f"Secret {at.name} cannot be read: {error}", memory
            view = await _view(look, body)
        memory = replace(memory, view=view)
        if memory.closed is not None and view.digest == memory.closed.digest:
            return GateState.CLOSED, "", memory
        if memory.closed is not None and closed_bundle.has_this_form(view.anchors):
            # Another process that believes that it leads closed it, too: each would write over the other's for ever.
            return GateState.CLOSED, "", replace(memory, closed=replace(memory.closed, digest=view.digest))
        # One that was deleted is not current, whatever it holds: it goes when others' finalizers do.
        current = look.wanted is not None and view.digest == look.wanted.digest and not is_deleting(metadata)
        return (GateState.CURRENT if current else GateState.STALE), "", memory

    def _is_as_we_closed_it(self, at: ObjectKey, memory: GateMemory) -> bool:
        """Where Secrets may not be listed and watched, and are written all the same: nothing newer was heard of."""
        known, view, closed = self._view.secrets.get(at), memory.view, memory.closed
        if known is None or view is None or closed is None:
            return False
        return view.version == version_of(known) and view.digest == closed.digest


async def _view(look: _Look, body: Object) -> GateView:
    since = crl_configmap.anchors_since(body, look.now)
    try:
        held = crl_configmap.parse_gate(body)
    except ValueError:
        return GateView(version_of(body), "broken", b"", since, 0)
    found = trust_bundle.digest(held)
    if look.wanted is not None and found == look.wanted.digest:
        return GateView(version_of(body), found, held.anchors, since, look.wanted.number)
    number, opens_from = await asyncio.to_thread(_numbers, held, look.cas)
    return GateView(version_of(body), found, held.anchors, since, number, opens_from)


def _numbers(held: TrustBundle, cas: Mapping[int, x509.Certificate]) -> tuple[int, int]:
    """The highest CRL number of ours in a bundle, and that of a bundle that admits nobody; 0: there is none."""
    return trust_bundle.newest_number(held, cas), closed_bundle.number_in(held)

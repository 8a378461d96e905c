"""Everything about one MTLSIssuer, for its rules to look at: its CA generations, what is published, what its gates hold."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import ISSUER, Gateway, Object
from doorward.controllers import authorities, rivals
from doorward.controllers.observe_ca import CaObserver
from doorward.controllers.reads import Reads
from doorward.controllers.seen import IssuerObject
from doorward.controllers.world import Committed, GateView, World, digest
from doorward.gates import ingress_nginx
from doorward.objects import crl_configmap
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours
from doorward.planning import timing
from doorward.planning.observed import Authority, Gate, GateState, IssuerObserved, Unseen
from doorward.planning.permission import namespace_allowed
from doorward.planning.trust import PublishedTrust

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TrustDomainObserver:
    """Looks at one MTLSIssuer and all that it hangs on."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock, reads: Reads) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock
        self._reads = reads
        self._cas = CaObserver(world, gateway, clock, reads)

    async def observe(self, key: ObjectKey) -> IssuerObserved | None:
        """Everything about an MTLSIssuer; None where there is none."""
        world = self._world
        found = world.issuers.get(key)
        if found is None:
            return None
        newest_at = self._cas.newest(found, key)
        authority, older = await self._cas.generations(found, key)
        committed = await self._committed(key)
        if authority is not Unseen.UNKNOWN:
            world.looked_at.add(key)
        rival = rivals.rival_of(world, key)
        if isinstance(rival, Unseen):
            authority, rival = rival, None
        return IssuerObserved(
            account=world.account,
            key=key,
            generation=found.body["metadata"].get("generation", 0),
            spec=found.spec,
            status=found.body.get("status") or {},
            ca_secret=newest_at[1].name,
            ca_names_taken=self._cas.names_taken(key),
            ca_generation=authority.generation if isinstance(authority, Authority) else newest_at[0],
            authority=authority,
            older=older,
            rival=rival,
            is_cluster_ca=await self._cas.is_clusters_own(authority, committed),
            records=world.records.lookup("issuer", key) if world.records.synced else Unseen.UNKNOWN,
            published=committed.published if isinstance(committed, Committed) else committed,
            kept_out=self._kept_out(key, committed),
            replaced=committed.replaced if isinstance(committed, Committed) else "",
            newest_numbers=self._newest_numbers(key),
            gates=await self._gates(found, key, committed),
            counts_due=world.counts_due.get(key, EPOCH),
            skew=await self._skew(key),
            overflow=world.overflows.get(key),
            put_back_at=world.put_back_at,
        )

    def _kept_out(self, key: ObjectKey, committed: Committed | Condition | Unseen) -> frozenset[int]:
        published = committed.published if isinstance(committed, Committed) else committed
        entries = published.entries if isinstance(published, PublishedTrust) else ()
        return self._world.kept_out(key, entries, self._clock.now())

    def _newest_numbers(self, key: ObjectKey) -> dict[int, int]:
        newest = self._world.newest_crls.get(key, {})
        held = self._world.authorities.get(key, {})
        keys = {generation: loaded.authority.public_key_sha256 for generation, loaded in held.items()}
        return {generation: newest[ca_key].number for generation, ca_key in keys.items() if ca_key in newest}

    async def _skew(self, key: ObjectKey) -> timedelta:
        """How far the clocks are apart; heard anew where it is too much, as nothing else may be asked meanwhile."""
        if timing.skewed(self._gateway.skew()):
            with suppress(ApiError):  # any answer has a date
                await self._gateway.list(ISSUER, key.namespace)
        return self._gateway.skew()

    async def _committed(self, key: ObjectKey) -> Committed | Condition | Unseen:
        """The bundle in the CRL ConfigMap, verified by the issuer's CAs."""
        world = self._world
        at = ObjectKey(key.namespace, crl_configmap_name(key.name))
        consent = world.consent.get(key.namespace)
        if consent is not True:
            return Unseen.DENIED if consent is False else Unseen.UNKNOWN
        body = world.configmaps.get(at)
        if body is None:
            if at in world.foreign_configmaps:
                return said("CrlForeign", configmap=at.name)
            return Unseen.ABSENT
        world.foreign_configmaps.discard(at)
        held = world.authorities.get(key, {})
        known, version = world.committed.get(key), version_of(body)
        if known is not None and known.version == version and known.cas == authorities.cas_of(held):
            return known
        committed = await asyncio.to_thread(authorities.verify, body, held, world.recorded(key), at.name)
        world.committed[key] = committed
        if isinstance(committed.published, PublishedTrust):
            authorities.remember(world, key, committed.published)
        return committed

    async def _gates(
        self, found: IssuerObject, key: ObjectKey, committed: Committed | Condition | Unseen
    ) -> tuple[Gate, ...]:
        world = self._world
        targets: dict[str, list[str]] = {}
        for ingress in world.ingresses.lookup("issuer", key):
            metadata = ingress["metadata"]
            targets.setdefault(metadata["namespace"], []).append(metadata["name"])
        for secret in world.secrets.lookup("gate", key):
            targets.setdefault(secret["metadata"]["namespace"], [])
        current = committed if isinstance(committed, Committed) else None
        gates = []
        for namespace, names in sorted(targets.items()):
            allowed = (
                None
                if isinstance(found.spec, str)
                else namespace_allowed(
                    found.spec.gates.allowed_namespaces, key, namespace, self._reads.namespace_labels(namespace)
                )
            )
            at = ObjectKey(namespace, gate_secret_name(key))
            state, detail = await self._gate_state(key, at, current)
            shut = self._reads.secret_metadata(at) is Unseen.ABSENT
            if shut and self._reads.namespace_ends(namespace):
                continue  # it takes no new Secret, and without one it lets nobody in
            gates.append(
                Gate(
                    namespace=namespace,
                    targets=tuple(sorted(names)),
                    allowed=allowed,
                    state=state,
                    detail=detail,
                    shut=shut,
                    anchors_taken=self._anchors_taken(at, state, current),
                )
            )
        return tuple(gates)

    def _anchors_taken(self, at: ObjectKey, state: GateState, current: Committed | None) -> datetime | None:
        view = self._world.gate_views.get(at)
        if state not in (GateState.CURRENT, GateState.STALE) or view is None or current is None:
            return None
        return view.since + ingress_nginx.TRUST_TAKEN if view.anchors == current.bundle.anchors else None

    async def _gate_state(self, key: ObjectKey, at: ObjectKey, current: Committed | None) -> tuple[GateState, str]:
        world = self._world
        refusal = world.gate_refusals.get(at)
        if refusal is not None and self._clock.now() < refusal.retry_at:
            return GateState.REFUSED, refusal.detail
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            states = {
                Unseen.DENIED: GateState.DENIED,
                Unseen.ABSENT: GateState.ABSENT,
                Unseen.UNKNOWN: GateState.UNKNOWN,
            }
            return states[metadata], ""
        if not is_ours(metadata, crl_configmap.GATE_ROLE):
            return GateState.FOREIGN, "a Secret of the gate's name is not Doorward's"
        known = world.gate_views.get(at)
        if known is None or known.version != version_of(metadata):
            body = await self._reads.secret(at)
            if isinstance(body, Unseen):
                return GateState.UNKNOWN, ""
            known = world.gate_views[at] = await self._view(key, body, current)
        return (GateState.CURRENT if current is not None and known.digest == current.digest else GateState.STALE), ""

    async def _view(self, key: ObjectKey, body: Object, current: Committed | None) -> GateView:
        since = crl_configmap.anchors_since(body, self._clock.now())
        try:
            held = crl_configmap.parse_gate(body)
        except ValueError:
            return GateView(version_of(body), "broken", b"", since, 0)
        found = digest(held)
        if current is not None and found == current.digest:
            number = current.number
        else:
            loaded = self._world.authorities.get(key, {})
            number = await asyncio.to_thread(authorities.newest_number, held, loaded)
        return GateView(version_of(body), found, held.anchors, since, number)

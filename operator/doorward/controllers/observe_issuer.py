"""Everything about one MTLSIssuer, for its rules to look at: its CA generations, what is published, what its gates hold."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUER, Gateway
from doorward.controllers import authorities, rivals
from doorward.controllers.reads import Reads
from doorward.controllers.world import (
    Committed,
    GateView,
    IssuerObject,
    LoadedCa,
    Object,
    World,
    digest,
)
from doorward.objects import crl_configmap
from doorward.objects.meta import (
    ObjectKey,
    ca_secret_name,
    crl_configmap_name,
    gate_secret_name,
    is_ours,
    issuer_of_ca_secret,
    key_of,
)
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import (
    load_certificates,
)
from doorward.planning import timing
from doorward.planning.observed import (
    Authority,
    Gate,
    GateState,
    IssuerObserved,
    Unseen,
)
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

    async def observe(self, key: ObjectKey) -> IssuerObserved | None:
        """Everything about an MTLSIssuer; None where there is none."""
        world = self._world
        found = world.issuers.get(key)
        if found is None:
            return None
        newest_at = self._newest_ca(found, key)
        authority, older = await self._authorities(found, key)
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
            ca_names_taken=max((number for number, _ in _numbered_names(world.secrets.lookup("ca", key))), default=0),
            ca_generation=authority.generation if isinstance(authority, Authority) else newest_at[0],
            authority=authority,
            older=older,
            rival=rival,
            is_cluster_ca=await self._is_cluster_ca(authority, committed),
            records=world.records.lookup("issuer", key) if world.records.synced else Unseen.UNKNOWN,
            published=committed.published if isinstance(committed, Committed) else committed,
            replaced=committed.replaced if isinstance(committed, Committed) else "",
            newest_numbers=self._newest_numbers(key),
            gates=await self._gates(found, key, committed),
            counts_due=world.counts_due.get(key, EPOCH),
            skew=await self._skew(key),
            overflow=world.overflows.get(key),
        )

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

    def _ca_secrets(self, found: IssuerObject, key: ObjectKey) -> list[tuple[int, ObjectKey]]:
        """The Secrets of the CA generations, oldest first; a person's own has no number yet.

        What is not ours is passed over, unless it stands where the only one should.
        """
        if found.own_ca is not None:
            return [(0, found.own_ca)]
        named = self._world.secrets.lookup("ca", key)
        ours = [metadata for metadata in named if is_ours(metadata, "ca")]
        first = [metadata for metadata in named if key_of(metadata).name == ca_secret_name(key.name, 1)]
        return sorted(_numbered_names(ours or first))

    def _newest_ca(self, found: IssuerObject, key: ObjectKey) -> tuple[int, ObjectKey]:
        at = self._ca_secrets(found, key)
        return at[-1] if at else (0, ObjectKey(key.namespace, ca_secret_name(key.name, 1)))

    async def _authorities(
        self, found: IssuerObject, key: ObjectKey
    ) -> tuple[Authority | Condition | Unseen, tuple[Authority, ...]]:
        """The newest CA generation, or what is wrong with its Secret; and those before it that can be used."""
        world = self._world
        newest = self._newest_ca(found, key)
        seen = self._reads.secret_metadata(newest[1])
        if isinstance(seen, Unseen):
            if seen is not Unseen.UNKNOWN:
                world.authorities.pop(key, None)
            return seen, ()
        views = [(generation, await self._ca(found, generation, at)) for generation, at in self._ca_secrets(found, key)]
        if any(isinstance(view, Unseen) for _, view in views):
            return next(view for _, view in views if isinstance(view, Unseen)), ()
        if found.own_ca is not None:
            views = [self._numbered(key, view) for _, view in views]
        usable = {generation: view for generation, view in views if isinstance(view, LoadedCa)}
        if usable:
            world.authorities[key] = usable
        else:
            world.authorities.pop(key, None)
        last = views[-1][1] if views else Unseen.ABSENT
        older = tuple(loaded.authority for _, loaded in sorted(usable.items()) if loaded is not last)
        return (last.authority if isinstance(last, LoadedCa) else last), older

    async def _ca(self, found: IssuerObject, generation: int, at: ObjectKey) -> LoadedCa | Condition | Unseen:
        world = self._world
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            return metadata
        known = world.ca_views.get(at)
        version, now = version_of(metadata), self._clock.now()
        if isinstance(known, LoadedCa) and known.version == version and now < known.authority.not_after:
            return known
        if isinstance(known, tuple) and known[0] == version and known[1].reason.name == "CaExpired":
            return known[1]
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        loaded = await asyncio.to_thread(
            authorities.load, body, generation=generation, generated=found.own_ca is None, name=at.name, now=now
        )
        world.ca_views[at] = loaded if isinstance(loaded, LoadedCa) else (version_of(body), loaded)
        return loaded

    def _numbered(
        self, key: ObjectKey, view: LoadedCa | Condition | Unseen
    ) -> tuple[int, LoadedCa | Condition | Unseen]:
        """A person's own CA, as the generation that its key is published as, or is to be."""
        if not isinstance(view, LoadedCa):
            return 0, view
        body = self._world.configmaps.get(ObjectKey(key.namespace, crl_configmap_name(key.name)))
        bundle = crl_configmap.parse_configmap(body) if body is not None else None
        number = authorities.number_of(view.authority.public_key_sha256, bundle, self._world.recorded(key))
        return number, replace(view, authority=replace(view.authority, generation=number))

    async def _is_cluster_ca(
        self, authority: Authority | Condition | Unseen, committed: Committed | Condition | Unseen
    ) -> bool:
        if not isinstance(authority, Authority) or authority.generated:
            return False
        if self._world.cluster_ca is None:
            try:
                self._world.cluster_ca = await self._cluster_cas()
            except (Forbidden, NotFound):
                published = committed.published if isinstance(committed, Committed) else None
                if not isinstance(published, PublishedTrust) or authority.generation not in published.anchors:
                    raise
                return False  # it was found to be none when it was published first, and cut-offs must go on
        return authority.public_key_sha256 in self._world.cluster_ca

    async def _cluster_cas(self) -> tuple[str, ...]:
        """SHA-256 of the public keys of the cluster's own client CAs."""
        body = await self._gateway.get(CONFIG_MAP, "kube-system", "extension-apiserver-authentication")
        data = body.get("data") or {}
        pems = [data.get("client-ca-file"), data.get("requestheader-client-ca-file")]
        found = [c for pem in pems if pem for c in load_certificates(pem.encode())]
        return tuple(public_key_sha256(c.public_key()) for c in found)

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
            state, detail = await self._gate_state(at, current)
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
                    anchors_since=self._anchors_since(at, state, current),
                )
            )
        return tuple(gates)

    def _anchors_since(self, at: ObjectKey, state: GateState, current: Committed | None) -> datetime | None:
        view = self._world.gate_views.get(at)
        if state not in (GateState.CURRENT, GateState.STALE) or view is None or current is None:
            return None
        return view.since if view.anchors == current.bundle.anchors else None

    async def _gate_state(self, at: ObjectKey, current: Committed | None) -> tuple[GateState, str]:
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
            known = world.gate_views[at] = self._view(body)
        return (GateState.CURRENT if current is not None and known.digest == current.digest else GateState.STALE), ""

    def _view(self, body: Object) -> GateView:
        since = crl_configmap.anchors_since(body, self._clock.now())
        try:
            held = crl_configmap.parse_gate(body)
        except ValueError:
            return GateView(version_of(body), "broken", b"", since)
        return GateView(version_of(body), digest(held), held.anchors, since)


def _numbered_names(secrets: Iterable[Object]) -> Iterator[tuple[int, ObjectKey]]:
    """The generations that the names of these Secrets stand for."""
    for metadata in secrets:
        if (parsed := issuer_of_ca_secret(key_of(metadata))) is not None:
            yield parsed[1], key_of(metadata)

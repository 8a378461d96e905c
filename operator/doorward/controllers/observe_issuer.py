"""Everything about one MTLSIssuer, for its rules to look at: its CA, what is published, what its gates hold."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import CONFIG_MAP, ISSUER, Gateway
from doorward.controllers import authorities, rivals
from doorward.controllers.reads import Reads
from doorward.controllers.world import (
    Committed,
    IssuerObject,
    LoadedCa,
    World,
    digest,
)
from doorward.objects import crl_configmap
from doorward.objects.meta import (
    ObjectKey,
    crl_configmap_name,
    gate_secret_name,
    is_ours,
)
from doorward.pki.crls import PublishedCrl
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
        name = found.ca_secret.name
        authority = await self._authority(found, found.ca_secret, key)
        committed = await self._committed(key)
        if authority is not Unseen.UNKNOWN:
            world.looked_at.add(key)
        rival = rivals.rival_of(world, key)
        if isinstance(rival, Unseen):
            authority, rival = rival, None
        newest = world.newest_crl.get(key)
        sha256 = authority.sha256 if isinstance(authority, Authority) else ""
        return IssuerObserved(
            account=world.account,
            key=key,
            generation=found.body["metadata"].get("generation", 0),
            spec=found.spec,
            status=found.body.get("status") or {},
            ca_secret=name,
            authority=authority,
            rival=rival,
            is_cluster_ca=await self._is_cluster_ca(authority),
            records=world.records.lookup("issuer", key) if world.records.synced else Unseen.UNKNOWN,
            published=committed.published if isinstance(committed, Committed) else committed,
            replaced=committed.replaced if isinstance(committed, Committed) else "",
            newest_number=newest[1].number if newest and newest[0] == sha256 else 0,
            gates=await self._gates(found, key, committed),
            counts_due=world.counts_due.get(key, EPOCH),
            skew=await self._skew(key),
            overflow=world.overflows.get(key),
        )

    async def _skew(self, key: ObjectKey) -> timedelta:
        """How far the clocks are apart; heard anew where it is too much, as nothing else may be asked meanwhile."""
        if timing.skewed(self._gateway.skew()):
            with suppress(ApiError):  # any answer has a date
                await self._gateway.list(ISSUER, key.namespace)
        return self._gateway.skew()

    async def _authority(self, found: IssuerObject, at: ObjectKey, key: ObjectKey) -> Authority | Condition | Unseen:
        world = self._world
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            if metadata is not Unseen.UNKNOWN:
                world.authorities.pop(key, None)
            return metadata
        known = world.authorities.get(key)
        version = version_of(metadata)
        now = self._clock.now()
        if isinstance(known, LoadedCa) and known.version == version and now < known.authority.not_after:
            return known.authority
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        generated = not isinstance(found.spec, str) and found.spec.ca.generate is not None
        loaded = await asyncio.to_thread(authorities.load, body, generated=generated, name=at.name, now=now)
        if isinstance(loaded, Condition):
            world.authorities.pop(key, None)
            return loaded
        world.authorities[key] = loaded
        return loaded.authority

    async def _is_cluster_ca(self, authority: Authority | Condition | Unseen) -> bool:
        if not isinstance(authority, Authority) or authority.generated:
            return False
        if self._world.cluster_ca is None:
            body = await self._gateway.get(CONFIG_MAP, "kube-system", "extension-apiserver-authentication")
            data = body.get("data") or {}
            pems = [data.get("client-ca-file"), data.get("requestheader-client-ca-file")]
            found = [c for pem in pems if pem for c in load_certificates(pem.encode())]
            self._world.cluster_ca = tuple(public_key_sha256(c.public_key()) for c in found)
        return authority.public_key_sha256 in self._world.cluster_ca

    async def _committed(self, key: ObjectKey) -> Committed | Condition | Unseen:
        """The bundle in the CRL ConfigMap, verified by the issuer's CA."""
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
        loaded = world.authorities.get(key)
        if not isinstance(loaded, LoadedCa):
            return said("NotPublished", configmap=at.name, detail="there is no CA to check it with")
        known, version = world.committed.get(key), version_of(body)
        if known is not None and known.version == version and known.ca == loaded.authority.sha256:
            return known
        committed = await asyncio.to_thread(authorities.verify, body, loaded, at.name)
        world.committed[key] = committed
        if isinstance(committed.published, PublishedCrl):
            authorities.remember(world, key, loaded.authority.sha256, committed.published)
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
        current = committed.digest if isinstance(committed, Committed) else None
        gates = []
        for namespace, names in sorted(targets.items()):
            allowed = (
                None
                if isinstance(found.spec, str)
                else namespace_allowed(
                    found.spec.gates.allowed_namespaces, key, namespace, self._reads.namespace_labels(namespace)
                )
            )
            state, detail = await self._gate_state(ObjectKey(namespace, gate_secret_name(key)), current)
            gates.append(
                Gate(namespace=namespace, targets=tuple(sorted(names)), allowed=allowed, state=state, detail=detail)
            )
        return tuple(gates)

    async def _gate_state(self, at: ObjectKey, current: str | None) -> tuple[GateState, str]:
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
        if known is None or known[0] != version_of(metadata):
            body = await self._reads.secret(at)
            if isinstance(body, Unseen):
                return GateState.UNKNOWN, ""
            try:
                held = digest(crl_configmap.parse_gate(body))
            except ValueError:
                held = "broken"
            known = world.gate_views[at] = (version_of(body), held)
        return (GateState.CURRENT if known[1] == current else GateState.STALE), ""

"""Everything about one MTLSIssuer, for its rules to look at: its CA generations, what is published, what its gates hold."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.clock import Clock
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import CONFIG_MAP, ISSUER, Gateway, Object, get_if_there
from doorward.cluster.store import version_of
from doorward.gates.interface import DataPlane
from doorward.gates.observe import GateObserver
from doorward.issuers import crl_only
from doorward.issuers.ca_secrets import CaObserver
from doorward.issuers.ca_witness import CaWitness
from doorward.issuers.conflicts import owner_of_key
from doorward.issuers.memory import Committed, IssuerMemories, IssuerMemory
from doorward.objects import ca_proof, crl_configmap, trust_bundle
from doorward.objects.crl_configmap import CRL_ROLE, TrustBundle
from doorward.objects.meta import ObjectKey, crl_configmap_name, is_ours
from doorward.pki.certificates import CertificateAuthority
from doorward.planning import left_out, timing
from doorward.planning.gone import IssuerGone
from doorward.planning.observed import Authority, Gate, IssuerObserved, Unseen
from doorward.view.parsed import IssuerObject
from doorward.view.reads import Reads
from doorward.view.stores import View

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IssuerObserver:
    """Looks at one MTLSIssuer and all that it hangs on. It changes nothing: what it learned is in its answer."""

    def __init__(
        self, view: View, gateway: Gateway, clock: Clock, memories: IssuerMemories, planes: Sequence[DataPlane]
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._clock = clock
        self._memories = memories
        self._reads = Reads(view, gateway)
        self._cas = CaObserver(view, gateway, self._reads)
        self._witness = CaWitness(view, gateway, self._reads)
        self._gates = GateObserver(view, gateway, self._reads, planes)

    async def observe(
        self,
        key: ObjectKey,
        memory: IssuerMemory,
        rolled_back_at: datetime | None,
        troubled_targets: tuple[str, ...] = (),
        archiving: str = "",
    ) -> tuple[IssuerObserved, IssuerMemory] | None:
        """Everything about an MTLSIssuer, and what is remembered of it from now on; None where there is none.

        `rolled_back_at`: when this process noticed that the cluster was rolled back; `troubled_targets`: what it cannot
        configure; `archiving`: why it cannot archive records.
        """
        view, now = self._view, self._clock.now()
        found = view.issuers.get(key)
        if found is None:
            return None
        bundle = self._bundle(key)
        signed = view.signed_generations(key)
        witnessed = await self._witnessed(found, key, memory, bundle, signed)
        remembered = memory.published_keys() if isinstance(witnessed, Unseen) else witnessed
        proof = ca_proof.of(bundle, remembered, memory.made, signed)
        newest_at = self._cas.newest(found, key, proof)
        authority, older, memory = await self._cas.generations(found, key, memory, proof, now)
        authority = witnessed if isinstance(witnessed, Unseen) else authority
        published, memory = await self._committed(key, memory)
        memory = replace(memory, looked_at=memory.looked_at or authority is not Unseen.UNKNOWN)
        rival = owner_of_key(view, self._memories, key, memory)
        if isinstance(rival, Unseen):
            authority, rival = rival, None
        committed = memory.committed if isinstance(published, Committed) else None
        trust = committed.trust if committed is not None else None
        is_cluster_ca = await self._cas.is_clusters_own(authority, memory, now)
        if (
            isinstance(authority, Authority)
            and rival is None
            and not is_cluster_ca
            and _is_trusted(found, authority, bundle)
        ):
            older, memory = crl_only.used(found, authority, memory)
        newest = _newest(authority, memory)
        gates, memory = await self._look_at_gates(found, key, committed, memory)
        observed = IssuerObserved(
            account=view.account,
            key=key,
            generation=found.body["metadata"].get("generation", 0),
            spec=found.spec,
            status=found.body.get("status") or {},
            ca_secret=newest_at[1].name,
            ca_names_taken=self._cas.names_taken(key, proof),
            ca_generation=authority.generation if isinstance(authority, Authority) else newest_at[0],
            authority=authority,
            older=older,
            rival=rival,
            is_cluster_ca=is_cluster_ca,
            records=view.ledger.of_issuer(key),
            published=published.published if isinstance(published, Committed) else published,
            kept_out=view.pending_again(
                key, trust.entries.keys() if trust is not None else frozenset(), self._clock.now()
            ),
            replaced=committed.replaced if committed is not None else "",
            newest_numbers=_newest_numbers(memory),
            newest_number=max((crl.number for crl in memory.newest_crls.values()), default=0),
            gates=gates,
            troubled_targets=troubled_targets,
            counts_due=memory.counts_due or EPOCH,
            skew=await self._skew(key),
            overflow=memory.overflow,
            closed=bundle.closed if bundle is not None else {},
            known={**bundle.known, **bundle.generations} if bundle is not None else {},
            identities=bundle.identities if bundle is not None else {},
            unproven=self._cas.unproven(found, key, proof),
            not_restored=min(memory.not_restored, default=0),
            unused=newest.unused if newest is not None else (),
            followed_at=newest.followed_at if newest is not None else None,
            gates_known=view.targets_synced(),
            unsynced=self._unsynced(key, gates),
            put_back_at=rolled_back_at,
            archive=view.archives.index(key),
            archiving=archiving,
        )
        return observed, memory

    async def _witnessed(
        self,
        found: IssuerObject,
        key: ObjectKey,
        memory: IssuerMemory,
        bundle: TrustBundle | None,
        signed: frozenset[int],
    ) -> Mapping[int, str] | Unseen:
        """The keys of the CA generations by number, as this process remembers them; where ConfigMap, ledger and memory have
        none, as the gates do.
        """
        remembered = memory.published_keys()
        heard = self._view.opted_in.get(key.namespace) is True and self._view.ledger.synced_in(key.namespace)
        if found.own_ca is not None or bundle is not None or remembered or memory.made or signed or not heard:
            return remembered
        return await self._witness.numbers(key)

    def _bundle(self, key: ObjectKey) -> TrustBundle | None:
        """What the CRL ConfigMap says, before anything of it is verified; None: there is none of ours."""
        body = self._view.configmaps.get(ObjectKey(key.namespace, crl_configmap_name(key.name)))
        return crl_configmap.parse_configmap(body) if body is not None and is_ours(body, CRL_ROLE) else None

    def _unsynced(self, key: ObjectKey, gates: tuple[Gate, ...]) -> tuple[str, ...]:
        """The lists that fail for a while already: of the whole cluster, of the issuer's namespace, and of its gates'."""
        concerned = {"", key.namespace, *(gate.namespace for gate in gates)}
        return tuple(str(u) for u in self._view.unsynced() if u.reported and u.namespace in concerned)

    async def _skew(self, key: ObjectKey) -> timedelta:
        """How far the clocks are apart; asked again where it is too much, as nothing else may be asked in the meantime."""
        if timing.skewed(self._gateway.skew()):
            with suppress(ApiError):  # any answer has a date
                await self._gateway.list(ISSUER, key.namespace)
        return self._gateway.skew()

    async def _committed(
        self, key: ObjectKey, memory: IssuerMemory
    ) -> tuple[Committed | Condition | Unseen, IssuerMemory]:
        """The bundle in the CRL ConfigMap, verified by the issuer's CAs."""
        view = self._view
        at = ObjectKey(key.namespace, crl_configmap_name(key.name))
        opted_in = view.opted_in.get(key.namespace)
        if opted_in is not True:
            return Unseen.DENIED if opted_in is False else Unseen.UNKNOWN, memory
        body = view.configmaps.get(at)
        if body is None:
            if memory.configmap_unmanaged and await self._is_unmanaged(at):
                again = self._clock.now() + timing.UNMANAGED_AGAIN
                return said("CrlUnmanaged", configmap=at.name).until(again), memory
            return Unseen.ABSENT, replace(memory, configmap_unmanaged=False)
        memory = replace(memory, configmap_unmanaged=False)
        known, version = memory.committed, version_of(body)
        # What could not be built on is tried again: a record of its generation may have been heard of since.
        if known is None or (known.version, known.cas) != (version, memory.cas()) or known.trust is None:
            known = await asyncio.to_thread(_verify, body, memory, view.signed_generations(key), at.name)
            memory = replace(memory, committed=known)
            if known.trust is not None:
                memory = memory.with_trust(known.trust)
        return known, memory

    async def _is_unmanaged(self, at: ObjectKey) -> bool:
        """Whether a ConfigMap of that name is there and not ours: such a one is not watched, so the API server is asked."""
        body = await get_if_there(self._gateway, CONFIG_MAP, at)
        return body is not None and not is_ours(body, CRL_ROLE)

    async def _look_at_gates(
        self, found: IssuerObject, key: ObjectKey, committed: Committed | None, memory: IssuerMemory
    ) -> tuple[tuple[Gate, ...], IssuerMemory]:
        rule = None if isinstance(found.spec, str) else found.spec.gates.allowed_namespaces
        wanted = committed.wanted() if committed is not None else None
        gates, known = await self._gates.observe(
            key, rule, wanted, memory.certificates(), memory.gates, self._clock.now()
        )
        return gates, replace(memory, gates=known)

    async def gone(self, key: ObjectKey, memory: IssuerMemory) -> tuple[IssuerGone, IssuerMemory]:
        """An issuer that is not in its store, and its gates; and what is remembered of them from now on."""
        view, now = self._view, self._clock.now()
        if not view.serves(key.namespace):
            return IssuerGone(sure=False, gates=()), memory
        gates, known = await self._gates.left(key, memory.gates, now)
        heard = bool(gates) and view.issuers.synced_in(key.namespace)
        sure = heard and await self._reads.by_name(ISSUER, key) is Unseen.ABSENT
        return IssuerGone(sure=sure, gates=gates), replace(memory, gates=known)


def _newest(newest: Authority | Condition | Unseen, memory: IssuerMemory) -> CertificateAuthority | None:
    """The newest CA as it was loaded."""
    loaded = memory.held.get(newest.generation) if isinstance(newest, Authority) else None
    return loaded.signer if loaded is not None else None


def _is_trusted(found: IssuerObject, newest: Authority, bundle: TrustBundle | None) -> bool:
    """Whether no person distrusts its key."""
    keys = {**bundle.known, **bundle.closed, **bundle.generations} if bundle is not None else {}
    named = () if isinstance(found.spec, str) else found.spec.ca.distrust
    keys[newest.generation] = newest.public_key_sha256
    return newest.generation not in left_out.distrusted(named, keys)


def _newest_numbers(memory: IssuerMemory) -> dict[int, int]:
    """By generation, the highest CRL number that this process ever published or saw."""
    return {generation: crl.number for generation, crl in memory.newest_by_generation().items()}


def _verify(body: Object, memory: IssuerMemory, recorded: frozenset[int], name: str) -> Committed:
    bundle = crl_configmap.parse_configmap(body)
    verified = trust_bundle.verify(bundle, memory.certificates(), recorded, name, memory.restored)
    return Committed(
        version=version_of(body),
        cas=memory.cas(),
        bundle=bundle,
        digest=trust_bundle.digest(bundle),
        published=verified.published,
        replaced=verified.replaced,
    )

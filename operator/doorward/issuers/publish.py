"""The commit of a CRL: read, verify, unite, sign, read back, write onto the version that was read; on conflict, again.

Not even two operators that both believe they lead can forget a revocation this way.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, SECRET, Gateway, Object
from doorward.cluster.store import version_of
from doorward.issuers.memory import Committed, IssuerMemories, IssuerMemory
from doorward.objects import trust_bundle
from doorward.objects.crl_configmap import (
    CRL_ROLE,
    MAX_BYTES,
    TrustBundle,
    parse_configmap,
    parse_gate,
    render_configmap,
)
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours
from doorward.objects.trust_bundle import Anchor, PublishedTrust
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl, check_published, next_number
from doorward.planning import crl, timing
from doorward.planning.plan import PublishCrl
from doorward.view import ledger
from doorward.view.intake import Intake
from doorward.view.keys import issuer_key
from doorward.view.stores import View
from doorward.view.trust_domains import LoadedCa

logger = logging.getLogger(__name__)
TRIES = 5


class Publisher:
    """Commits the CRLs of issuers."""

    def __init__(self, view: View, gateway: Gateway, clock: Clock, intake: Intake, memories: IssuerMemories) -> None:
        self._view = view
        self._gateway = gateway
        self._clock = clock
        self._intake = intake
        self._memories = memories

    async def commit(self, issuer: ObjectKey, action: PublishCrl) -> None:
        """Publish, or remember that it does not fit. Raises Conflict after five lost races, and where a CA generation was
        published or retired in the meantime: that is planned again.
        """
        at = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
        memory = self._memories.get(issuer)
        loaded = _signers(issuer, action, memory)
        kept_anchors, kept_lists = _retained(action, memory)
        body = self._view.configmaps.get(at)
        planned_on = parse_configmap(body).generations if body is not None else {}
        for _ in range(TRIES):
            if body is not None and not is_ours(body, CRL_ROLE):
                self._memories.keep(issuer, replace(memory, configmap_unmanaged=True))
                return
            bases = await self._bases(issuer, loaded, body, memory)
            if abs(self._clock.now() - timing.BACKDATE - action.this_update) > timing.MAX_SKEW:
                raise Conflict("the clock was set while a CRL was made")
            await self._still_lifted(issuer, bases)
            kept_out = self._view.pending_again(issuer, _named(bases), self._clock.now())
            signed = {
                generation: await asyncio.to_thread(
                    self._sign, issuer, loaded[generation], action, found, kept_out, memory
                )
                for generation, found in bases.items()
            }
            anchors = {g: trust_bundle.anchor_of(ca.signer.anchor) for g, ca in loaded.items()} | kept_anchors
            lists = signed | kept_lists
            bundle = trust_bundle.bundle_of(anchors, lists)
            if bundle.size > MAX_BYTES:
                self._memories.keep(issuer, replace(memory, overflow=len(action.entries)))
                return
            try:
                written = await self._write(issuer, at, bundle, body)
            except (AlreadyExists, Conflict, NotFound):
                body = await self._read(at)
                self._same_generations(issuer, body, planned_on)
            else:
                trust = PublishedTrust(anchors=anchors, crls=lists, size=bundle.size)
                self._take_in(issuer, written, bundle, trust)
                return
        raise Conflict(f"ConfigMap {at} changed {TRIES} times while a CRL was signed")

    def _take_in(self, issuer: ObjectKey, written: Object, bundle: TrustBundle, trust: PublishedTrust) -> None:
        """What was committed is known as published, with no need to read it again."""
        memory = self._memories.get(issuer)
        committed = Committed(
            version=version_of(written),
            cas=memory.cas(),
            bundle=bundle,
            digest=trust_bundle.digest(bundle),
            published=trust,
        )
        self._memories.keep(issuer, replace(memory, overflow=None, committed=committed).with_trust(trust))
        self._intake.written(CONFIG_MAP, written, by=issuer_key(issuer))
        logger.info(
            "CRL %d published with %d entries",
            trust.number,
            len(trust.entries),
            extra={"object": f"MTLSIssuer {issuer}"},
        )

    async def _still_lifted(self, issuer: ObjectKey, bases: Mapping[int, list[PublishedCrl]]) -> None:
        """Raises Conflict where the record of a published serial that our ledger calls lifted does not say so any more, and
        the watch has not told yet: another process or a person held it again, or it is gone. Its entry must not go.

        Also where this process wrote the last CRL, another may have held the serial since (measured, with two that both
        believe they lead).
        """
        published = _named(bases)
        lifted = {r.key for r in self._view.ledger.heard_of(issuer) if r.is_lifted and r.serial in published}
        if not lifted:
            return
        records = ledger.readable(await ledger.listed(self._gateway, issuer))
        still = {key for key, record in records.items() if record is None or record.is_lifted}
        if changed := sorted(lifted - still):
            raise Conflict(f"{changed[0]} is lifted no longer")

    async def _write(self, issuer: ObjectKey, at: ObjectKey, bundle: TrustBundle, body: Object | None) -> Object:
        version = body["metadata"]["resourceVersion"] if body is not None else None
        rendered = render_configmap(issuer, bundle, version=version)
        if body is None:
            return await self._gateway.create(CONFIG_MAP, at.namespace, rendered)
        return await self._gateway.replace(CONFIG_MAP, at.namespace, at.name, rendered)

    async def _read(self, at: ObjectKey) -> Object | None:
        try:
            return await self._gateway.get(CONFIG_MAP, at.namespace, at.name)
        except NotFound:
            return None

    def _same_generations(self, issuer: ObjectKey, body: Object | None, planned_on: Mapping[int, str]) -> None:
        """Raises Conflict where the bundle that another process wrote is of other generations than the plan was made for."""
        if body is not None and parse_configmap(body).generations != planned_on:
            self._intake.written(CONFIG_MAP, body, by=issuer_key(issuer))
            raise Conflict("the CA generations changed while a CRL was signed")

    async def _bases(
        self, issuer: ObjectKey, loaded: Mapping[int, LoadedCa], body: Object | None, memory: IssuerMemory
    ) -> dict[int, list[PublishedCrl]]:
        """By generation, what its new CRL must not forget, the published one first: ConfigMap, this process's memory, and,
        where the ConfigMap lacks one, every gate's copy.
        """
        cas = {generation: each.signer.certificate for generation, each in loaded.items()}
        known = memory.newest_by_generation()
        held = parse_configmap(body).crl if body is not None else b""
        published = await asyncio.to_thread(trust_bundle.crls_of, held, cas, known)
        found = {generation: [published[generation]] if generation in published else [] for generation in loaded}
        for generation in loaded.keys() & known.keys():
            found[generation].append(known[generation])
        missing = {generation: ca for generation, ca in cas.items() if generation not in published}
        if missing:
            # Where nothing is published, the ledger alone says who is refused.
            if await ledger.is_behind(self._gateway, self._view.ledger, issuer):
                raise Conflict(f"the ledger of {issuer} is not heard to its end")
            for copy in await self._gate_copies(issuer):
                there = await asyncio.to_thread(trust_bundle.crls_of, copy.crl, missing, known)
                for generation, crl_there in there.items():
                    found[generation].append(crl_there)
        return found

    async def _gate_copies(self, issuer: ObjectKey) -> list[TrustBundle]:
        copies = []
        for metadata in self._view.secrets.lookup("gate", issuer):
            namespace = metadata["metadata"]["namespace"]
            try:
                copies.append(parse_gate(await self._gateway.get(SECRET, namespace, gate_secret_name(issuer))))
            except (NotFound, ValueError):
                continue
            except Forbidden:
                if self._view.opted_in.get(namespace) is False:
                    continue  # it was withdrawn for good: nobody else's CRL waits for that
                raise
        return copies

    def _sign(
        self,
        issuer: ObjectKey,
        loaded: LoadedCa,
        action: PublishCrl,
        bases: Iterable[PublishedCrl],
        kept_out: frozenset[int],
        memory: IssuerMemory,
    ) -> PublishedCrl:
        bases = list(bases)
        records = {
            record.serial: record for record in self._view.ledger.heard_of(issuer) if record.serial not in kept_out
        }
        published: dict[int, CrlEntry] = {}
        for base in bases:
            published = dict(base.entries) | published
        entries, leaving = crl.unite(
            action.crls[loaded.authority.generation],
            published.values(),
            records,
            keep_after_expiry=action.next_update - action.this_update - timing.BACKDATE,
            now=action.this_update + timing.BACKDATE,
        )
        newest = max(bases, key=lambda base: base.number, default=None)
        # Above every other generation's, too: gates tell by the highest number in a bundle which one is newer.
        highest = max((known.number for known in (*bases, *memory.newest_crls.values())), default=None)
        pem = build_crl(
            ca=loaded.signer,
            entries=entries,
            number=next_number(highest, self._clock.now_precise()),
            this_update=action.this_update,
            next_update=action.next_update,
            previous=newest,
        )
        return check_published(
            pem, ca_certificate=loaded.signer.certificate, previous=newest, expected=entries, leaving=leaving
        )


def _signers(issuer: ObjectKey, action: PublishCrl, memory: IssuerMemory) -> dict[int, LoadedCa]:
    """Raises Conflict where the key of a generation is not usable any more."""
    if lost := sorted(action.crls.keys() - memory.held.keys()):
        raise Conflict(f"CA generation {lost[0]} of {issuer} is not usable any more")
    return {generation: memory.held[generation] for generation in action.crls}


def _retained(action: PublishCrl, memory: IssuerMemory) -> tuple[dict[int, Anchor], dict[int, PublishedCrl]]:
    """Anchors and CRLs of the generations whose keys are gone, as they are published. Raises Conflict where one went."""
    if not action.carried:
        return {}, {}
    trust = memory.published
    if trust is None or not action.carried <= trust.crls.keys():
        raise Conflict("a CRL whose CA key is not available any more disappeared while another was signed")
    return {g: trust.anchors[g] for g in action.carried}, {g: trust.crls[g] for g in action.carried}


def _named(bases: Mapping[int, list[PublishedCrl]]) -> frozenset[int]:
    """The serials that any of these CRLs names."""
    return frozenset(serial for found in bases.values() for base in found for serial in base.entries)

"""The commit of the CRLs: read, gather, guard, take one snapshot, sign what it says, write onto the version that was read.

On a conflict all of it begins again. Not even two operators that both believe they lead can forget a revocation this way.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, ApiError, Conflict, NotFound
from doorward.cluster.gateway import CONFIG_MAP, SECRET, Gateway, Object, get_if_there
from doorward.cluster.store import version_of
from doorward.issuers import crl_story
from doorward.issuers.memory import Committed, IssuerMemories, IssuerMemory
from doorward.logged import Once, about
from doorward.objects import trust_bundle
from doorward.objects.crl_configmap import (
    CRL_ROLE,
    TrustBundle,
    parse_configmap,
    parse_gate,
    render_configmap,
)
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours
from doorward.objects.trust_bundle import Anchor, PublishedTrust
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl, check_published
from doorward.pki.pem import load_certificates
from doorward.planning import crl, room, timing
from doorward.planning.crl import CrlContent, Snapshot, Terms
from doorward.planning.plan import PublishCrl
from doorward.probes import canary_book
from doorward.probes.canary_book import CanaryBook, Pair
from doorward.view import ledger
from doorward.view.intake import Intake
from doorward.view.keys import issuer_key
from doorward.view.ledger import Listed
from doorward.view.stores import View
from doorward.view.trust_domains import LoadedCa

logger = logging.getLogger(__name__)
TRIES = 5
COPY_TRIES = 2
"""How often each gate's copy of the CRL is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signing:
    """What a commit signs with, the same in each of its tries."""

    terms: Terms
    loaded: Mapping[int, LoadedCa] = field(repr=False)
    retained: Mapping[int, Anchor]
    newest: Mapping[int, PublishedCrl]
    """By generation, the newest CRL that this process saw or signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What only the API server can tell, for one try."""

    published: Mapping[int, PublishedCrl]
    """By generation, the CRLs in the ConfigMap."""
    bases: Mapping[int, tuple[PublishedCrl, ...]]
    """By generation that signs, what its new CRL must not forget: ConfigMap, this process's memory, gates."""
    retained: Mapping[int, PublishedCrl]
    """By generation whose key is missing, the CRL that stays as it is."""
    listed: Mapping[ObjectKey, Listed]
    """Of the ledger, what was asked for: all of it where nothing is published, else the records that are lifted."""
    behind: bool
    """Whether nothing is published, and records were listed that the watch has not told yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Bundles that can be committed."""

    bundle: TrustBundle
    trust: PublishedTrust


class Publisher:
    """Commits the CRLs of issuers."""

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        clock: Clock,
        intake: Intake,
        memories: IssuerMemories,
        canaries: CanaryBook,
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._clock = clock
        self._intake = intake
        self._memories = memories
        self._canaries = canaries
        self._unread: Once[tuple[ObjectKey, str]] = Once()
        """Gates whose copy could not be read, by issuer and namespace."""

    async def commit(self, issuer: ObjectKey, action: PublishCrl) -> None:
        """Publish, or remember that it does not fit: the next plan closes generations. Raises Conflict after five lost races, and where the plan does not fit
        any more what is there: that is planned again.
        """
        at = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
        memory = self._memories.get(issuer)
        signing = _signing(issuer, action.terms, memory)
        body = self._view.configmaps.get(at)
        pair = await self._pair(issuer, signing)
        for _ in range(TRIES):
            if body is not None and not is_ours(body, CRL_ROLE):
                self._memories.keep(issuer, replace(self._memories.get(issuer), configmap_unmanaged=True))
                return
            self._same_generations(issuer, body, memory)
            gathered = await self._gather(issuer, signing, body, memory)
            # From the guards to the snapshot nothing is waited for: what was guarded is what is signed.
            self._guard(issuer, signing.terms, gathered)
            snapshot = self._snapshot(issuer, gathered, memory, pair)
            made = await asyncio.to_thread(_make, snapshot, signing, gathered.retained)
            if isinstance(made, frozenset):
                entries = {generation: action.entries.get(generation, 0) for generation in made}
                self._memories.keep(issuer, replace(self._memories.get(issuer), overflow=entries))
                return
            try:
                written = await self._write(issuer, at, made.bundle, body)
            except (AlreadyExists, Conflict, NotFound):
                body = await get_if_there(self._gateway, CONFIG_MAP, at)
            else:
                self._take_in(issuer, written, made)
                if pair is not None:
                    self._canaries.published(issuer, made.trust.number, pair, self._clock.now_precise())
                clients = await crl_story.tell(self._view, issuer, snapshot.bases, made.trust)
                self._memories.keep(issuer, self._memories.get(issuer).with_news(made.trust.number, clients))
                return
        raise Conflict(f"ConfigMap {at} changed {TRIES} times while a CRL was signed")

    async def _pair(self, issuer: ObjectKey, signing: _Signing) -> Pair | None:
        """The canaries of this CRL; None: it has none, and is published all the same."""
        generation, now = signing.terms.canary, self._clock.now()
        if generation is None or not self._canaries.wanted(issuer, generation, now):
            return None
        known = self._canaries.next_revoked(issuer, generation, now)
        return await asyncio.to_thread(canary_book.pair, generation, signing.loaded[generation].signer, known, now)

    def _take_in(self, issuer: ObjectKey, written: Object, made: _Made) -> None:
        """What was committed is known as published, with no need to read it again."""
        memory, bundle, trust = self._memories.get(issuer), made.bundle, made.trust
        committed = Committed(
            version=version_of(written),
            cas=memory.cas(),
            bundle=bundle,
            digest=trust_bundle.digest(bundle),
            published=trust,
        )
        self._memories.keep(issuer, replace(memory, overflow={}, committed=committed).with_trust(trust))
        self._intake.written(CONFIG_MAP, written, by=issuer_key(issuer))

    async def _write(self, issuer: ObjectKey, at: ObjectKey, bundle: TrustBundle, body: Object | None) -> Object:
        version = body["metadata"]["resourceVersion"] if body is not None else None
        rendered = render_configmap(issuer, bundle, version=version)
        if body is None:
            return await self._gateway.create(CONFIG_MAP, at.namespace, rendered)
        return await self._gateway.replace(CONFIG_MAP, at.namespace, at.name, rendered)

    # What only the API server can tell

    async def _gather(
        self, issuer: ObjectKey, signing: _Signing, body: Object | None, memory: IssuerMemory
    ) -> _Gathered:
        """The published CRLs; where the ConfigMap lacks one, every gate's copy, and the ledger; and each record that is lifted.

        The ledger is asked for last: all that is heard until the snapshot is newer.
        """
        published = await _published(signing, body, memory)
        missing = {g: ca.signer.certificate for g, ca in signing.loaded.items() if g not in published}
        copies = await self._gate_copies(issuer) if missing else []
        found = [published, signing.newest]
        found += [await asyncio.to_thread(trust_bundle.crls_of, copy.crl, missing, signing.newest) for copy in copies]
        bases = {g: tuple(crls[g] for crls in found if g in crls) for g in signing.terms.generations}
        if missing:
            listed = await ledger.listed(self._gateway, issuer)
        else:
            listed = await ledger.asked(self._gateway, issuer, self._lifted(issuer, _named(bases)))
        return _Gathered(
            published=published,
            bases=bases,
            retained=_retained(signing, published),
            listed=listed,
            behind=bool(missing) and await self._view.ledger.is_behind(listed),
        )

    async def _gate_copies(self, issuer: ObjectKey) -> list[TrustBundle]:
        """What can be read of the gates. A copy may help a commit and never blocks it: each is in a namespace of somebody else,
        who may withhold it, and what fails twice may fail for ever.
        """
        copies = []
        namespaces = [secret["metadata"]["namespace"] for secret in self._view.secrets.lookup("gate", issuer)]
        for _ in range(COPY_TRIES):
            failed = []
            for namespace in namespaces:
                try:
                    copies.append(parse_gate(await self._gateway.get(SECRET, namespace, gate_secret_name(issuer))))
                except (NotFound, ValueError):
                    continue
                except ApiError as error:
                    failed.append(namespace)
                    if self._unread.is_new((issuer, namespace), error):
                        told = about(f"MTLSIssuer {issuer}", issuer=str(issuer), namespace=namespace, error=str(error))
                        logger.warning("copy of a crl not read", extra=told)
            namespaces = failed
        return copies

    # Guards, and the snapshot

    def _same_generations(self, issuer: ObjectKey, body: Object | None, memory: IssuerMemory) -> None:
        """Raises Conflict where the bundle that is there is of other generations than the plan was made for."""
        planned_on = memory.committed.bundle if memory.committed is not None else TrustBundle(anchors=b"", crl=b"")
        there = parse_configmap(body) if body is not None else planned_on
        if body is not None and (there.generations, there.closed) != (planned_on.generations, planned_on.closed):
            self._intake.written(CONFIG_MAP, body, by=issuer_key(issuer))
            raise Conflict("the CA generations changed while a CRL was signed")

    def _guard(self, issuer: ObjectKey, terms: Terms, gathered: _Gathered) -> None:
        """Raises Conflict where the clock, or what the API server told, contradicts what would be signed now."""
        if abs(self._clock.now() - terms.now) > timing.MAX_SKEW:
            raise Conflict("the clock was set while a CRL was made")
        # Where nothing is published, the ledger alone says who is refused.
        if gathered.behind:
            raise Conflict(f"the ledger of {issuer} is not heard to its end")
        # A serial leaves the CRL only by the API server's own word: another process, or a person, may have held it again
        # since the watch told of it (measured, with two operators that both believe they lead).
        for key in self._lifted(issuer, _named(gathered.bases)):
            now = gathered.listed.get(key)
            if now is None or not (now.record is None or now.record.is_lifted):
                raise Conflict(f"{key} is lifted no longer")

    def _lifted(self, issuer: ObjectKey, serials: frozenset[int]) -> list[ObjectKey]:
        """The records of these serials that our ledger calls lifted."""
        return [record.key for record in self._view.ledger.lifted(issuer, serials)]

    def _snapshot(
        self,
        issuer: ObjectKey,
        gathered: _Gathered,
        memory: IssuerMemory,
        pair: Pair | None,
    ) -> Snapshot:
        named, now = _named(gathered.bases), self._clock.now()
        # Above every other generation's, too: gates tell by the highest number in a bundle which one is newer.
        seen = [*memory.newest_crls.values(), *gathered.published.values()]
        seen += [base for found in gathered.bases.values() for base in found]
        return Snapshot(
            records=self._view.ledger.concerning(issuer, named),
            pending_again=self._view.pending_again(issuer, named, now),
            bases=gathered.bases,
            highest_number=max((each.number for each in seen), default=0),
            taken_at=self._clock.now_precise(),
            expired_canaries=crl.expired_canaries(named, now),
            canary=CrlEntry(serial=pair.revoked.serial, revoked_at=now, reason=None) if pair is not None else None,
        )


def _signing(issuer: ObjectKey, terms: Terms, memory: IssuerMemory) -> _Signing:
    """Raises Conflict where the key of a generation, or the anchor of one whose key is missing, is there no more."""
    if lost := sorted(terms.generations - memory.held.keys()):
        raise Conflict(f"CA generation {lost[0]} of {issuer} is not usable any more")
    anchors = memory.published.anchors if memory.published is not None else {}
    if lost := sorted(terms.retained - anchors.keys()):
        raise Conflict(f"the anchor of CA generation {lost[0]} of {issuer} disappeared")
    identities = {g: memory.held[g].authority.identity for g in terms.generations}
    identities |= {g: anchors[g].identity for g in terms.retained}
    return _Signing(
        terms=terms,
        loaded={generation: memory.held[generation] for generation in terms.generations},
        retained={generation: anchors[generation] for generation in terms.retained},
        newest={g: memory.newest_crls[each] for g, each in identities.items() if each in memory.newest_crls},
    )


async def _published(signing: _Signing, body: Object | None, memory: IssuerMemory) -> Mapping[int, PublishedCrl]:
    """The CRLs in the ConfigMap, of the generations that sign and of those whose keys are missing; each verified, unless the
    very same bundle was before.
    """
    if body is None:
        return {}
    bundle, committed = parse_configmap(body), memory.committed
    if committed is not None and (committed.bundle, committed.cas) == (bundle, memory.cas()):
        trust = committed.trust
        if trust is not None and trust.sound:
            return trust.crls
    cas = {generation: ca.signer.certificate for generation, ca in signing.loaded.items()}
    cas |= {generation: load_certificates(anchor.pem)[0] for generation, anchor in signing.retained.items()}
    return await asyncio.to_thread(trust_bundle.crls_of, bundle.crl, cas, signing.newest)


def _retained(signing: _Signing, published: Mapping[int, PublishedCrl]) -> dict[int, PublishedCrl]:
    """The CRLs of the generations whose keys are missing, as they are published now: another process may have the key.

    Raises Conflict where one is gone.
    """
    if lost := sorted(signing.retained.keys() - published.keys()):
        raise Conflict(f"the CRL of CA generation {lost[0]} disappeared while another was signed")
    found = {g: (published[g], signing.newest.get(g, published[g])) for g in signing.retained}
    return {generation: max(crls, key=lambda each: each.number) for generation, crls in found.items()}


def _make(snapshot: Snapshot, signing: _Signing, retained: Mapping[int, PublishedCrl]) -> _Made | frozenset[int]:
    """Decide, sign and read back, for a thread: of the snapshot alone; or the generations that must leave to make room."""
    contents = crl.decide(snapshot, signing.terms)
    sizes = {g: room.size_of(content, signing.loaded[g].authority.anchor_pem) for g, content in contents.items()}
    sizes |= {g: len(signing.retained[g].pem) + each.size for g, each in retained.items()}
    if overflowing := room.overflowing(sizes):
        return overflowing
    lists = {g: _signed(signing.loaded[g], content, signing.terms) for g, content in contents.items()} | dict(retained)
    anchors = {g: trust_bundle.anchor_of(ca.signer.anchor) for g, ca in signing.loaded.items()} | dict(signing.retained)
    terms = signing.terms
    bundle = trust_bundle.bundle_of(anchors, lists, closed=terms.closed, known=terms.known, identities=terms.identities)
    return _Made(bundle=bundle, trust=PublishedTrust(anchors=anchors, crls=lists, size=bundle.size))


def _signed(loaded: LoadedCa, content: CrlContent, terms: Terms) -> PublishedCrl:
    """One CRL, read back as a gate would that is shown the CA's anchor."""
    pem = build_crl(
        ca=loaded.signer,
        entries=content.entries.values(),
        number=content.number,
        this_update=terms.this_update,
        next_update=terms.next_update,
        previous=content.previous,
    )
    return check_published(
        pem,
        ca_certificate=loaded.signer.anchor,
        previous=content.previous,
        expected=content.entries.values(),
        leaving=content.leaving,
    )


def _named(bases: Mapping[int, tuple[PublishedCrl, ...]]) -> frozenset[int]:
    """The serials that any of these CRLs names."""
    return frozenset(serial for found in bases.values() for base in found for serial in base.entries)

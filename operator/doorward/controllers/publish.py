"""The commit of a CRL: read, verify, unite, sign, read back, write onto the version that was read; on conflict, again.

Not even two operators that both believe they lead can forget a revocation this way.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET, Gateway, Object
from doorward.controllers import authorities
from doorward.controllers.world import Committed, LoadedCa, World
from doorward.objects import ledger_record
from doorward.objects.crl_configmap import (
    CRL_ROLE,
    MAX_BYTES,
    TrustBundle,
    parse_configmap,
    parse_gate,
    render_configmap,
)
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours, key_of
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl, check_published, next_number
from doorward.planning import crl, timing
from doorward.planning.plan import PublishCrl
from doorward.planning.trust import Anchor, PublishedTrust

logger = logging.getLogger(__name__)
TRIES = 5


async def commit(world: World, gateway: Gateway, clock: Clock, issuer: ObjectKey, action: PublishCrl) -> None:
    """Publish, or remember that it does not fit. Raises Conflict after five lost races, and where a CA generation was
    published or retired meanwhile: that is planned anew.
    """
    at = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
    loaded = {generation: world.signer(issuer, generation) for generation in action.crls}
    kept_anchors, kept_lists = _carried(world, issuer, action)
    body = world.configmaps.get(at)
    planned_on = parse_configmap(body).generations if body is not None else {}
    for _ in range(TRIES):
        if body is not None and not is_ours(body, CRL_ROLE):
            world.foreign_configmaps.add(at)
            return
        bases = await _bases(world, gateway, issuer, loaded, body)
        if abs(clock.now() - timing.BACKDATE - action.this_update) > timing.MAX_SKEW:
            raise Conflict("the clock was set while a CRL was made")
        await _still_lifted(world, gateway, issuer, bases)
        kept_out = world.kept_out(issuer, _named(bases), clock.now())
        signed = {
            generation: await asyncio.to_thread(
                _sign, world, clock, issuer, loaded[generation], action, found, kept_out
            )
            for generation, found in bases.items()
        }
        anchors = {generation: _anchor(each) for generation, each in loaded.items()} | kept_anchors
        lists = signed | kept_lists
        bundle = authorities.bundle_of(anchors, lists)
        if bundle.size > MAX_BYTES:
            world.overflows[issuer] = len(action.entries)
            return
        try:
            written = await _write(gateway, issuer, at, bundle, body)
        except (AlreadyExists, Conflict, NotFound):
            body = await _read(gateway, at)
            _same_generations(world, body, planned_on)
        else:
            _take_in(world, issuer, written, bundle, PublishedTrust(anchors=anchors, crls=lists, size=bundle.size))
            return
    raise Conflict(f"ConfigMap {at} changed {TRIES} times while a CRL was signed")


def _take_in(world: World, issuer: ObjectKey, written: Object, bundle: TrustBundle, trust: PublishedTrust) -> None:
    """What was committed is known as published, with no need to read it again."""
    world.overflows.pop(issuer, None)
    world.configmaps.put(written)
    world.committed[issuer] = Committed(
        version=version_of(written),
        cas=authorities.cas_of(world.authorities.get(issuer, {})),
        bundle=bundle,
        published=trust,
    )
    authorities.remember(world, issuer, trust)
    logger.info(
        "CRL %d published with %d entries", trust.number, len(trust.entries), extra={"object": f"MTLSIssuer {issuer}"}
    )


def _named(bases: Mapping[int, list[PublishedCrl]]) -> frozenset[int]:
    """The serials that any of these CRLs names."""
    return frozenset(serial for found in bases.values() for base in found for serial in base.entries)


async def _still_lifted(
    world: World, gateway: Gateway, issuer: ObjectKey, bases: Mapping[int, list[PublishedCrl]]
) -> None:
    """Raises Conflict where the record of a published serial that our ledger calls lifted does not say so any more, and the
    watch has not told yet: another process or a person held it again, or it is gone. Its entry must not go.

    Also where this process wrote the last CRL, another may have held the serial since (measured, with two that both believe
    they lead).
    """
    published = _named(bases)
    lifted = {r.key for r in world.records.lookup("issuer", issuer) if r.is_lifted and r.serial in published}
    if not lifted:
        return
    items, _ = await gateway.list(ISSUED_CERTIFICATE, issuer.namespace)
    records = ((item, _read_record(item)) for item in items)
    still = {key_of(item) for item, record in records if record is None or record.is_lifted}
    if changed := sorted(lifted - still):
        raise Conflict(f"{changed[0]} is lifted no longer")


async def _is_behind(world: World, gateway: Gateway, issuer: ObjectKey) -> bool:
    """Whether the ledger holds what the watch has not told yet: where nothing is published, it alone says who is out."""
    items, _ = await gateway.list(ISSUED_CERTIFICATE, issuer.namespace)
    return any(version_of(i) > world.records.version(key_of(i)) for i in items if _read_record(i) is not None)


def _read_record(body: Object) -> Record | None:
    """None: it cannot be read."""
    try:
        return ledger_record.parse(body)
    except (ValueError, KeyError, TypeError):
        return None


async def _write(
    gateway: Gateway, issuer: ObjectKey, at: ObjectKey, bundle: TrustBundle, body: Object | None
) -> Object:
    version = body["metadata"]["resourceVersion"] if body is not None else None
    rendered = render_configmap(issuer, bundle, version=version)
    if body is None:
        return await gateway.create(CONFIG_MAP, at.namespace, rendered)
    return await gateway.replace(CONFIG_MAP, at.namespace, at.name, rendered)


async def _read(gateway: Gateway, at: ObjectKey) -> Object | None:
    try:
        return await gateway.get(CONFIG_MAP, at.namespace, at.name)
    except NotFound:
        return None


def _same_generations(world: World, body: Object | None, planned_on: Mapping[int, str]) -> None:
    """Raises Conflict where the bundle that another process wrote is of other generations than the plan was made for."""
    if body is not None and parse_configmap(body).generations != planned_on:
        world.configmaps.put(body)
        raise Conflict("the CA generations changed while a CRL was signed")


def _carried(world: World, issuer: ObjectKey, action: PublishCrl) -> tuple[dict[int, Anchor], dict[int, PublishedCrl]]:
    """Anchors and CRLs of the generations whose keys are gone, as they are published. Raises Conflict where one went."""
    if not action.carried:
        return {}, {}
    committed = world.committed.get(issuer)
    trust = committed.published if committed is not None else None
    if not isinstance(trust, PublishedTrust) or not action.carried <= trust.crls.keys():
        raise Conflict("a CRL whose CA is gone went while another was signed")
    return {g: trust.anchors[g] for g in action.carried}, {g: trust.crls[g] for g in action.carried}


def _anchor(loaded: LoadedCa) -> Anchor:
    authority = loaded.authority
    return Anchor(
        pem=authority.anchor_pem,
        public_key_sha256=authority.public_key_sha256,
        subject=authority.subject,
        not_after=authority.not_after,
    )


async def _bases(
    world: World, gateway: Gateway, issuer: ObjectKey, loaded: Mapping[int, LoadedCa], body: Object | None
) -> dict[int, list[PublishedCrl]]:
    """By generation, what its new CRL must not forget, the published one first: ConfigMap, this process's memory, and,
    where the ConfigMap lacks one, every gate's copy.
    """
    cas = authorities.certificates_of(loaded)
    published = authorities.crls_of(parse_configmap(body).crl, cas) if body is not None else {}
    found = {generation: [published[generation]] if generation in published else [] for generation in loaded}
    newest = world.newest_crls.get(issuer, {})
    for generation, each in loaded.items():
        if (known := newest.get(each.authority.public_key_sha256)) is not None:
            found[generation].append(known)
    missing = {generation: ca for generation, ca in cas.items() if generation not in published}
    if missing:
        if await _is_behind(world, gateway, issuer):
            raise Conflict(f"the ledger of {issuer} is not heard to its end")
        for copy in await _gate_copies(world, gateway, issuer):
            for generation, crl_there in authorities.crls_of(copy.crl, missing).items():
                found[generation].append(crl_there)
    return found


async def _gate_copies(world: World, gateway: Gateway, issuer: ObjectKey) -> list[TrustBundle]:
    copies = []
    for metadata in world.secrets.lookup("gate", issuer):
        namespace = metadata["metadata"]["namespace"]
        try:
            copies.append(parse_gate(await gateway.get(SECRET, namespace, gate_secret_name(issuer))))
        except (NotFound, ValueError):
            continue
        except Forbidden:
            if world.consent.get(namespace) is False:
                continue  # it was withdrawn for good: nobody else's CRL waits for that
            raise
    return copies


def _sign(
    world: World,
    clock: Clock,
    issuer: ObjectKey,
    loaded: LoadedCa,
    action: PublishCrl,
    bases: Iterable[PublishedCrl],
    kept_out: frozenset[int],
) -> PublishedCrl:
    bases = list(bases)
    records = {
        record.serial: record for record in world.records.lookup("issuer", issuer) if record.serial not in kept_out
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
    highest = max((known.number for known in (*bases, *world.newest_crls.get(issuer, {}).values())), default=None)
    pem = build_crl(
        ca=loaded.signer,
        entries=entries,
        number=next_number(highest, clock.now_precise()),
        this_update=action.this_update,
        next_update=action.next_update,
    )
    return check_published(
        pem, ca_certificate=loaded.signer.certificate, previous=newest, expected=entries, leaving=leaving
    )

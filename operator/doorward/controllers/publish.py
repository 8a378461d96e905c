"""The commit of a CRL: read, verify, unite, sign, read back, write onto the version that was read; on conflict, again.

Not even two operators that both believe they lead can forget a revocation this way.
"""

import asyncio
import logging
from collections.abc import Iterable

from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import AlreadyExists, Conflict, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET, Gateway
from doorward.controllers.authorities import remember
from doorward.controllers.world import Committed, LoadedCa, Object, World
from doorward.objects import ledger_record
from doorward.objects.crl_configmap import (
    CRL_ROLE,
    MAX_BYTES,
    TrustBundle,
    parse_configmap,
    parse_gate,
    render_configmap,
)
from doorward.objects.meta import ObjectKey, crl_configmap_name, gate_secret_name, is_ours, key_of
from doorward.pki.crls import CrlEntry, PublishedCrl, build_crl, check_published, next_number, read_crl
from doorward.pki.pem import PkiError
from doorward.planning import crl, timing
from doorward.planning.plan import PublishCrl

logger = logging.getLogger(__name__)
TRIES = 5


async def commit(
    world: World, gateway: Gateway, clock: Clock, issuer: ObjectKey, loaded: LoadedCa, action: PublishCrl
) -> None:
    """Publish, or remember that it does not fit. Raises Conflict after five lost races."""
    at = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
    body = world.configmaps.get(at)
    for _ in range(TRIES):
        published = _read_crl(parse_configmap(body).crl, loaded) if body is not None else None
        if published is None and await _is_behind(world, gateway, issuer):
            raise Conflict(f"the ledger of {issuer} is not heard to its end")
        before = await _bases(world, gateway, issuer, loaded, published)
        if body is not None and not is_ours(body, CRL_ROLE):
            world.foreign_configmaps.add(at)
            return
        if abs(clock.now() - timing.BACKDATE - action.this_update) > timing.MAX_SKEW:
            raise Conflict("the clock was set while a CRL was made")
        signed = await asyncio.to_thread(_sign, world, clock, issuer, loaded, action, before)
        bundle = TrustBundle(anchors=loaded.authority.anchor_pem, crl=signed.pem)
        if bundle.size > MAX_BYTES:
            world.overflows[issuer] = len(action.entries)
            return
        try:
            written = await _write(gateway, issuer, at, bundle, body)
        except (AlreadyExists, Conflict, NotFound):
            body = await _read(gateway, at)
            continue
        world.overflows.pop(issuer, None)
        world.configmaps.put(written)
        world.committed[issuer] = Committed(
            version=version_of(written), ca=loaded.authority.sha256, bundle=bundle, published=signed
        )
        remember(world, issuer, loaded.authority.sha256, signed)
        logger.info(
            "CRL %d published with %d entries",
            signed.number,
            len(signed.entries),
            extra={"object": f"MTLSIssuer {issuer}"},
        )
        return
    raise Conflict(f"ConfigMap {at} changed {TRIES} times while a CRL was signed")


async def _is_behind(world: World, gateway: Gateway, issuer: ObjectKey) -> bool:
    """Whether the ledger holds what the watch has not told yet: where nothing is published, it alone says who is out."""
    items, _ = await gateway.list(ISSUED_CERTIFICATE, issuer.namespace)
    return any(version_of(item) > world.records.version(key_of(item)) for item in items if _is_readable(item))


def _is_readable(record: Object) -> bool:
    try:
        ledger_record.parse(record)
    except (ValueError, KeyError, TypeError):
        return False
    return True


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


async def _bases(
    world: World, gateway: Gateway, issuer: ObjectKey, loaded: LoadedCa, published: PublishedCrl | None
) -> list[PublishedCrl]:
    """What the new CRL must not forget, the published one first: ConfigMap, this process's memory, and, where the
    ConfigMap is missing or broken, every gate's copy.
    """
    found = [published] if published is not None else []
    newest = world.newest_crl.get(issuer)
    if newest is not None and newest[0] == loaded.authority.sha256:
        found.append(newest[1])
    if published is None:
        for metadata in world.secrets.lookup("gate", issuer):
            namespace = metadata["metadata"]["namespace"]
            try:
                copy = parse_gate(await gateway.get(SECRET, namespace, gate_secret_name(issuer)))
            except (NotFound, ValueError):
                continue
            except Forbidden:
                if world.consent.get(namespace) is False:
                    continue  # it was withdrawn for good: nobody else's CRL waits for that
                raise
            if published := _read_crl(copy.crl, loaded):
                found.append(published)
    return found


def _read_crl(pem: bytes, loaded: LoadedCa) -> PublishedCrl | None:
    try:
        return read_crl(pem, loaded.signer.certificate)
    except PkiError:
        return None


def _sign(
    world: World,
    clock: Clock,
    issuer: ObjectKey,
    loaded: LoadedCa,
    action: PublishCrl,
    bases: Iterable[PublishedCrl],
) -> PublishedCrl:
    bases = list(bases)
    records = {record.serial: record for record in world.records.lookup("issuer", issuer)}
    published: dict[int, CrlEntry] = {}
    for base in bases:
        published = dict(base.entries) | published
    entries, leaving = crl.unite(
        action.entries,
        published.values(),
        records,
        keep_after_expiry=action.next_update - action.this_update - timing.BACKDATE,
        now=action.this_update + timing.BACKDATE,
    )
    newest = max(bases, key=lambda base: base.number, default=None)
    pem = build_crl(
        ca=loaded.signer,
        entries=entries,
        number=next_number(newest.number if newest else None, clock.now_precise()),
        this_update=action.this_update,
        next_update=action.next_update,
    )
    return check_published(
        pem, ca_certificate=loaded.signer.certificate, previous=newest, expected=entries, leaving=leaving
    )

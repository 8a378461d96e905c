"""Watching beside Kopf: ledger, namespaces, consent, and in each namespace that takes part its Secrets (metadata only)
and CRL ConfigMaps. These go on when Kopf's part is stopped.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from doorward.cluster.cache import Store, version_of
from doorward.cluster.errors import ApiError, Forbidden, Gone, NotFound
from doorward.cluster.gateway import (
    CONFIG_MAP,
    ISSUED_CERTIFICATE,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
    Gateway,
    Kind,
    Object,
)
from doorward.controllers.world import Key, World, gate_of
from doorward.objects.meta import MANAGED_BY, OWNER, ObjectKey, key_of

logger = logging.getLogger(__name__)
FIRST_REST = 0.2
LONGEST_REST = 20.0
DENIED_REST = 30.0
OURS = f"{MANAGED_BY}={OWNER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list and watch, and what to tell of it."""

    kind: Kind
    namespace: str | None
    store: Store[Any]
    changed: Callable[[ObjectKey, Any, Any], None]
    """Key, what was known before, and what is known now; either may be None."""
    heard: Callable[[bool], None] = lambda _: None
    """Whether the list was allowed."""
    selector: str = ""
    metadata_only: bool = False


async def follow(gateway: Gateway, source: Source, retry: asyncio.Event) -> None:
    """List and watch for ever; `retry` cuts the rest after a denial short."""
    rest = FIRST_REST
    while True:
        try:
            version = await _list(gateway, source)
            source.heard(True)
            rest = FIRST_REST
            while True:
                version = await _watch(gateway, source, version)
        except Gone:
            continue
        except (Forbidden, NotFound) as error:
            source.heard(False)
            logger.warning("cannot watch %s%s: %s", source.kind.plural, _where(source), error)
            retry.clear()
            rest = min(rest * 2, DENIED_REST) if rest > FIRST_REST else DENIED_REST
            await _sleep(retry, rest)
            rest = FIRST_REST
        except ApiError as error:
            logger.warning("watch of %s%s broke: %s", source.kind.plural, _where(source), error)
            await asyncio.sleep(rest)
            rest = min(rest * 2, LONGEST_REST)


def _where(source: Source) -> str:
    return f" in {source.namespace}" if source.namespace else ""


async def _sleep(retry: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await retry.wait()
    except TimeoutError:
        return
    # The authorizer hears of a new RoleBinding a moment after we do.
    await asyncio.sleep(FIRST_REST)


async def _list(gateway: Gateway, source: Source) -> str:
    items, version = await gateway.list(
        source.kind, source.namespace, selector=source.selector, metadata_only=source.metadata_only
    )
    before = {key: source.store.get(key) for key in source.store.keys()}  # noqa: SIM118 - a Store is no dict
    changed = source.store.replace_all(items, int(version), source.namespace)
    source.store.synced = True
    for key in changed:
        source.changed(key, before.get(key), source.store.get(key))
    return version


async def _watch(gateway: Gateway, source: Source, version: str) -> str:
    """Until the server ends the stream; the version to go on from."""
    async for event in gateway.watch(
        source.kind, source.namespace, version, selector=source.selector, metadata_only=source.metadata_only
    ):
        version = event.object["metadata"]["resourceVersion"]
        if event.type == "BOOKMARK":
            continue
        take_in(source, event.type, event.object)
    return version


def take_in(source: Source, event: str, body: Object) -> None:
    """One event into the store; a body that cannot be read is loud and harms nobody else."""
    key = key_of(body)
    before = source.store.get(key)
    try:
        news = source.store.remove(key, version_of(body)) if event == "DELETED" else source.store.put(body)
    except (ValueError, KeyError, TypeError):
        logger.exception("cannot read %s %s", source.kind.name, key)
        return
    if news:
        source.changed(key, before, source.store.get(key))


class Watches:
    """The sources of one operator; namespaces join as objects in them take part."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        group: asyncio.TaskGroup,
        wake: Callable[[Key], None],
        scope: Iterable[str],
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._group = group
        self._wake = wake
        self._scope = tuple(scope)
        self._retry: dict[str, asyncio.Event] = {}

    def start(self) -> None:
        """Follow what is watched from the first moment."""
        everywhere = asyncio.Event()
        world = self._world
        self._follow(
            Source(kind=NAMESPACE, namespace=None, store=world.namespaces, changed=self._namespace_changed), everywhere
        )
        for namespace in self._scope or (None,):
            self._follow(
                Source(kind=ISSUED_CERTIFICATE, namespace=namespace, store=world.records, changed=self._record_changed),
                everywhere,
            )
            self._follow(
                Source(
                    kind=ROLE_BINDING,
                    namespace=namespace,
                    store=Store(lambda body: body),
                    changed=self._consent_changed,
                    metadata_only=True,
                ),
                everywhere,
            )

    def join(self, namespace: str) -> None:
        """Watch what Doorward writes in this namespace, from now on."""
        if namespace in self._retry:
            return
        retry = self._retry[namespace] = asyncio.Event()
        world = self._world
        world.consent.setdefault(namespace, None)
        self._follow(
            Source(
                kind=CONFIG_MAP,
                namespace=namespace,
                store=world.configmaps,
                changed=lambda key, _before, _now: self._wake_crl(key),
                selector=OURS,
            ),
            retry,
        )
        self._follow(
            Source(
                kind=SECRET,
                namespace=namespace,
                store=world.secrets,
                changed=self._secret_changed,
                heard=lambda allowed: self._heard(namespace, allowed=allowed),
                metadata_only=True,
            ),
            retry,
        )

    def _follow(self, source: Source, retry: asyncio.Event) -> None:
        self._group.create_task(follow(self._gateway, source, retry), name=f"watch {source.kind.plural}")

    def _heard(self, namespace: str, *, allowed: bool) -> None:
        if self._world.consent.get(namespace) != allowed:
            self._world.consent[namespace] = allowed
            self._wake_namespace(namespace)

    def _wake_namespace(self, namespace: str) -> None:
        world = self._world
        for certificate in world.certificates.lookup("namespace", namespace):
            self._wake(Key("certificate", key_of(certificate.body)))
        for issuer in world.issuers.lookup("namespace", namespace):
            self._wake(Key("issuer", key_of(issuer.body)))
        for ingress in world.ingresses.lookup("namespace", namespace):
            self._wake(Key("ingress", key_of(ingress)))
        self._wake_gates(namespace)

    def _wake_gates(self, namespace: str) -> None:
        for issuer in self._world.issuers.keys():  # noqa: SIM118 - a Store is no dict
            ingresses = self._world.ingresses.lookup("issuer", issuer)
            if any(ingress["metadata"]["namespace"] == namespace for ingress in ingresses):
                self._wake(Key("issuer", issuer))

    def _namespace_changed(self, key: ObjectKey, before: Object | None, now: Object | None) -> None:
        def labels(body: Object | None) -> Any:
            return body["metadata"].get("labels") if body else None

        if labels(before) != labels(now):
            self._wake_namespace(key.name)

    def _consent_changed(self, key: ObjectKey, _before: Object | None, _now: Object | None) -> None:
        retry = self._retry.get(key.namespace)
        if retry is not None and self._world.consent.get(key.namespace) is False:
            retry.set()

    def _record_changed(self, _key: ObjectKey, before: Any, now: Any) -> None:
        record = now or before
        self._wake(Key("certificate", record.holder))
        if now is None or before is None or before.revocation != now.revocation:
            self._wake(Key("issuer", record.issuer))

    def _wake_crl(self, key: ObjectKey) -> None:
        self._wake(Key("issuer", ObjectKey(key.namespace, key.name.removesuffix("-crl"))))

    def _secret_changed(self, key: ObjectKey, before: Object | None, now: Object | None) -> None:
        world = self._world
        if now is None:
            for known in (world.secret_views, world.signatures, world.gate_views):
                known.pop(key, None)
        for certificate in (*world.certificates.lookup("secret", key), *world.certificates.lookup("password", key)):
            self._wake(Key("certificate", key_of(certificate.body)))
        for issuer in world.issuers.lookup("ca", key):
            self._wake(Key("issuer", key_of(issuer.body)))
        for name in {gate for body in (before, now) if body for gate in gate_of(body)}:
            self._wake(Key("issuer", ObjectKey(*name.split("/", 1))))

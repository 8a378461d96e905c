"""Watching beside Kopf: ledger, namespaces, consent, and in each namespace that takes part its Secrets (metadata only)
and CRL ConfigMaps. These go on when Kopf's part is stopped.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
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
from doorward.controllers.seen import gate_of
from doorward.controllers.world import Key, World
from doorward.objects.meta import MANAGED_BY, OWNER, ObjectKey, issuer_of_ca_secret, key_of

logger = logging.getLogger(__name__)
FIRST_REST = 0.2
LONGEST_REST = 20.0
DENIED_REST = 30.0
DOUBTED_DENIALS = 5  # in a row, of what was allowed before: 6 seconds
WITHDRAWAL_PAUSES = (FIRST_REST, 1.0, 5.0)
Notice = Callable[[Kind, Mapping[ObjectKey, Any]], None]
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
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where rights may have been given: cuts the rest after a denial short."""
    put_back: Notice = lambda _kind, _before: None
    """The list shows that the cluster was put back to an older state; what was known of all that changed."""


async def follow(gateway: Gateway, source: Source, *, allowed: bool = False) -> None:
    """List and watch for ever; `allowed`: it was until now, so that a denial is doubted at first."""
    rest, denials = FIRST_REST, 0
    while True:
        try:
            version = await _list(gateway, source)
            source.heard(True)
            rest, denials, allowed = FIRST_REST, 0, True
            while True:
                version = await _watch(gateway, source, version)
        except Gone:
            continue
        except (Forbidden, NotFound) as error:
            denials += 1
            # An API server that has just started knows no rights yet and denies everything: that is no withdrawal.
            if not allowed or denials > DOUBTED_DENIALS:
                allowed = False
                source.heard(False)
            logger.warning("cannot watch %s%s: %s", source.kind.plural, _where(source), error)
            if await _sleep(source.again, min(FIRST_REST * 2.0 ** min(denials - 1, 10), DENIED_REST)):
                denials = 0  # the authorizer hears of a new RoleBinding a moment after we do
        except ApiError as error:
            logger.warning("watch of %s%s broke: %s", source.kind.plural, _where(source), error)
            await asyncio.sleep(rest)
            rest = min(rest * 2, LONGEST_REST)


def _where(source: Source) -> str:
    return f" in {source.namespace}" if source.namespace else ""


async def _sleep(again: asyncio.Event, seconds: float) -> bool:
    """Rest; True: `again` was set meanwhile, or before."""
    try:
        async with asyncio.timeout(seconds):
            await again.wait()
    except TimeoutError:
        return False
    again.clear()
    return True


async def _list(gateway: Gateway, source: Source) -> str:
    asked = source.store.mark()
    items, version = await gateway.list(
        source.kind, source.namespace, selector=source.selector, metadata_only=source.metadata_only
    )
    before = {key: source.store.get(key) for key in source.store.keys()}  # noqa: SIM118 - a Store is no dict
    listed = {key_of(body): version_of(body) for body in items}
    put_back = source.store.was_put_back(listed, int(version), asked, source.namespace)
    changed = source.store.replace_all(items, int(version), source.namespace)
    for key in changed:
        _tell(source, key, before.get(key))
    if put_back:
        source.put_back(source.kind, {key: before[key] for key in changed if before.get(key) is not None})
    return version


def _tell(source: Source, key: ObjectKey, before: Any) -> None:
    """What goes wrong with one object is loud, and ends no watch: that would end the operator, for everybody."""
    try:
        source.changed(key, before, source.store.get(key))
    except Exception:
        logger.exception("cannot follow %s %s", source.kind.name, key)


async def _watch(gateway: Gateway, source: Source, version: str) -> str:
    """Until the server ends the stream; the version to go on from."""
    async for event in gateway.watch(
        source.kind, source.namespace, version, selector=source.selector, metadata_only=source.metadata_only
    ):
        version = event.object["metadata"]["resourceVersion"]
        if event.type == "BOOKMARK":
            source.store.hear(int(version))
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
        _tell(source, key, before)


class Watches:
    """The sources of one operator; namespaces join as objects in them take part."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        group: asyncio.TaskGroup,
        wake: Callable[[Key], None],
        scope: Iterable[str],
        put_back: Notice,
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._group = group
        self._wake = wake
        self._scope = tuple(scope)
        self._put_back = put_back
        self._others: list[tuple[Source, asyncio.Task[None]]] = []
        """Namespaces and consent."""
        self._ledger: list[tuple[Source, asyncio.Task[None]]] = []
        self._unheard: set[str | None] = set()
        """Of the scope, where the ledger was not listed yet."""
        self._followed: dict[str, list[tuple[Source, asyncio.Task[None]]]] = {}
        """By namespace that takes part."""
        self._allowed: dict[tuple[str, str], bool] = {}
        """By namespace and kind, what the last list was answered."""

    def start(self) -> None:
        """Follow what is watched from the first moment."""
        world = self._world
        others = [Source(kind=NAMESPACE, namespace=None, store=world.namespaces, changed=self._namespace_changed)]
        for namespace in self._scope or (None,):
            self._unheard.add(namespace)
            ledger = Source(
                kind=ISSUED_CERTIFICATE,
                namespace=namespace,
                store=world.records,
                changed=self._record_changed,
                heard=partial(self._ledger_heard, namespace),
            )
            self._ledger.append((ledger, self._follow(ledger)))
            others.append(
                Source(
                    kind=ROLE_BINDING,
                    namespace=namespace,
                    store=Store(lambda body: body),
                    changed=self._consent_changed,
                    metadata_only=True,
                )
            )
        self._others = [(source, self._follow(source)) for source in others]

    def _ledger_heard(self, namespace: str | None, allowed: bool) -> None:
        if allowed:
            self._unheard.discard(namespace)
            self._world.records.synced = not self._unheard

    def start_over(self) -> None:
        """List all again; what was known of what an operator writes is unknown until then, and nothing is called absent."""
        self._unheard = set(self._scope or (None,))
        self._world.records.synced = False
        self._others, self._ledger = self._again(self._others), self._again(self._ledger)
        self._allowed.clear()
        for namespace, followed in self._followed.items():
            self._world.consent[namespace] = None
            self._followed[namespace] = self._again(followed)

    def _again(
        self, followed: list[tuple[Source, asyncio.Task[None]]], *, allowed: bool = True
    ) -> list[tuple[Source, asyncio.Task[None]]]:
        for _, task in followed:
            task.cancel()
        return [(source, self._follow(source, allowed=allowed)) for source, _ in followed]

    def join(self, namespace: str) -> None:
        """Watch what Doorward writes in this namespace, from now on."""
        if namespace in self._followed:
            return
        world = self._world
        world.consent.setdefault(namespace, None)
        sources = (
            Source(
                kind=CONFIG_MAP,
                namespace=namespace,
                store=world.configmaps,
                changed=lambda key, _before, _now: self._wake_crl(key),
                heard=partial(self._heard, namespace, CONFIG_MAP.plural),
                selector=OURS,
            ),
            Source(
                kind=SECRET,
                namespace=namespace,
                store=world.secrets,
                changed=self._secret_changed,
                heard=partial(self._heard, namespace, SECRET.plural),
                metadata_only=True,
            ),
        )
        self._followed[namespace] = [(source, self._follow(source)) for source in sources]

    def _follow(self, source: Source, *, allowed: bool = False) -> asyncio.Task[None]:
        source = replace(source, put_back=self._put_back)
        return self._group.create_task(
            follow(self._gateway, source, allowed=allowed), name=f"watch {source.kind.plural}"
        )

    def _heard(self, namespace: str, plural: str, allowed: bool) -> None:
        """A namespace has consented when both its Secrets and its ConfigMaps were listed: neither is called absent before."""
        self._allowed[namespace, plural] = allowed
        answers = [self._allowed.get((namespace, kind.plural)) for kind in (CONFIG_MAP, SECRET)]
        consent = False if False in answers else None if None in answers else True
        if self._world.consent.get(namespace) != consent:
            self._world.consent[namespace] = consent
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
        def told(body: Object | None) -> Any:
            names = ("labels", "deletionTimestamp")
            return [body["metadata"].get(name) for name in names] if body else None

        if told(before) != told(now):
            self._wake_namespace(key.name)

    def _consent_changed(self, key: ObjectKey, before: Object | None, _now: Object | None) -> None:
        followed = self._followed.get(key.namespace, ())
        for source, _ in followed:
            source.again.set()
        if followed and before is not None and self._world.consent.get(key.namespace):
            self._group.create_task(self._look_for_withdrawal(key.namespace), name="is the consent withdrawn?")

    async def _look_for_withdrawal(self, namespace: str) -> None:
        """The API server lets a watch run on that it would not open again, and hears of the change a moment after us."""
        for pause in WITHDRAWAL_PAUSES:
            await asyncio.sleep(pause)
            if not self._world.consent.get(namespace):
                return
            try:
                await self._gateway.list(SECRET, namespace, metadata_only=True)
            except Forbidden:
                self._followed[namespace] = self._again(self._followed[namespace], allowed=False)
                return
            except ApiError:
                continue

    def _record_changed(self, _key: ObjectKey, before: Any, now: Any) -> None:
        record = now or before
        self._wake(Key("certificate", record.holder))
        known = before.revocation if before is not None else None
        if now is None or known != now.revocation:  # a new one that is live changes no CRL
            self._wake(Key("issuer", record.issuer))

    def _wake_crl(self, key: ObjectKey) -> None:
        self._wake(Key("issuer", ObjectKey(key.namespace, key.name.removesuffix("-crl"))))

    def _secret_changed(self, key: ObjectKey, before: Object | None, now: Object | None) -> None:
        world = self._world
        if now is None:
            for known in (world.secret_views, world.signatures, world.gate_views, world.ca_views):
                known.pop(key, None)
        for certificate in (*world.certificates.lookup("secret", key), *world.certificates.lookup("password", key)):
            self._wake(Key("certificate", key_of(certificate.body)))
        for issuer in world.issuers.lookup("ca", key):
            self._wake(Key("issuer", key_of(issuer.body)))
        if (ca := issuer_of_ca_secret(key)) is not None and world.issuers.get(ca[0]) is not None:
            self._wake(Key("issuer", ca[0]))
        for gate in {gate for body in (before, now) if body for gate in gate_of(body)}:
            self._wake(Key("issuer", gate))

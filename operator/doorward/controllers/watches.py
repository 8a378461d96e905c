"""Watching beside Kopf: ledger, namespaces, consent, and in each namespace that takes part its Secrets (metadata only)
and CRL ConfigMaps. These go on when Kopf's part is stopped.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from doorward.cluster.cache import Store
from doorward.cluster.errors import ApiError, Forbidden
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, NAMESPACE, ROLE_BINDING, SECRET, Gateway, Object
from doorward.controllers.follow import Notice, Source, follow
from doorward.controllers.seen import gate_of
from doorward.controllers.world import Key, World
from doorward.objects.meta import SELECTOR, ObjectKey, issuer_of_ca_secret, key_of

WITHDRAWAL_PAUSES = (0.2, 1.0, 5.0)  # seconds


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
                selector=SELECTOR,
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

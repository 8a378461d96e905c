"""Watching beside Kopf: ledger, namespaces, opt-ins, and in each namespace that takes part its Secrets (metadata only)
and CRL ConfigMaps. These go on when Kopf's part is stopped.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from doorward.cluster.errors import ApiError, Forbidden
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, NAMESPACE, ROLE_BINDING, SECRET, Gateway, Object
from doorward.cluster.reflector import Notice, Source, follow
from doorward.cluster.store import Store
from doorward.objects.archive import WITHOUT_ARCHIVES
from doorward.objects.meta import ObjectKey
from doorward.view.routing import Routing
from doorward.view.stores import View

WITHDRAWAL_PAUSES = (0.2, 1.0, 5.0)  # seconds
Followed = list[tuple[Source, asyncio.Task[None]]]


class Subscriptions:
    """The sources of one operator; namespaces join as objects in them take part."""

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        group: asyncio.TaskGroup,
        routing: Routing,
        scope: Iterable[str],
        rolled_back: Notice,
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._group = group
        self._routing = routing
        self._scope = tuple(scope)
        self._rolled_back = rolled_back
        self._others: Followed = []
        """Namespaces and opt-ins."""
        self._ledger: Followed = []
        self._unheard: set[str | None] = set()
        """Of the scope, where the ledger was not listed yet."""
        self._followed: dict[str, Followed] = {}
        """By namespace that takes part."""
        self._allowed: dict[tuple[str, str], bool] = {}
        """By namespace and kind, what the last list was answered."""

    def start(self) -> None:
        """Follow what is watched from the first moment."""
        view, changed = self._view, self._routing.changed
        others = [Source(kind=NAMESPACE, namespace=None, store=view.namespaces, changed=partial(changed, NAMESPACE))]
        for namespace in self._scope or (None,):
            self._unheard.add(namespace)
            ledger = Source(
                kind=ISSUED_CERTIFICATE,
                namespace=namespace,
                store=view.ledger.store,
                changed=partial(changed, ISSUED_CERTIFICATE),
                heard=partial(self._ledger_heard, namespace),
            )
            self._ledger.append((ledger, self._follow(ledger)))
            others.append(
                Source(
                    kind=ROLE_BINDING,
                    namespace=namespace,
                    store=Store(lambda body: body),
                    changed=self._role_binding_changed,
                    metadata_only=True,
                )
            )
        self._others = [(source, self._follow(source)) for source in others]

    def _ledger_heard(self, namespace: str | None, allowed: bool) -> None:
        if allowed:
            self._unheard.discard(namespace)
            self._view.ledger.store.synced = not self._unheard

    def start_over(self) -> None:
        """List all again; what was known of what an operator writes is unknown until then, and nothing is called absent."""
        self._unheard = set(self._scope or (None,))
        self._view.ledger.store.synced = False
        self._others, self._ledger = self._again(self._others), self._again(self._ledger)
        self._allowed.clear()
        for namespace, followed in self._followed.items():
            self._view.opted_in[namespace] = None
            self._followed[namespace] = self._again(followed)

    def _again(self, followed: Followed, *, allowed: bool = True) -> Followed:
        for _, task in followed:
            task.cancel()
        return [(source, self._follow(source, allowed=allowed)) for source, _ in followed]

    def join(self, namespace: str) -> None:
        """Watch what Doorward writes in this namespace, from now on."""
        if namespace in self._followed:
            return
        view = self._view
        view.opted_in.setdefault(namespace, None)
        sources = (
            Source(
                kind=CONFIG_MAP,
                namespace=namespace,
                store=view.configmaps,
                changed=partial(self._routing.changed, CONFIG_MAP),
                heard=partial(self._heard, namespace, CONFIG_MAP.plural),
                selector=WITHOUT_ARCHIVES,
            ),
            Source(
                kind=SECRET,
                namespace=namespace,
                store=view.secrets,
                changed=partial(self._routing.changed, SECRET),
                heard=partial(self._heard, namespace, SECRET.plural),
                metadata_only=True,
            ),
        )
        self._followed[namespace] = [(source, self._follow(source)) for source in sources]

    def _follow(self, source: Source, *, allowed: bool = False) -> asyncio.Task[None]:
        source = replace(source, rolled_back=self._rolled_back)
        return self._group.create_task(
            follow(self._gateway, source, allowed=allowed), name=f"watch {source.kind.plural}"
        )

    def _heard(self, namespace: str, plural: str, allowed: bool) -> None:
        """A namespace has opted in when both its Secrets and its ConfigMaps were listed: neither is called absent before."""
        self._allowed[namespace, plural] = allowed
        answers = [self._allowed.get((namespace, kind.plural)) for kind in (CONFIG_MAP, SECRET)]
        opted_in = False if False in answers else None if None in answers else True
        if self._view.opted_in.get(namespace) != opted_in:
            self._view.opted_in[namespace] = opted_in
            self._routing.opt_in_changed(namespace)

    def _role_binding_changed(self, key: ObjectKey, before: Object | None, _now: Any) -> None:
        followed = self._followed.get(key.namespace, ())
        for source, _ in followed:
            source.again.set()
        if followed and before is not None and self._view.opted_in.get(key.namespace):
            self._group.create_task(self._look_for_withdrawal(key.namespace), name="did the namespace opt out?")

    async def _look_for_withdrawal(self, namespace: str) -> None:
        """The API server lets a watch run on that it would not open again, and hears of the change a moment after us."""
        for pause in WITHDRAWAL_PAUSES:
            await asyncio.sleep(pause)
            if not self._view.opted_in.get(namespace):
                return
            try:
                await self._gateway.list(SECRET, namespace, metadata_only=True)
            except Forbidden:
                self._followed[namespace] = self._again(self._followed[namespace], allowed=False)
                return
            except ApiError:
                continue

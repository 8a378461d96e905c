"""Watching beside Kopf: ledger, namespaces, opt-ins, and in each namespace that takes part its Secrets (metadata only)
and CRL ConfigMaps. These go on when Kopf's part is stopped.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from doorward.cluster.errors import ApiError, Forbidden
from doorward.cluster.gateway import (
    CONFIG_MAP,
    ISSUED_CERTIFICATE,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
    Gateway,
    Object,
)
from doorward.cluster.reflector import Notice, Source, follow
from doorward.cluster.store import Store
from doorward.objects.archive import WITHOUT_ARCHIVES
from doorward.objects.meta import ROLE, SELECTOR, ObjectKey
from doorward.view.parsed import exists
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.surroundings import source_of_classes

logger = logging.getLogger(__name__)
WITHDRAWAL_PAUSES = (0.2, 1.0, 5.0)  # seconds
LINGERS = 60.0
"""Seconds for which a namespace that does not take part any more is watched on: what comes back soon costs no list."""
FIRST_SWEEP = 20.0
SWEEP = 300.0
"""Seconds between two looks at which namespaces take part."""
MANY = 50
"""With so many namespaces one watch of the whole cluster costs less, where the operator may read it."""
WIDE_AGAIN = 600.0
"""Seconds until the right to it is asked for again."""
NOTHING = f"{SELECTOR},{ROLE}=none"
FILES_BESIDE = 150
"""What is open besides the watches: requests of 64 workers and of Kopf, logs, probes."""
NEARLY = 0.8
Followed = list[tuple[Source, asyncio.Task[None]]]


class Subscriptions:
    """The sources of one operator; namespaces join as objects in them take part, and leave with the last of them.

    `most_files`: how many files this process may have open; 0: not known.
    """

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        group: asyncio.TaskGroup,
        routing: Routing,
        scope: Iterable[str],
        rolled_back: Notice,
        most_files: int = 0,
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._group = group
        self._routing = routing
        self._scope = tuple(scope)
        self._rolled_back = rolled_back
        self._others: Followed = []
        """Ledger, namespaces and opt-ins."""
        self._followed: dict[str, Followed] = {}
        """By namespace that takes part; nothing is followed there while the whole cluster is."""
        self._wide: Followed = []
        """Secrets and ConfigMaps of the whole cluster, of which those in namespaces that take part are kept."""
        self._wide_listed: set[str] = set()
        """Which of their kinds were listed."""
        self._wide_due = 0.0
        self._most_files = most_files
        self._files_short = False
        self._allowed: dict[tuple[str, str], bool] = {}
        """By namespace and kind, what the last list was answered."""
        self._idle_since: dict[str, float] = {}
        """By namespace that is followed and does not take part any more."""
        self._deleted: set[str] = set()
        """Namespaces that were deleted and not created again, while objects in them are still known."""

    @property
    def namespaces(self) -> int:
        """How many namespaces take part."""
        return len(self._followed)

    @property
    def watches(self) -> int:
        """How many watches are open, or would be; each takes a connection."""
        return len(self._others) + len(self._wide) + sum(map(len, self._followed.values()))

    def start(self) -> None:
        """Follow what is watched from the first moment."""
        view = self._view
        classes = source_of_classes(view.surroundings, self._routing.surroundings_changed)
        self._others = [self._begin(self._source_of_namespaces()), self._begin(classes)]
        for namespace in self._scope or (None,):
            view.ledger.store.listed(namespace, heard=False)
            ledger = Source(
                kind=ISSUED_CERTIFICATE,
                namespace=namespace,
                store=view.ledger.store,
                changed=partial(self._routing.changed, ISSUED_CERTIFICATE),
                listed=partial(view.ledger.store.listed, namespace, heard=True),
            )
            opt_ins = Source(
                kind=ROLE_BINDING,
                namespace=namespace,
                store=Store(exists),
                changed=self._role_binding_changed,
                metadata_only=True,
            )
            self._others += [self._begin(ledger), self._begin(opt_ins)]

    def _source_of_namespaces(self) -> Source:
        store = self._view.namespaces
        store.listed(None, heard=False)
        return Source(
            kind=NAMESPACE,
            namespace=None,
            store=store,
            changed=self._namespace_changed,
            listed=partial(store.listed, None, heard=True),
        )

    def start_over(self) -> None:
        """List all again; what was known of what an operator writes is unknown until then, and nothing is called absent."""
        for namespace in self._scope or (None,):
            self._view.ledger.store.listed(namespace, heard=False)
        self._others = self._again(self._others)
        self._allowed.clear()
        self._wide_listed.clear()
        self._wide = self._again(self._wide)
        for namespace, followed in self._followed.items():
            self._view.opted_in[namespace] = None
            self._followed[namespace] = self._again(followed)

    def _again(self, followed: Followed, *, allowed: bool = True) -> Followed:
        for _, task in followed:
            task.cancel()
        return [self._begin(source, allowed=allowed) for source, _ in followed]

    def _begin(self, source: Source, *, allowed: bool = False) -> tuple[Source, asyncio.Task[None]]:
        """Follow a source, and keep account of whether it is synced."""
        sources, at = self._view.sources, (source.kind.plural, source.namespace)
        sources.expect(*at)
        listed, denied = source.listed, source.denied

        def now_listed() -> None:
            sources.synced(*at)
            listed()

        def now_denied(error: Exception) -> None:
            if source.kind in (CONFIG_MAP, SECRET):
                sources.synced(*at)  # it has not opted in, which its objects are told
            else:
                sources.failed(*at, error)
            denied(error)

        accounted = replace(
            source,
            listed=now_listed,
            denied=now_denied,
            failed=partial(sources.failed, *at),
            rolled_back=self._rolled_back,
        )
        task = follow(self._gateway, accounted, allowed=allowed)
        return source, self._group.create_task(task, name=f"watch {source}")

    # Namespaces that take part

    def join(self, namespace: str) -> None:
        """Watch what Doorward writes in this namespace, from now on."""
        self._idle_since.pop(namespace, None)
        if namespace in self._followed or namespace in self._deleted:
            return
        self._view.opted_in.setdefault(namespace, None)
        self._followed[namespace] = []
        self._followed[namespace] = [self._begin(source) for source in self._sources_in(namespace)]

    def _sources_in(self, namespace: str | None) -> Iterator[Source]:
        """ConfigMaps and Secrets of a namespace, or (None) of all that take part."""
        view = self._view
        for kind, store in ((CONFIG_MAP, view.configmaps), (SECRET, view.secrets)):
            answered = self._wide_answered if namespace is None else partial(self._answered, namespace)
            yield Source(
                kind=kind,
                namespace=namespace,
                store=store,
                changed=partial(self._routing.changed, kind),
                listed=partial(answered, kind.plural, allowed=True),
                denied=partial(self._denied, partial(answered, kind.plural, allowed=False)),
                keeps=(lambda key: key.namespace in self._followed) if namespace is None else (lambda _: True),
                selector=WITHOUT_ARCHIVES if kind == CONFIG_MAP else "",
                metadata_only=kind == SECRET,
            )

    def _denied(self, answered: Callable[[], None], _error: Exception) -> None:
        answered()

    async def keep(self) -> None:
        """Let namespaces go that do not take part any more; for ever."""
        await asyncio.sleep(FIRST_SWEEP)
        while True:
            await self._sweep(asyncio.get_running_loop().time())
            await asyncio.sleep(LINGERS if self._idle_since else SWEEP)

    async def _sweep(self, now: float) -> None:
        for namespace in tuple(self._followed):
            if self._view.takes_part(namespace):
                continue
            if now >= self._idle_since.setdefault(namespace, now) + LINGERS:
                self._leave(namespace)
        self._deleted = {namespace for namespace in self._deleted if self._view.takes_part(namespace)}
        if len(self._followed) >= MANY and not (self._scope or self._wide) and now >= self._wide_due:
            self._wide_due = now + WIDE_AGAIN
            if await self._may_read_all():
                self._wide = [self._begin(source) for source in self._sources_in(None)]
        self._count_files()

    def _count_files(self) -> None:
        """Say once that the limit is near, before connections fail."""
        needed = self.watches + FILES_BESIDE
        short = bool(self._most_files) and needed > NEARLY * self._most_files
        if short and not self._files_short:
            logger.warning("open files: about %d needed, limit %d: raise the limit nofile", needed, self._most_files)
        self._files_short = short

    # The whole cluster at once

    async def _may_read_all(self) -> bool:
        """Whether Secrets and ConfigMaps of all namespaces may be listed; asked for by a list that finds none."""
        try:
            for kind in (CONFIG_MAP, SECRET):
                await self._gateway.list(kind, None, selector=NOTHING, metadata_only=True)
        except ApiError:
            return False
        return True

    def _wide_answered(self, plural: str, *, allowed: bool) -> None:
        """Once both kinds were listed, namespaces need no watches of their own; as soon as one is denied, they do."""
        if not allowed:
            self._narrow()
            return
        self._wide_listed.add(plural)
        for namespace in tuple(self._followed) if self._reads_all else ():
            self._merge(namespace)

    @property
    def _reads_all(self) -> bool:
        return {CONFIG_MAP.plural, SECRET.plural} <= self._wide_listed

    def _merge(self, namespace: str) -> None:
        """The watch of the whole cluster goes on where those of this namespace end. Who may read all may read here."""
        for _, task in self._followed[namespace]:
            task.cancel()
        self._followed[namespace] = []
        self._view.sources.drop(namespace, (SECRET.plural, CONFIG_MAP.plural))
        for kind in (CONFIG_MAP, SECRET):
            self._answered(namespace, kind.plural, allowed=True)

    def _narrow(self) -> None:
        """The right to read everything went: each namespace is followed by itself, and unknown until it was listed."""
        for _, task in self._wide:
            task.cancel()
        self._wide = []
        self._wide_listed.clear()
        self._view.sources.drop("", (SECRET.plural, CONFIG_MAP.plural))
        for namespace, followed in self._followed.items():
            if not followed:
                self._view.opted_in[namespace] = None
                for kind in (CONFIG_MAP, SECRET):
                    self._allowed.pop((namespace, kind.plural), None)
                self._followed[namespace] = [self._begin(source) for source in self._sources_in(namespace)]

    # Leaving

    def _leave(self, namespace: str) -> dict[ObjectKey, Object]:
        """Watch it no longer, and let go of all that is held of it; which Secrets that were."""
        for _, task in self._followed.pop(namespace, ()):
            task.cancel()
        self._idle_since.pop(namespace, None)
        self._view.opted_in.pop(namespace, None)
        for kind in (SECRET, CONFIG_MAP):
            self._allowed.pop((namespace, kind.plural), None)
        self._view.sources.drop(namespace, (SECRET.plural, CONFIG_MAP.plural))
        self._view.configmaps.drop(namespace)
        return self._view.secrets.drop(namespace)

    def _namespace_changed(self, key: ObjectKey, before: Object | None, now: Object | None) -> None:
        if now is None:
            self._deleted.add(key.name)
            for secret, known in self._leave(key.name).items():
                self._routing.changed(SECRET, secret, known, None)
        elif key.name in self._deleted:
            self._deleted.discard(key.name)
            if self._view.takes_part(key.name):
                self.join(key.name)
        self._routing.changed(NAMESPACE, key, before, now)

    def _answered(self, namespace: str, plural: str, *, allowed: bool) -> None:
        """A namespace has opted in when both its Secrets and its ConfigMaps were listed: neither is called absent before."""
        self._allowed[namespace, plural] = allowed
        answers = [self._allowed.get((namespace, kind.plural)) for kind in (CONFIG_MAP, SECRET)]
        opted_in = False if False in answers else None if None in answers else True
        if self._view.opted_in.get(namespace) != opted_in:
            self._view.opted_in[namespace] = opted_in
            self._routing.opt_in_changed(namespace)
        if opted_in and self._reads_all and self._followed.get(namespace):
            self._merge(namespace)

    # Opting out

    def _role_binding_changed(self, key: ObjectKey, before: bool | None, _now: Any) -> None:
        followed = self._followed.get(key.namespace, ())
        for source, _ in followed:
            source.again.set()
        if followed and before and self._view.opted_in.get(key.namespace):
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
                if namespace in self._followed:
                    self._followed[namespace] = self._again(self._followed[namespace], allowed=False)
                return
            except ApiError:
                continue

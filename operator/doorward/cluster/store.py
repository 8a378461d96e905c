"""What was last seen of the cluster: objects by key, with the look-ups that reconciling needs. No key, no data of a Secret.

A store never goes back: an object with a lower resourceVersion than the one it holds is passed over, so an answer to
our own write and the watch may arrive in either order. One thing alone makes it: a list that shows less than was known
when it was asked for. Such a list is from a cluster whose etcd was put back to an older state, and it is the truth.
"""

import logging
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from doorward.cluster.endings import Endings
from doorward.cluster.errors import Transient
from doorward.cluster.shelves import Shelves
from doorward.objects.meta import ObjectKey, key_of

logger = logging.getLogger(__name__)
V = TypeVar("V")
MOST_ENDS = 10_000  # of objects that went, remembered
Object = dict[str, Any]


def version_of(body: Object) -> int:
    """The resourceVersion as a number; the API promises that they compare as such since Kubernetes 1.35. 0: it is none."""
    try:
        return int(body["metadata"].get("resourceVersion") or 0)
    except ValueError:
        return 0


def number_of(version: str) -> int:
    """The resourceVersion of a list or a bookmark as a number.

    Transient where it is none, as an aggregated API or a proxy may answer: what cannot be ordered cannot be followed.
    """
    try:
        return int(version)
    except ValueError:
        raise Transient(f"the resourceVersion {version[:40]!r} is not a number") from None


class Mark(NamedTuple):
    """What a store knew at a moment: how many changes it had taken in, and the highest resourceVersion heard of."""

    changes: int
    heard: int


class _Held(NamedTuple, Generic[V]):
    version: int
    value: V
    change: int


def _is_ahead(held: _Held[Any], listed: int, asked: Mark) -> bool:
    return held.change <= asked.changes and listed < held.version


class Seen(NamedTuple, Generic[V]):
    """One object of a list, parsed as it came in; `value` None: it is known in that version, or cannot be read."""

    key: ObjectKey
    version: int
    value: V | None


class Store(Generic[V]):
    """Objects of one kind, parsed once as they come in, with any number of indexes.

    `parse` raises ValueError, KeyError or TypeError on what cannot be read; `put` passes that on. `ends` gives, by name, the
    group of an object and when it ends: `unended` counts those that have not. `own_key` gives the key that an object holds
    itself: then that one is kept, and not another that is equal, of which there may be very many.
    """

    def __init__(
        self,
        parse: Callable[[Object], V],
        indexes: dict[str, Callable[[V], Iterable[Hashable]]] | None = None,
        ends: dict[str, Callable[[V], tuple[Hashable, datetime]]] | None = None,
        own_key: Callable[[V], ObjectKey] | None = None,
    ) -> None:
        self._parse = parse
        self._own_key = own_key
        self._ends_by = ends or {}
        self._ends = {name: Endings() for name in self._ends_by}
        self._spaces: dict[str, dict[ObjectKey, _Held[V]]] = {}
        """By namespace, so that the list of one costs what is in it."""
        self._by = indexes or {}
        self._index: dict[str, Shelves[V]] = {name: Shelves(self._value) for name in self._by}
        self._gone: dict[ObjectKey, tuple[int, int]] = {}
        """Version and number of the change."""
        self._shown: dict[str | None, int] = {}
        """By namespace (None: all of them), the version of the last full list: what is not held in that version is gone."""
        self._changes = 0
        self._heard = 0
        self._listed: dict[str | None, bool] = {}
        """By namespace (None: all of them) that is listed, whether a full list of it was heard."""

    def __len__(self) -> int:
        return sum(map(len, self._spaces.values()))

    @property
    def synced(self) -> bool:
        """Whether full lists of all that is to be listed were heard; before that, nothing can be called absent."""
        return bool(self._listed) and all(self._listed.values())

    def synced_in(self, namespace: str) -> bool:
        """Whether a full list of the namespace was heard. Of one that is not listed by itself: whether all lists were."""
        return self._listed.get(namespace, self.synced)

    def listed(self, namespace: str | None, *, heard: bool) -> None:
        """A full list of the namespace (None: of all) was heard, or is needed first."""
        self._listed[namespace] = heard

    def get(self, key: ObjectKey) -> V | None:
        """The object, or None where it is not there (or not yet)."""
        found = self._held(key)
        return found.value if found else None

    def _held(self, key: ObjectKey) -> _Held[V] | None:
        space = self._spaces.get(key.namespace)
        return space.get(key) if space is not None else None

    def _value(self, key: ObjectKey) -> V:
        return self._spaces[key.namespace][key].value

    def version(self, key: ObjectKey) -> int:
        """The resourceVersion of the object that is held; 0: none."""
        found = self._held(key)
        return found.version if found else 0

    def keys(self, namespace: str | None = None) -> Iterator[ObjectKey]:
        """All keys (of one namespace); the store may change while it is walked through."""
        return iter([key for space in self._of(namespace) for key in space])

    def values(self) -> Iterator[V]:
        """All objects; the store may change while it is walked through."""
        return iter([held.value for space in self._spaces.values() for held in space.values()])

    def _of(self, namespace: str | None) -> Iterable[dict[ObjectKey, _Held[V]]]:
        return self._spaces.values() if namespace is None else (self._spaces.get(namespace, {}),)

    def lookup(self, index: str, value: Hashable) -> tuple[V, ...]:
        """The objects that `index` files under `value`."""
        return self._index[index].find(value)

    def ordered(self, index: str, value: Hashable) -> tuple[ObjectKey, ...]:
        """The keys of the objects that `index` files under `value`, in their order."""
        return self._index[index].ordered(value)

    def entries(self, index: str) -> tuple[Hashable, ...]:
        """The values under which `index` files something."""
        return self._index[index].entries()

    def groups(self, name: str) -> Iterable[Any]:
        """The groups with objects, whether they ended or not."""
        return self._ends[name].groups()

    def unended(self, name: str, group: Hashable, now: datetime) -> int:
        """How many objects of the group end after `now`; a bisection, however many there are."""
        return self._ends[name].after(group, now)

    def mark(self) -> Mark:
        """Where it stands now: what a list that is asked for from now on cannot know less of."""
        return Mark(self._changes, self._heard)

    def hear(self, version: int) -> None:
        """The cluster has come as far as that."""
        self._heard = max(self._heard, version)

    def shown(self, namespace: str | None, version: int) -> None:
        """A full list, of one namespace or of all, shows what there was in that version."""
        self.hear(version)
        self._shown[namespace] = version

    def put(self, body: Object) -> bool:
        """Take in an object; False where a newer one, or its end, is known already."""
        key, version = key_of(body), version_of(body)
        if self._knows_better(key, version) or self._went_before_a_list(key, version):
            return False
        value = self._parse(body)
        self._keep(self._kept_key(key, value), version, value)
        return True

    def _kept_key(self, key: ObjectKey, value: V) -> ObjectKey:
        return key if self._own_key is None else self._own_key(value)

    def seen(self, body: Object) -> Seen[V]:
        """One object of a list, parsed unless it is known in that version; one that cannot be read is loud."""
        key, version = key_of(body), version_of(body)
        if version and version == self.version(key):
            return Seen(key, version, None)
        try:
            value = self._parse(body)
            return Seen(self._kept_key(key, value), version, value)
        except (ValueError, KeyError, TypeError):
            logger.exception("cannot read %s %s", body.get("kind", "object"), key, extra={"object": str(key)})
            return Seen(key, version, None)

    def _knows_better(self, key: ObjectKey, version: int) -> bool:
        """Whether a newer one, or its end, is known already."""
        held = self._held(key)
        return version <= self._gone.get(key, (-1, 0))[0] or (held is not None and version <= held.version)

    def _went_before_a_list(self, key: ObjectKey, version: int) -> bool:
        """Whether a list that came in lacks the object, and is newer: the answer to our own write may be later than both."""
        shown = max(self._shown.get(key.namespace, -1), self._shown.get(None, -1))
        return version <= shown and self._held(key) is None

    def _keep(self, key: ObjectKey, version: int, value: V) -> None:
        before = self._held(key)
        if before is not None:
            self._unfile(key, before.value)
        self._changes += 1
        self.hear(version)
        self._spaces.setdefault(key.namespace, {})[key] = _Held(version, value, self._changes)
        for name, function in self._by.items():
            for entry in set(function(value)):
                self._index[name].file(entry, key, value)
        for name, end_of in self._ends_by.items():
            self._ends[name].add(*end_of(value))

    def remove(self, key: ObjectKey, version: int) -> bool:
        """Take out an object that went at `version`; False where it is not there, or was created again since."""
        before = self._held(key)
        if before is not None and version < before.version:
            return False
        self._forget(key, max(version, before.version if before else 0, self._gone.get(key, (0, 0))[0]))
        if before is None:
            return False
        self._take_out(key, before)
        return True

    def _take_out(self, key: ObjectKey, held: _Held[V]) -> None:
        space = self._spaces[key.namespace]
        del space[key]
        if not space:
            del self._spaces[key.namespace]
        self._unfile(key, held.value)

    def drop(self, namespace: str) -> dict[ObjectKey, V]:
        """Let go of what is held of a namespace that is not followed any more; what it was. Nothing of it ended."""
        self._shown.pop(namespace, None)
        dropped = dict(self._spaces.get(namespace, {}))
        for key, held in dropped.items():
            self._take_out(key, held)
        return {key: held.value for key, held in dropped.items()}

    def _forget(self, key: ObjectKey, version: int) -> None:
        """Remember the end of an object, so that a late answer to an older write does not bring it back."""
        self.hear(version)
        self._changes += 1
        self._gone[key] = (version, self._changes)
        if len(self._gone) > MOST_ENDS:
            self._gone.pop(next(iter(self._gone)))

    def is_ahead(self, key: ObjectKey, listed: int, asked: Mark) -> bool:
        """Whether an object was known at the mark in a higher version than the one in which a list shows it."""
        held = self._held(key)
        return held is not None and _is_ahead(held, listed, asked)

    def is_past(self, listed: Mapping[ObjectKey, int], version: int, asked: Mark) -> bool:
        """Whether a list is older than what was heard of at the mark, or shows an object whose end was known then."""
        if version < asked.heard:
            return True
        ends = ((key, *self._gone[key]) for key in listed.keys() & self._gone.keys())
        return any(change <= asked.changes and listed[key] <= end for key, end, change in ends)

    def was_put_back(self, listed: Mapping[ObjectKey, int], version: int, asked: Mark, namespace: str | None) -> bool:
        """Whether a list (of one namespace) that was asked for since the mark shows less than was known then: whether one of its
        objects is ahead, or all of it is past.

        What it contradicts is from a past that never was: its version is forgotten, so that the list can be taken in.
        """
        back = self.is_past(listed, version, asked)
        for space in self._of(namespace):
            for key, held in space.items():
                if _is_ahead(held, listed.get(key, version), asked):
                    space[key] = held._replace(version=0)
                    back = True
        if back:
            self._gone.clear()
            self._shown.clear()
            self._heard = version
        return back

    def take(self, seen: Seen[V]) -> bool:
        """Take in one object of a list; False where it says nothing that is not known. Objects of a list may be taken in one
        after the other: what is written meanwhile is newer than the list, and stays.
        """
        if seen.value is None or self._knows_better(seen.key, seen.version):
            return False
        self._keep(seen.key, seen.version, seen.value)
        return True

    def unlisted(self, listed: Container[ObjectKey], namespace: str | None = None) -> list[ObjectKey]:
        """What a list (of one namespace) lacks. Some of it may have been created since: `remove` knows."""
        return [key for space in self._of(namespace) for key in space if key not in listed]

    def _unfile(self, key: ObjectKey, value: V) -> None:
        for name, end_of in self._ends_by.items():
            self._ends[name].remove(*end_of(value))
        for name, function in self._by.items():
            for entry in set(function(value)):
                self._index[name].take(entry, key)

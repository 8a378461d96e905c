"""Ingresses as they were last seen: that they are there, and their access lists."""

import sys
from collections import Counter

from doorward.cluster.steps import in_steps
from doorward.objects.access_list import ALLOW, AccessList, Unreadable, parse
from doorward.objects.meta import Object, ObjectKey, key_of

AccessRule = AccessList | Unreadable | None
"""None: an Ingress without a list, which admits all clients of its issuer."""


class Ingresses:
    """All Ingresses, in few words: a cluster may have thousands, most of which have no list."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], AccessRule] = {}
        """By namespace and name, which each request looks up without making an `ObjectKey` of them."""
        self._with_list: Counter[str] = Counter()
        """How many have a list, by namespace."""
        self._listed: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._known)

    def access_list(self, namespace: str, name: str) -> AccessRule:
        """Of the Ingress of that name; None: it has none. KeyError: there is no such Ingress."""
        return self._known[namespace, name]

    def any_list_in(self, namespace: str) -> bool:
        """Whether an Ingress of the namespace has a list."""
        return self._with_list[namespace] > 0

    def begin(self) -> None:
        """A full list begins."""
        self._listed = set()

    def take(self, body: Object) -> None:
        """An Ingress as the API server has it, or its metadata."""
        key = ObjectKey(*map(sys.intern, key_of(body)))
        self._listed.add(key)
        self._drop(key)
        text = (body["metadata"].get("annotations") or {}).get(ALLOW)
        self._known[key] = None if text is None else parse(text, key.namespace)
        if text is not None:
            self._with_list[key.namespace] += 1

    def remove(self, body: Object) -> None:
        """It was deleted."""
        self._drop(key_of(body))

    async def end(self) -> None:
        """The list is complete: what it did not have is not there."""
        async for key in in_steps(self._known.keys() - self._listed):
            self._drop(key)
        self._listed = set()

    def _drop(self, key: tuple[str, str]) -> None:
        if self._known.pop(key, None) is not None:
            self._with_list -= Counter({key[0]: 1})

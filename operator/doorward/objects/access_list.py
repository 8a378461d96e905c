"""The access list of an Ingress, its annotation `doorward.io/allow`: which clients of the issuer its application admits.

Its entries are separated by spaces or line breaks. Each selects ClientCertificates by name, `<name>` or `<namespace>/<name>`, or
by label, `<key>=<value>`; several labels that are joined by commas must all be there. Everything is compared exactly. A list of
which one entry cannot be read selects nobody.

deploy/manifests/validating-ingress.yaml holds the same patterns and limits; a test compares them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from doorward.api.fields import GROUP
from doorward.objects.meta import ObjectKey

ALLOW = f"{GROUP}/allow"
LONGEST = 8192
"""Characters of a list."""
MOST = 64
"""Entries of a list: each is compared with at every request."""
SHOWN = 60
"""Characters of an entry that a message shows."""
SPACE = "[ \t\r\n]+"

_DOMAIN = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:[.][a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_WORD = "[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL = f"(?:{_DOMAIN}/)?{_WORD}={_WORD}"
NAME = f"(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?/)?{_DOMAIN}"
LABELS = f"{_LABEL}(?:,{_LABEL})*"
"""What an entry matches from end to end."""
_NAME, _LABELS = re.compile(NAME), re.compile(LABELS)


@dataclass(frozen=True, slots=True)
class AccessList:
    """Whom an Ingress admits."""

    names: frozenset[ObjectKey]
    labels: tuple[frozenset[str], ...]
    """By entry, as `<key>=<value>`: a client that has all of one entry is selected."""

    def selects(self, client: ObjectKey, labels: Collection[str]) -> bool:
        """Whether a ClientCertificate is selected; `labels`: all that it has, as `<key>=<value>`."""
        if client in self.names:
            return True
        found = frozenset(labels) if self.labels else frozenset()
        return any(wanted <= found for wanted in self.labels)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A list that selects nobody, since it cannot be read."""

    fix: str
    """What to do."""


def parse(text: str, namespace: str) -> AccessList | Unreadable:
    """The list of an Ingress in that namespace."""
    if len(text) > LONGEST:
        return Unreadable(f"shorten {ALLOW} to {LONGEST} characters")
    entries = [entry for entry in re.split(SPACE, text) if entry]
    if not entries:
        return Unreadable(f"name a ClientCertificate in {ALLOW}, or remove it to admit all clients of the issuer")
    if len(entries) > MOST:
        return Unreadable(f"keep {ALLOW} at {MOST} entries or fewer: give the clients a label, and name that")
    names, labels = set(), []
    for entry in entries:
        if _NAME.fullmatch(entry):
            before, slash, name = entry.rpartition("/")
            names.add(ObjectKey(before if slash else namespace, name))
        elif _LABELS.fullmatch(entry):
            labels.append(frozenset(entry.split(",")))
        else:
            return Unreadable(
                f"write the entry {entry[:SHOWN]!a} of {ALLOW} as <name>, <namespace>/<name> or <key>=<value>,"
                " with spaces between entries"
            )
    return AccessList(names=frozenset(names), labels=tuple(labels))

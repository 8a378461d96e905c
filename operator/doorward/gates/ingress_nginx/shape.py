"""Which Ingresses ingress-nginx is known to protect, and at which hosts: the rules of validating-ingress.yaml, once more.

The policy keeps other Ingresses out. Here they are told of where one got in, since the policy was away or younger than they.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from doorward.gates.ingress_nginx.known import ANNOTATIONS, NO_PATH, PATHS, PREFIX, VALUES

Object = Mapping[str, Any]
_VALUES = {kind: re.compile(pattern) for kind, pattern in VALUES.items()}
_PATHS = {kind: re.compile(pattern) for kind, pattern in PATHS.items()}
LONGEST = 2048
"""Characters of a value or path that is looked at; longer ones are not known."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What matters of an Ingress beside its marks, in few words: a cluster may have thousands."""

    hosts: tuple[str, ...] = ()
    setting: str = ""
    """What of its annotations takes protection from a host, also from one that another Ingress protects; empty: nothing."""
    rules: str = ""
    """What of its spec leaves it without protection; empty: nothing."""
    plain: bool = False
    """Its hosts answer over plain HTTP, where nobody is asked for a certificate."""

    @property
    def fault(self) -> str:
        """Why its hosts may admit somebody without a certificate, and what to do; empty: they do not."""
        return self.setting or self.rules


def shape_of(body: Object) -> Shape:
    """The shape of an Ingress as the API server gives it."""
    annotations = body["metadata"].get("annotations") or {}
    spec = body.get("spec") or {}
    return Shape(
        hosts=tuple(sorted({*_hosts(spec), *_aliases(annotations)})),
        setting=next(_settings(annotations), ""),
        rules=next(_rules(spec), ""),
        plain=not spec.get("tls") and annotations.get(f"{PREFIX}force-ssl-redirect") != "true",
    )


def _hosts(spec: Object) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        yield rule.get("host") or ""


def _aliases(annotations: Mapping[str, str]) -> Iterator[str]:
    alias = annotations.get(f"{PREFIX}server-alias", "")
    yield from filter(None, map(str.strip, alias[:LONGEST].split(",")))


def accepted(kind: str, value: str) -> bool:
    """Whether every ingress-nginx takes a value of that kind."""
    return _matches(_VALUES[kind], value)


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return len(text) <= LONGEST and pattern.fullmatch(text) is not None


def _settings(annotations: Mapping[str, str]) -> Iterator[str]:
    """In the order of their names: what is said must not change by itself."""
    for name in sorted(annotations):
        if not name.lower().startswith(PREFIX):
            continue
        kind = ANNOTATIONS.get(name.removeprefix(PREFIX))
        if kind is None:
            yield f"remove the annotation {name[:120]}, with which ingress-nginx is not known to protect a host"
        elif not accepted(kind, annotations[name]):
            yield f"change or remove the annotation {name}, with whose value ingress-nginx is not known to protect a host"


def _rules(spec: Object) -> Iterator[str]:
    if not spec.get("rules"):
        yield "add spec.rules: ingress-nginx asks nobody for a certificate at an Ingress with only a defaultBackend"
    default = spec.get("defaultBackend")
    if default is not None and not default.get("service"):
        yield "change spec.defaultBackend: ingress-nginx serves no other backend than a service"
    for rule in spec.get("rules") or ():
        if not rule.get("host"):
            yield "add a host to each of spec.rules: without one the rule is for every host, whichever issuer protects it"
        paths = (rule.get("http") or {}).get("paths")
        if not paths:
            yield "add http.paths to each of spec.rules: ingress-nginx asks nobody for a certificate at a rule without them"
        for path in paths or ():
            yield from _path(path)


def _path(path: Object) -> Iterator[str]:
    if not (path.get("backend") or {}).get("service"):
        yield "change the backends of spec.rules: ingress-nginx serves no other backend than a service"
    text, pattern = path.get("path") or "/", _PATHS.get(path.get("pathType", ""))
    if pattern is None or not _matches(pattern, text) or re.search(NO_PATH, text):
        yield "change the paths of spec.rules: ingress-nginx may ignore an Ingress with unusual letters in a path"

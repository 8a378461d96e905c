"""Which Ingresses ingress-nginx is known to protect, and at which hosts: the rules of validating-ingress.yaml, once more.

The policy keeps other Ingresses out. Here they are told of where one got in, since the policy was away or younger than they.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from doorward.gates.ingress_nginx.known import ANNOTATIONS, NO_PATH, PATHS, PREFIX, VALUES

Object = Mapping[str, Any]
_VALUES = {kind: re.compile(pattern) for kind, pattern in VALUES.items()}
_PATHS = {kind: re.compile(pattern) for kind, pattern in PATHS.items()}
REDIRECT = f"{PREFIX}ssl-redirect"
OLD_CLASS = "kubernetes.io/ingress.class"
_TRUE, _FALSE = ("1", "t", "T", "true", "True", "TRUE"), ("0", "f", "F", "false", "False", "FALSE")
"""As Go's strconv.ParseBool has them."""
LONGEST = 2048
"""Characters of a value or path that is looked at; longer ones are not known."""
LONGEST_ALIAS = 16_384
"""The same, of a list of aliases: whoever hides one behind many others has a host all the same."""


class Place(NamedTuple):
    """A path of a host, for which ingress-nginx has one location, of one Ingress."""

    host: str
    path: str
    """Without a slash at its end."""
    exact: bool
    """For this very path only: nginx prefers that to a prefix."""

    def __str__(self) -> str:
        return f"{self.host}{self.path or '/'}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What matters of an Ingress beside its marks, in few words: a cluster may have thousands."""

    hosts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Those of the hosts that no rule names."""
    host_paths: tuple[str, ...] = ()
    """For each host, the path of its first rule."""
    paths: tuple[str, ...] = ()
    places: frozenset[Place] = frozenset()
    services: tuple[str, ...] = ()
    """The Services that it routes to, in its own namespace."""
    setting: str = ""
    """What of its annotations takes protection from a host, also from one that another Ingress protects; empty: nothing."""
    rules: str = ""
    """What of its spec leaves it without protection; empty: nothing."""
    hostless: bool = False
    """A rule of it is for clients that name no host of the controller's."""
    tls: bool = False
    redirects: bool | None = None
    """What it says of redirecting plain HTTP to HTTPS where its host has TLS; None: nothing that can be read."""
    forced: bool | None = None
    """The same, of redirecting in any case."""
    ingress_class: str | None = None
    old_class: bool = False
    """Its class is given by the old annotation."""

    @property
    def fault(self) -> str:
        """Why its hosts may admit somebody without a certificate, and what to do; empty: they do not."""
        return self.setting or self.rules

    @property
    def named(self) -> frozenset[str]:
        """The hosts that its rules name."""
        return frozenset(self.hosts) - frozenset(self.aliases)

    @property
    def may_be_plain(self) -> bool:
        """Whether it serves plain HTTP, where nobody is asked for a certificate, unless others at its hosts keep it from that."""
        return not self.forced and (self.redirects is False or not self.tls or bool(self.aliases))


def shape_of(body: Object) -> Shape:
    """The shape of an Ingress as the API server gives it."""
    annotations = body["metadata"].get("annotations") or {}
    spec = body.get("spec") or {}
    hosts, aliases = set(_hosts(spec)), set(_aliases(annotations))
    named_class = spec.get("ingressClassName")
    return Shape(
        hosts=tuple(sorted(hosts | aliases)),
        aliases=tuple(sorted(aliases - hosts)),
        host_paths=tuple(_host_path(spec, host) for host in sorted(hosts | aliases)),
        paths=tuple(sorted(set(_paths(spec)))),
        places=frozenset(_places(spec)),
        services=tuple(sorted({*_services(spec), *_fallback(annotations)})),
        setting=next(_settings(annotations), ""),
        rules=next(_rules(spec), ""),
        hostless="" in hosts,
        tls=bool(spec.get("tls")),
        redirects=boolean(annotations.get(REDIRECT)),
        forced=boolean(annotations.get(f"{PREFIX}force-ssl-redirect")),
        ingress_class=named_class if named_class is not None else annotations.get(OLD_CLASS),
        old_class=named_class is None,
    )


def boolean(text: str | None) -> bool | None:
    """As ingress-nginx reads it; None: it cannot, or there is none."""
    return True if text in _TRUE else False if text in _FALSE else None


def _hosts(spec: Object) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        yield rule.get("host") or ""


def _host_path(spec: Object, host: str) -> str:
    """The first path at which a host is served: of a regular expression, which no request matches as it stands, the root."""
    rules = spec.get("rules") or ()
    own = [rule for rule in rules if (rule.get("host") or "") == host]
    for rule in own or rules:
        for path in (rule.get("http") or {}).get("paths") or ():
            text = path.get("path") or "/"
            return text if _matches(_PATHS["Prefix"], text) else "/"
    return "/"


def _aliases(annotations: Mapping[str, str]) -> Iterator[str]:
    """In lower case, as nginx compares them: of two servers with one name it takes the first."""
    alias = annotations.get(f"{PREFIX}server-alias", "")
    yield from filter(None, map(str.strip, alias[:LONGEST_ALIAS].lower().split(",")))


def _paths(spec: Object) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield path.get("path") or "/"


def _places(spec: Object) -> Iterator[Place]:
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield Place(rule.get("host") or "", (path.get("path") or "/").rstrip("/"), path.get("pathType") == "Exact")


def _fallback(annotations: Mapping[str, str]) -> Iterator[str]:
    """The Service that is asked where another one has no endpoint."""
    if name := annotations.get(f"{PREFIX}default-backend"):
        yield name[:LONGEST]


def _services(spec: Object) -> Iterator[str]:
    backends = [
        path.get("backend") for rule in spec.get("rules") or () for path in (rule.get("http") or {}).get("paths") or ()
    ]
    for backend in (spec.get("defaultBackend"), *backends):
        name = ((backend or {}).get("service") or {}).get("name")
        if name:
            yield name


def accepted(kind: str, value: str) -> bool:
    """Whether every ingress-nginx takes a value of that kind."""
    return _matches(_VALUES[kind], value)


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return len(text) <= LONGEST and pattern.fullmatch(text) is not None


def _settings(annotations: Mapping[str, str]) -> Iterator[str]:
    """In the order of their names: what is said must not change by itself."""
    for name in sorted(annotations):
        if not name.lower().startswith(PREFIX) or (name == REDIRECT and boolean(annotations[name]) is not None):
            continue  # whether plain HTTP is redirected is asked for by itself
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

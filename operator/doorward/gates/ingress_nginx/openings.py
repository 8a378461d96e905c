"""What leaves a host open though its own annotations are right: plain HTTP, paths that are passed over, a class that is not
ingress-nginx's. Read in ingress-nginx 1.11 to 1.15; see docs/decisions/0027-a-host-is-decided-over-all-ingresses.md.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from doorward.gates.ingress_nginx.known import PREFIX
from doorward.gates.ingress_nginx.shape import Shape, boolean
from doorward.objects.meta import ObjectKey

ACME = "/.well-known/acme-challenge"
CONTROLLERS = ("k8s.io/ingress-nginx",)
"""What an IngressClass calls ingress-nginx, unless its flag --controller-class says otherwise."""
BY_ANNOTATION = "nginx"
"""The value of kubernetes.io/ingress.class that ingress-nginx serves without an IngressClass of that name."""
READ = frozenset({"ssl-redirect", "force-ssl-redirect", "no-tls-redirect-locations", "no-auth-locations"})
"""The settings of the controller that are looked at."""
MOST_ITEMS, LONGEST_ITEM = 64, 253
"""Of a list in the controller's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What matters of the controller's ConfigMap, or its defaults."""

    redirects: bool = True
    forced: bool = False
    """It redirects to HTTPS also where a host has no TLS section."""
    unredirected: tuple[str, ...] = (ACME,)
    """Beginnings of paths that it never redirects to HTTPS."""
    unasked: tuple[str, ...] = (ACME,)
    """Beginnings of paths at which it never asks `auth-url`."""
    where: str = ""
    """The ConfigMap, for messages."""


def settings_of(data: Mapping[str, str], where: str) -> Settings:
    """The settings in a ConfigMap's data. A value that the controller cannot read leaves its default in force."""
    redirects, forced = _switch(data, "ssl-redirect"), _switch(data, "force-ssl-redirect")
    return Settings(
        redirects=True if redirects is None else redirects,
        forced=bool(forced),
        unredirected=_items(data.get("no-tls-redirect-locations", ACME)),
        unasked=_items(data.get("no-auth-locations", ACME)),
        where=f"ConfigMap {where}",
    )


def _switch(data: Mapping[str, str], name: str) -> bool | None:
    """The controller takes an empty value for false there, unlike in an annotation."""
    return False if data.get(name) == "" else boolean(data.get(name))


def _items(text: str) -> tuple[str, ...]:
    found = (item.strip(" ")[:LONGEST_ITEM] for item in text.split(",", MOST_ITEMS)[:MOST_ITEMS])
    return tuple(item for item in found if item)


def plain(shape: Shape, sharing: Iterable[Shape], settings: Settings) -> str:
    """Why the hosts of an Ingress answer over plain HTTP, and what to do; empty: they redirect to HTTPS.

    `sharing` are the others at its hosts: ingress-nginx redirects a host if one of its Ingresses has a TLS section.
    """
    forced = settings.forced if shape.forced is None else shape.forced
    if forced:
        return ""
    if shape.redirects is False:
        return f"remove the annotation {PREFIX}ssl-redirect"
    if shape.redirects is None and not settings.redirects:
        return f'set ssl-redirect to "true" in {settings.where}, or the annotation {PREFIX}ssl-redirect on this Ingress'
    covered = set(shape.named) if shape.tls else set(_with_tls(shape, sharing))
    if not covered.issuperset(shape.named):
        return "add spec.tls with the host"
    if shape.aliases:
        return (
            f'set the annotation {PREFIX}force-ssl-redirect to "true", since ingress-nginx redirects a server-alias only if the'
            " certificate of the host names it too"
        )
    return ""


def _with_tls(shape: Shape, sharing: Iterable[Shape]) -> Iterator[str]:
    """The hosts that others give a TLS section. One with a fault may be passed over by the controller."""
    for other in sharing:
        if other.tls and not other.fault and other.ingress_class == shape.ingress_class:
            yield from other.named


def plain_path(shape: Shape, settings: Settings) -> str:
    """The first path that is never redirected to HTTPS; empty: none."""
    return _under(shape.paths, settings.unredirected)


def unasked_path(shape: Shape, settings: Settings) -> str:
    """The first path at which `auth-url` is never asked; empty: none."""
    return _under(shape.paths, settings.unasked)


def _under(paths: Iterable[str], beginnings: tuple[str, ...]) -> str:
    return next((path[:LONGEST_ITEM] for path in paths if path.startswith(beginnings)), "")


def unserved(shape: Shape, classes: Mapping[str, str], controllers: Collection[str] = CONTROLLERS) -> str:
    """Why no ingress-nginx serves the Ingress, and what to do; empty: one does. `classes`: the controller of each IngressClass.

    ingress-nginx looks at spec.ingressClassName first, and at the old annotation only where that is missing.
    """
    name = shape.ingress_class
    fix = "set spec.ingressClassName to an IngressClass of ingress-nginx"
    if name is None:
        return f"it has no Ingress class: {fix}"
    controller = classes.get(name)
    if controller in controllers or (controller is None and shape.old_class and name == BY_ANNOTATION):
        return ""
    if controller is None:
        return f"there is no IngressClass {name[:LONGEST_ITEM]}: {fix}"
    return f"IngressClass {name[:LONGEST_ITEM]} is served by {controller[:LONGEST_ITEM]}: {fix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An Ingress, as far as it decides who is admitted at its paths."""

    key: ObjectKey
    shape: Shape
    made_at: str
    """In whole seconds, as the API server says it, so that texts compare like instants."""
    admits: object
    """The issuer that it names and its access list: what makes two Ingresses decide alike."""


def taken(mine: Placed, others: Iterable[Placed]) -> tuple[str, ObjectKey] | None:
    """The first path of an Ingress that ingress-nginx serves from an older one which decides otherwise, and that one; None: there is none.

    Of two from one second either may be the one.
    """
    found = [
        (str(place), other.key)
        for other in others
        if other.admits != mine.admits and other.made_at <= mine.made_at
        if other.shape.ingress_class == mine.shape.ingress_class
        for place in mine.shape.places & other.shape.places
    ]
    return min(found, default=None)

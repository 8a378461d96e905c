"""What a data plane must be able to say and to be told; everything that knows one is in a package of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from doorward.api.conditions import Condition
from doorward.cluster.gateway import Kind, Object
from doorward.objects.access_list import AccessList, Unreadable
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Question
from doorward.planning.field_owners import SetByOther
from doorward.planning.gate import Decision, parse_reference
from doorward.planning.openings import Openings
from doorward.view.stores import TargetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an object of the data plane says of its protection."""

    key: ObjectKey
    reference: str | None
    """The issuer it names; None: not opted in."""
    wants_optional: bool
    other_secret: bool
    fault: str = ""
    """Why the data plane may admit somebody without a certificate at its hosts, and what to do; empty: it does not."""
    hosts: tuple[str, ...] = ()
    """The hosts that it is about; `*.` before a name stands for each name with one label more."""
    host_paths: tuple[str, ...] = ()
    """For each host, a path at which the target serves it."""
    overrides: bool = False
    """It has not opted in, and decides by itself who gets in at its hosts."""
    exempt: str = ""
    """Why it serves Services without a certificate though they are guarded, in a user's words; empty: it says nothing of the kind."""
    unasked: str = ""
    """Why the gate service is not asked at every request, and what to do; empty: it is, or is not installed."""
    access_list: AccessList | Unreadable | None = None
    """Which clients of the issuer it admits; None: all."""
    question: Question | None = None
    """What the gate service is asked at every request, but for the certificate; None: it is not asked as it should be."""
    asks_another: bool = False
    """Something else is asked who gets in."""
    set_by_others: tuple[SetByOther, ...] = ()
    """Of our own settings, those that another field manager owns."""
    services: tuple[str, ...] = ()
    """The Services that it routes to, in its own namespace."""
    opens: bool = False
    """By itself, it admits clients to them without protection."""
    may_be_plain: bool = False
    """It does so over plain HTTP, unless others at its hosts keep it from that."""
    catches_all: bool = False
    """It sets the trust bundle for clients that name no host, at every host."""
    served_with: object = None
    """What else of it decides how its hosts are served, also for others at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What beside the targets decides how a data plane serves them, as far as it may be read."""

    classes: Mapping[str, str] | None = None
    """The controller of each IngressClass; None: they may not be read."""
    settings: Mapping[str, str] | None = None
    """What the ConfigMap at `settings_at` says; None: it may not be read, or is not there."""


class DataPlane(Protocol):
    """One data plane: the kind of object by which a host opts in, and what is written onto it."""

    @property
    def kind(self) -> Kind:
        """The kind of its targets, which is watched."""
        ...

    @property
    def settling_time(self) -> timedelta:
        """So long after its trust bundle was written has a gate taken it, where the data plane gives no proof."""
        ...

    def keep(self, body: Mapping[str, Any]) -> Object:
        """What is remembered of a target: enough for all that follows."""
        ...

    def read(self, body: Mapping[str, Any]) -> Target:
        """What the target says."""
        ...

    @property
    def settings_at(self) -> ObjectKey | None:
        """The ConfigMap with the data plane's own settings; None: it is not to be read."""
        ...

    @property
    def settings_read(self) -> frozenset[str]:
        """Which of these settings matter."""
        ...

    @property
    def asks(self) -> bool:
        """Whether the gate service is installed."""
        ...

    def openings(self, body: Mapping[str, Any], sharing: Iterable[Mapping[str, Any]], around: Around) -> Openings:
        """What leaves the hosts of a target open though the target itself is right; `sharing`: the others at its hosts."""
        ...

    def wanted(self, body: Mapping[str, Any], decision: Decision) -> Mapping[str, Any] | None:
        """The fields of the target that must be applied, all of ours; None where nothing differs."""
        ...

    def told(self, body: Mapping[str, Any], condition: Condition) -> Mapping[str, Any] | None:
        """The merge patch that says a condition on the target, and changes nothing else; None where it is said already."""
        ...

    def leftovers(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The merge patch that takes what is ours off a target that opted out; None where nothing is."""
        ...


class _Reader:
    """Many questions are asked of a target in a row, by indexes and routing: it is read once. What is asked about never changes."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._last: tuple[Object, Target] | None = None

    def __call__(self, body: Object) -> Target:
        if self._last is None or self._last[0] is not body:
            self._last = (body, self._plane.read(body))
        return self._last[1]


def issuer_of(target: Target) -> Iterator[ObjectKey]:
    """The issuer that a target names, if it names one."""
    if target.reference is not None and (issuer := parse_reference(target.reference, target.key.namespace)):
        yield issuer


def _services(target: Target) -> Iterator[ObjectKey]:
    return (ObjectKey(target.key.namespace, name) for name in target.services)


def target_kind(plane: DataPlane) -> TargetKind:
    """What the view must know of a data plane."""
    read = _Reader(plane)

    def opens(body: Object) -> Iterator[ObjectKey]:
        target = read(body)
        return _services(target) if target.opens or target.may_be_plain else iter(())

    def guards(body: Object) -> Iterator[ObjectKey]:
        target = read(body)
        return _services(target) if target.reference is not None else iter(())

    def exempt(body: Object) -> Iterator[ObjectKey]:
        target = read(body)
        return _services(target) if target.reference is None and target.exempt else iter(())

    return TargetKind(
        kind=plane.kind,
        keep=plane.keep,
        issuer_of=lambda body: issuer_of(read(body)),
        hosts_of=lambda body: read(body).hosts,
        shared=read,
        opens=opens,
        guards=guards,
        exempt=exempt,
        catches_all=lambda body: read(body).catches_all,
    )

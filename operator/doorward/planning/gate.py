"""The rules of one Ingress: opted in, it is told whom to let in; opted out, what was ours goes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.api.fields import DNS_LABEL
from doorward.api.issuer_gates import IngressSettings
from doorward.api.kinds import MTLSIssuerSpec
from doorward.objects.access_list import AccessList, Unreadable
from doorward.objects.meta import ObjectKey, gate_secret_name
from doorward.planning import openings, selection
from doorward.planning.field_owners import SetByOther, contested, wanted_of
from doorward.planning.observed import Unseen
from doorward.planning.openings import NONE, Openings
from doorward.planning.permission import consent
from doorward.planning.selection import selectable_namespaces

GATE_AWAITED = timedelta(seconds=5)
GATE_SETTLES = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateObserved:
    """A target that may have opted in, in words that every data plane shares."""

    key: ObjectKey
    reference: str | None
    """What `doorward.io/issuer` says; None: not opted in."""
    wants_optional: bool
    other_secret: bool
    """A person set another trust bundle."""
    issuer: MTLSIssuerSpec | Unseen
    """ABSENT also where it cannot be read."""
    allowed: bool | None
    """None: the namespace's labels are unknown."""
    made_at: datetime
    account: str
    """The operator's own, `<namespace>:<name>`."""
    gate: datetime | Unseen
    """Since when the trust bundle is there for the data plane; or why there is none to be seen."""
    issuer_unread: bool = False
    """The issuer is there, and its spec cannot be read."""
    foreign: bool = False
    """What is there is somebody else's trust bundle, under the name of the gate."""
    fault: str = ""
    """Why the data plane may admit somebody without a certificate all the same, and what to do; empty: it does not."""
    openings: Openings = NONE
    """What leaves its hosts open though it is right itself."""
    asks: bool = False
    """Whether the gate service is installed."""
    access_list: AccessList | Unreadable | None = None
    """Which clients of the issuer it admits; None: all."""
    overrides: bool = False
    """It has not opted in, and decides by itself who gets in at its hosts."""
    unasked: str = ""
    """Why the gate service is not asked at every request, and what to do; empty: it is, or is not installed."""
    set_by_others: tuple[SetByOther, ...] = ()
    """Of our own settings, those that another field manager owns."""
    found_open: str = ""
    """What a probe found to be open to clients without a certificate; empty: nothing."""
    was_open: bool = False
    """It is said to be open, and this process has not probed it yet: that stands until then."""
    rival: ObjectKey | Unseen | None = None
    """Another target that decides who gets in at a host of this one; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a target is to be told."""

    issuer: ObjectKey
    settings: IngressSettings
    optional: bool
    every_request: bool = True
    """Whether the gate service is to be asked at every request, where it is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Protect, or leave alone (None); what to say of it (None: nothing, or nothing yet), and when to decide again."""

    protection: Protection | None
    said: Condition | None
    due: datetime | None = None

    @property
    def opted_in(self) -> bool:
        return self.protection is not None or self.said is not None


def parse_reference(text: str, namespace: str) -> ObjectKey | None:
    """`<issuer>` or `<namespace>/<issuer>`; None if it is neither."""
    parts = text.split("/")
    if len(parts) == 1:
        parts = [namespace, *parts]
    if len(parts) != 2 or any(len(part) > 63 or not re.fullmatch(DNS_LABEL, part) for part in parts):
        return None
    return ObjectKey(*parts)


def decide(o: GateObserved, now: datetime) -> Decision:
    """What this target is told. A target whose issuer is missing is protected all the same: closed, not open.

    It is protected at once and told last, when its gate has been there for a while. ingress-nginx hears of Secrets and
    of Ingresses side by side, and of two events within a millisecond the older view may win: the host then answers 403
    until the next event (seen, once in a hundred new gates). What is written last mends it.
    """
    if o.reference is None:
        return Decision(protection=None, said=None)
    issuer = parse_reference(o.reference, o.key.namespace)
    if issuer is None:
        return Decision(protection=None, said=said("BadReference"))
    if o.other_secret:
        return Decision(protection=None, said=said("OtherSecret"))
    if isinstance(o.issuer, Unseen):
        closed = Protection(issuer=issuer, settings=IngressSettings(), optional=False)
        unread = said("IssuerNotRead", issuer=issuer) if o.issuer_unread else None
        told = _not_enforced(o) or unread or _still_there(o, issuer) or said("NoSuchIssuer", issuer=issuer)
        return Decision(protection=closed, said=told)
    settings = o.issuer.ingress
    wanted, optional = _optional(o, o.issuer)
    every_request = o.issuer.enforcement.mode == "EveryRequest"
    protection = Protection(issuer=issuer, settings=settings, optional=optional, every_request=every_request)
    if (due := _told_at(o, now)) > now:
        return Decision(protection=protection, said=None, due=due)
    if (wrong := _not_enforced(o)) is not None:
        return Decision(protection=protection, said=wrong)
    if o.allowed is False:
        closed_here = said("NotAllowedHere", issuer=issuer, namespace=o.key.namespace)
        return Decision(protection=protection, said=_still_there(o, issuer) or closed_here)
    if o.gate is Unseen.DENIED:
        return Decision(protection=protection, said=_out_of_reach(o, issuer))
    if isinstance(o.gate, Unseen):
        return Decision(protection=protection, said=said("GateMissing", issuer=issuer, namespace=o.key.namespace))
    behind = _behind_gate(o, o.issuer, issuer, optional=(wanted, optional), asked=every_request)
    return Decision(protection=protection, said=behind, due=now + GATE_AWAITED if behind is None else None)


def _behind_gate(
    o: GateObserved, spec: MTLSIssuerSpec, issuer: ObjectKey, *, optional: tuple[bool, bool], asked: bool
) -> Condition | None:
    """What is said of a target whose gate is there; None: what is said already."""
    opened = openings.first(o.openings, issuer, asked=asked and o.asks)
    if opened is not None:
        return opened
    if o.access_list is not None:
        unasked = selection.unasked(spec, asks=o.asks, undone=o.unasked)
        listed = selectable_namespaces(issuer, spec.gates.selectable_namespaces)
        if (wrong := selection.wrong(o.access_list, issuer, unasked=unasked, namespaces=listed)) is not None:
            return wrong
    if o.found_open:
        return said("FoundOpen", issuer=issuer, detail=o.found_open)
    if o.was_open:
        return None
    if optional == (True, False):
        return said("OptionalNotAllowed", issuer=issuer)
    if asked and o.unasked:
        return said("NotAsked", issuer=issuer, fix=o.unasked)
    if (conflict := contested(o.set_by_others, spec.ingress)) is not None:
        retry = "The operator leaves it as it is."
        return said(
            "FieldConflict", detail=conflict.told(issuer, wanted_of(spec.ingress)[conflict.setting]), retry=retry
        )
    which = "" if o.access_list is None else " that doorward.io/allow selects"
    return said("Protected", issuer=f"{issuer}{which}")


def _out_of_reach(o: GateObserved, issuer: ObjectKey) -> Condition:
    return said("GateOutOfReach", issuer=issuer, command=consent(o.key.namespace, o.account))


def _still_there(o: GateObserved, issuer: ObjectKey) -> Condition | None:
    """What is said of a gate that must admit nobody, for as long as its Secret is there, or may be; None: it is not."""
    if o.gate is Unseen.DENIED:
        return _out_of_reach(o, issuer)
    if isinstance(o.gate, Unseen):
        return None
    namespace = o.key.namespace
    return said("GateClosing", issuer=issuer, namespace=namespace, secret=gate_secret_name(issuer))


def _not_enforced(o: GateObserved) -> Condition | None:
    """What makes all else that could be said of the gate untrue: that it is closed, or that clients get in."""
    if o.fault:
        return said("NotEnforced", fix=o.fault)
    if o.openings.unserved:
        return said("NotServed", fix=o.openings.unserved)
    if o.foreign and (issuer := parse_reference(o.reference or "", o.key.namespace)) is not None:
        return said("GateUnmanaged", secret=f"{o.key.namespace}/{gate_secret_name(issuer)}")
    if isinstance(o.rival, ObjectKey):
        return said("HostShared", rival=o.rival)
    return None


def _optional(o: GateObserved, issuer: MTLSIssuerSpec) -> tuple[bool, bool]:
    """Whether the target, or the issuer for it, wants no certificate to be asked for; and whether it gets that."""
    wanted = o.wants_optional or issuer.ingress.verify_client == "optional"
    return wanted, wanted and issuer.gates.allow_optional


def handshake_alone(o: GateObserved, *, asks: bool) -> bool:
    """Whether a certificate is asked for at the handshake, and nobody is asked at each request; `asks`: the gate service is
    installed.
    """
    if isinstance(o.issuer, Unseen) or _optional(o, o.issuer)[1]:
        return False
    return not asks or o.issuer.enforcement.mode != "EveryRequest"


def rival_of(o: GateObserved, others: Iterable[GateObserved]) -> ObjectKey | None:
    """The target that decides who gets in at a host of this one, of those that share a host with it; None: there is none.

    A data plane has one trust bundle for a host, the oldest target's, whatever its namespace. Age is not asked for: it has
    whole seconds, and the younger target becomes the older one when this one is deleted and created again.
    """
    return min((other.key for other in others if _is_rival(o, other)), default=None)


def _is_rival(o: GateObserved, other: GateObserved) -> bool:
    """One that has not opted in is under the protection of those that have, unless it overrides it. One that has must be
    protected by itself, by the same issuer, and as strictly.
    """
    if other.reference is None:
        return other.overrides
    mine = parse_reference(o.reference or "", o.key.namespace)
    if (
        other.other_secret
        or other.fault
        or other.foreign
        or parse_reference(other.reference, other.key.namespace) != mine
    ):
        return True
    if isinstance(o.issuer, Unseen):
        return False
    if _optional(o, o.issuer)[1] != _optional(other, o.issuer)[1]:
        return True
    return other.allowed is False or (
        other.key.namespace != o.key.namespace and other.gate in (Unseen.ABSENT, Unseen.DENIED)
    )


def _told_at(o: GateObserved, now: datetime) -> datetime:
    """Before when nothing is said."""
    if Unseen.UNKNOWN in (o.gate, o.rival) or o.allowed is None:
        return now + GATE_AWAITED  # it was not looked at yet
    if o.allowed is False:
        return now
    if isinstance(o.gate, Unseen):
        return o.made_at + GATE_AWAITED
    return o.gate + GATE_SETTLES


def differences(wanted: Mapping[str, str], found: Mapping[str, str], owned: frozenset[str]) -> bool:
    """Whether annotations must be applied: a value differs, or one of ours is not owned or is left over."""
    return any(found.get(name) != value for name, value in wanted.items()) or owned != frozenset(wanted)

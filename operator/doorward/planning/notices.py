"""Which Events a change of an object gives: from what was known of it before and what is written now, each once.

Before and after are as the API server stores them. So a process that starts, or takes over, finds no change and repeats nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doorward.api.conditions import MAX_MESSAGE, instant
from doorward.api.event_reasons import BY_SUBJECT, Subject
from doorward.api.reason import Mender, Reason
from doorward.api.reasons import REASONS
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import ObjectKey
from doorward.planning.revocation import HOLD
from doorward.planning.targets_told import CLOSED_OR_PROTECTED

Status = Mapping[str, Any]
MOST_LISTED = 50
"""Gates and hosts that a status lists: of more, nothing is known of those that it leaves out."""
MOST_SERIALS = 5
"""Serials, or hosts, that a message names."""
_QUIET = frozenset({"NotVerified", "CutOffNotVerified", "SeparationNotVerified", "SecretMissing", "IssuerNotReady"})
"""True of every new object for a while; or told by an Event of its own, or by one of the MTLSIssuer."""
_TOLD_ALL_THE_SAME = frozenset({"NotPublished", "ReissueBudgetSpent", "CaNotTrusted", "Expired"})
"""What passes by itself, or is nobody's fault, and is a loss of access or a refusal all the same."""
_PROTECTED = frozenset({"Protected", "OptionalNotAllowed", "ListedNotSelectable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An Event that is to be written."""

    reason: str
    message: str
    warning: bool = False
    routine: bool = False
    """Thousands of it may come at once, and nobody waits for it: all others go before it."""
    repeats: bool = False
    """What it tells may go back and forth by itself: it is told once in a while."""


def notice(subject: Subject, name: str, /, **values: object) -> Notice:
    """An Event of the table in `api/event_reasons.py`; KeyError if it has none of that name."""
    reason = BY_SUBJECT[subject][name]
    return Notice(
        reason=name,
        message=reason.message.format(**values)[:MAX_MESSAGE],
        warning=reason.warning,
        routine=name in ("Issued", "Renewed"),
    )


# ClientCertificates


def of_client(before: Status, after: Status) -> Iterator[Notice]:
    """What is told of a ClientCertificate whose status changed; the ledger tells of holds and revocations: see `of_revocation`."""
    told = tuple(_of_serial(before, after))
    yield from told
    for each in _of_conditions(before, after):
        if each.warning:
            yield each
        elif not told and each.reason == "Issued":
            yield notice("ClientCertificate", "ReadyAgain", message=each.message)


def _of_serial(before: Status, after: Status) -> Iterator[Notice]:
    serial, old = after.get("serialNumber"), before.get("serialNumber")
    if serial is None or serial == old:
        return
    values = {"serial": serial, "secret": after.get("secretName"), "until": after.get("notAfter")}
    admitted = _conditions(before).get("Admitted")
    if old is None and (admitted is None or admitted["reason"] == "NotIssued"):
        yield notice("ClientCertificate", "Issued", **values)
    else:
        yield notice("ClientCertificate", "Renewed", before=old or "the one before", **values)


def of_revocation(record: Record, now: Revocation, *, by_operator: bool) -> Notice | None:
    """What is told of a step in the ledger; None: nothing changes for the client."""
    before = record.revocation
    refused = before is not None and not before.lifted
    values = {"actor": "The operator" if by_operator else "A user", "serial": f"{record.serial:x}"}
    if now.lifted:
        return notice("ClientCertificate", "Released", **values) if refused else None
    if now.reason != HOLD:
        changed = before is None or before.lifted or before.reason != now.reason
        return notice("ClientCertificate", "Revoked", reason=now.reason, **values) if changed else None
    return None if refused else notice("ClientCertificate", "Held", undo=_undo(now), **values)


def _undo(hold: Revocation) -> str:
    if hold.held_by == "Suspension":
        return "spec.suspended is true. Set it to false to restore access with the same certificate"
    if hold.held_by != "Deletion":
        return "To lift the hold, run `doorward restore`"
    until = f" until {instant(hold.final_at)}" if hold.final_at is not None else ""
    return f"The ClientCertificate is deleted. `doorward restore` lifts the hold{until}"


def complete(serials: tuple[int, ...], seconds: float) -> Notice:
    """Every gate has the CRL that lists these certificates of one client."""
    names = _named(tuple(f"{serial:x}" for serial in serials))
    return notice("ClientCertificate", "CutOffComplete", serials=names, seconds=f"{seconds:.1f}")


def incomplete(issuer: ObjectKey, unreached: str) -> Notice:
    """Gates, or the CRL itself, did not get what cuts a client off within `timing.GATE_PATIENCE`."""
    return _repeating(notice("ClientCertificate", "CutOffIncomplete", issuer=issuer, unreached=unreached))


def gates_named(namespaces: Sequence[str]) -> str:
    """Gates as a message names them; empty: none."""
    if not namespaces:
        return ""
    return f"the gate{'s' if len(namespaces) > 1 else ''} in namespace {_named(tuple(namespaces))}"


# MTLSIssuers


def of_issuer(before: Status, after: Status) -> Iterator[Notice]:
    """What is told of an MTLSIssuer whose status changed."""
    yield from _of_signing(before, after)
    yield from _of_gates(before, after)
    for each in _of_conditions(before, after):
        if each.reason != "ProbesRefused":
            yield each
    old, new = _conditions(before).get("Enforced"), _conditions(after).get("Enforced")
    if new is not None and new["reason"] == "ProbesRefused" and (old is None or old["reason"] != new["reason"]):
        yield _repeating(notice("MTLSIssuer", "GateEnforced", message=new["message"]))


def _of_signing(before: Status, after: Status) -> Iterator[Notice]:
    """Only where a CA does sign: of an issuer in trouble the status may name another one."""
    old, new, ready = before.get("ca"), after.get("ca"), _conditions(after).get("Ready")
    if new is None or ready is None or ready["reason"] != "Signing":
        return
    was = _conditions(before).get("Ready")
    unsure = old is not None and (was is None or was["reason"] in ("InvalidSpec", "ClockSkewed", "CrlUnmanaged"))
    if not unsure and (old is None or old.get("generation") != new["generation"]):
        yield notice("MTLSIssuer", "CaActive", generation=new["generation"], until=new["notAfter"])


def _of_gates(before: Status, after: Status) -> Iterator[Notice]:
    if max(before.get("gatesTotal", 0), after.get("gatesTotal", 0)) > MOST_LISTED:
        return
    old, new = _gates(before), _gates(after)
    shut = (None, "Absent", "Closed", "NotAllowed")
    for namespace in sorted(old.keys() | new.keys()):
        was, now = old.get(namespace), new.get(namespace)
        if was in shut and now == "Current":
            yield notice("MTLSIssuer", "GateReady", namespace=namespace)
        elif was == "Current" and now in shut:
            yield notice("MTLSIssuer", "GateClosed", namespace=namespace)


def _gates(status: Status) -> dict[str, str]:
    return {entry["namespace"]: entry["state"] for entry in status.get("gates") or ()}


# Targets of data planes


def of_annotation(before: str, after: str) -> Notice | None:
    """What is told of a target whose annotation `doorward.io/gate` was written; None: nothing else holds than before."""
    old, new = before.partition(": ")[0], after.partition(": ")[0]
    if not new or old == new:
        return None
    name = _state_of(new)
    if name == "Protected" and old and _state_of(old) == name:
        return None
    return _repeating(notice("Ingress", name, message=after))


def _state_of(reason: str) -> str:
    if reason == "FoundOpen":
        return "Open"
    if reason in _PROTECTED:
        return "Protected"
    return (
        "Closed"
        if reason in CLOSED_OR_PROTECTED - {"GateOutOfReach", "GateClosing", "IssuerNotRead"}
        else "NotProtected"
    )


def of_enforcement(issuer: ObjectKey, before: Status, after: Status) -> Iterator[tuple[ObjectKey, Notice]]:
    """What is told of the targets of an MTLSIssuer whose hosts refuse all probes now, or of which one is open; each with its target.

    A target that the objects show to be open has another text in its annotation, so that one tells nothing of the probe.
    """
    old, new = _hosts(before), _hosts(after)
    whole = len(before.get("enforcement") or ()) < MOST_LISTED
    for target, hosts in new.items():
        was = old.get(target)
        if was is None and not whole:
            continue
        if not _enforced(was or {}) and _enforced(hosts):
            values = {"issuer": issuer, "hosts": _named(tuple(hosts))}
            yield target, _repeating(notice("Ingress", "GateEnforced", **values))
        opened = [host for host in hosts if _is_open(hosts, host) and not _is_open(was or {}, host)]
        if opened:
            said = f"Host {opened[0]} is open: it {hosts[opened[0]].get('detail', '')}"
            more = f". So are {_named(tuple(opened[1:]))}" if opened[1:] else ""
            yield target, _repeating(notice("Ingress", "Open", message=said + more))


_Hosts = Mapping[str, Status]
"""What is listed of each host of one target."""


def _enforced(hosts: _Hosts) -> bool:
    return {entry["enforced"] for entry in hosts.values()} == {"True"}


def _is_open(hosts: _Hosts, host: str) -> bool:
    return host in hosts and hosts[host].get("reason") == "Open"


def _hosts(status: Status) -> dict[ObjectKey, dict[str, Status]]:
    found: dict[ObjectKey, dict[str, Status]] = {}
    for entry in status.get("enforcement") or ():
        target = ObjectKey(entry["namespace"], entry["target"])
        found.setdefault(target, {})[entry["host"]] = entry
    return found


# Conditions


def _conditions(status: Status) -> dict[str, Status]:
    return {item["type"]: item for item in status.get("conditions") or ()}


def _of_conditions(before: Status, after: Status) -> Iterator[Notice]:
    """Each condition that turned bad for another reason than before, by its reason and message; and each that is good again."""
    old, edited = _conditions(before), before.get("observedGeneration") != after.get("observedGeneration")
    for name, now in _conditions(after).items():
        was = old.get(name)
        if was is None and now["reason"] == "NotPublished":
            continue  # not yet
        same = was is not None and was["reason"] == now["reason"] and (was["message"] == now["message"] or not edited)
        if same:
            continue
        if _is_bad(now):
            yield Notice(reason=now["reason"], message=now["message"], warning=True, repeats=True)
        elif was is not None and now["status"] == "True" and _is_bad(was):
            yield Notice(reason=now["reason"], message=now["message"], repeats=True)


def _is_bad(condition: Status) -> bool:
    reason = REASONS.get(condition["reason"])
    return reason is not None and is_told(condition["type"], reason)


def is_told(condition: str, reason: Reason) -> bool:
    """Whether a condition that turns to this reason is told by an Event of the reason's name."""
    if reason.status == "True" or reason.name in _QUIET or condition == "CAExclusive":
        return False
    return reason.name in _TOLD_ALL_THE_SAME or reason.mender not in (Mender.NOBODY, Mender.ITSELF)


def _repeating(told: Notice) -> Notice:
    return Notice(reason=told.reason, message=told.message, warning=told.warning, repeats=True)


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_SERIALS} more" if len(names) > MOST_SERIALS else ""
    return ", ".join(names[:MOST_SERIALS]) + more

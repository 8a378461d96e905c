"""Whether clients of other hosts and CAs are kept from the hosts of an issuer: the condition HostsSeparated.

ingress-nginx chooses the CA of a connection by the host that the TLS handshake names (SNI). A connection that names none, or one that
no Ingress has, gets the CA of its default server, and may resume the TLS session of a client of any host. Then its request names a host
by the header `Host`. nginx refuses that where the name in the handshake is another host's, and lets it pass where there is no such name.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from doorward.api.conditions import Condition, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.planning.canary import Access, Canaries, Flown, where
from doorward.planning.canary_status import KEEPS_BEFORE
from doorward.planning.enforcement import NOT_KNOWN, Heard, Probed, state_of
from doorward.planning.enforcement_status import FIRST_ROUND

MOST_NAMED = 3
"""Replicas that a condition names."""
OF_CANARIES = frozenset({"SessionsOfOtherHosts", "SessionsSeparated"})
"""Reasons that only a canary can give."""


class Naming(StrEnum):
    """How a TLS handshake names no host that the controller serves."""

    NOTHING = "without SNI"
    UNKNOWN = "with an unknown SNI"


class Outcome(IntEnum):
    """What a replica does with such a handshake, from good to bad."""

    REFUSED = 0
    ACCEPTED = 1
    """It asks for no certificate, or for one of this issuer alone."""
    UNCLEAR = 2
    OTHER_CA = 3
    """It asks for certificates of another CA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """What the replicas of the controller do with handshakes that name no host of theirs."""

    at: Mapping[str, Mapping[Naming, Heard]] = field(default_factory=dict)
    """By replica, of those that were asked."""
    anchors: AbstractSet[bytes] = frozenset()
    """The subjects of the trust anchors of the issuer, DER."""


NOT_ASKED = Unnamed()


def judge(heard: Heard, anchors: AbstractSet[bytes]) -> tuple[Outcome, str]:
    """What one handshake shows, and in words."""
    if heard.trouble:
        return Outcome.UNCLEAR, heard.trouble
    if heard.authorities - anchors:
        return Outcome.OTHER_CA, "asks for certificates of a CA that is not the issuer's"
    if not heard.alert:
        return Outcome.ACCEPTED, "accepts a TLS connection"
    if "unrecognized name" in heard.alert:
        return Outcome.REFUSED, ""
    return Outcome.UNCLEAR, f"ends the TLS handshake with {heard.alert}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the condition is made of."""

    spec: MTLSIssuerSpec
    probed: Probed
    unnamed: Unnamed
    canaries: Canaries
    targets_protected: bool
    """Whether all targets of the issuer were looked at, and nothing that the operator sees keeps the gate service from being asked."""


def condition(known: Known, before: Condition | None, now: datetime) -> Condition | None:
    """The condition HostsSeparated; None: there is no gate. `before`: what the status says already."""
    if not known.probed.gates:
        return None
    found = _found(known, before, now)
    begun = None if known.probed.since is None else known.probed.since + FIRST_ROUND
    waiting = found.reason.status == "Unknown" and known.probed.unprobed in ("", NOT_KNOWN)
    if before is None or begun is None or now >= begun or not waiting:
        return found
    return before.until(begun)  # a process that was just started keeps what was said


def _found(known: Known, before: Condition | None, now: datetime) -> Condition:
    probed = known.probed
    if _every_request(known) and _enforced(probed, now):
        if known.spec.enforcement.canary and (unasked := _not_asked(known.canaries.flown, before, now)) is not None:
            return unasked
        return said("EveryRequestChecked", count=len({gate.target for gate in probed.gates}))
    if probed.unprobed:
        return _unknown(probed.unprobed)
    shown = _by_outcome(known)
    if others := shown.get(Outcome.OTHER_CA):
        return said("OtherCAWithoutSNI", detail=_named(others))
    if set(shown) == {Outcome.REFUSED} and not probed.left_out:
        return said("UnknownNamesRefused", replicas=len(probed.replicas))
    by_canary = _of_sessions(known.canaries.flown, before, now) if known.spec.enforcement.canary else None
    if by_canary is not None and by_canary.reason.status == "False":
        return by_canary
    if unclear := shown.get(Outcome.UNCLEAR):
        return _unknown(_named(unclear))
    if probed.left_out:
        return _unknown(f"the ingress controller has {probed.left_out} more replicas than are probed")
    if by_canary is not None:
        return by_canary
    accepting = _named(shown[Outcome.ACCEPTED])
    return _unknown(f"{accepting}, and no canary has shown whether the TLS session of another host is resumed there")


def _unknown(detail: str) -> Condition:
    return said("SeparationNotVerified", detail=detail)


def _not_asked(flown: Flown | None, before: Condition | None, now: datetime) -> Condition | None:
    """What a canary shows that came past the gate service, which refuses canaries; None: none came past it."""
    kept = before if before is not None and before.reason.name == "GateServiceNotAsked" else None
    if flown is None:
        return kept  # until the next CRL has one
    if admitted := tuple(flown.having(waiting=Access.ADMITTED)):
        return said("GateServiceNotAsked", places=where(admitted))
    asked = len(tuple(flown.having(waiting=Access.REFUSED)))
    end = flown.published + KEEPS_BEFORE
    return kept.until(end) if kept is not None and asked < len(flown.places) and now < end else None


def _every_request(known: Known) -> bool:
    installed = known.canaries.gate_service and known.spec.enforcement.mode == "EveryRequest"
    return installed and known.targets_protected


def _enforced(probed: Probed, now: datetime) -> bool:
    """Whether probes show that every replica has loaded the hosts of the issuer as their targets say."""
    if probed.unprobed or probed.left_out:
        return False
    return all(state_of(gate, probed.replicas, now).enforced == "True" for gate in probed.gates)


def _by_outcome(known: Known) -> dict[Outcome, list[str]]:
    """What the replicas do, each time in words."""
    shown: dict[Outcome, list[str]] = {}
    for replica in known.probed.replicas:
        asked = known.unnamed.at.get(replica, {})
        for naming in Naming:
            heard = asked.get(naming, Heard(trouble="was not probed yet"))
            outcome, detail = judge(heard, known.unnamed.anchors)
            shown.setdefault(outcome, []).append(f"replica {replica} {detail} {naming}")
    return shown or {Outcome.UNCLEAR: ["the ingress controller has no replica"]}


def _named(details: list[str]) -> str:
    more = f"; and {len(details) - MOST_NAMED} more" if len(details) > MOST_NAMED else ""
    return "; ".join(details[:MOST_NAMED]) + more


def _of_sessions(flown: Flown | None, before: Condition | None, now: datetime) -> Condition | None:
    """What a canary shows that resumes a TLS session without the name of its host; None: nothing."""
    kept = before if before is not None and before.reason.name in OF_CANARIES else None
    if flown is None:
        return kept  # until the next CRL has one
    if admitted := tuple(flown.having(unnamed=Access.ADMITTED)):
        return said("SessionsOfOtherHosts", places=where(admitted))
    refused = tuple(flown.having(unnamed=Access.REFUSED))
    if flown.places and len(refused) == len(flown.places):
        return said("SessionsSeparated", number=flown.number)
    end = flown.published + KEEPS_BEFORE
    return kept.until(end) if kept is not None and now < end else None

"""What is wrong in a cluster, or will be soon, as `doorward doctor` says it: of conditions, CRLs, CAs, Ingresses and policies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from doorward.api.reason import Mender
from doorward.api.reasons import REASONS

CRL_AGE = timedelta(hours=36)
CRL_SOON, CRL_LATE = timedelta(days=3), timedelta(days=1)
"""Before nextUpdate. These are the alerts' figures: a CRL is renewed daily, and good for a week, by default."""
CA_SOON = timedelta(days=30)
"""Before the expiry of a CA that has no successor."""
FULL = 0.7
"""Of what a CRL can hold."""


class Severity(StrEnum):
    """How bad it is."""

    PROBLEM = "problem"
    """Somebody is refused, or gets in, who should not; or soon will be."""
    WARNING = "warning"
    WAIT = "wait"
    """It passes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One thing that is wrong."""

    severity: Severity
    of: str
    """Kind and name of the object."""
    reason: str
    what: str
    """What is wrong, and what to do."""
    by: str
    """Who can fix it."""


def of_condition(of: str, condition: Mapping[str, Any]) -> Hazard | None:
    """What a condition says that is not True; None: nobody has to do anything."""
    status, name = condition.get("status"), str(condition.get("reason") or "")
    known = REASONS.get(name)
    mender = known.mender if known is not None else Mender.CLUSTER
    if status == "True" or mender is Mender.NOBODY:
        return None
    severity = Severity.WAIT if mender is Mender.ITSELF else Severity.PROBLEM if status == "False" else Severity.WARNING
    return Hazard(severity=severity, of=of, reason=name, what=str(condition.get("message") or ""), by=mender.value)


def of_target(of: str, told: str, message: str) -> Hazard | None:
    """What the operator wrote onto an Ingress that opted in."""
    if not told:
        what = "the operator has not said whether it is protected: see whether it runs, and read its log"
        return Hazard(severity=Severity.WARNING, of=of, reason="NotTold", what=what, by=Mender.CLUSTER.value)
    known = REASONS.get(told)
    if known is not None and known.condition == "Gate":
        return of_condition(of, {"status": known.status, "reason": told, "message": message})
    return Hazard(
        severity=Severity.WARNING,
        of=of,
        reason="NotTold",
        what=f"its state is not known: {told}",
        by=Mender.CLUSTER.value,
    )


def of_crl(of: str, made: datetime, ends: datetime, filled: float, now: datetime) -> Iterator[Hazard]:
    """`filled`: how much of its room the CRL takes."""
    log = "read the operator's log, and the condition CRLCurrent"
    by = Mender.CLUSTER.value
    if now >= ends:
        what = f"the CRL has expired: every client is refused. {log}"
        yield Hazard(severity=Severity.PROBLEM, of=of, reason="CRLExpired", what=what, by=by)
    elif now >= ends - CRL_SOON:
        severity = Severity.PROBLEM if now >= ends - CRL_LATE else Severity.WARNING
        what = f"the CRL expires soon, and every client is refused then: {log}"
        yield Hazard(severity=severity, of=of, reason="CRLExpires", what=what, by=by)
    elif now >= made + CRL_AGE:
        what = f"the CRL is older than {CRL_AGE.total_seconds() / 3600:.0f} h: {log}"
        yield Hazard(severity=Severity.WARNING, of=of, reason="CRLOld", what=what, by=by)
    if filled > FULL:
        what = f"the CRL takes {filled:.0%} of what a gate can hold: rotate the CA, or revoke less for being superseded"
        yield Hazard(severity=Severity.WARNING, of=of, reason="CRLNearCapacity", what=what, by=Mender.ISSUER.value)


def of_generations(of: str, ends: Iterable[datetime], now: datetime) -> Iterator[Hazard]:
    """`ends`: when each CA generation that may sign expires."""
    last = max(ends, default=None)
    if last is not None and now >= last - CA_SOON:
        done = "has expired" if now >= last else "expires soon"
        what = f"the CA {done} and has no successor: see the condition Ready, and renew or replace the CA"
        yield Hazard(severity=Severity.PROBLEM, of=of, reason="CAExpires", what=what, by=Mender.ISSUER.value)


def of_policies(wanted: Iterable[str], bound: Mapping[str, bool]) -> Iterator[Hazard]:
    """`bound`: of each admission policy that is there, whether a binding denies by it."""
    for name in sorted(wanted):
        if name not in bound:
            what = "the admission policy is not installed: kubectl apply --server-side -k deploy/manifests"
        elif not bound[name]:
            what = "no binding of the admission policy denies anything: kubectl apply --server-side -k deploy/manifests"
        else:
            continue
        of = f"ValidatingAdmissionPolicy {name}"
        yield Hazard(severity=Severity.PROBLEM, of=of, reason="PolicyMissing", what=what, by=Mender.CLUSTER.value)


def of_operator(lease: str, *, working: bool | None) -> Iterator[Hazard]:
    """By its Lease; None: there is no such Lease."""
    if working is None:
        what = "there is no such Lease: if the operator has another one, name it with --lease; else no operator was ever at work"
        yield Hazard(
            severity=Severity.WARNING, of=f"Lease {lease}", reason="NotSeen", what=what, by=Mender.CLUSTER.value
        )
    elif not working:
        what = "no operator renews the Lease: nothing is issued, revoked or published. See: kubectl -n doorward-system get pods"
        yield Hazard(
            severity=Severity.PROBLEM, of=f"Lease {lease}", reason="NotWorking", what=what, by=Mender.CLUSTER.value
        )


def in_order(hazards: Iterable[Hazard]) -> list[Hazard]:
    """The worst first."""
    ranks = list(Severity)
    return sorted(hazards, key=lambda each: (ranks.index(each.severity), each.of, each.reason))

"""What probes of a gate show: whether the replicas of its controller refuse who has no certificate of the issuer.

A probe is three connections to one replica, for one host: over TLS without a certificate, over TLS with a certificate of another CA,
and over plain HTTP. `judge` says what one of them shows, and `found` what all of them do; what is said of it is in `enforcement_status.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from doorward.api.reason import Reason, Status
from doorward.api.reasons import REASONS
from doorward.objects.meta import ObjectKey

FIRST = timedelta(seconds=5)
"""So long after a change a gate is probed: ingress-nginx loads a change within 3.5 s by default (measured)."""
AGAIN = timedelta(seconds=35)
"""And once more so long after it: a controller with many hosts may be slow to load what opens one of them."""
SOON = timedelta(seconds=10)
"""What a probe did not find to be enforced is probed again so soon."""
OFTEN = timedelta(seconds=15)
"""With few gates, each is probed so often."""
SELDOM = timedelta(minutes=3)
"""With many gates, each is probed so often."""
A_GATE = timedelta(seconds=1)
"""With each gate, all are probed so much less often, between these two."""
HANGS_AFTER = timedelta(seconds=30)
"""A replica that takes connections and does not answer for so long hangs: it loads no CRL either."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Way(StrEnum):
    """How a replica was asked."""

    NOBODY = "without a client certificate"
    FOREIGN = "with a certificate of another CA"
    PLAIN = "over plain HTTP"


class Verdict(IntEnum):
    """What a probe shows, from good to bad."""

    REFUSED = 0
    UNCLEAR = 1
    """It was answered, and the answer shows neither that somebody without a certificate gets in nor that nobody does."""
    UNREACHABLE = 2
    SILENT = 3
    """It takes the connection and does not answer."""
    OPEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked at one host of one target, and what its answers are measured by."""

    target: ObjectKey
    host: str
    """As a client names it; where the target has a wildcard, a name that it stands for."""
    path: str = "/"
    issuer: ObjectKey
    anchors: AbstractSet[bytes]
    """The subjects of the trust anchors of the issuer, DER: all that the host may ask certificates of."""
    optional: bool = False
    """The handshake refuses nobody without a certificate; the gate service does."""
    error_page: str | None = None
    """Where who is refused is sent to."""
    every_request: bool = False
    """Whether the gate service is to be asked there at every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of one connection."""

    status: int = 0
    """Of HTTP; 0: there was no answer."""
    location: str = ""
    authorities: AbstractSet[bytes] = frozenset()
    """The subjects of the CAs that a certificate was asked of, DER."""
    alert: str = ""
    """The TLS alert that ended it."""
    trouble: str = ""
    """Why there is neither; empty: there is."""
    connected: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the last probe of a gate at one replica shows."""

    verdict: Verdict
    detail: str
    """In words; empty where it was refused."""
    at: datetime
    since: datetime
    """Since when every probe gives this verdict."""


def judge(asked: Asked, way: Way, heard: Heard, unknown_host: Heard | None = None) -> tuple[Verdict, str]:
    """What one connection shows, and in words. `unknown_host`: what the replica answers for a host that it does not serve; None: not
    asked.
    """
    if heard.trouble:
        if way is Way.PLAIN and not heard.connected:
            return Verdict.REFUSED, ""  # nobody gets in there
        return (Verdict.SILENT if heard.connected else Verdict.UNREACHABLE), heard.trouble
    if way is Way.PLAIN:
        return _plain(heard)
    if heard.alert:
        if "certificate" in heard.alert or "unknown ca" in heard.alert:
            return Verdict.REFUSED, ""
        return Verdict.UNCLEAR, f"the TLS handshake ends with {heard.alert}"
    if not heard.authorities:
        return _asks_for_none(way, heard, unknown_host)
    if foreign := heard.authorities - asked.anchors:
        return Verdict.OPEN, f"asks for certificates of {_count(len(foreign), 'CA')} that is not the issuer's"
    if _refuses(asked, way, heard):
        return Verdict.REFUSED, ""
    if heard.status >= 500:
        return Verdict.UNCLEAR, f"answers {heard.status} {way}"
    return Verdict.OPEN, f"answers {heard.status} {way}"


def _refuses(asked: Asked, way: Way, heard: Heard) -> bool:
    if heard.status == 400:
        return not (asked.optional and way is Way.NOBODY)
    if heard.status == 403:
        return True
    return asked.error_page is not None and heard.status in REDIRECTS and heard.location == asked.error_page


def _asks_for_none(way: Way, heard: Heard, unknown_host: Heard | None) -> tuple[Verdict, str]:
    """Of a host that asks nobody for a certificate. A gate whose trust bundle is missing answers 403 to everybody."""
    answer = f"answers {heard.status} and asks for no client certificate"
    if heard.status == 403:
        return Verdict.UNCLEAR, answer
    if heard.status >= 300 and unknown_host is not None:
        if unknown_host.trouble:
            return (
                Verdict.UNCLEAR,
                f"{answer}. Asked for a host that the controller does not serve, it {unknown_host.trouble}",
            )
        if heard.status == unknown_host.status:
            return Verdict.UNCLEAR, f"{answer}, as for a host that the controller does not serve"
    return Verdict.OPEN, f"{answer} {way}" if way is Way.FOREIGN else answer


def _plain(heard: Heard) -> tuple[Verdict, str]:
    if 200 <= heard.status < 300:
        return Verdict.OPEN, f"answers {heard.status} {Way.PLAIN}"
    if heard.status in REDIRECTS and not heard.location.lower().startswith("https://"):
        return Verdict.OPEN, f"answers {heard.status} {Way.PLAIN} and does not redirect to HTTPS"
    return Verdict.REFUSED, ""


def _count(number: int, what: str) -> str:
    return f"a {what}" if number == 1 else f"{number} {what}s, of which one"


def found(shown: Iterable[tuple[Verdict, str]], before: Finding | None, now: datetime) -> Finding:
    """What all connections of one probe show together: the worst of it."""
    verdict, detail = max(shown)
    lasting = before is not None and before.verdict is verdict
    return Finding(verdict=verdict, detail=detail, at=now, since=before.since if lasting and before else now)


def due(last: Finding | None, changed: datetime, gates: int) -> datetime:
    """When a gate is to be probed next at a replica: after it changed, soon where it is not enforced, and again and again."""
    first, again = changed + FIRST, changed + AGAIN
    if last is None or last.at < first:
        return first
    if last.verdict is not Verdict.REFUSED:
        return last.at + SOON
    regular = last.at + min(SELDOM, max(OFTEN, gates * A_GATE))
    return min(regular, again) if last.at < again else regular


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One host of one target, and what was found at each replica."""

    target: ObjectKey
    host: str
    findings: Mapping[str, Finding]
    """By replica, of those that are there and were probed."""
    unprobed: str = ""
    """Why it cannot be probed at all; empty: it can."""

    def has(self, verdict: Verdict) -> bool:
        """Whether that was found at a replica."""
        return any(finding.verdict is verdict for finding in self.findings.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """All that probes show of the gates of one issuer."""

    gates: Sequence[Gate] = ()
    replicas: Sequence[str] = ()
    """The replicas of the controller that are probed."""
    left_out: int = 0
    """How many more it has, which are not."""
    unprobed: str = ""
    """Why no gate can be probed; empty: they can."""
    since: datetime | None = None
    """Since when this process probes them; None: it does not, or has probed all of them once."""


NOT_PROBED = Probed()
NOT_KNOWN = "the replicas of the ingress controller are not known yet"
"""Why nothing can be probed by a process that was just started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whether a gate is enforced at all replicas."""

    reason: Reason
    """Of the condition Enforced."""
    detail: str = ""
    """Why it is not, in words; empty where it is."""

    @property
    def enforced(self) -> Status:
        """The same, as a condition has it."""
        return self.reason.status


def _state(reason: str, detail: str = "") -> State:
    return State(reason=REASONS[reason], detail=detail)


def state_of(gate: Gate, replicas: Sequence[str], now: datetime) -> State:
    """Whether a gate is enforced at all replicas, and why not."""
    if gate.unprobed:
        return _state("NotVerified", gate.unprobed)
    for replica, finding in sorted(gate.findings.items(), key=lambda item: -item[1].verdict):
        at = f"{finding.detail} at replica {replica}"
        match finding.verdict:
            case Verdict.OPEN:
                return _state("Open", at)
            case Verdict.SILENT if now >= finding.since + HANGS_AFTER:
                return _state("ControllerHangs", f"replica {replica} hangs: {finding.detail}")
            case Verdict.SILENT | Verdict.UNREACHABLE:
                return _state("NotReachable", at)
            case Verdict.UNCLEAR:
                return _state("NotVerified", at)
    if missing := [replica for replica in replicas if replica not in gate.findings]:
        return _state("NotVerified", f"not probed yet at replica {missing[0]}")
    return _state("ProbesRefused")

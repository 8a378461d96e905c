"""What `doorward status` says of what it read. A status is output, and anybody may have written it: nothing of it is trusted to be
there, or to be of its type.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from doorward.api.conditions import instant
from doorward.cli.ages import instant_or_none, relative, span
from doorward.cli.printed import Facts, Part, Table
from doorward.cluster import lease as rules
from doorward.objects import ledger_record
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.ledger_record import Record
from doorward.objects.meta import Object, ObjectKey, key_of
from doorward.planning.timing import BACKDATE

NO_LEASE = "If the operator has another one, name it with --lease; with --no-leader-election it has none. What follows may be old"
VIEWERS = "A Role for this is in examples/status-viewers.yaml"
MOST = 5
"""Revocations, and expiries, that are shown of an issuer."""
SILENT = timedelta(seconds=rules.DURATION)
"""A leader renews its Lease every two seconds; after so long without, others may take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Whether an operator is at work, by its Lease."""

    lease: ObjectKey
    body: Object | None
    unread: str
    """The right that is missing to read it; empty: it was read, or is not there."""

    def data(self, now: datetime) -> dict[str, Any]:
        """For programs."""
        spec = dictionary(dictionary(self.body).get("spec"))
        renewed = instant_or_none(spec.get("renewTime"))
        holder = str(spec.get("holderIdentity") or "")
        return {
            "lease": str(self.lease),
            "leader": holder,
            "renewed": instant(renewed) if renewed else None,
            "working": None if self.body is None else bool(holder and renewed and now - renewed <= SILENT),
        }

    def parts(self, now: datetime) -> Iterator[Part]:
        """For people."""
        said = self.data(now)
        renewed = instant_or_none(said["renewed"])
        when = f"renewed {relative(renewed, now)}" if renewed else "never renewed"
        if self.unread:
            text = f"not known: Lease {self.lease} cannot be read, you have no right to {self.unread}. {VIEWERS}. What follows may be old"
        elif self.body is None:
            text = f"not known: there is no Lease {self.lease}. {NO_LEASE}"
        elif said["working"]:
            text = f"working: {said['leader']} holds Lease {self.lease}, {when}"
        else:
            who = said["leader"] or "nobody"
            text = f"NOT WORKING: {who} holds Lease {self.lease}, {when}. What follows may be old"
        yield Facts(rows=[("Operator", text)])


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSeen:
    """An MTLSIssuer and its ledger."""

    body: Object
    records: Sequence[Record] | None
    """None: it may not be read."""

    @property
    def _status(self) -> Mapping[str, Any]:
        return dictionary(self.body.get("status"))

    def _crl(self, now: datetime) -> dict[str, Any] | None:
        said = dictionary(self._status.get("crl"))
        made, ends = (instant_or_none(said.get(name)) for name in ("thisUpdate", "nextUpdate"))
        if made is None or ends is None:
            return None
        return {
            "number": said.get("number"),
            "published": instant(made + BACKDATE),
            "ageSeconds": int((now - made - BACKDATE).total_seconds()),
            "nextUpdate": instant(ends),
            "secondsToNextUpdate": int((ends - now).total_seconds()),
            "entries": said.get("entries"),
            "bytes": said.get("bytes"),
        }

    def _generations(self) -> list[dict[str, Any]]:
        several = [dictionary(each) for each in listed(self._status.get("generations"))]
        names = ("generation", "state", "notAfter")
        if several:
            return [{name: each.get(name) for name in names} for each in several]
        signing = dictionary(self._status.get("ca"))
        return [{name: signing.get(name, "Signing") for name in names}] if signing else []

    def _gates(self, published: object) -> list[dict[str, Any]]:
        """By namespace. A gate that is Current holds what is published, and so its CRL."""
        hosts = [dictionary(each) for each in listed(self._status.get("enforcement"))]
        found = []
        for gate in (dictionary(each) for each in listed(self._status.get("gates"))):
            space = gate.get("namespace")
            of_space = [each for each in hosts if each.get("namespace") == space]
            found.append(
                {
                    "namespace": space,
                    "targets": list(listed(gate.get("targets"))),
                    "state": gate.get("state"),
                    "crlNumber": published if gate.get("state") == "Current" else None,
                    "hosts": [
                        {name: each.get(name) for name in ("host", "target", "enforced", "since", "detail")}
                        for each in of_space
                    ],
                }
            )
        return found

    def _revoked(self, now: datetime) -> list[Record]:
        refused = [r for r in self.records or () if r.refused and r.revocation is not None and now < r.not_after]
        return sorted(refused, key=_revoked_at, reverse=True)[:MOST]

    def _expiring(self, now: datetime) -> list[Record]:
        """The newest certificate of each client that has one: older ones are meant to expire."""
        newest: dict[ObjectKey, Record] = {}
        for record in self.records or ():
            if record.live(now) and (record.holder not in newest or newest[record.holder].not_after < record.not_after):
                newest[record.holder] = record
        return sorted(newest.values(), key=lambda record: (record.not_after, record.holder))[:MOST]

    def data(self, now: datetime) -> dict[str, Any]:
        """For programs."""
        crl = self._crl(now)
        counts = dictionary(self._status.get("counts"))
        known = self.records is not None
        return {
            "issuer": str(key_of(self.body)),
            "conditions": [dict(each) for each in listed(self._status.get("conditions")) if isinstance(each, Mapping)],
            "ca": self._generations(),
            "crl": crl,
            "certificates": {name: counts.get(name) for name in ("live", "revoked", "expired")},
            "gates": self._gates(crl["number"] if crl else None),
            "gatesTotal": self._status.get("gatesTotal", len(listed(self._status.get("gates")))),
            "lastRevocations": [_revocation(record) for record in self._revoked(now)] if known else None,
            "nextExpiries": [_expiry(record) for record in self._expiring(now)] if known else None,
        }

    def parts(self, now: datetime) -> Iterator[Part]:
        """For people."""
        said = self.data(now)
        yield Facts(title=f"MTLSIssuer {said['issuer']}", rows=[*_facts(said, now)])
        total = said["gatesTotal"]
        bad = [each for each in said["conditions"] if each.get("status") != "True"]
        if bad:
            rows = [(each.get("type"), each.get("status"), each.get("reason"), each.get("message")) for each in bad]
            yield Table(head=("CONDITION", "STATUS", "REASON", "MESSAGE"), rows=rows)
        yield Table(
            title=f"Gates, {len(said['gates'])} of {total}" if total != len(said["gates"]) else "Gates",
            head=("NAMESPACE", "STATE", "CRL NUMBER", "HOST", "TARGET", "ENFORCED", "SINCE", "DETAIL"),
            rows=[row for gate in said["gates"] for row in _gate(gate, now)],
            empty="none: no Ingress names this issuer",
        )
        if self.records is not None:
            yield Table(
                title="Last revocations",
                head=("CLIENT", "SERIAL", "REVOKED", "REASON", "FINAL"),
                rows=[_revocation_row(record, now) for record in self._revoked(now)],
                wide=1,
            )
            yield Table(
                title="Next expiries",
                head=("CLIENT", "SERIAL", "EXPIRES", "CA GENERATION"),
                rows=[_expiry_row(record, now) for record in self._expiring(now)],
                wide=1,
            )


def _facts(said: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, object]]:
    yield "Conditions", ", ".join(f"{each.get('type')}={each.get('status')}" for each in said["conditions"])
    for each in said["ca"]:
        ends = instant_or_none(each["notAfter"])
        until = f", expires {relative(ends, now)}" if ends else ""
        yield "CA", f"generation {each['generation']}: {each['state']}{until}"
    crl = said["crl"]
    if crl is None:
        yield "CRL", "none is published"
        return
    ends, made = instant_or_none(crl["nextUpdate"]), instant_or_none(crl["published"])
    assert ends is not None
    assert made is not None
    until = (
        f"nextUpdate {relative(ends, now)}" if ends > now else f"EXPIRED {relative(ends, now)}: every client is refused"
    )
    yield "CRL", f"number {crl['number']}, published {relative(made, now)}, {until}"
    if isinstance(crl["bytes"], int):
        yield "", f"entries: {crl['entries']}, {100 * crl['bytes'] // MAX_BYTES} % of what a gate can hold"
    counts = said["certificates"]
    yield "Certificates", ", ".join(f"{count} {name}" for name, count in counts.items() if count is not None)


def _gate(gate: Mapping[str, Any], now: datetime) -> Iterator[tuple[object, ...]]:
    number = "not the newest" if gate["crlNumber"] is None else gate["crlNumber"]
    first = (gate["namespace"], gate["state"], number)
    for each in gate["hosts"]:
        since = instant_or_none(each["since"])
        age = span(now - since) if since else ""
        yield (*first, each["host"] or "", each["target"] or "", each["enforced"] or "", age, each["detail"] or "")
    if not gate["hosts"]:
        yield (*first, "", ", ".join(map(str, gate["targets"])), "not probed", "", "")


def _revoked_at(record: Record) -> datetime:
    assert record.revocation is not None
    return record.revocation.time


def _revocation(record: Record) -> dict[str, Any]:
    held = record.revocation
    assert held is not None
    return {
        "client": str(record.holder),
        "serial": f"{record.serial:x}",
        "time": instant(held.time),
        "reason": held.reason,
        "finalAt": instant(held.final_at) if held.final_at else None,
    }


def _revocation_row(record: Record, now: datetime) -> tuple[object, ...]:
    held = record.revocation
    assert held is not None
    final = "" if held.final_at is None else relative(held.final_at, now)
    return record.holder, f"{record.serial:x}", relative(held.time, now), held.reason, final


def _expiry(record: Record) -> dict[str, Any]:
    return {"client": str(record.holder), "serial": f"{record.serial:x}", "notAfter": instant(record.not_after)}


def _expiry_row(record: Record, now: datetime) -> tuple[object, ...]:
    return record.holder, f"{record.serial:x}", relative(record.not_after, now), record.generation


def records_of(bodies: Sequence[Object], issuer: ObjectKey) -> list[Record]:
    """The records of an issuer that can be read."""
    found = []
    for body in bodies:
        try:
            record = ledger_record.parse(body)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            continue
        if record.issuer == issuer:
            found.append(record)
    return found


def dictionary(value: object) -> Mapping[str, Any]:
    """A part of a status that should be an object."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> Sequence[Any]:
    """A part of a status that should be a list."""
    return value if isinstance(value, list | tuple) else ()

"""The API server is away for an hour: at each minute every client is answered what was last known and what the clock says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from doorward.api.conditions import instant
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate
from tests.unit import given as rules
from tests.unit.given import NOW

from .given import World, client, issuer, question, record

MINUTE = timedelta(minutes=1)
HOUR = 60
FRESH = timedelta(seconds=90)
STATES = ("live", "suspended", "revoked", "held", "final", "gone", "lifted")


@dataclass(frozen=True)
class Known:
    """What was known of one client and its issuer when the API server went away."""

    state: str
    ends: int
    """Minutes until the certificate expires."""
    next_update: int
    """Minutes until the CRL's nextUpdate."""
    max_staleness: int | None
    """Minutes."""
    number: int = 1

    @property
    def issuer(self) -> ObjectKey:
        return ObjectKey("issuers", f"i{self.number}")

    @property
    def client(self) -> ObjectKey:
        return ObjectKey("shop", f"c{self.number}")

    @property
    def record(self) -> Record:
        ends = NOW + self.ends * MINUTE
        key = ObjectKey("issuers", f"i{self.number}.1.{self.number:x}")
        own = {"key": key, "issuer": self.issuer, "holder": self.client, "not_after": ends}
        return replace(rules.record(self.number), **own)

    def refused_by_its_state(self) -> bool:
        return self.state not in ("live", "lifted")

    def admitted(self, now: datetime, silence: timedelta) -> bool:
        """What has to be answered, from the promises of docs/gate-service.md alone."""
        if self.refused_by_its_state() or now >= NOW + self.ends * MINUTE:
            return False
        if silence <= FRESH:
            return True
        if self.max_staleness is not None and silence > max(self.max_staleness * MINUTE, FRESH):
            return False
        return now < NOW + self.next_update * MINUTE

    def bodies(self) -> Iterator[dict[str, object]]:
        """The objects of it."""
        spec: dict[str, object] = {"ca": {"generate": {"commonName": "CA"}}}
        if self.max_staleness is not None:
            spec["enforcement"] = {"maxStaleness": f"{self.max_staleness}m"}
        yield issuer(self.issuer, spec=spec, status={"crl": {"nextUpdate": instant(NOW + self.next_update * MINUTE)}})
        if self.state != "gone":
            said = {self.state: True} if self.state in ("suspended", "revoked") else {}
            yield client(self.client, self.issuer, **said)
        body = record(self.record)
        reasons = {"held": "certificateHold", "final": "keyCompromise", "lifted": "certificateHold"}
        if self.state in reasons:
            body["spec"]["revocation"] = {"reason": reasons[self.state], "lifted": self.state == "lifted"}
        yield body


KNOWN = st.builds(
    Known,
    state=st.sampled_from(STATES) | st.just("live"),
    ends=st.integers(1, 90) | st.just(10_000),
    next_update=st.integers(1, 90) | st.just(10_000),
    max_staleness=st.none() | st.integers(1, 70),
)


def asked(world: World, known: Known) -> bool:
    return world.answer(question(known.record, Gate("shop", known.issuer))) == "admitted"


@settings(max_examples=25, deadline=None)
@for_any(some=st.lists(KNOWN, min_size=4, max_size=4))
def test_every_answer_of_an_hour_without_the_api_server_is_right(some: list[Known]) -> None:
    known = [replace(each, number=number) for number, each in enumerate(some, 1)]
    with World() as world:
        for each in known:
            world.add(*each.bodies())
        world.start()
        world.cut_the_line()
        for _ in range(HOUR + 1):
            now, silence = world.clock.now(), world.service.silence()
            for each in known:
                assert asked(world, each) == each.admitted(now, silence), (each, now - NOW, silence)
            world.clock.advance(minutes=1)
        assert world.service.silence() >= timedelta(hours=1)


CHANGES = {
    "suspended": (CLIENT_CERTIFICATE, {"spec": {"suspended": True}}),
    "revoked": (CLIENT_CERTIFICATE, {"spec": {"revoked": True}}),
    "held": (ISSUED_CERTIFICATE, {"spec": {"revocation": {"reason": "certificateHold"}}}),
    "distrusted": (ISSUER, {"spec": {"ca": {"distrust": [1]}}}),
}


@pytest.mark.parametrize("change", [*CHANGES, "deleted", "issuer deleted"])
def test_what_was_revoked_in_that_hour_by_other_ways_is_refused_within_seconds_of_its_return(change: str) -> None:
    """Another API server of the cluster took it, and this replica could not reach that one."""
    alice = Known("live", 10_000, 10_000, None)
    with World() as world:
        world.add(*alice.bodies())
        world.start()
        world.cut_the_line()
        world.clock.advance(hours=1)
        assert asked(world, alice)
        if change == "deleted":
            world.cluster.delete(CLIENT_CERTIFICATE, alice.client, "kubectl")
        elif change == "issuer deleted":
            world.cluster.delete(ISSUER, alice.issuer, "kubectl")
        else:
            kind, patch = CHANGES[change]
            at = {CLIENT_CERTIFICATE: alice.client, ISSUED_CERTIFICATE: alice.record.key, ISSUER: alice.issuer}[kind]
            world.cluster.merge_patch(kind, at, patch, "kubectl", "")
        world.mend_the_line()
        assert not asked(world, alice)

"""Whatever happens, in whatever order: the promises hold, and in the end exactly the entitled get in."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from doorward.cluster.errors import Conflict, Forbidden, Transient
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    SECRET,
    Kind,
    Object,
)
from tests.support import promises
from tests.support.memory_cluster import merged
from tests.support.memory_gateway import Fault, killed
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import CRL, GATE

NAMES = st.sampled_from(["alice", "bob", "carol"])
KNOWN = st.runner().flatmap(lambda history: st.sampled_from(sorted(history.out)))
RECORDED = st.runner().flatmap(lambda history: st.sampled_from(history.records()))
HELD = st.runner().flatmap(lambda history: st.sampled_from(history.holds()))
SHOWN = st.runner().flatmap(lambda history: st.sampled_from(history.shown()))
CA_SECRET = st.runner().flatmap(lambda history: st.sampled_from(history.ca_secrets()))
SERVED = st.runner().flatmap(lambda history: st.sampled_from(history.secrets()))
SOON = st.integers(1, 6)
ERRORS = st.sampled_from([Transient("timeout"), Conflict("changed meanwhile"), Forbidden("no leave today")])
WRONG = [timedelta(minutes=4), timedelta(minutes=-4), timedelta(hours=1), timedelta(hours=-1), timedelta(days=100)]
JUNK = "anVuaw=="


class Histories(RuleBasedStateMachine):
    """People, accidents and time; `out` is what people asked for, and nothing else is looked at in the end."""

    elected = True
    """Whether the operator's processes share a Lease."""

    def __init__(self) -> None:
        super().__init__()
        self.out: dict[str, set[str]] = {}
        """By client that is there, the fields of its spec that keep it out."""
        self.distrusted: set[int] = set()
        self.issuer = {"certificates": {"supersededGracePeriod": "1h"}}
        """Its spec: whoever creates it again writes the same."""
        self.brought_back: dict[str, set[int]] = {}
        """By client, the serials of its deletions that a person ended."""
        self.lost: list[tuple[Kind, Object]] = []
        """What is put back in the end, since nobody can do without it."""
        self.bed: OperatorBed | None = None

    @initialize(fence=st.booleans(), latency=st.sampled_from([0.0, 0.01]), lag=st.sampled_from([0.0, 0.5]))
    def begin(self, fence: bool, latency: float, lag: float) -> None:
        self.bed = OperatorBed(NOW, finalizer_at_creation=fence, elected=self.elected)
        self.bed.latency, self.bed.lag = latency, lag
        self.bed.start()
        self.issuer["ca"] = self.first_ca()
        self.bed.issuer(**self.issuer)
        self.bed.ingress()
        self.apply("alice")
        self.bed.settle()

    def first_ca(self) -> dict[str, Any]:
        """What `spec.ca` says at first."""
        return {"generate": {"commonName": "Partners CA", "duration": "87600h", "rotate": "spring"}}

    def edit_ca(self, patch: dict[str, Any]) -> None:
        """In what is kept of the issuer's spec, and in the issuer if it is there."""
        self.issuer["ca"] = merged(self.issuer["ca"], patch)
        if self.bed.find(ISSUER, ISSUER_AT.name):
            self.bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": patch}})

    def secrets(self) -> list[str]:
        """Of the clients that are there."""
        names = [f"{name}-mtls" for name in sorted(self.out)]
        return [name for name in names if self.bed.find(SECRET, name)]

    def _revocations(self) -> dict[str, Any]:
        records = self.bed.cluster.all(ISSUED_CERTIFICATE)
        return {body["metadata"]["name"]: body["spec"].get("revocation") for body in records}

    def records(self) -> list[str]:
        """Of serials that may still be revoked, for good or until a person thinks better of it."""
        found = self._revocations()
        return sorted(name for name, said in found.items() if said is None or said["reason"] == "certificateHold")

    def holds(self) -> list[str]:
        """Records of serials that are held."""
        found = self._revocations()
        return sorted(n for n, s in found.items() if s and s["reason"] == "certificateHold" and not s.get("lifted"))

    def shown(self) -> list[str]:
        """Records, of serials that nobody refuses, of the certificates that are in clients' Secrets."""
        serials = {
            promises.held_serial(body) for body in map(self._secret, self.secrets()) if body["data"]["tls.crt"] != JUNK
        }
        found = self._revocations()
        return sorted(name for name, said in found.items() if said is None and int(name.split(".")[-1], 16) in serials)

    def _secret(self, name: str) -> Object:
        return self.bed.find(SECRET, name)

    def ca_secrets(self) -> list[str]:
        """That are there."""
        names = [body["metadata"]["name"] for body in self.bed.cluster.all(SECRET)]
        return [name for name in names if name.startswith(f"{ISSUER_AT.name}-ca-")]

    # People

    @rule(name=NAMES)
    def apply(self, name: str) -> None:
        if self.bed.find(CLIENT_CERTIFICATE, name) is None:
            self.bed.apply(name)
            self.out[name] = set()

    @precondition(lambda self: self.out)
    @rule(name=KNOWN, unit=st.sampled_from(["ops", "dev"]))
    def edit(self, name: str, unit: str) -> None:
        self.bed.apply(name, subject={"organizationalUnits": [unit]})

    @precondition(lambda self: self.out)
    @rule(name=KNOWN, reissue=st.sampled_from(["today", "tomorrow", None]))
    def reissue(self, name: str, reissue: str | None) -> None:
        self.bed.apply(name, reissue=reissue)

    @precondition(lambda self: self.out)
    @rule(name=KNOWN, how=st.sampled_from(["revoked", "suspended"]), to=st.booleans())
    def cut_off(self, name: str, how: str, to: bool) -> None:
        self.bed.apply(name, **{how: to})
        self.out[name] = self.out[name] | {how} if to else self.out[name] - {how}

    @precondition(lambda self: self.records())
    @rule(name=RECORDED, reason=st.sampled_from(["keyCompromise", "certificateHold"]))
    def revoke_one_serial(self, name: str, reason: str) -> None:
        said = {"reason": reason, "lifted": False, "heldBy": None, "finalAt": None}
        self.bed.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": said}})

    @rule(value=st.sampled_from(["spring", "autumn"]))
    def rotate(self, value: str) -> None:
        self.edit_ca({"generate": {"rotate": value}})

    @rule(generation=st.integers(1, 3))
    def distrust(self, generation: int) -> None:
        self.distrusted |= {generation}
        self.edit_ca({"distrust": sorted(self.distrusted)})

    @precondition(lambda self: self.out)
    @rule(name=KNOWN)
    def delete(self, name: str) -> None:
        del self.out[name]
        self.bed.delete(CLIENT_CERTIFICATE, name)

    @precondition(lambda self: self.holds())
    @rule(name=HELD)
    def lift(self, name: str) -> None:
        record = self.bed.find(ISSUED_CERTIFICATE, name)["spec"]
        if record["revocation"].get("heldBy") == "Deletion":
            found = self.brought_back.setdefault(record["clientCertificate"]["name"], set())
            found.add(int(record["serialNumber"], 16))
        self.bed.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"lifted": True}}})

    @precondition(lambda self: self.bed.find(ISSUER, ISSUER_AT.name))
    @rule()
    def delete_issuer(self) -> None:
        self.bed.delete(ISSUER, ISSUER_AT.name)

    @rule()
    def create_issuer_again(self) -> None:
        if self.bed.find(ISSUER, ISSUER_AT.name) is None:
            self.bed.issuer(**self.issuer)

    @rule(to=st.sampled_from([str(ISSUER_AT), None]))
    def opt(self, to: str | None) -> None:
        self.bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": to}}})

    # Accidents

    @precondition(lambda self: self.shown())
    @rule(name=SHOWN)
    def lose_record(self, name: str) -> None:
        self.bed.delete(ISSUED_CERTIFICATE, name)

    @precondition(lambda self: self.ca_secrets())
    @rule(name=CA_SECRET)
    def lose_ca(self, name: str) -> None:
        self.lost.append((SECRET, self._secret(name)))
        self.bed.delete(SECRET, name)

    @rule()
    def find_what_was_lost(self) -> None:
        for kind, body in self.lost:
            if self.bed.find(kind, body["metadata"]["name"]) is None:
                self.bed.cluster.create(kind, NAMESPACE_NAME, body, "kubectl")
        self.lost.clear()

    @precondition(lambda self: self.secrets())
    @rule(name=SERVED)
    def lose_secret(self, name: str) -> None:
        self.bed.delete(SECRET, name)

    @precondition(lambda self: self.secrets())
    @rule(name=SERVED)
    def spoil_secret(self, name: str) -> None:
        self.bed.edit(SECRET, name, {"data": {"tls.crt": JUNK}})

    @precondition(lambda self: self.bed.find(CONFIG_MAP, CRL))
    @rule()
    def lose_crl(self) -> None:
        self.bed.delete(CONFIG_MAP, CRL)

    @precondition(lambda self: self.bed.find(CONFIG_MAP, CRL))
    @rule()
    def spoil_crl(self) -> None:
        self.bed.edit(CONFIG_MAP, CRL, {"data": {"ca.crl": "junk"}})

    @precondition(lambda self: self.bed.find(SECRET, GATE))
    @rule()
    def lose_gate(self) -> None:
        self.bed.delete(SECRET, GATE)

    @rule(number=SOON, done=st.booleans())
    def kill_at_a_write(self, number: int, done: bool) -> None:
        self.bed.gateway.faults[len(self.bed.gateway.writes) + number] = killed(done=done)

    @rule(number=SOON, error=ERRORS, done=st.booleans())
    def fail_a_write(self, number: int, error: Exception, done: bool) -> None:
        self.bed.gateway.faults[len(self.bed.gateway.writes) + number] = Fault(error, done=done)

    @rule()
    def restart(self) -> None:
        self.bed.restart()

    @precondition(lambda self: self.bed.processes < 2)
    @rule()
    def start_another(self) -> None:
        self.bed.start()

    @precondition(lambda self: self.bed.leader)
    @rule()
    def kill_the_leader(self) -> None:
        self.bed.kill_leader()

    @precondition(lambda self: self.bed.leader)
    @rule(seconds=st.sampled_from([1.0, 5.0, 12.0]))
    def slow_the_leader(self, seconds: float) -> None:
        self.bed.leader.latency = seconds

    @rule(compact=st.booleans())
    def end_watches(self, compact: bool) -> None:
        self.bed.gateway.end_watches()
        if compact:
            self.bed.cluster.compact()

    # Time

    @rule(seconds=st.sampled_from([0.02, 1.0, 60.0]))
    def go_on(self, seconds: float) -> None:
        self.bed.advance(seconds)

    @rule()
    def settle(self) -> None:
        self.bed.settle()

    @rule(by=st.sampled_from([timedelta(hours=2), timedelta(hours=30), timedelta(days=25)]))
    def sleep(self, by: timedelta) -> None:
        self.bed.advance(1.0)
        self.bed.jump(seconds=by.total_seconds())

    @rule(by=st.sampled_from(WRONG))
    def set_the_clock_wrong(self, by: timedelta) -> None:
        self.bed.set_wrong(by)

    @rule()
    def set_the_clock_right(self) -> None:
        self.bed.set_wrong(timedelta(0))

    def teardown(self) -> None:
        if self.bed is not None:
            try:
                self._come_to_rest()
                self._check()
            finally:
                self.bed.__exit__()

    def _come_to_rest(self) -> None:
        """Nothing more happens; long enough for every wait, retry and grace period to end."""
        self.bed.set_wrong(timedelta(0))
        self.bed.forget_faults()
        self.find_what_was_lost()
        self.create_issuer_again()
        self.opt(str(ISSUER_AT))
        for hours in (7, 7, 2):
            self.bed.settle()
            self.bed.jump(hours=hours)
        self.bed.settle()

    def _check(self) -> None:
        bed = self.bed
        assert promises.broken(bed.cluster) == []
        entitled = {name for name, against in self.out.items() if not against}
        held = {name: promises.held_serial(bed.find(SECRET, f"{name}-mtls")) for name in sorted(entitled)}
        live = promises.live_serials(bed.cluster, bed.cluster.now())
        assert set(held.values()) <= live <= set(held.values()).union(*(self.brought_back.get(n, ()) for n in entitled))
        assert not self.distrusted & promises.newest_bundle(bed.cluster).lists.keys()
        assert promises.gate_crls(bed.cluster) == {NAMESPACE_NAME: promises.newest_crl(bed.cluster)}
        left = {body["metadata"]["name"] for body in bed.cluster.all(CLIENT_CERTIFICATE)}
        assert left == self.out.keys()
        bed.restart()
        bed.settle()
        assert bed.writes(bed.gateway) == []


@pytest.mark.promise(1)
@pytest.mark.promise(2)
@pytest.mark.promise(6)
def test_whatever_happens_the_promises_hold_and_exactly_the_entitled_get_in():
    run_state_machine_as_test(Histories, settings=settings(max_examples=25, stateful_step_count=15))

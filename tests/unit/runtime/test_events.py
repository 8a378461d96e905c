"""What is told in Events: each change once, whoever restarts or takes over; and what cannot be told holds up nothing."""

import asyncio
from collections import Counter

import pytest

from doorward.cluster.errors import Ending, Forbidden, Invalid, NotFound, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, INGRESS, ISSUED_CERTIFICATE, ISSUER, NAMESPACE
from doorward.objects.meta import ObjectKey
from doorward.view import outbox
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import person_writes, said, serial

HOUR = 3600.0


def told(bed, kind, name):
    """The Events of that object in their order: reason and message."""
    about = [e for e in bed.cluster.all(EVENT) if e["involvedObject"]["name"] == name]
    found = [e for e in about if e["involvedObject"]["kind"] == kind.name]
    found.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
    return [(e["reason"], e["message"]) for e in found]


def reasons(bed, kind, name):
    return [reason for reason, _ in told(bed, kind, name)]


def later(bed, name="alice", **spec):
    """A client with other fields, when Events that may repeat themselves may be told again."""
    bed.apply(name, **spec)
    bed.settle()


STORY = ["Issued", "Renewed", "Held", "CutOffComplete", "Released", "Revoked", "CutOffComplete"]


def story(bed):
    """What happens to alice, step by step."""
    later(bed)
    yield
    bed.jump(days=61)
    bed.settle()
    yield
    for _ in range(12):  # until the first certificate has expired, and no longer at once than a CRL is valid
        bed.jump(days=3)
        bed.settle()
    yield
    later(bed, suspended=True)
    yield
    later(bed, suspended=False)
    yield
    later(bed, revoked=True)
    yield


def test_the_events_of_a_client_tell_its_story(bed):
    for _ in story(bed):
        pass
    assert reasons(bed, CLIENT_CERTIFICATE, "alice") == STORY
    messages = [message for _, message in told(bed, CLIENT_CERTIFICATE, "alice")]
    number = f"{serial(bed, 'alice'):x}"
    assert all(number in message for message in messages[1:])
    assert "is in Secret alice-mtls" in messages[0]
    assert "spec.suspended is true. Set it to false" in messages[2]
    assert "every gate has it, 0." in messages[3]
    assert "CRL reason unspecified" in messages[5]
    events = [e for e in bed.cluster.all(EVENT) if e["involvedObject"]["name"] == "alice"]
    uid = bed.find(CLIENT_CERTIFICATE, "alice")["metadata"]["uid"]
    assert {(e["type"], e["involvedObject"]["uid"], e["count"]) for e in events} == {("Normal", uid, 1)}


@pytest.mark.parametrize("fate", ["restarts", "looks again"])
def test_no_event_is_written_twice_when_the_operator(bed, fate):
    """After each step."""
    for _ in story(bed):
        before = len(bed.cluster.all(EVENT))
        if fate == "restarts":
            bed.restart()
        else:
            bed.advance(HOUR)
        bed.settle()
        assert len(bed.cluster.all(EVENT)) == before
    assert reasons(bed, CLIENT_CERTIFICATE, "alice") == STORY


def test_no_event_is_written_twice_by_one_who_takes_over():
    with OperatorBed(NOW, elected=True, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.ingress()
        bed.start()
        bed.settle()
        for _ in story(bed):
            before = len(bed.cluster.all(EVENT))
            bed.kill_leader()
            bed.settle()
            bed.advance(30)
            assert len(bed.cluster.all(EVENT)) == before
        assert reasons(bed, CLIENT_CERTIFICATE, "alice") == STORY


def test_the_events_of_an_issuer_tell_of_its_ca_generations_and_gates(bed):
    later(bed)
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    for _ in range(4):
        bed.jump(hours=1)
        bed.settle()
    bed.jump(days=91)  # until all certificates of the first generation have expired
    bed.settle()
    bed.restart()
    bed.settle()
    bed.delete(INGRESS, "shop")
    bed.advance(HOUR)
    bed.settle()
    found = told(bed, ISSUER, ISSUER_AT.name)
    wanted = {"CaCreated", "CaActive", "CaRetired", "GateReady", "GateClosed"}
    steps = [(reason, "generation 2" in message) for reason, message in found if reason in wanted]
    assert steps == [
        ("CaCreated", False),
        ("CaActive", False),
        ("GateReady", False),
        ("CaCreated", True),
        ("CaActive", True),
        ("CaRetired", False),
        ("GateClosed", False),
    ]


def test_a_refusal_is_told_once_and_so_is_its_end(bed):
    bed.cluster.merge_patch(
        ISSUER, ISSUER_AT, {"spec": {"issuance": {"allowedSubjects": [{"commonName": "a*"}]}}}, "people", ""
    )
    later(bed, "bob")
    bed.restart()
    bed.advance(HOUR)
    (refusal,) = told(bed, CLIENT_CERTIFICATE, "bob")
    assert refusal[0] == "SubjectNotAllowed"
    assert "Remove or change" in refusal[1]
    assert [e["type"] for e in bed.cluster.all(EVENT) if e["reason"] == "SubjectNotAllowed"] == ["Warning"]
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"spec": {"issuance": {"allowedSubjects": []}}}, "people", "")
    bed.settle()
    assert reasons(bed, CLIENT_CERTIFICATE, "bob") == ["SubjectNotAllowed", "Issued"]


def test_an_ingress_is_told_when_it_is_closed_and_protected(bed):
    bed.delete(ISSUER, ISSUER_AT.name)
    bed.settle()
    bed.advance(HOUR)
    bed.issuer()
    bed.settle()
    assert Counter(reasons(bed, INGRESS, "shop"))["Closed"] >= 1
    assert reasons(bed, INGRESS, "shop")[-1] == "Protected"
    assert told(bed, INGRESS, "shop")[-1][1].startswith("Protected: clients of ")


def test_a_user_who_revokes_a_record_is_named_as_such(bed):
    later(bed)
    number = serial(bed, "alice")
    person_writes(bed, number, reason="keyCompromise", time="2026-06-01T12:00:00Z")
    bed.settle()
    assert ("Revoked", f"A user revoked certificate {number:x} for good (CRL reason keyCompromise)") in told(
        bed, CLIENT_CERTIFICATE, "alice"
    )


def test_a_deletion_is_told_while_its_object_is_still_named(bed):
    later(bed)
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    assert bed.find(CLIENT_CERTIFICATE, "alice") is None
    assert reasons(bed, CLIENT_CERTIFICATE, "alice") == ["Issued", "Held", "CutOffComplete"]


# What cannot be told


ERRORS = [
    Transient("later", status=503),
    Transient("too many", status=429, retry_after=30.0),
    Forbidden("no Events", status=403),
    Ending("because it is being terminated", status=403),
    Invalid("never", status=422),
    NotFound("no namespace", status=404),
    RuntimeError("a bug of our own"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {getattr(error, 'status', '')}")
def test_an_event_that_cannot_be_written_holds_up_no_cut_off_and_ends_nothing(bed, error):
    later(bed)
    bed.gateway.refuse = lambda write: error if write.kind == EVENT.name else None
    before, number, process = len(bed.cluster.all(EVENT)), serial(bed, "alice"), bed.operator
    bed.apply("alice", revoked=True)
    bed.advance(2)
    assert promises.gate_crls(bed.cluster) == {NAMESPACE_NAME: {number}}
    assert said(bed, "alice") == {"Ready": "CutOff", "Admitted": "Revoked"}
    assert len(bed.cluster.all(EVENT)) == before
    bed.gateway.refuse = lambda _: None
    bed.advance(60)
    later(bed, "bob")
    assert reasons(bed, CLIENT_CERTIFICATE, "bob") == ["Issued"]
    assert bed.operator is process, "it never ended"


def test_an_api_server_that_never_answers_an_event_holds_up_nothing(bed):
    later(bed)
    create = bed.gateway.create

    async def hangs(kind, *rest, **more):
        if kind == EVENT:
            await asyncio.sleep(HOUR)
        return await create(kind, *rest, **more)

    bed.gateway.create = hangs
    number = serial(bed, "alice")
    bed.apply("alice", suspended=True)
    bed.advance(2)
    assert promises.gate_crls(bed.cluster) == {NAMESPACE_NAME: {number}}
    assert said(bed, "alice")["Admitted"] == "OnHold"


def test_the_events_of_a_cut_off_are_written_after_the_crl_and_the_gate(bed):
    later(bed)
    writes = bed.writes_of(lambda: bed.apply("alice", revoked=True))
    kinds = [write.kind for write in writes]
    assert kinds.index(EVENT.name) > max(kinds.index("ConfigMap"), kinds.index("Secret"))


# Floods


def test_a_storm_of_clients_leaves_events_out_and_says_so(bed, monkeypatch, caplog):
    monkeypatch.setattr(outbox, "MOST_OF_A_NAMESPACE", 20)
    for number in range(100):
        bed.apply(f"client-{number}")
    bed.settle()
    bed.advance(120)
    issued = sum(event["reason"] == "Issued" for event in bed.cluster.all(EVENT))
    assert 20 <= issued < 100
    shown = bed.scrape()
    assert shown.value("doorward_events_total", outcome="left_out") == 100 - issued
    assert "events left out" in caplog.text


def test_who_is_cut_off_in_a_storm_is_told_all_the_same(bed, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_OF_A_NAMESPACE", 20)
    later(bed)
    for number in range(100):
        bed.apply(f"client-{number}")
    bed.apply("alice", revoked=True)
    bed.settle()
    bed.advance(120)
    assert reasons(bed, CLIENT_CERTIFICATE, "alice") == ["Issued", "Revoked", "CutOffComplete"]


def test_a_client_that_changes_again_and_again_is_no_flood(bed):
    began = bed.clock.now()
    for number in range(60):
        bed.apply("alice", suspended=bool(number % 2))
        bed.advance(3)
    minutes = (bed.clock.now() - began).total_seconds() / 60
    found = reasons(bed, CLIENT_CERTIFICATE, "alice")
    assert outbox.BURST <= len(found) <= outbox.BURST + minutes + 1


def test_gates_that_cannot_be_written_are_named_on_the_client_once(bed):
    later(bed)
    bed.gateway.refuse = lambda w: (
        Forbidden("no", status=403) if w.kind == "Secret" and w.name.startswith("door") else None
    )
    bed.apply("alice", revoked=True)
    bed.advance(HOUR)
    (message,) = [m for reason, m in told(bed, CLIENT_CERTIFICATE, "alice") if reason == "CutOffIncomplete"]
    assert message == (
        f"The client may still have access: the gate in namespace {NAMESPACE_NAME} could not be written."
        f" See the conditions of MTLSIssuer {ISSUER_AT}"
    )
    bed.gateway.refuse = lambda _: None
    bed.advance(300)
    assert reasons(bed, CLIENT_CERTIFICATE, "alice")[-1] == "CutOffComplete"


def test_no_event_is_written_into_a_namespace_that_ends_and_nothing_breaks(bed):
    later(bed)
    at = ObjectKey("", NAMESPACE_NAME)
    bed.cluster.merge_patch(NAMESPACE, at, {"metadata": {"labels": {"a": "b"}}}, "people", "")
    bed.gateway.refuse = lambda w: Ending("because it is being terminated", status=403) if w.verb == "create" else None
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    assert bed.find(CLIENT_CERTIFICATE, "alice") is None
    (record,) = bed.cluster.all(ISSUED_CERTIFICATE)
    assert record["spec"]["revocation"]["reason"] == "certificateHold"

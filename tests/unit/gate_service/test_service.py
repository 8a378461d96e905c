"""What the gate service answers as the cluster changes, while the API server is away, and before it knows anything."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.cluster.errors import Forbidden, NoSuchKind, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from doorward.planning.admission import FRESH
from tests.unit import given as rules
from tests.unit.given import ALICE, DAY, NOW

from . import given
from .given import GATE, World, question

OTHER = ObjectKey("issuers", "employees")
RECORD = rules.record().key
MINUTE = 60.0


def held(**override: object) -> dict[str, object]:
    hold = {"reason": "certificateHold", "time": "2026-09-01T12:00:00Z", "heldBy": "Deletion"}
    return {"spec": {"revocation": hold | override}}


# Access is a live ClientCertificate


@pytest.mark.parametrize(("field", "expected"), [("revoked", "client_revoked"), ("suspended", "client_suspended")])
def test_a_client_is_refused_as_soon_as_its_client_certificate_says_so(world: World, field, expected):
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {field: True}})
    assert world.answer() == expected
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {field: False}})
    world.bookmark()
    assert world.answer() == "admitted"


def test_a_client_whose_suspension_is_over_gets_in_at_once(world: World):
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": True}})
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": False}})
    assert world.answer() == "admitted"


def test_a_client_whose_client_certificate_is_being_deleted_is_refused(world: World):
    world.patch(CLIENT_CERTIFICATE, ALICE, {"metadata": {"finalizers": ["doorward.io/cut-off"]}})
    world.delete(CLIENT_CERTIFICATE, ALICE)
    assert world.answer() == "client_deleted"


def test_a_client_whose_client_certificate_is_gone_is_refused(world: World):
    world.delete(CLIENT_CERTIFICATE, ALICE)
    assert world.answer() == "client_gone"


def test_a_restored_client_has_another_uid_and_gets_in(world: World):
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.add(given.client())
    world.advance()
    uid = world.cluster.get(CLIENT_CERTIFICATE, ALICE)["metadata"]["uid"]
    assert uid != rules.UID
    assert world.answer() == "ledger_behind"
    world.bookmark()
    assert world.answer() == "admitted"


def test_a_client_that_was_created_again_gets_in_with_nothing_that_its_deletion_held(world: World):
    world.patch(ISSUED_CERTIFICATE, RECORD, held())
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.add(given.client())
    world.advance()
    assert world.answer() == "held"
    world.patch(ISSUED_CERTIFICATE, RECORD, held(lifted=True))
    assert world.answer() == "admitted"


def test_a_client_certificate_that_now_names_another_issuer_admits_no_serial_of_the_first(world: World):
    world.add(given.issuer(OTHER))
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.add(given.client(of=OTHER))
    world.advance()
    assert world.answer() == "client_gone"


def test_a_client_of_the_same_name_in_another_namespace_is_another_client(world: World):
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.add(given.client(ObjectKey("elsewhere", ALICE.name)))
    world.advance()
    assert world.answer() == "client_gone"


def test_an_issuer_that_is_named_without_a_namespace_is_of_the_client_certificates_own(world: World):
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"issuerRef": {"namespace": None}}})
    assert world.answer() == "admitted"


# The ledger


@pytest.mark.parametrize(("reason", "expected"), [("keyCompromise", "revoked"), ("certificateHold", "held")])
def test_a_serial_that_is_refused_is_refused_at_once(world: World, reason, expected):
    world.patch(ISSUED_CERTIFICATE, RECORD, {"spec": {"revocation": {"reason": reason}}})
    assert world.answer() == expected


def test_a_certificate_that_is_on_no_record_is_refused(world: World):
    assert world.answer(question(rules.record(0xBAD))) == "not_issued"


def test_a_record_of_another_issuer_admits_nobody_here(world: World):
    world.add(given.issuer(OTHER))
    world.advance()
    assert world.answer(question(gate=Gate("shop", OTHER))) == "not_issued"


def test_the_serial_number_has_to_be_that_of_the_record(world: World):
    digest = bytes.fromhex(rules.record().sha1)
    assert world.answer(Question(GATE, Presented(digest, rules.record().serial + 1))) == "not_issued"
    assert world.answer(Question(GATE, Presented(digest, None))) == "admitted"


def test_a_certificate_is_found_by_its_sha256_only_where_a_proxy_names_it_so(world: World):
    asked = Question(GATE, Presented(bytes.fromhex(rules.record().sha256), None))
    assert world.answer(asked) == "not_issued"
    with World(sha256=True) as other:
        other.add(given.issuer(), given.client(), given.record())
        other.start()
        assert other.answer(asked) == "admitted"
        assert other.answer() == "admitted"  # by its SHA-1 as before
        other.patch(ISSUED_CERTIFICATE, RECORD, held())
        assert other.answer(asked) == "held"
        other.cut_the_line()
        other.cluster.delete(ISSUED_CERTIFICATE, RECORD, "kubectl")
        other.mend_the_line()
        assert other.answer(asked) == "not_issued"
        assert other.service.serials._sha1_of == {}


def test_a_serial_of_a_distrusted_ca_generation_is_refused(world: World):
    world.patch(ISSUER, rules.ISSUER, {"spec": {"ca": {"distrust": [1]}}})
    assert world.answer() == "distrusted"


def test_a_record_that_was_deleted_admits_nobody(world: World):
    world.delete(ISSUED_CERTIFICATE, RECORD)
    assert world.answer() == "not_issued"
    assert len(world.service.serials) == 0


def test_of_two_records_of_one_certificate_both_have_to_admit_it(world: World):
    again = given.record()
    again["metadata"]["name"] = "restored-by-hand"
    again["spec"]["revocation"] = {"reason": "keyCompromise"}
    world.add(again)
    world.advance()
    assert world.answer() == "revoked"
    world.delete(ISSUED_CERTIFICATE, ObjectKey(RECORD.namespace, "restored-by-hand"))
    assert world.answer() == "admitted"
    world.delete(ISSUED_CERTIFICATE, RECORD)
    assert world.answer() == "not_issued"


def test_two_records_of_one_certificate_admit_it_at_no_gate_of_another_issuer(world: World):
    again = given.record()
    again["metadata"]["name"] = "restored-by-hand"
    world.add(given.issuer(OTHER), again)
    world.advance()
    assert world.answer() == "admitted"
    assert world.answer(question(gate=Gate("shop", OTHER))) == "not_issued"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"notAfter": "soon"}, id="no instant"),
        pytest.param({"serialNumber": "-1"}, id="no serial number"),
        pytest.param({"clientCertificate": None}, id="no client"),
        pytest.param({"revocation": "yes"}, id="no revocation"),
        pytest.param({"fingerprints": {"sha1": rules.record().sha1, "sha256": "x"}}, id="no digest"),
    ],
)
def test_a_record_that_becomes_unreadable_admits_nobody(world: World, broken):
    world.patch(ISSUED_CERTIFICATE, RECORD, {"spec": broken})
    assert world.answer() == "not_issued"
    assert world.service.readiness().text == "answers\n"


@pytest.mark.parametrize(
    "fingerprints",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="no SHA-1"),
        pytest.param({"sha1": 17}, id="a number"),
        pytest.param({"sha1": "x" * 40}, id="no digits"),
        pytest.param({"sha1": "00"}, id="too short"),
    ],
)
def test_a_record_without_a_fingerprint_keeps_no_other_record_from_being_followed(world: World, fingerprints):
    broken = given.record()
    broken["metadata"]["name"] = "broken"
    broken["spec"]["fingerprints"] = fingerprints
    world.add(broken)
    world.patch(ISSUED_CERTIFICATE, RECORD, held())
    assert world.answer() == "held"
    world.delete(ISSUED_CERTIFICATE, ObjectKey(RECORD.namespace, "broken"))
    assert world.service.readiness().text == "answers\n"
    assert len(world.service.serials) == 1


@pytest.mark.parametrize("spec", [None, {"issuerRef": None}], ids=["no spec", "no issuer"])
def test_a_client_certificate_that_names_no_issuer_keeps_no_other_from_being_followed(world: World, spec):
    bob = rules.record(0xB0B, holder=ObjectKey("issuers", "bob"))
    world.add(given.client(bob.holder) | {"spec": spec}, given.record(bob))
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": True}})
    assert world.answer() == "client_suspended"
    assert world.answer(question(bob)) == "client_gone"
    assert world.service.readiness().text == "answers\n"


@pytest.mark.parametrize("status", [{"crl": {"nextUpdate": "soon"}}, {"crl": {"nextUpdate": 17}}])
def test_an_issuer_that_cannot_be_read_admits_nobody(world: World, status):
    world.patch(ISSUER, rules.ISSUER, {"status": status}, "status")
    assert world.answer() == "no_issuer"
    assert world.service.readiness().text == "answers\n"


@pytest.mark.parametrize("spec", [None, {"ca": None}, {"ca": "own"}, {"enforcement": {"maxStaleness": 17}}])
def test_an_issuer_whose_spec_cannot_be_read_admits_nobody_and_keeps_no_other_from_being_followed(world: World, spec):
    world.patch(ISSUER, rules.ISSUER, {"spec": spec})
    world.add(given.issuer(OTHER))
    world.advance()
    assert world.answer() == "no_issuer"
    assert world.service.issuers.get(OTHER) is not None
    assert world.service.readiness().text == "answers\n"


@pytest.mark.parametrize("status", [None, {"crl": None}], ids=["no status", "no CRL"])
def test_an_issuer_whose_status_names_no_crl_admits_for_as_long_as_the_api_server_is_heard_of(world: World, status):
    world.patch(ISSUER, rules.ISSUER, {"status": status}, "status")
    assert world.answer() == "admitted"
    world.cut_the_line()
    world.clock.advance(seconds=FRESH.total_seconds() + 1)
    assert world.answer() == "stale"


def test_an_issuer_that_is_gone_admits_nobody(world: World):
    world.delete(ISSUER, rules.ISSUER)
    assert world.answer() == "no_issuer"


# What is asked


def test_what_cannot_be_read_is_refused(world: World):
    assert world.service.answer(None).verdict == "not_read"


def test_what_the_proxy_did_not_verify_is_refused(world: World):
    assert world.answer(Question(GATE, None)) == "not_verified"


def test_whoever_asks_without_a_certificate_names_only_gates_of_issuers_that_there_are(world: World):
    assert world.service.answer(Question(GATE, None)).gate == GATE
    assert world.service.answer(Question(Gate("shop", OTHER), None)).gate is None


# Before it knows, and while it cannot know


@pytest.mark.parametrize("missing", [ISSUER, CLIENT_CERTIFICATE, ISSUED_CERTIFICATE], ids=lambda kind: kind.plural)
@pytest.mark.parametrize(
    "error",
    [Forbidden("no", status=403), NoSuchKind("404 page not found", status=404)],
    ids=["forbidden", "not served"],
)
def test_before_it_has_listed_all_it_refuses_everybody_and_is_not_ready(empty: World, missing, error):
    empty.add(given.issuer(), given.client(), given.record())
    empty.gateway.refuse_reads = lambda kind, _: error if kind == missing else None
    empty.start()
    assert empty.answer() == "not_synced"
    readiness = empty.service.readiness()
    assert not readiness.ready
    assert missing.plural in readiness.text
    empty.mend_the_line()
    assert empty.answer() == "admitted"
    assert empty.service.readiness().ready


def test_while_the_api_server_is_away_it_answers_from_its_last_known_state_and_says_so(world: World):
    world.cut_the_line()
    world.clock.advance(days=6)
    assert world.answer() == "admitted"
    readiness = world.service.readiness()
    assert readiness.ready
    assert "clientcertificates: not heard of for 5184" in readiness.text
    world.clock.advance(days=1)
    assert world.answer() == "stale"
    assert world.service.readiness().ready


def test_it_says_at_once_that_the_api_server_is_away_and_when_it_is_back(world: World):
    assert world.service.readiness().text == "answers\n"
    world.cut_the_line()
    readiness = world.service.readiness()
    assert readiness.ready
    [line] = [each for each in readiness.text.splitlines() if each.startswith("clientcertificates: not heard of for ")]
    assert line.endswith(" s Transient: connection refused")
    world.mend_the_line()
    assert world.service.readiness().text == "answers\n"


def test_it_says_so_too_where_the_connection_just_falls_silent(world: World):
    world.clock.advance(seconds=91)
    assert "mtlsissuers: not heard of for 9" in world.service.readiness().text


def test_one_kind_that_is_not_heard_of_is_enough_to_be_stale(world: World):
    world.gateway.refuse_reads = lambda kind, _: Transient("no") if kind == CLIENT_CERTIFICATE else None
    world.gateway.end_watches()
    world.advance()
    world.clock.advance(days=8)
    world.patch(ISSUER, rules.ISSUER, {"spec": {"crl": {"validity": "24h"}}})
    world.patch(ISSUED_CERTIFICATE, RECORD, {"metadata": {"labels": {"a": "b"}}})
    silences = {follower.kind: follower.silence() for follower in world.service.followers}
    assert silences[ISSUER] < FRESH < silences[CLIENT_CERTIFICATE]
    assert world.answer() == "stale"


def test_max_staleness_makes_it_stricter(world: World):
    world.patch(ISSUER, rules.ISSUER, {"spec": {"enforcement": {"maxStaleness": "1h"}}})
    world.cut_the_line()
    world.clock.advance(minutes=55)
    assert world.answer() == "admitted"
    world.clock.advance(minutes=6)
    assert world.answer() == "stale"
    world.mend_the_line()
    assert world.answer() == "admitted"


def test_what_happened_while_the_api_server_was_away_is_known_when_it_is_back(world: World):
    bob = replace(rules.record(0xB0B), holder=ObjectKey("issuers", "bob"))
    world.cut_the_line()
    world.cluster.merge_patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": True}}, "kubectl", "")
    world.add(given.client(bob.holder), given.record(bob))
    world.advance(MINUTE)
    assert world.answer() == "admitted"
    world.mend_the_line()
    assert world.answer() == "client_suspended"
    assert world.answer(question(bob)) == "admitted"


def test_what_was_deleted_while_the_api_server_was_away_is_gone_when_it_is_back(world: World):
    world.cut_the_line()
    world.cluster.delete(CLIENT_CERTIFICATE, ALICE, "kubectl")
    world.cluster.delete(ISSUER, rules.ISSUER, "kubectl")
    world.mend_the_line()
    assert world.answer() == "no_issuer"
    world.add(given.issuer())
    world.advance()
    assert world.answer() == "client_gone"


def test_a_record_that_was_deleted_while_the_api_server_was_away_admits_nobody(world: World):
    bob = replace(rules.record(0xB0B), holder=ObjectKey("issuers", "bob"))
    world.add(given.client(bob.holder), given.record(bob))
    world.advance()
    world.cut_the_line()
    world.cluster.delete(ISSUED_CERTIFICATE, RECORD, "kubectl")
    world.mend_the_line()
    assert world.answer() == "not_issued"
    assert world.answer(question(bob)) == "admitted"


def test_a_watch_that_is_too_far_behind_lists_again(world: World):
    world.gateway.lag = 5.0
    world.cluster.merge_patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"revoked": True}}, "kubectl", "")
    world.cluster.compact()
    world.gateway.end_watches()
    world.advance(10.0)
    assert world.answer() == "client_revoked"


def test_a_cluster_that_was_rolled_back_is_listed_again(world: World):
    """A watch from a version that the cluster has not reached yet hears nothing, and does not say so."""
    world.cluster.version = 10
    world.cluster.history.clear()
    world.cluster._objects[CLIENT_CERTIFICATE].pop(ALICE)
    world.gateway.end_watches()
    world.advance(10.0)
    assert world.answer() == "client_gone"


def test_a_server_that_ends_every_watch_at_once_is_not_asked_without_end(world: World):
    before = len(world.gateway.lists)
    for _ in range(600):
        world.gateway.end_watches()
        world.advance(0.1)
    assert len(world.gateway.lists) - before < 200
    assert world.answer() == "admitted"


def test_an_expired_certificate_is_refused_on_a_connection_that_is_still_open(world: World):
    soon = rules.record(0x500, issued_at=NOW - 90 * DAY + timedelta(seconds=30))
    world.add(given.record(soon))
    world.advance()
    assert world.answer(question(soon)) == "admitted"
    world.advance(30)
    assert world.answer(question(soon)) == "expired"


# What it keeps


def test_names_that_nobody_has_any_more_are_forgotten(world: World):
    for number in range(50):
        at = ObjectKey("elsewhere", f"client-{number}")
        world.add(given.client(at))
        world.advance(0.1)
        world.delete(CLIENT_CERTIFICATE, at)
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.delete(ISSUED_CERTIFICATE, RECORD)
    assert len(world.service.clients) == 0
    assert list(world.service.clients._all()) == []


def test_where_one_client_is_forgotten_the_others_of_its_namespace_are_followed_on(world: World):
    bob = ObjectKey(ALICE.namespace, "bob")
    world.add(given.client(bob))
    world.advance()
    world.delete(CLIENT_CERTIFICATE, bob)
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"revoked": True}})
    assert world.answer() == "client_revoked"


# Metrics


def test_answers_are_counted_by_gate(world: World):
    for _ in range(3):
        world.metrics.answered(world.service.answer(question()))
    world.metrics.answered(world.service.answer(None))
    world.metrics.answered(world.service.answer(question(gate=Gate("shop", OTHER))))
    scraped = world.scrape()
    admitted = {"gate_namespace": "shop", "issuer_namespace": "issuers", "issuer": "partners", "answer": "admitted"}
    assert scraped.value("doorward_gate_requests_total", **admitted) == 3
    nobody = {"gate_namespace": "", "issuer_namespace": "", "issuer": ""}
    assert scraped.value("doorward_gate_requests_total", **nobody, answer="not_read") == 1
    assert scraped.value("doorward_gate_requests_total", **nobody, answer="no_issuer") == 1
    assert scraped.value("doorward_gate_objects", kind="ClientCertificate") == 1
    assert scraped.value("doorward_gate_synced", kind="MTLSIssuer") == 1


def test_whoever_may_ask_cannot_make_series_without_end(world: World):
    for number in range(3_000):
        world.metrics.answered(world.service.answer(question(gate=Gate(f"ns-{number}", rules.ISSUER))))
    assert len(list(world.metrics._counted())) == 1_001


def test_the_silence_of_the_api_server_is_a_metric(world: World):
    world.cut_the_line()
    world.advance(300)
    assert world.scrape().value("doorward_gate_silence_seconds", kind="IssuedCertificate") >= 300

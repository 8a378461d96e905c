"""The words of each step that a serial takes: those of issuing, holding, lifting and revoking are never the same."""

import logging

import pytest

from doorward.objects.meta import ObjectKey
from doorward.view import story
from doorward.view.keys import certificate_key
from doorward.view.story import LedgerStory
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW

LIFTED = given.hold(lifted=True, final_at=None)
LATER = given.hold(final_at=NOW + 9 * DAY)
ALICE = certificate_key(ObjectKey("edge", "alice"))


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        pytest.param(None, given.hold(), "certificate held", id="a deletion"),
        pytest.param(None, given.suspension(), "certificate held", id="a suspension"),
        pytest.param(LIFTED, given.hold(), "certificate held", id="once more"),
        pytest.param(given.hold(), LATER, "hold changed", id="the hold gets its end"),
        pytest.param(given.hold(), LIFTED, "hold lifted", id="a restore"),
        pytest.param(LIFTED, LIFTED, "lifted hold changed", id="it was lifted already"),
        pytest.param(None, given.revocation(), "certificate revoked", id="at once"),
        pytest.param(given.hold(), given.revocation(), "certificate revoked", id="a hold becomes final"),
        pytest.param(LIFTED, given.revocation(), "certificate revoked", id="after a hold that was lifted"),
        pytest.param(given.revocation(), given.revocation("keyCompromise"), "revocation changed", id="another reason"),
    ],
)
def test_a_step_has_words_of_its_own(before, now, words):
    assert story.step(before, now) == words


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def test_what_others_do_to_a_record_is_told_with_its_fields(told):
    record = given.record(0xA1)
    LedgerStory(leads=lambda: True).changed(record, given.record(0xA1, revocation=given.hold()))
    (line,) = told.records
    assert (line.getMessage(), line.object) == ("certificate held", f"ClientCertificate {record.holder}")
    assert line.fields == {
        "client": str(record.holder),
        "issuer": str(record.issuer),
        "serial": "a1",
        "reason": "certificateHold",
        "since": "2026-09-01T11:00:00Z",
        "final_at": line.fields["final_at"],
        "by": "another",
        "held_by": "Deletion",
    }


def test_a_record_that_others_delete_is_told(told):
    LedgerStory(leads=lambda: True).changed(given.record(), None)
    assert [line.getMessage() for line in told.records] == ["record deleted"]


@pytest.mark.parametrize("leads", [False, True], ids=["stands by", "leads"])
def test_what_is_new_to_a_process_is_no_news_and_one_that_stands_by_says_nothing(told, leads):
    held = given.record(revocation=given.hold())
    LedgerStory(leads=lambda: leads).changed(None, held)
    LedgerStory(leads=lambda: leads).changed(held, held)
    LedgerStory(leads=lambda: False).changed(given.record(), held)
    assert told.records == []


def condition(status, reason, message="m"):
    return {"type": "Ready", "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        pytest.param([], [condition("True", "Issued")], ["condition changed"], id="it is new"),
        pytest.param([condition("True", "Issued")], [condition("True", "Issued", "n")], [], id="another renewal"),
        pytest.param([condition("True", "Issued")], [condition("True", "CutOff")], ["condition changed"], id="reason"),
        pytest.param([condition("False", "X")], [condition("False", "X", "n")], ["condition changed"], id="message"),
        pytest.param([condition("False", "X")], [condition("False", "X")], [], id="nothing"),
        pytest.param([condition("False", "X")], [], ["condition ended"], id="it is over"),
        pytest.param(["junk"], [condition("True", "Issued")], ["condition changed"], id="junk was there"),
    ],
)
def test_a_condition_is_told_once_for_each_change(told, before, now, words):
    story.tell_conditions(ALICE, before, now)
    assert [line.getMessage() for line in told.records] == words
    assert all(line.fields["client"] == "edge/alice" and line.fields["condition"] == "Ready" for line in told.records)


def test_the_time_of_a_step_is_when_it_was_taken(told):
    story.tell_revocation(given.record(), given.revocation(time=NOW - HOUR), by=story.OPERATOR)
    assert told.records[0].fields["since"] == "2026-09-01T11:00:00Z"


def test_a_step_of_its_own_that_the_watch_tells_of_before_the_api_server_answers_is_told_once(told):
    record, hold = given.record(), given.hold()
    story_ = LedgerStory(leads=lambda: True)
    with story_.writing(record, hold):
        story_.changed(record, given.record(revocation=hold))
    assert [(line.getMessage(), line.fields["by"]) for line in told.records] == [("certificate held", "operator")]


def test_what_another_writes_in_the_middle_of_that_is_told_as_such(told):
    record, hold = given.record(), given.hold()
    story_ = LedgerStory(leads=lambda: True)

    def lost_race():
        with story_.writing(record, hold):
            story_.changed(record, given.record(revocation=given.revocation()))
            raise ValueError("conflict")

    with pytest.raises(ValueError, match="conflict"):
        lost_race()
    assert [(line.getMessage(), line.fields["by"]) for line in told.records] == [("certificate revoked", "another")]

"""Conditions of the field's usual shape."""

from datetime import UTC, datetime, timedelta

import pytest

from doorward.api.conditions import MAX_MESSAGE, instant, merge, said

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
EARLIER = instant(NOW - timedelta(days=1))


def before(**changes):
    return {
        "type": "Admitted",
        "status": "False",
        "reason": "NotIssued",
        "message": "no certificate has been issued",
        "observedGeneration": 1,
        "lastTransitionTime": EARLIER,
    } | changes


def merged(conditions, known):
    return merge(conditions, known, generation=2, now=NOW)


def test_a_condition_is_written_in_the_usual_shape():
    assert merged([said("NotIssued")], []) == [before(observedGeneration=2, lastTransitionTime=instant(NOW))]


@pytest.mark.parametrize(
    ("known", "since"),
    [
        pytest.param([before()], EARLIER, id="the same is said again"),
        pytest.param([before(reason="Expired")], EARLIER, id="another reason has the same status"),
        pytest.param([before(message="else")], EARLIER, id="another message has the same status"),
        pytest.param([before(status="True")], instant(NOW), id="the status changes"),
        pytest.param([before(status="Unknown")], instant(NOW), id="the status was unknown"),
        pytest.param([before(type="Ready")], instant(NOW), id="only another condition was known"),
        pytest.param([], instant(NOW), id="nothing was known"),
        pytest.param(["junk", None], instant(NOW), id="what was known is no condition"),
        pytest.param([before(lastTransitionTime=None)], instant(NOW), id="since when was not known"),
        pytest.param([before(lastTransitionTime=5)], instant(NOW), id="since when was no text"),
    ],
)
def test_the_transition_time_moves_only_with_the_status_when(known, since):
    (condition,) = merged([said("NotIssued")], known)
    assert condition["lastTransitionTime"] == since


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(before(), id="is not said now"),
        pytest.param(before(type="CutOffHolds", reason="SessionResumption"), id="no version says any more"),
    ],
)
def test_a_condition_goes_that(old):
    assert merged([], [old]) == []


def test_the_order_is_the_order_in_which_they_are_said():
    conditions = [said("NotIssued"), said("KeyCompromised")]
    assert [c["type"] for c in merged(conditions, [before(type="Ready"), before()])] == ["Admitted", "Ready"]


def test_merging_again_changes_nothing():
    once = merged([said("NotIssued")], [before()])
    assert merge([said("NotIssued")], once, generation=2, now=NOW + timedelta(hours=1)) == once


def test_a_message_is_cut_at_its_bound():
    assert said("InvalidSpec", detail="x" * 5000).message == "x" * MAX_MESSAGE


def test_a_value_with_braces_is_said_as_it_is():
    assert said("InvalidSpec", detail="{secret} {0}").message == "{secret} {0}"


def test_a_reason_that_is_not_in_the_table_cannot_be_said():
    with pytest.raises(KeyError, match="Whatever"):
        said("Whatever")


def test_a_message_that_lacks_a_value_cannot_be_said():
    with pytest.raises(KeyError, match="until"):
        said("Expired", serial="1f")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(NOW, "2026-09-01T12:00:00Z", id="a whole second"),
        pytest.param(NOW.replace(microsecond=999_999), "2026-09-01T12:00:00Z", id="a fraction is cut off"),
        pytest.param(NOW.replace(month=1, day=2), "2026-01-02T12:00:00Z", id="months and days have two digits"),
    ],
)
def test_an_instant_is_written_as_rfc_3339_of(moment, text):
    assert instant(moment) == text

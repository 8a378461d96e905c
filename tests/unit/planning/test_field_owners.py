"""What another field manager set is told where the issuer says something else."""

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.planning import gate
from doorward.planning.field_owners import MOST_TEXT, SetByOther, contested
from tests.unit import given


def theirs(setting="verifyDepth", value="2", manager="kubectl"):
    return SetByOther(setting=setting, field="depth", value=value, manager=manager)


@pytest.mark.parametrize(
    ("settings", "found", "conflict"),
    [
        ({}, theirs(value="2"), True),
        ({}, theirs(value="1"), False),
        ({"verifyDepth": 2}, theirs(value="2"), False),
        ({"verifyDepth": 2}, theirs(value=" 2"), True),
        ({}, theirs("errorPage", "https://a.example/"), False),
        ({"errorPage": "https://b.example/"}, theirs("errorPage", "https://a.example/"), True),
        ({}, theirs("passCertificateToUpstream", "true"), False),
        ({"passCertificateToUpstream": True}, theirs("passCertificateToUpstream", "true"), False),
        ({"passCertificateToUpstream": True}, theirs("passCertificateToUpstream", "false"), True),
    ],
)
def test_a_setting_of_another_manager_is_a_conflict_where_it_differs(settings, found, conflict):
    assert (contested([found], given.settings(**settings)) is not None) is conflict
    target = given.target(set_by_others=(found,), issuer=given.issuer_spec(ingress=settings))
    assert gate.decide(target, given.NOW).said.reason.name == ("FieldConflict" if conflict else "Protected")


def test_the_manager_and_both_values_are_named_with_the_fix():
    message = gate.decide(given.target(set_by_others=(theirs(),)), given.NOW).said.message
    assert "depth is 2, set by field manager kubectl" in message
    assert f"MTLSIssuer {given.ISSUER} says 1: remove it there, or change spec.ingress.verifyDepth" in message


@given_that(st.text(), st.text())
def test_whatever_they_are_called_the_message_is_short(value, manager):
    message = gate.decide(given.target(set_by_others=(theirs(value=value, manager=manager),)), given.NOW).said.message
    assert len(message) < 3 * MOST_TEXT + 400

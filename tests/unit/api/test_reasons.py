"""The table of reasons: what may be said, in which words, and the page that is made of it."""

from pathlib import Path
from string import Formatter

import pytest

from doorward.api.conditions import said
from doorward.api.event_reasons import BY_SUBJECT
from doorward.api.reason import Mender
from doorward.api.reasons import BY_CONDITION, REASONS
from doorward.api.reference import markdown
from doorward.api.status import ConditionStatus

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "reasons.md"


def fields(name: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(REASONS[name].message) if field is not None}


@pytest.mark.parametrize("name", REASONS)
def test_a_message_carries_each_of_its_values(name):
    values = {field: f"<{field}>" for field in fields(name)}
    message = said(name, **values).message
    assert [value for value in values.values() if value not in message] == []
    assert "{" not in message


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_has_a_name_and_words_of_the_usual_shape(name):
    reason = REASONS[name]
    assert reason.name == name
    assert name.isalpha()
    assert name[0].isupper()
    assert reason.doc[0].isupper() or reason.doc.startswith(("spec.", "ingress-nginx", "doorward.io/"))
    assert reason.doc.endswith(".")
    assert not reason.message.endswith(".")


REPLACED = (
    "Foreign",
    "PutBack",
    "Rival",
    "Stray",
    "Orphan",
    "Crowded",
    "Undated",
    "Mint",
    "Mend",
    "Gone",
    "Heard",
    "Lost",
    "Told",
)
"""Words for which the names of reasons have others: Unmanaged, RolledBack and so on."""


@pytest.mark.parametrize("name", [*REASONS, *(name for names in BY_SUBJECT.values() for name in names)])
def test_a_reason_has_the_word_that_its_messages_and_pages_have(name):
    assert [word for word in REPLACED if word in name] == []


@pytest.mark.parametrize("name", [n for n, reason in REASONS.items() if reason.status == "False"])
def test_of_what_is_wrong_the_message_says_more_than_a_word(name):
    assert fields(name) or len(REASONS[name].message) > 20


@pytest.mark.parametrize("name", BY_CONDITION["Ready"])
def test_ready_is_true_only_where_there_is_nothing_to_mend(name):
    assert (REASONS[name].status == "True") == (REASONS[name].mender is Mender.NOBODY)


def test_every_status_is_one_that_the_crd_allows():
    for reason in REASONS.values():
        ConditionStatus(
            type=reason.condition,
            status=reason.status,
            reason=reason.name,
            message=reason.message,
            last_transition_time="2026-09-01T12:00:00Z",
        )


def test_the_reference_page_is_what_make_docs_writes():
    assert PAGE.read_text() == markdown()


def test_the_reference_page_shows_names_in_angle_brackets_as_they_are():
    assert "\\<issuer> nor \\<namespace>/\\<issuer>" in markdown()

"""Text in a name says what it shows: whatever nobody sees is refused in every attribute, wherever it stands."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki.subjects import Subject, problems
from tests.unit.pki.test_subjects import ATTRIBUTES, subject_saying

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
IGNORABLE = [
    0x2800,
    0xFFFC,
    0x16FE4,
    0x1D159,
    0x034F,
    0x115F,
    0x1160,
    0x17B4,
    0x17B5,
    0x180B,
    0x180F,
    0x3164,
    0xFFA0,
    *range(0xFE00, 0xFE10),
    0xE0100,
]
EVERY = map(chr, range(sys.maxunicode + 1))


def wrong(text: str) -> bool:
    return bool(problems(Subject(common_name=text), None))


def test_no_character_of_a_hidden_category_passes_within_a_name():
    passed = [f"{ord(c):04X}" for c in EVERY if unicodedata.category(c) in HIDDEN and not wrong(f"ad{c}min")]
    assert passed == []


@pytest.mark.parametrize("code", IGNORABLE, ids=hex)
def test_a_letter_or_mark_that_shows_nothing_does_not_pass(code: int):
    assert wrong(f"ad{chr(code)}min")


@pytest.mark.parametrize("space", [c for c in map(chr, range(0x3001)) if unicodedata.category(c) == "Zs" and c != " "])
def test_white_space_is_a_plain_space(space: str):
    assert wrong(f"alice{space}jones")
    assert not wrong("alice jones")


HIDDEN_TEXT = {
    "a zero-width space": "\u200b",
    "a zero-width joiner": "\u200d",
    "a soft hyphen": "\u00ad",
    "a byte order mark": "\ufeff",
    "a tag": "\U000e0061",
    "a variation selector": "\ufe0f",
    "a supplementary one": "\U000e0100",
    "a private character": "\ue000",
    "a filler": "\u3164",
    "a blank of Braille": "\u2800",
    "a turn of direction": "\u202e",
    "a mark of direction": "\u200f",
    "a mark alone": "\u0301",
    "a no-break space": "\u00a0",
}


@pytest.mark.promise(8)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("hidden", HIDDEN_TEXT.values(), ids=HIDDEN_TEXT)
@pytest.mark.parametrize("form", ["{}A", "A{}", "A{}B", "{}"], ids=["in front", "behind", "within", "alone"])
def test_hidden_text_passes_in_no_attribute(attribute: str, hidden: str, form: str):
    text = form.format(hidden)
    subject, alternative = subject_saying(attribute, text)
    assert problems(subject, alternative)


SPELLINGS = {
    "fullwidth": "\uff41dmin",
    "mathematical": "\U0001d41admin",
    "a ligature": "\ufb01nance",
    "a superscript": "admin\u00b2",
    "an accent apart": "e\u0301va",
    "a Kelvin sign": "\u212aelvin",
    "a fullwidth equals sign": "CN\uff1dadmin",
}


@pytest.mark.parametrize("name", SPELLINGS.values(), ids=SPELLINGS)
def test_a_second_spelling_of_the_same_look_is_refused_with_the_first(name: str):
    (said,) = problems(Subject(common_name=name), None)
    assert said.endswith(f"write {unicodedata.normalize('NFKC', name)!a}")


MARKS = {
    "on nothing": ("\u0338admin", True),
    "on a digit": ("1\u0338", True),
    "on a space": ("a \u0338b", True),
    "on an emoji": ("\U0001f6aa\u0338", True),
    "twice on one letter": ("q\u0301\u0301", True),
    "on a letter that has it": ("\u00e9\u0301", True),
    "enclosing": ("a\u20dd", True),
    "on a letter": ("q\u0301", False),
    "two on one letter": ("q\u0323\u0301", False),
    "Hindi": ("\u0939\u093f\u0928\u094d\u0926\u0940", False),
    "Vietnamese": ("Nguy\u1ec5n", False),
    "Hebrew with points": ("\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd", False),
}


@pytest.mark.parametrize(("name", "refused"), MARKS.values(), ids=MARKS)
def test_a_mark_stands_on_a_letter_and_once(name: str, refused: bool):
    assert wrong(name) is refused


@given(text=st.text(max_size=20))
def test_a_lawful_name_survives_what_people_and_programs_do_to_text(text: str):
    if not wrong(text):
        assert unicodedata.normalize("NFKC", text) == text
        assert text.strip() == text
        assert not any(unicodedata.category(char) in HIDDEN for char in text)

"""What programs are told that ask with the exported files: curl, Java, Node.js, Go and Python's httpx."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.gate.doors import IN, NO_CERTIFICATE, REFUSED, verdict
from tests.support.home import Home

from .programs import PROGRAMS, Question, ask
from .site import HOLDERS, UNTOUCHED, Exported, Site, revoke


class Row(NamedTuple):
    """Who asks with what, by the client's name."""

    program: str
    form: str
    holder: str = ""

    def __str__(self) -> str:
        return ", ".join(self)


Told = Mapping[Row, str]
NOBODY = [Row(program, "none") for program in PROGRAMS]
ROWS = [Row(name, form, holder) for name, program in PROGRAMS.items() for form in program.forms for holder in HOLDERS]
OTHERS = [Row(name, form, UNTOUCHED) for name, program in PROGRAMS.items() for form in program.forms]


def told(site: Site, exported: Mapping[str, Exported]) -> Told:
    """What each row is told now."""
    answers: dict[Row, str] = {}
    for name, program in PROGRAMS.items():
        rows = [row for row in (*NOBODY, *ROWS, *OTHERS) if row.program == name]
        questions = [Question(row.form, exported.get(row.holder)) for row in rows]
        answers |= dict(zip(rows, map(verdict, ask(program, site, questions)), strict=True))
    return answers


@pytest.fixture(scope="module")
def before(site: Site, exported: Mapping[str, Exported]) -> Told:
    return told(site, exported)


@pytest.fixture(scope="module")
def after(
    before: Told,  # noqa: ARG001 - asked first
    town: Home,
    site: Site,
    exported: Mapping[str, Exported],
) -> Told:
    revoke(town, site, exported, list(HOLDERS))
    return told(site, exported)


@pytest.mark.parametrize("row", NOBODY, ids=str)
def test_without_a_certificate_a_program_is_refused(row: Row, before: Told):
    assert before[row] == NO_CERTIFICATE


@pytest.mark.parametrize("row", [*ROWS, *OTHERS], ids=str)
def test_with_an_exported_file_a_program_gets_the_page(row: Row, before: Told):
    assert before[row] == IN


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_revoked_client_is_refused_whatever_program_asks(row: Row, after: Told):
    assert after[row] == REFUSED


@pytest.mark.parametrize("row", OTHERS, ids=str)
def test_a_client_that_was_not_revoked_goes_on_getting_the_page(row: Row, after: Told):
    assert after[row] == IN

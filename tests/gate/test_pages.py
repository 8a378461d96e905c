"""A reader follows README and docs pages: each command that they show is typed, on one running cluster."""

import pytest

from tests.support import pages

ELSEWHERE = (*pages.ASKED, *pages.WAITING)
"""Typed in asked/test_paths.py and test_pages_that_wait.py."""


@pytest.mark.parametrize("page", [page for page in pages.FOLLOWED if page not in ELSEWHERE], ids=pages.name_of)
def test_a_reader_who_pastes_the_commands_sees_what_the_page_shows(reader, page):
    reader.follow_page(page)

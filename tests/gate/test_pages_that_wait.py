"""A reader follows the docs pages that wait most of the time: see test_pages.py."""

import pytest

from tests.support import pages


@pytest.mark.parametrize("page", pages.WAITING, ids=pages.name_of)
def test_a_reader_who_pastes_the_commands_sees_what_the_page_shows(reader, page):
    reader.follow_page(page)

"""docs/enforcement.md has the table that the recorded run gives, and that run tried every attack."""

from tests.gate.asked.attacks import ROWS
from tests.gate.asked.table import COLUMNS, PAGE, SUCCEEDED, observed, page


def test_the_page_is_what_make_docs_writes():
    text = PAGE.read_text()
    assert text == page(text, observed())


def test_every_attack_was_tried_in_every_column():
    told = observed()["told"]
    assert {row: set(answers) for row, answers in told.items()} == {row: set(COLUMNS) for row in ROWS}


def test_what_the_gate_service_does_not_end_is_what_the_rows_say():
    told = observed()["told"]
    assert {row for row in ROWS if told[row]["gate-service"] in SUCCEEDED} == {row for row in ROWS if ROWS[row].stays}

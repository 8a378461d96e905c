"""What goes beside the words of a log line, and how a fault that lasts is told once."""

import re
from pathlib import Path

from doorward import logged
from doorward.logged import Once, about

ROOT = Path(__file__).parents[2]


def test_fields_that_are_not_there_are_left_out():
    assert about("issuer edge/partners", number=7, reason=None) == {
        "object": "issuer edge/partners",
        "fields": {"number": 7},
    }


def test_a_fault_is_new_until_it_was_told_and_again_when_it_was_over():
    once = Once()
    assert [once.is_new("a", "503"), once.is_new("a", "503"), once.is_new("b", "503")] == [True, False, True]
    assert once.is_new("a", "502")
    assert (once.over("a"), once.over("a")) == (True, False)
    assert once.is_new("a", "502")


def test_of_many_faults_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(logged, "MOST_REMEMBERED", 2)
    once = Once()
    assert [once.is_new(name, "503") for name in "abc"] == [True, True, True]
    assert [once.is_new(name, "503") for name in "cba"] == [False, False, True]


def test_the_page_of_the_log_names_the_events_that_are_logged():
    page = (ROOT / "docs" / "logs.md").read_text()
    of_clients, others = page.split("## Other events")
    cells = re.findall(r"(?m)^\| (`.+?) \|", of_clients) + re.findall(r"(?m)^\| [^|]+ \| (`.+?) \|$", others)
    named = {
        text for cell in cells for text in re.findall("`([^`]+)`", re.sub(r"\(.*?\)", "", cell)) if "." not in text
    }
    assert {"certificate signed", "ca created", "crl published"} <= named
    code = "".join(file.read_text() for file in (ROOT / "operator").rglob("*.py"))
    assert [text for text in sorted(named) if f'"{text}"' not in code] == []

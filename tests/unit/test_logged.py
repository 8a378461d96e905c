"""What goes beside the words of a log line, and how a fault that lasts is told once."""

from doorward import logged
from doorward.logged import Once, about


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

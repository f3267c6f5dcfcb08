"""Which texts have a word."""

from __future__ import annotations

from lint_sessions.project.words import DENSE, WordIndex


def test_whole_words_in_the_order_of_the_texts() -> None:
    index = WordIndex([(1, "session = make()"), (2, "sessions = [session]"), (3, "sessions")])
    assert index.having("session") == [1, 2]
    assert index.having("sessions") == [2, 3]
    assert index.having("sess") == []


def test_a_text_of_very_many_words_is_found_by_what_it_contains() -> None:
    data = " ".join(f"w{number}" for number in range(DENSE + 1))
    index = WordIndex([("before", "w7"), ("data", data), ("after", "w7 = w8")])
    assert index.having("w7") == ["before", "data", "after"]
    assert index.having("w8") == ["data", "after"]
    assert index.having("absent") == []

"""What `noqa` comments silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.rule import Finding, Position
from lint_sessions.source.document import Document
from lint_sessions.source.suppress import Suppressions

FINDING = Finding(Path("x.py"), Position(1, 1), Position(1, 2), "LS301", "unclosed-session", "m")


def hides(text: str, rows: range = range(1, 2)) -> bool:
    return Suppressions.of(Document.from_bytes(Path("x.py"), text.encode())).hides(FINDING, rows)


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "#noqa",
        "# NOQA",
        "# noqa: LS301",
        "# noqa:LS301",
        "# noqa: ls301",
        "# noqa: LS3",
        "# noqa: LS",
        "# noqa: unclosed-session",
        "# noqa: LS101, LS301",
        "# noqa: E501,LS301",
        "# noqa: E501 LS301",
        "# noqa: LS301 the process ends here",
        "# noqa: LS301 -- the process ends here",
        "# noqa: unclosed-session because it is shared",
        "# type: ignore # noqa: LS301",
        "# see below  # noqa",
    ],
)
def test_silences(comment: str) -> None:
    assert hides(f"db = make()  {comment}\n")


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: E501",
        "# noqa: LS101",
        "# noqa: LS30x",
        "# noqa: closed-session",
        "# no qa",
        "# noqable",
        "'# noqa'",
        "# noqa:E501 why",
    ],
)
def test_does_not(comment: str) -> None:
    assert not hides(f"db = make()  {comment}\n")


def test_any_row_of_the_statement() -> None:
    text = "db = make(\n    1,  # noqa: LS301\n)\n"
    assert hides(text, range(1, 4))
    assert not hides(text, range(1, 2))


def test_only_real_comments() -> None:
    assert not hides("x = '''\n# noqa\n'''\n", range(1, 4))
    assert not hides("x = f'{a} # noqa'\n")


@pytest.mark.parametrize(
    ("line", "silent"),
    [
        ("# lint-sessions: noqa", True),
        ("# lint-sessions: noqa: LS301", True),
        ("# lint-sessions: noqa: LS101", False),
        ("# lint-sessions: noqa: LS101, unclosed-session", True),
        ("x = 1  # lint-sessions: noqa", False),
    ],
)
def test_file_level(line: str, silent: bool) -> None:
    assert hides(f"{line}\n\n\ndb = make()\n", range(4, 5)) is silent

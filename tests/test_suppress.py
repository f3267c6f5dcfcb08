"""What `noqa` comments silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.rule import Finding, Position
from lint_sessions.source.document import Document
from lint_sessions.source.suppress import Rules, Suppressions

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


class TestUnused:
    """Names of rules that did not run are not judged."""

    RAN = frozenset({("LS301", "unclosed-session"), ("LS101", "yield-without-finally")})
    OTHERS = frozenset({("LS302", "use-after-close"), ("LS404", "implicit-rollback")})

    def unused(self, text: str, *found: tuple[Finding, range], all_ran: bool = False) -> list[tuple[str, ...]]:
        rules = Rules(self.RAN, frozenset() if all_ran else self.OTHERS)
        suppressions = Suppressions.of(Document.from_bytes(Path("x.py"), text.encode()))
        return [unused.names for unused in suppressions.unused(found, rules)]

    @pytest.mark.parametrize(
        ("comment", "names"),
        [
            ("# noqa: LS301", [("LS301",)]),
            ("# noqa: unclosed-session, ls999", [("unclosed-session", "ls999")]),
            ("# noqa: LS1", [("LS1",)]),
            ("# noqa: LS302", []),
            ("# noqa: use-after-close", []),
            ("# noqa: LS3", []),
            ("# noqa: LS404", []),
            ("# noqa: LS4", []),
            ("# noqa: LS30", []),
            ("# noqa: LSX301", []),
            ("# noqa: E501, W291", []),
            ("# noqa", []),
        ],
    )
    def test_by_what_ran(self, comment: str, names: list[tuple[str, ...]]) -> None:
        assert self.unused(f"x = 1  {comment}\n") == names

    def test_a_prefix_where_all_ran(self) -> None:
        assert self.unused("x = 1  # noqa: LS3\n", all_ran=True) == [("LS3",)]

    def test_a_whole_file(self) -> None:
        text = "# lint-sessions: noqa\n\nx = 1\n"
        assert self.unused(text) == []
        assert self.unused(text, all_ran=True) == [()]
        assert self.unused(text, (FINDING, range(3, 4)), all_ran=True) == []

    def test_what_hides_is_used(self) -> None:
        assert self.unused("x = 1  # noqa: LS301, LS999\n", (FINDING, range(1, 2))) == [("LS999",)]

    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("x = 1  # noqa: LS301", "x = 1"),
            ("x = 1  # noqa: LS301 see #12\r\ny\r\n", "x = 1\r\ny\r\n"),
            ("x\r# noqa: LS301\ry\r", "x\ry\r"),
            ("# lint-sessions: noqa: LS301\nx\n", "x\n"),
            ("x  # noqa:LS301,E501,ls999 why\n", "x  # noqa:E501 why\n"),
            ("x  # noqa: E501 LS301\n", "x  # noqa: E501\n"),
            ("x  # noqa: LS301, LS302\n", "x  # noqa: LS302\n"),
        ],
    )
    def test_removal(self, text: str, left: str) -> None:
        suppressions = Suppressions.of(Document.from_bytes(Path("x.py"), text.encode()))
        (unused,) = suppressions.unused((), Rules(self.RAN, self.OTHERS))
        start, end, new = unused.removal(text)
        assert text[:start] + new + text[end:] == left

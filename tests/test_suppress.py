"""What `noqa` comments silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lint_sessions.finding import Finding, Position
from lint_sessions.source.document import Document
from lint_sessions.source.suppress import Rules, Suppressions, silenced

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


class TestSilenced:
    """What --add-noqa writes."""

    def silenced(self, text: str, word: str = "db", rows: range | None = None, code: str = "LS301") -> str | None:
        document = Document.from_bytes(Path("x.py"), text.encode())
        at = text.index(word)
        start, end = document.position(at), document.position(at + len(word))
        finding = Finding(Path("x.py"), start, end, code, "unclosed-session", "m", rows=rows)
        changed, left = silenced(document, [finding])
        assert (changed is document) is bool(left)
        return None if left else changed.data.decode()

    @pytest.mark.parametrize(
        ("text", "then"),
        [
            pytest.param("db = 1\n", "db = 1  # noqa: LS301\n", id="plain"),
            pytest.param("db = 1", "db = 1  # noqa: LS301", id="last-row"),
            pytest.param("db = 1\r\nx\r\n", "db = 1  # noqa: LS301\r\nx\r\n", id="line-ends"),
            pytest.param("db = 1  \n", "db = 1  # noqa: LS301\n", id="white-space"),
            pytest.param("db = 1  # why\n", "db = 1  # why  # noqa: LS301\n", id="after-a-comment"),
            pytest.param("db = 1  # noqa: E501\n", "db = 1  # noqa: E501, LS301\n", id="merged"),
            pytest.param("db = 1  # noqa: E501 long\n", "db = 1  # noqa: E501, LS301 long\n", id="before-a-reason"),
            pytest.param("db = 1  # noqa:E501,W1 # x\n", "db = 1  # noqa:E501,W1, LS301 # x\n", id="before-another"),
            pytest.param("db = '#'\n", "db = '#'  # noqa: LS301\n", id="a-hash-in-a-string"),
        ],
    )
    def test_a_row(self, text: str, then: str) -> None:
        assert self.silenced(text) == then

    @pytest.mark.parametrize(
        ("text", "then"),
        [
            pytest.param("db = f(\n  1,\n)\n", "db = f(  # noqa: LS301\n  1,\n)\n", id="brackets"),
            pytest.param('db = """a\nb\n"""\n', 'db = """a\nb\n"""  # noqa: LS301\n', id="string"),
            pytest.param('db = f"""{\na}\n"""\n', 'db = f"""{\na}\n"""  # noqa: LS301\n', id="f-string"),
            pytest.param("db = 1 + \\\n  2\n\n", "db = 1 + \\\n  2  # noqa: LS301\n\n", id="backslash"),
            pytest.param("x = [\n  db,\n]\n", "x = [\n  db,  # noqa: LS301\n]\n", id="its-own-row-first"),
            pytest.param(
                'x = [\n  1, db("""\n""")]\n', 'x = [\n  1, db("""\n""")]  # noqa: LS301\n', id="then-the-next"
            ),
            pytest.param("db = f(\n  1,  # noqa: E1\n)\n", "db = f(\n  1,  # noqa: E1, LS301\n)\n", id="merged"),
        ],
    )
    def test_rows_of_a_statement(self, text: str, then: str) -> None:
        rows = 3 if text.count("\n") > 2 else 2
        assert self.silenced(text, rows=range(1, rows + 1)) == then

    def test_no_place(self) -> None:
        assert self.silenced("with db, \\\n  x:\n  pass\n", rows=range(1, 2)) is None

    def test_a_comment_on_the_file_is_left_alone(self) -> None:
        text = "# lint-sessions: noqa: LS101\ndb = 1\n"
        assert self.silenced(text) == "# lint-sessions: noqa: LS101\ndb = 1  # noqa: LS301\n"

    def test_several_on_one_row(self) -> None:
        document = Document.from_bytes(Path("x.py"), b"a = b\nc = d\n")
        places = [(1, "LS301"), (1, "LS401"), (2, "LS301")]
        findings = [Finding(Path("x.py"), Position(row, 1), Position(row, 2), code, "n", "m") for row, code in places]
        changed, left = silenced(document, findings)
        assert (changed.text, left) == ("a = b  # noqa: LS301, LS401\nc = d  # noqa: LS301\n", [])

    def test_encoding_and_mark_stay(self) -> None:
        data = b"\xef\xbb\xbf# coding: utf-8\ndb = '\xc3\xa4'\n"
        document = Document.from_bytes(Path("x.py"), data)
        changed, _ = silenced(document, [Finding(Path("x.py"), Position(2, 1), Position(2, 3), "LS301", "n", "m")])
        assert changed.data == data.replace(b"'\n", b"'  # noqa: LS301\n")

"""The same findings as text, JSON and diffs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lint_sessions.finding import Edit, Finding, Fix, Note, Position, Safety
from lint_sessions.report import STDIN, Sources, diff, ruffjson, shown_path, statistics, text
from lint_sessions.report.terminal import Style, cells, excerpt, printable, wants_colour
from lint_sessions.source.document import Document

SOURCE = """from app.work import load

def run():
    db = SessionLocal()
    rows = load(db)
    db.close()
    return rows
"""
OTHER = "def load(db):\n    return db.execute(query).all()\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app").mkdir()
    Path("app/db.py").write_text(SOURCE, "utf-8")
    Path("app/work.py").write_text(OTHER, "utf-8")


def finding(*, safety: Safety | None = Safety.SAFE, trace: tuple[Note, ...] = (), row: int = 4) -> Finding:
    at = SOURCE.index("db = ")
    edits = (Edit(at, at + 19, "with SessionLocal() as db:"), Edit(len(SOURCE), len(SOURCE), "# end\n"))
    return Finding(
        Path("app/db.py"),
        Position(row, 10),
        Position(row, 24),
        "LS301",
        "unclosed-session",
        "`db` is never closed when `load()` fails",
        trace,
        Fix("Close with `with`", safety, edits) if safety else None,
    )


TRACE = (
    Note(Position(4, 10), "acquired here"),
    Note(Position(2, 12), "this may fail", Path("app/work.py")),
    Note(Position(99, 1), "gone"),
)


def full(found: Finding, *, unsafe: bool = False, colour: bool = False) -> str:
    return "\n".join(text.full([found], Sources(), Style(colour), unsafe=unsafe))


class TestFull:
    def test_all_parts(self) -> None:
        assert full(finding(trace=TRACE)) == (
            "app/db.py:4:10: LS301 [*] `db` is never closed when `load()` fails\n"
            "  |\n"
            "4 |     db = SessionLocal()\n"
            "  |          ^^^^^^^^^^^^^^\n"
            "  1 app/db.py:4:10    acquired here  db = SessionLocal()\n"
            "  2 app/work.py:2:12  this may fail  return db.execute(query).all()\n"
            "  3 app/db.py:99:1    gone\n"
            "  = fix: Close with `with`\n"
        )

    def test_an_unsafe_fix_says_so_and_is_marked_only_where_it_is_wanted(self) -> None:
        assert "= unsafe fix: Close with `with`" in full(finding(safety=Safety.UNSAFE))
        assert "[*]" not in full(finding(safety=Safety.UNSAFE))
        assert "[*]" in full(finding(safety=Safety.UNSAFE), unsafe=True)
        assert "fix" not in full(finding(safety=None))

    def test_a_row_that_cannot_be_read_is_left_out(self) -> None:
        assert full(finding(row=99, safety=None)) == "app/db.py:99:10: LS301 `db` is never closed when `load()` fails\n"

    def test_a_finding_over_several_rows_is_underlined_to_the_end_of_its_first(self) -> None:
        several = Finding(Path("app/db.py"), Position(4, 5), Position(6, 3), "LS301", "n", "m")
        assert full(several).splitlines()[3] == "  |     " + "^" * len("db = SessionLocal()")

    def test_colour_changes_no_letter(self) -> None:
        coloured = full(finding(trace=TRACE), colour=True)
        assert "\033[1;31mLS301\033[0m" in coloured
        plain = coloured
        for code in ("1", "2", "1;31", "36", "32", "31", "0"):
            plain = plain.replace(f"\033[{code}m", "")
        assert plain == full(finding(trace=TRACE))

    def test_rows_are_those_of_python(self) -> None:
        document = Document.from_bytes(Path("x.py"), b"a\x0cb\r\nc\rd\n")
        assert [Sources([document]).line(Path("x.py"), row) for row in (0, 1, 2, 3, 4, 5)] == (
            [None, "a\x0cb", "c", "d", "", None]
        )


def test_concise() -> None:
    lines = list(text.concise([finding(), finding(safety=None)], Style(), unsafe=False))
    assert lines == [
        "app/db.py:4:10: LS301 [*] `db` is never closed when `load()` fails",
        "app/db.py:4:10: LS301 `db` is never closed when `load()` fails",
    ]


def test_grouped() -> None:
    other = Finding(Path("app/work.py"), Position(2, 12), Position(2, 20), "LS401", "n", "m")
    assert list(text.grouped([finding(), finding(row=10, safety=None), other], Style(), unsafe=False)) == [
        "app/db.py:",
        "  4:10  LS301 [*] `db` is never closed when `load()` fails",
        "  10:10 LS301 `db` is never closed when `load()` fails",
        "",
        "app/work.py:",
        "  2:12 LS401 m",
        "",
    ]


class TestStatistics:
    FINDINGS = (
        Finding(Path("a.py"), Position(1, 1), Position(1, 1), "LS201", "depends-called", "m"),
        *[finding()] * 10,
        finding(safety=Safety.UNSAFE),
    )

    def test_by_rule(self) -> None:
        assert list(statistics.text(self.FINDINGS, "rule", Style(), unsafe=False)) == [
            "11  LS301  [*] unclosed-session  (fixes: 10 safe, 1 unsafe)",
            " 1  LS201  [ ] depends-called",
        ]
        assert json.loads(statistics.records(self.FINDINGS, "rule", unsafe=False)) == [
            {
                "code": "LS301",
                "name": "unclosed-session",
                "count": 11,
                "fixable": True,
                "safe_fixes": 10,
                "unsafe_fixes": 1,
            },
            {
                "code": "LS201",
                "name": "depends-called",
                "count": 1,
                "fixable": False,
                "safe_fixes": 0,
                "unsafe_fixes": 0,
            },
        ]

    def test_by_module(self, tmp_path: Path) -> None:
        assert list(statistics.text(self.FINDINGS, "module", Style(), unsafe=False)) == [
            "11  [*] app/db.py  (fixes: 10 safe, 1 unsafe)",
            " 1  [ ] a.py",
        ]
        [first, _] = json.loads(statistics.records(self.FINDINGS, "module", unsafe=False))
        assert (first["filename"], first["count"], first["fixable"]) == (str(tmp_path / "app" / "db.py"), 11, True)

    def test_unsafe_fixes_count_where_they_are_wanted(self) -> None:
        risky = [finding(safety=Safety.UNSAFE)]
        assert "[ ]" in next(statistics.text(risky, "rule", Style(), unsafe=False))
        assert "[*]" in next(statistics.text(risky, "rule", Style(), unsafe=True))


class TestSummary:
    @pytest.mark.parametrize(
        ("findings", "files", "unread", "line"),
        [
            pytest.param([], 12, 0, "All checks passed: 12 files.", id="clean"),
            pytest.param([], 1, 2, "No problems found in 1 file. 2 inputs could not be used.", id="unread"),
            pytest.param([], 0, 0, "No Python files found.", id="nothing"),
            pytest.param([None], 1, 0, "Found 1 problem in 1 file.", id="no-fix"),
            pytest.param([Safety.SAFE, None], 3, 0, "Found 2 problems in 3 files (1 fixable with --fix).", id="safe"),
            pytest.param(
                [Safety.UNSAFE], 3, 1, "Found 1 problem in 3 files (1 fixable with --fix --unsafe-fixes)."
                " 1 input could not be used.", id="unsafe"
            ),
            pytest.param(
                [Safety.SAFE, Safety.SAFE, Safety.UNSAFE], 3, 0,
                "Found 3 problems in 3 files (2 fixable with --fix, 1 more with --unsafe-fixes).", id="both"
            ),
        ],
    )  # fmt: skip
    def test_says_what_to_do(self, findings: list[Safety | None], files: int, unread: int, line: str) -> None:
        assert text.summary([finding(safety=safety) for safety in findings], files, unread, unsafe=False) == line

    def test_when_unsafe_fixes_are_wanted_they_all_count(self) -> None:
        findings = [finding(), finding(safety=Safety.UNSAFE)]
        assert text.summary(findings, 1, 0, unsafe=True) == "Found 2 problems in 1 file (2 fixable with --fix)."

    def test_where_only_what_is_new_counts(self) -> None:
        assert text.summary([], 2, 0, unsafe=False, new=True) == "No new problems found in 2 files."
        assert text.summary([finding(safety=None)], 1, 0, unsafe=False, new=True) == "Found 1 new problem in 1 file."

    def test_fixed(self) -> None:
        assert text.fixed(2, 1) == "Fixed 2 problems in 1 file."
        assert text.fixed(1, 1, would=True) == "Would fix 1 problem in 1 file."


class TestJson:
    def test_has_ruffs_shape(self, tmp_path: Path) -> None:
        [record] = json.loads(ruffjson.records([finding(trace=TRACE[:2])], Sources()))
        file = str(tmp_path / "app" / "db.py")
        assert record == {
            "cell": None,
            "code": "LS301",
            "end_location": {"column": 24, "row": 4},
            "filename": file,
            "fix": {
                "applicability": "safe",
                "edits": [
                    {
                        "content": "with SessionLocal() as db:",
                        "end_location": {"column": 24, "row": 4},
                        "location": {"column": 5, "row": 4},
                    },
                    {
                        "content": "# end\n",
                        "end_location": {"column": 1, "row": 8},
                        "location": {"column": 1, "row": 8},
                    },
                ],
                "message": "Close with `with`",
            },
            "location": {"column": 10, "row": 4},
            "message": "`db` is never closed when `load()` fails",
            "name": "unclosed-session",
            "noqa_row": 4,
            "trace": [
                {"filename": file, "location": {"column": 10, "row": 4}, "message": "acquired here"},
                {
                    "filename": str(tmp_path / "app" / "work.py"),
                    "location": {"column": 12, "row": 2},
                    "message": "this may fail",
                },
            ],
            "url": None,
        }

    def test_what_cannot_be_silenced_has_no_row_for_it(self) -> None:
        broken = Finding(STDIN, Position(1, 1), Position(1, 2), "LS000", "invalid-syntax", "m")
        [record] = json.loads(ruffjson.records([broken], Sources()))
        assert (record["noqa_row"], record["filename"], record["fix"]) == (None, "-", None)

    def test_no_findings(self) -> None:
        assert json.loads(ruffjson.records([], Sources())) == []

    def test_lines(self) -> None:
        both = [finding(trace=TRACE[:2]), finding(safety=None)]
        records = [json.loads(line) for line in ruffjson.lines(both, Sources())]
        assert records == json.loads(ruffjson.records(both, Sources()))


class TestDiff:
    def test_unified(self, tmp_path: Path) -> None:
        lines = list(diff.unified(tmp_path / "app" / "db.py", "a\nb\n", "a\nc\n", Style()))
        assert lines == ["--- app/db.py", "+++ app/db.py", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]

    def test_a_missing_line_feed_at_the_end_is_said(self) -> None:
        lines = list(diff.unified(Path("x.py"), "a\r\nb", "a\r\nb\r\n", Style()))
        assert lines[3:] == [" a\r", "-b", "\\ No newline at end of file", "+b\r"]

    def test_colour(self) -> None:
        lines = list(diff.unified(Path("x.py"), "a\n", "b\n", Style(colour=True)))
        assert lines[-2:] == ["\033[31m-a\033[0m", "\033[32m+b\033[0m"]


class TestExcerpt:
    @pytest.mark.parametrize(
        ("line", "start", "end", "shown", "under"),
        [
            pytest.param("abc", 2, 3, "abc", (1, 1), id="plain"),
            pytest.param("\tdb = x", 2, 4, "    db = x", (4, 2), id="tab"),
            pytest.param("  \tdb", 4, 6, "    db", (4, 2), id="tab-stop"),
            pytest.param("名 = x", 5, 6, "名 = x", (5, 1), id="wide-before"),
            pytest.param("x = 名前", 5, 7, "x = 名前", (4, 4), id="wide-inside"),
            pytest.param("e\u0301 = x", 6, 7, "e\u0301 = x", (4, 1), id="combining"),
            pytest.param("a\x1b[31mb", 7, 8, "a\ufffd[31mb", (6, 1), id="escape"),
            pytest.param("a\u202eb", 3, 4, "a\ufffdb", (2, 1), id="right-to-left"),
            pytest.param("ab", 9, 12, "ab", (2, 1), id="past-the-end"),
            pytest.param("ab", 1, 1, "ab", (0, 1), id="empty"),
        ],
    )
    def test_marks_what_is_meant(self, line: str, start: int, end: int, shown: str, under: tuple[int, int]) -> None:
        found = excerpt(line, start, end, 80)
        assert (found.text, (found.start, found.width)) == (shown, under)

    @pytest.mark.parametrize("start", [1, 10, 50, 100, 190, 200])
    def test_a_long_line_is_cut_around_it(self, start: int) -> None:
        line = "".join(chr(ord("a") + column % 26) for column in range(200))
        found = excerpt(line, start, start + 3, 40)
        meant = line[start - 1 : start + 2]
        assert cells(found.text) <= 41
        assert found.text[found.start : found.start + found.width] == meant
        assert "…" in found.text


def test_a_path_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\n") == "a\ufffd[2Jb\ufffd"


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "wanted"),
    [
        pytest.param("auto", {}, True, True, id="terminal"),
        pytest.param("auto", {}, False, False, id="pipe"),
        pytest.param("auto", {"NO_COLOR": "1"}, True, False, id="no-color"),
        pytest.param("auto", {"NO_COLOR": ""}, True, True, id="empty-no-color"),
        pytest.param("auto", {"FORCE_COLOR": "1"}, False, True, id="force-color"),
        pytest.param("auto", {"FORCE_COLOR": "0"}, False, False, id="force-color-0"),
        pytest.param("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False, id="both"),
        pytest.param("auto", {"TERM": "dumb"}, True, False, id="dumb"),
        pytest.param("always", {"NO_COLOR": "1"}, False, True, id="always"),
        pytest.param("never", {"FORCE_COLOR": "1"}, True, False, id="never"),
    ],
)
def test_colour_is_for_who_wants_it(choice: str, environ: dict[str, str], terminal: bool, wanted: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert wants_colour(choice, Stream(), environ) is wanted


def test_shown_path(tmp_path: Path) -> None:
    assert shown_path(tmp_path / "app" / "db.py") == str(Path("app/db.py"))
    assert shown_path(Path("app/../app/db.py")) == str(Path("app/db.py"))
    assert shown_path(tmp_path.parent / "x.py") == str(tmp_path.parent / "x.py")
    assert shown_path(STDIN) == "-"

"""The command: options, output, exit statuses. Each row with BAD in it stands for a finding."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lint_sessions import __version__, cli, engine, fixing, progress
from lint_sessions.commands import COMMANDS
from lint_sessions.config import Config
from lint_sessions.finding import Edit, Finding, Fix, Position, Safety
from lint_sessions.report import STDIN
from lint_sessions.source.document import Document

Capture = pytest.CaptureFixture[str]
Run = Callable[..., tuple[int, str, str]]


CHECK_DOCUMENT = engine.check_document


def check_document(document: Document, config: Config, **_: object) -> tuple[Finding, ...]:
    """`BAD` is LS301 with a safe fix, `SPOILED` with one that does harm, `WORSE` LS401 with an unsafe fix, `BROKEN` a
    fault of ours."""
    found = []
    at = 0
    for row, line in enumerate(document.text.splitlines(keepends=True), 1):
        if "BROKEN" in line:
            raise ValueError("no such luck")
        for word, code, name, safety in (
            ("BAD", "LS301", "unclosed-session", Safety.SAFE),
            ("SPOILED", "LS301", "unclosed-session", Safety.SAFE),
            ("WORSE", "LS401", "missing-rollback", Safety.UNSAFE),
        ):
            column = line.find(word)
            if column >= 0 and config.selects(code, name, True, document.path):
                start, end = Position(row, column + 1), Position(row, column + 1 + len(word))
                edit = Edit(at + column, at + column + len(word), "(" if word == "SPOILED" else "GOOD")
                found.append(Finding(document.path, start, end, code, name, "m", (), Fix("Do good", safety, (edit,))))
        at += len(line)
    return tuple(found)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "check_document", check_document)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, source in (("good.py", "x = 1\n"), ("bad.py", "y = BAD\n"), ("worse.py", "z = WORSE\n")):
        Path(name).write_text(source, "utf-8")


@pytest.fixture
def run(capsys: Capture) -> Run:
    def run_command(*argv: str) -> tuple[int, str, str]:
        status = cli.main(argv)
        out, err = capsys.readouterr()
        return status, out, err

    return run_command


@pytest.fixture
def run_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run_with_input(data: bytes, *argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        return run("check", "-", *argv)

    return run_with_input


class TestOutput:
    def test_text(self, run: Run) -> None:
        status, out, err = run("check", "bad.py")
        assert (status, err) == (1, "")
        assert out == (
            "bad.py:1:5: LS301 [*] m\n"
            "  |\n"
            "1 | y = BAD\n"
            "  |     ^^^\n"
            "  = fix: Do good\n"
            "\n"
            "Found 1 problem in 1 file (1 fixable with --fix).\n"
        )

    def test_the_current_folder_is_checked_by_default(self, run: Run) -> None:
        status, out, err = run("check", "--output-format", "concise")
        assert (status, err) == (1, "")
        assert out == (
            "bad.py:1:5: LS301 [*] m\n"
            "worse.py:1:5: LS401 m\n"
            "Found 2 problems in 3 files (1 fixable with --fix, 1 more with --unsafe-fixes).\n"
        )

    def test_clean(self, run: Run) -> None:
        assert run("check", "good.py") == (0, "All checks passed: 1 file.\n", "")

    def test_quiet(self, run: Run) -> None:
        assert run("check", "--quiet", "good.py") == (0, "", "")
        assert run("check", "-q", "--output-format=concise", "bad.py") == (1, "bad.py:1:5: LS301 [*] m\n", "")

    def test_verbose_speaks_on_standard_error(self, run: Run, tmp_path: Path) -> None:
        status, out, err = run("check", "-v", "good.py")
        assert (status, out) == (0, "All checks passed: 1 file.\n")
        assert f"root: {tmp_path}" in err
        assert "1 files in" in err

    def test_json(self, run: Run, tmp_path: Path) -> None:
        status, out, err = run("check", "--output-format", "json")
        assert (status, err) == (1, "")
        assert [(item["filename"], item["code"]) for item in json.loads(out)] == [
            (str(tmp_path / "bad.py"), "LS301"),
            (str(tmp_path / "worse.py"), "LS401"),
        ]
        assert run("check", "--output-format", "json", "good.py") == (0, "[]\n", "")

    def test_statistics(self, run: Run) -> None:
        _, out, _ = run("check", "--statistics")
        assert out.splitlines() == [
            "1  LS301  [*] unclosed-session  (fixes: 1 safe)",
            "1  LS401  [ ] missing-rollback  (fixes: 1 unsafe)",
            "Found 2 problems in 3 files (1 fixable with --fix, 1 more with --unsafe-fixes).",
        ]
        _, out, _ = run("check", "--statistics", "--output-format", "json")
        assert [item["count"] for item in json.loads(out)] == [1, 1]
        _, out, _ = run("check", "--statistics-by", "module", "bad.py")
        assert out.splitlines()[0] == "1  [*] bad.py  (fixes: 1 safe)"

    def test_colour(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "\033[" in run("check", "--color", "always")[1]
        assert "\033[" not in run("check")[1]
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\033[" in run("check")[1]
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\033[" not in run("check")[1]


def test_a_continued_row_is_quoted_as_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "check_document", CHECK_DOCUMENT)
    Path("app.py").write_text(
        "from sqlalchemy.orm import sessionmaker\n\nLocal = sessionmaker('sqlite://')\n\n\n"
        "def load(query):\n    db = Local()\n    rows = db.scalars\\\n        (query)\n    db.close()\n    return rows\n"
    )
    _, out, _ = run("check", "app.py", "--select", "LS301", "--output-format", "concise")
    assert "`db.scalars (query)`" in out


class TestFormats:
    @pytest.mark.parametrize(
        ("form", "begins"),
        [
            ("concise", "bad.py:1:5: LS301"),
            ("grouped", "bad.py:\n  1:5 LS301"),
            ("json", "[\n  {"),
            ("json-lines", '{"cell": null, "code": "LS301"'),
            ("sarif", '{\n  "$schema"'),
            ("github", "::error title=lint-sessions (LS301),file=bad.py,line=1"),
            ("gitlab", '[\n  {\n    "check_name": "LS301"'),
            ("junit", "<?xml"),
            ("azure", "##vso[task.logissue type=error;"),
        ],
    )
    def test_each(self, run: Run, form: str, begins: str) -> None:
        status, out, err = run("check", "--output-format", form)
        assert (status, err) == (1, "")
        assert out.startswith(begins)
        assert ("\nFound 2 problems in 3 files" in out) is (form in ("concise", "grouped", "github", "azure"))

    def test_several_at_once(self, run: Run) -> None:
        both = ("--output-format", "concise", "--output-format", "sarif:report.sarif", "bad.py")
        assert run("check", *both) == (1, run("check", "--output-format", "concise", "bad.py")[1], "")
        assert json.loads(Path("report.sarif").read_text("utf-8"))["runs"][0]["results"][0]["ruleId"] == "LS301"
        assert run("check", "--exit-zero", *both)[0] == 0

    def test_a_file_leaves_the_last_line_to_the_screen(self, run: Run) -> None:
        _, printed, _ = run("check", "bad.py")
        found = "Found 1 problem in 1 file (1 fixable with --fix).\n"
        assert run("check", "bad.py", "--output-file", "report.txt") == (1, found, "")
        assert Path("report.txt").read_text("utf-8") == printed
        assert run("check", "bad.py", "-q", "-o", "report.json", "--output-format", "json") == (1, "", "")
        assert len(json.loads(Path("report.json").read_text("utf-8"))) == 1

    def test_inside_github_actions(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        assert run("check")[1].startswith("::error ")
        assert run("check", "--output-format", "text")[1].startswith("bad.py:1:5: LS301")
        assert run("check", "--output-format", "full")[1].startswith("bad.py:1:5: LS301")
        assert run("check", "--statistics")[1].startswith("1  LS301")
        run("check", "-o", "report.txt")
        assert Path("report.txt").read_text("utf-8").startswith("bad.py:1:5: LS301")

    @pytest.mark.parametrize(
        ("file", "why"),
        [("nowhere/report.json", "No such file or directory; make the folder nowhere first"), (".", "Is a directory")],
    )
    def test_a_file_that_cannot_be_written(self, run: Run, file: str, why: str) -> None:
        status, out, err = run("check", "bad.py", "--output-format", f"json:{file}", "--output-format", "concise")
        assert (status, err) == (2, f"lint-sessions: {file}: could not be written: {why}\n")
        assert out.startswith("bad.py:1:5: LS301")

    def test_a_report_is_written_whole_or_not_at_all(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        Path("report.json").write_text("the last one", "utf-8")
        monkeypatch.setattr(os, "fsync", full)
        assert run("check", "bad.py", "--output-format", "json:report.json")[0] == 2
        assert Path("report.json").read_text("utf-8") == "the last one"
        assert len(list(Path().iterdir())) == 4

    def test_a_device_is_written_to(self, run: Run) -> None:
        assert run("check", "bad.py", "-q", "-o", os.devnull) == (1, "", "")
        assert not Path(os.devnull).is_file()

    def test_a_report_can_be_read_by_others(self, run: Run) -> None:
        mask = os.umask(0o022)
        try:
            run("check", "-o", "report.txt")
        finally:
            os.umask(mask)
        assert stat.S_IMODE(Path("report.txt").stat().st_mode) == 0o644


class TestStatus:
    def test_exit_zero(self, run: Run) -> None:
        assert run("check", "--exit-zero", "bad.py")[0] == 0

    @pytest.mark.parametrize("extra", [[], ["--exit-zero"]])
    def test_unreadable_input_beside_findings(self, run: Run, extra: list[str]) -> None:
        status, out, err = run("check", "nowhere.py", "bad.py", *extra)
        assert status == 2
        assert "bad.py:1:5: LS301" in out
        assert "1 input could not be used." in out
        [line] = err.splitlines()
        assert line.startswith("lint-sessions: nowhere.py: ")

    def test_undecodable_input(self, run: Run) -> None:
        Path("latin.py").write_bytes(b"x = '\xff'\n")
        status, out, err = run("check")
        assert status == 2
        assert "bad.py:1:5: LS301" in out
        assert [line.split(": ")[1] for line in err.splitlines()] == ["latin.py"]

    def test_a_fault_names_the_file_and_goes_on(self, run: Run) -> None:
        Path("a.py").write_text("BROKEN\n", "utf-8")
        status, out, err = run("check")
        assert status == 3
        assert "bad.py:1:5: LS301" in out
        [line] = err.splitlines()
        assert line.startswith("lint-sessions: a.py: ValueError")
        assert "report" in line

    def test_a_fault_of_the_whole_run(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("out of ideas")

        monkeypatch.setattr(engine, "check_files", fail)
        status, _, err = run("check", "good.py")
        assert status == 3
        assert err.startswith("lint-sessions: good.py: RuntimeError")
        assert len(err.splitlines()) == 1

    def test_interrupt(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(engine, "check_files", interrupt)
        assert run("check")[0] == 130

    @pytest.mark.parametrize(
        ("argv", "says"),
        [
            pytest.param([], "COMMAND", id="no-command"),
            pytest.param(["chekc"], "no command is named chekc; did you mean check?", id="no-such-command"),
            pytest.param(["zzz"], "the commands are check, ", id="nothing-like-a-command"),
            pytest.param(["good.py"], "`lint-sessions check good.py` checks it", id="path-for-a-command"),
            pytest.param(["check", "--fixx"], "no option is named --fixx; did you mean --fix?", id="no-such-option"),
            pytest.param(
                ["check", "--fixx=1"], "no option is named --fixx; did you mean --fix?", id="option-with-value"
            ),
            pytest.param(["check", "--zzz"], "`lint-sessions check --help` lists", id="nothing-like-an-option"),
            pytest.param(["rules", "LS101"], "no argument is expected where you wrote LS101", id="too-much"),
            pytest.param(["check", "--color", "x"], "`lint-sessions check --help` lists", id="no-such-choice"),
            pytest.param(
                ["check", "--output-format", "xml"], "no format is named xml; choose from text", id="no-such-format"
            ),
            pytest.param(["check", "--output-format", "serif"], "did you mean sarif?", id="format-suggestion"),
            pytest.param(
                ["check", "--output-format", "sarif:"], "no file is named after sarif:", id="format-without-file"
            ),
            pytest.param(
                ["check", "--output-format", "text", "--output-format", "json"],
                "text and json cannot both go to standard output; give one a file: json:FILE",
                id="two-formats-in-one-place",
            ),
            pytest.param(
                ["check", "--output-format", "json:a", "--output-format", "sarif:a"],
                "a: two formats",
                id="two-in-one-file",
            ),
            pytest.param(
                ["check", "-o", "a", "--output-format", "json:b"], "has a file of its own", id="a-file-for-none"
            ),
            pytest.param(
                ["check", "--statistics", "--output-format", "junit"], "not as junit", id="statistics-as-junit"
            ),
            pytest.param(["check", "-", "--diff-base", "main"], "no rows that git knows", id="stdin-and-diff-base"),
            pytest.param(["check", "-", "--add-noqa"], "cannot be written to", id="stdin-and-add-noqa"),
            pytest.param(
                ["check", "--fix", "--diff-base", "main"], "fixes concern whole files", id="fix-and-diff-base"
            ),
            pytest.param(
                ["check", "--diff", "--add-noqa"], "writes no baseline and no comments", id="diff-and-add-noqa"
            ),
            pytest.param(["check", "--select", " ,"], "--select: no rule is named; name some", id="no-rule"),
            pytest.param(["check", "--config", "gone.toml"], "--config: gone.toml does not exist", id="no-such-config"),
            pytest.param(["check", "--config", "x", "--isolated"], "not allowed with", id="config-and-isolated"),
            pytest.param(["check", "--quiet", "--verbose"], "not allowed with", id="quiet-and-verbose"),
            pytest.param(["check", "-", "x.py"], "standard input stands alone", id="stdin-and-more"),
            pytest.param(["check", "--select", "LS999"], "command line: `--select`: no rule", id="selector"),
            pytest.param(["check", "--ignore", "invalid-sintax"], "did you mean `invalid-syntax`?", id="suggestion"),
            pytest.param(["rule", "LS999"], "no rule is named LS999", id="no-such-rule"),
            pytest.param(["rule", "zzz"], "`lint-sessions rules` lists all", id="nothing-like-a-rule"),
        ],
    )
    def test_wrong_usage(self, run: Run, argv: list[str], says: str) -> None:
        status, out, err = run(*argv)
        assert (status, out) == (2, "")
        assert says in err

    @pytest.mark.parametrize("argv", [["--help"], ["check", "--help"], ["--version"], ["rules"], ["rule", "LS000"]])
    def test_what_only_tells(self, run: Run, argv: list[str]) -> None:
        status, out, err = run(*argv)
        assert (status, err) == (0, "")
        assert out


class TestConfiguration:
    def test_select_and_ignore(self, run: Run) -> None:
        assert "Found 1 problem" in run("check", "--select", "LS301,LS000")[1]
        assert "Found 1 problem" in run("check", "--select", "LS3", "--select", "LS0")[1]
        assert "All checks passed" in run("check", "--ignore", "LS3", "--ignore=LS4")[1]
        assert "Found 1 problem" in run("check", "--ignore", "ALL", "--extend-select", "LS401")[1]

    def test_the_table_of_the_project(self, run: Run) -> None:
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nignore = ['LS3', 'LS4']\n", "utf-8")
        assert run("check")[:2] == (0, "All checks passed: 3 files.\n")
        assert run("check", "--isolated")[0] == 1
        assert run("check", "--select", "LS3")[0] == 1

    def test_an_error_in_one_project_leaves_the_others(self, run: Run) -> None:
        for name in ("one", "two"):
            Path(name, "app").mkdir(parents=True)
            Path(name, "app", "bad.py").write_text("BAD\n", "utf-8")
            Path(name, "bad.py").write_text("BAD\n", "utf-8")
        Path("one/pyproject.toml").write_text("[tool.lint-sessions]\nselekt = []\n", "utf-8")
        Path("two/lint-sessions.toml").write_text("per-file-ignores = { 'app/*' = ['LS3'] }\n", "utf-8")
        status, out, err = run("check", "--output-format", "concise", "one", "two", "bad.py")
        assert status == 2
        assert [line.split(":")[0] for line in out.splitlines()[:-1]] == ["bad.py", str(Path("two/bad.py"))]
        [line] = err.splitlines()
        assert "one" in line
        assert "unknown key `selekt`; did you mean `select`?" in line

    def test_given_files_are_checked_even_if_excluded(self, run: Run) -> None:
        Path("pyproject.toml").write_text("[tool.lint-sessions]\nextend-exclude = ['bad.py']\n", "utf-8")
        assert "LS301" in run("check", "bad.py")[1]
        assert "LS301" not in run("check")[1]
        assert run("check", "bad.py", "--force-exclude") == (0, "No Python files found.\n", "")

    def test_no_cache_is_accepted(self, run: Run) -> None:
        assert run("check", "--no-cache", "good.py")[0] == 0


class TestFix:
    def test_fix(self, run: Run) -> None:
        status, out, err = run("check", "--fix", "--output-format", "concise")
        assert (status, err) == (1, "")
        assert out == (
            "worse.py:1:5: LS401 m\n"
            "Fixed 1 problem in 1 file.\n"
            "Found 1 problem in 3 files (1 fixable with --fix --unsafe-fixes).\n"
        )
        assert Path("bad.py").read_text("utf-8") == "y = GOOD\n"
        assert Path("worse.py").read_text("utf-8") == "z = WORSE\n"

    def test_unsafe_fixes(self, run: Run) -> None:
        status, out, _ = run("check", "--fix", "--unsafe-fixes")
        assert (status, out) == (0, "Fixed 2 problems in 2 files.\nAll checks passed: 3 files.\n")
        assert Path("worse.py").read_text("utf-8") == "z = GOOD\n"

    def test_diff_changes_nothing(self, run: Run) -> None:
        status, out, err = run("check", "--diff")
        assert (status, err) == (1, "Would fix 1 problem in 1 file.\n")
        assert out == "--- bad.py\n+++ bad.py\n@@ -1 +1 @@\n-y = BAD\n+y = GOOD\n"
        assert Path("bad.py").read_text("utf-8") == "y = BAD\n"

    def test_diff_without_a_difference(self, run: Run) -> None:
        assert run("check", "--diff", "worse.py") == (0, "", "Would fix 0 problems in 0 files.\n")
        assert run("check", "--diff", "--unsafe-fixes", "-q", "worse.py")[0] == 1

    def test_fix_only_reports_nothing_of_what_is_left(self, run: Run) -> None:
        assert run("check", "--fix-only") == (0, "Fixed 1 problem in 1 file.\n", "")
        assert Path("bad.py").read_text("utf-8") == "y = GOOD\n"
        assert run("check", "--fix-only") == (0, "Fixed 0 problems in 0 files.\n", "")
        assert run("check", "--fix-only", "-q", "--unsafe-fixes") == (0, "", "")
        assert Path("worse.py").read_text("utf-8") == "z = GOOD\n"
        assert run("check", "--fix-only", "--output-format", "json") == (0, "[]\n", "")

    def test_fix_only_is_silent_about_findings_and_nothing_else(self, run: Run) -> None:
        Path("a.py").write_text("BROKEN\n", "utf-8")
        assert run("check", "--fix-only")[:2] == (3, "Fixed 1 problem in 1 file.\n")
        assert run("check", "--fix-only", "nowhere.py")[0] == 2
        assert run("check", "--diff", "--fix-only", "bad.py", "worse.py")[0] == 0
        assert run("check", "--diff", "--fix-only", "--unsafe-fixes", "worse.py")[0] == 1

    def test_show_fixes(self, run: Run) -> None:
        Path("bad.py").write_text("BAD\nBAD\nWORSE\n", "utf-8")
        Path("new.py").write_text("BAD\n", "utf-8")
        listed = (
            "- bad.py:\n"
            "    2 x LS301 (unclosed-session)\n"
            "    1 x LS401 (missing-rollback)\n"
            "- new.py:\n"
            "    1 x LS301 (unclosed-session)\n"
        )
        argv = ("check", "--unsafe-fixes", "--show-fixes", "bad.py", "new.py")
        status, out, err = run(*argv, "--diff")
        assert (status, err) == (1, f"Would fix 4 problems in 2 files.\n{listed}")
        assert "x LS" not in out
        assert run(*argv, "--fix") == (0, f"Fixed 4 problems in 2 files.\n{listed}All checks passed: 2 files.\n", "")
        assert run(*argv, "--fix") == (0, "All checks passed: 2 files.\n", "")

    def test_a_file_that_cannot_be_checked_keeps_nobody_up(self, run: Run) -> None:
        Path("a.py").write_text("y = z = BROKEN\n", "utf-8")
        status, _, err = run("check", "--fix", "--unsafe-fixes")
        assert (status, len(err.splitlines())) == (3, 1)
        assert Path("bad.py").read_text("utf-8") == "y = GOOD\n"

    def test_a_fault_in_the_fixes_leaves_the_findings(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("out of ideas")

        monkeypatch.setattr(fixing, "fix", fail)
        status, out, err = run("check", "--fix", "bad.py")
        assert status == 3
        assert out.startswith("bad.py:1:5: LS301 [*] m\n")
        assert err.startswith("lint-sessions: the fixes: RuntimeError in ")

    def test_a_fix_that_does_harm_is_a_fault_of_ours(self, run: Run) -> None:
        Path("bad.py").write_text("GOOD = (BAD\n)\nBAD = SPOILED\n", "utf-8")
        status, out, err = run("check", "--fix", "--output-format", "concise", "bad.py")
        assert status == 3
        assert out == "bad.py:3:8: LS301 m\nFixed 2 problems in 1 file.\nFound 1 problem in 1 file.\n"
        [line] = err.splitlines()
        assert line.startswith("lint-sessions: bad.py: the fix of LS301 unclosed-session in row 3 was not applied: ")
        assert Path("bad.py").read_text("utf-8") == "GOOD = (GOOD\n)\nGOOD = SPOILED\n"

    def test_a_file_that_cannot_be_written_keeps_its_finding(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        status, out, err = run("check", "--fix", "bad.py")
        assert status == 2
        assert "bad.py:1:5: LS301" in out
        assert err == "lint-sessions: bad.py: could not be written: No space left on device\n"
        assert sorted(path.name for path in Path().iterdir()) == ["bad.py", "good.py", "worse.py"]


SESSIONS = '''from sqlalchemy.orm import sessionmaker

Local = sessionmaker("sqlite://")


def get_db():
    db = Local(
        info={},
    )
    yield db
    db.close()


def load(query):
    db = Local(info="""
        """)
    rows = db.scalars(query).all()
    db.close()
    return rows
'''


class TestAddNoqa:
    def test_each_finding_gets_a_comment(self, run: Run) -> None:
        assert run("check", "--add-noqa") == (0, "Silenced 2 problems.\nAll checks passed: 3 files.\n", "")
        assert Path("bad.py").read_text("utf-8") == "y = BAD  # noqa: LS301\n"
        assert Path("worse.py").read_text("utf-8") == "z = WORSE  # noqa: LS401\n"
        assert Path("good.py").read_text("utf-8") == "x = 1\n"

    def test_what_is_fixed_gets_none(self, run: Run) -> None:
        assert run("check", "--fix", "--add-noqa")[1].startswith("Fixed 1 problem in 1 file.\nSilenced 1 problem.\n")
        assert Path("bad.py").read_text("utf-8") == "y = GOOD\n"

    def test_what_a_baseline_forgives_gets_none(self, run: Run) -> None:
        run("check", "bad.py", "--write-baseline", "baseline.json")
        assert "Silenced 1 problem.\n" in run("check", "--add-noqa", "--baseline", "baseline.json")[1]
        assert Path("bad.py").read_text("utf-8") == "y = BAD\n"

    def test_a_file_that_cannot_be_written_keeps_its_finding(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        status, out, err = run("check", "--add-noqa", "bad.py")
        assert (status, err) == (
            2,
            "lint-sessions: bad.py: is read-only, so it was left alone; make it writable, and run again\n",
        )
        assert "bad.py:1:5: LS301" in out
        assert "Silenced 0 problems.\n" in out

    def test_nothing_is_found_afterwards(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "check_document", CHECK_DOCUMENT)
        Path("app.py").write_text(SESSIONS, "utf-8")
        assert run("check", "app.py", "--select", "LS1,LS3", "--add-noqa")[1].startswith("Silenced 2 problems.\n")
        assert run("check", "app.py", "--select", "LS1,LS3,LS001")[:2] == (0, "All checks passed: 1 file.\n")

    def test_a_comment_that_silences_nothing_gets_no_other(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "check_document", CHECK_DOCUMENT)
        Path("app.py").write_text("x = 1  # noqa: LS301\n", "utf-8")
        status, out, _ = run("check", "app.py", "--extend-select", "LS001", "--add-noqa")
        assert (status, out.splitlines()[0]) == (1, "app.py:1:8: LS001 [*] `noqa: LS301` silences nothing")
        assert Path("app.py").read_text("utf-8") == "x = 1  # noqa: LS301\n"

    def test_invalid_syntax_stays_a_finding(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "check_document", CHECK_DOCUMENT)
        Path("app.py").write_text("def (\n", "utf-8")
        status, out, _ = run("check", "app.py", "--add-noqa")
        assert status == 1
        assert "LS000" in out
        assert Path("app.py").read_text("utf-8") == "def (\n"


class TestStandardInput:
    def test_findings(self, run_on: Run) -> None:
        status, out, _ = run_on(b"BAD\n", "--output-format", "concise")
        assert (status, out.splitlines()[0]) == (1, "-:1:1: LS301 [*] m")

    def test_the_source_line_is_that_of_the_input(self, run_on: Run) -> None:
        status, out, _ = run_on(b"x = BAD  # now\n", "--stdin-filename", "bad.py")
        assert status == 1
        assert out.startswith("bad.py:1:5: LS301 [*] m\n  |\n1 | x = BAD  # now\n")

    def test_the_name_gives_the_configuration(self, run_on: Run) -> None:
        Path("app").mkdir()
        Path("app/lint-sessions.toml").write_text("ignore = ['LS3']", "utf-8")
        assert run_on(b"BAD\n", "--stdin-filename", "app/new.py")[0] == 0
        assert run_on(b"BAD\n", "--stdin-filename", "new.py")[0] == 1

    def test_fix_writes_the_text_and_nothing_else(self, run_on: Run) -> None:
        status, out, err = run_on(b"BAD\nWORSE\n", "--fix", "--output-format", "concise")
        assert (status, out) == (1, "GOOD\nWORSE\n")
        assert err.splitlines() == [
            "-:2:1: LS401 m",
            "Fixed 1 problem in 1 file.",
            "Found 1 problem in 1 file (1 fixable with --fix --unsafe-fixes).",
        ]

    def test_fix_only(self, run_on: Run) -> None:
        fixed = "Fixed 1 problem in 1 file.\n"
        assert run_on(b"BAD\nWORSE\n", "--fix-only") == (0, "GOOD\nWORSE\n", fixed)

    def test_fix_gives_back_what_it_cannot_fix(self, run_on: Run) -> None:
        assert run_on(b"x = 1\n", "--fix", "-q") == (0, "x = 1\n", "")
        assert run_on(b"BROKEN\n", "--fix", "-q")[:2] == (3, "BROKEN\n")
        assert run_on(b"BAD\n", "--fix", "-q", "--force-exclude", "--stdin-filename", "venv/x.py") == (0, "BAD\n", "")

    def test_diff(self, run_on: Run) -> None:
        status, out, _ = run_on(b"BAD\n", "--diff")
        assert (status, out) == (1, f"--- {STDIN}\n+++ {STDIN}\n@@ -1 +1 @@\n-BAD\n+GOOD\n")

    def test_undecodable(self, run_on: Run) -> None:
        status, _, err = run_on(b"\xff\n")
        assert status == 2
        assert err.startswith("lint-sessions: -: ")


class TestProgress:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    @pytest.mark.parametrize(("patience", "shown"), [(0.0, True), (60.0, False)])
    def test_a_bar_appears_on_a_terminal_in_long_runs(
        self, monkeypatch: pytest.MonkeyPatch, patience: float, shown: bool
    ) -> None:
        monkeypatch.setattr(sys, "stderr", terminal := self.Terminal())
        monkeypatch.setattr(progress, "PATIENCE", patience)
        bar = progress.Progress(wanted=True)
        for done in range(3):
            bar(done, 3)
        bar.close()
        assert ("/3" in terminal.getvalue()) is shown

    def test_and_nowhere_else(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "PATIENCE", 0.0)
        assert run("check", "good.py")[2] == ""
        monkeypatch.setattr(sys, "stderr", terminal := self.Terminal())
        assert cli.main(["check", "--quiet", "good.py"]) == 0
        assert terminal.getvalue() == ""


CHECKOUT = Path(__file__).parents[1]


def python(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path, **environ}
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env, check=False)


@pytest.mark.parametrize("argv", [["--version"], ["--help"], *([command, "--help"] for command in COMMANDS)])
def test_what_only_tells_imports_nothing_heavy(argv: list[str]) -> None:
    program = (
        f"import sys; from lint_sessions.cli import main; main({argv}); print(sorted(sys.modules), file=sys.stderr)"
    )
    done = python("-c", program)
    assert done.returncode == 0
    for module in ("libcst", "pathspec", "tqdm", "json", "asyncio", "lint_sessions.engine", "lint_sessions.registry"):
        assert f"'{module}'" not in done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = run(*filter(None, [command]), "--help")[1].splitlines()
    assert len(rows) <= 40
    assert [row for row in rows if len(row) > 79] == []
    assert sum(row.startswith("usage: ") for row in rows) == 1


def test_every_option_is_told_in_one_row(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = run("check", "--help")[1].splitlines()
    options = [row for row in rows if re.match(r"  -", row)]
    assert len(options) > 20
    assert [row for row in options if not re.match(r"  (-\w, )?--[a-z-]+( [A-Z]+)? +[a-z]", row)] == []
    assert rows[0] == "usage: lint-sessions check [OPTIONS] [PATH ...]"


def test_python_m() -> None:
    done = python("-m", "lint_sessions", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lint-sessions {__version__}\n", "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    Path("many.py").write_text("def (\n" * 10, "utf-8")
    program = "import sys; from lint_sessions.cli import main; sys.exit(main(['check', '-q', *['many.py']]))"
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, env=env, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_output_survives_a_terminal_of_few_letters() -> None:
    Path("ä.py").write_text("def größe(\n", "utf-8")
    done = python("-m", "lint_sessions", "check", "ä.py", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (1, "")
    assert "gr\\xf6\\xdfe" in done.stdout


def test_nothing_of_the_project_is_imported(tmp_path: Path) -> None:
    """Not even what has the name of something that the linter takes."""
    for name in ("json", "libcst", "rules", "pathspec", "tomllib", "registry"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the code under analysis was run')\n")
    done = subprocess.run(
        [sys.executable, "-m", "lint_sessions", "check", "--no-cache", "--output-format", "json", "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")

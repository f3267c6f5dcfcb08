"""Findings that were there before. Each row with BAD in it stands for a finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lint_sessions import cli, engine
from lint_sessions.config import Config
from lint_sessions.finding import Finding
from lint_sessions.source.document import Document

Run = Callable[..., tuple[int, str, str]]
FILE = "baseline.json"


def check_document(document: Document, config: Config, **_: object) -> tuple[Finding, ...]:
    found = []
    for match in re.finditer(r"BAD\w*|WORSE\w*|BROKEN", document.text):
        start, end = document.position(match.start()), document.position(match.end())
        code, name = {
            "BAD": ("LS301", "unclosed-session"),
            "WOR": ("LS401", "missing-rollback"),
            "BRO": ("LS000", "invalid-syntax"),
        }[match[0][:3]]
        if config.selects(code, name, True, document.path):
            found.append(Finding(document.path, start, end, code, name, "m"))
    return tuple(found)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "check_document", check_document)
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    Path("app").mkdir()
    Path("app/a.py").write_text("def f():\n    BAD\n    WORSE\n", "utf-8")
    Path("app/b.py").write_text("class C:\n    def g(self):\n        BAD\n        BAD\n", "utf-8")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*argv: str) -> tuple[int, str, str]:
        status = cli.main(["check", "--output-format", "concise", *argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run_command


def entries() -> list[str]:
    return [f"{e['path']} {e['code']} {e['function']}" for e in json.loads(Path(FILE).read_text("utf-8"))["findings"]]


ALL = ["app/a.py LS301 f", "app/a.py LS401 f", "app/b.py LS301 C.g", "app/b.py LS301 C.g"]


def test_is_written(run: Run) -> None:
    assert run("--write-baseline", FILE) == (
        0,
        "Wrote 4 problems to baseline.json.\nNo new problems found in 2 files.\n",
        "",
    )
    assert entries() == ALL
    text = Path(FILE).read_text("utf-8")
    assert text.startswith(
        '{\n  "version": 1,\n  "findings": [\n    {"path": "app/a.py", "code": "LS301", "function": "f", '
    )
    assert len(text.splitlines()) == 9
    run("--write-baseline", FILE)
    assert Path(FILE).read_text("utf-8") == text


def test_forgives_what_stands_in_it(run: Run) -> None:
    run("--write-baseline", FILE)
    assert run("--baseline", FILE) == (
        0,
        "Forgave 4 problems of baseline.json.\nNo new problems found in 2 files.\n",
        "",
    )


def test_forgives_what_has_moved_and_reports_what_is_new(run: Run) -> None:
    run("--write-baseline", FILE)
    Path("app/a.py").write_text("import x\n\n\ndef f():\n    if x:\n        BAD\n    WORSE\n    BADDER\n", "utf-8")
    assert run("--baseline", FILE) == (
        1,
        "app/a.py:8:5: LS301 m\nForgave 4 problems of baseline.json.\nFound 1 new problem in 2 files.\n",
        "",
    )


def test_one_more_of_the_same_is_new(run: Run) -> None:
    run("--write-baseline", FILE)
    Path("app/a.py").write_text("def f():\n    BAD\n    BAD\n    WORSE\n", "utf-8")
    assert run("--baseline", FILE)[1].startswith("app/a.py:3:5: LS301 m\n")


class TestShrinks:
    def test_what_is_gone_is_told_and_dropped_when_asked_for(self, run: Run) -> None:
        run("--write-baseline", FILE)
        before = Path(FILE).read_text("utf-8")
        Path("app/a.py").write_text("def f():\n    BAD\n", "utf-8")
        Path("app/b.py").unlink()
        status, out, _ = run("--baseline", FILE)
        assert status == 0
        assert "3 entries of baseline.json are found no more; --write-baseline baseline.json drops them.\n" in out
        assert Path(FILE).read_text("utf-8") == before
        _, out, _ = run("--baseline", FILE, "--write-baseline", FILE)
        assert "3 entries of baseline.json are found no more.\n" in out
        assert entries() == ALL[:1]

    def test_it_never_grows(self, run: Run) -> None:
        run("--write-baseline", FILE)
        Path("app/a.py").write_text("def f():\n    BAD\n    BADDER\n", "utf-8")
        status, out, _ = run("--baseline", FILE, "--write-baseline", FILE)
        assert (status, out.splitlines()[0]) == (1, "app/a.py:3:5: LS301 m")
        assert entries() == [ALL[0], *ALL[2:]]

    @pytest.mark.parametrize(
        "argv",
        [
            pytest.param(["app/a.py"], id="other-files"),
            pytest.param(["--ignore", "LS3"], id="other-rules"),
            pytest.param(["--config-of-its-own"], id="excluded"),
        ],
    )
    def test_what_was_not_looked_for_stays(self, run: Run, argv: list[str]) -> None:
        run("--write-baseline", FILE)
        Path("app/b.py").write_text("", "utf-8")
        if argv == ["--config-of-its-own"]:
            Path("lint-sessions.toml").write_text("extend-exclude = ['b.py']", "utf-8")
            argv = []
        assert "no more" not in run("--baseline", FILE, "--write-baseline", FILE, *argv)[1]
        assert entries() == ALL

    @pytest.mark.parametrize("source", [b"BROKEN", b"\xff"])
    def test_what_cannot_be_read_may_still_be_there(self, run: Run, source: bytes) -> None:
        run("--write-baseline", FILE)
        Path("app/b.py").write_bytes(source)
        assert "no more" not in run("--baseline", FILE)[1]

    def test_a_rule_that_is_no_more(self, run: Run) -> None:
        run("--write-baseline", FILE)
        Path(FILE).write_text(Path(FILE).read_text("utf-8").replace("LS401", "LS999"), "utf-8")
        Path("app/a.py").write_text("def f():\n    BAD\n", "utf-8")
        assert (
            "1 entry of baseline.json is found no more; --write-baseline baseline.json drops it."
            in run("--baseline", FILE)[1]
        )


def test_files_outside_its_folder(run: Run, tmp_path: Path) -> None:
    Path("ci").mkdir()
    run("--write-baseline", "ci/known.json")
    [first, *_] = json.loads(Path("ci/known.json").read_text("utf-8"))["findings"]
    assert first["path"] == "../app/a.py"
    assert run("--baseline", str(tmp_path / "ci" / "known.json"))[0] == 0
    Path("app/a.py").unlink()
    assert "2 entries" in run("--baseline", "ci/known.json")[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="missing"),
        pytest.param("", "is no baseline", id="empty"),
        pytest.param("[]", "is no baseline", id="a-list"),
        pytest.param('{"version": 1}', "is no baseline", id="no-findings"),
        pytest.param('{"version": 2, "findings": []}', "is a baseline of version 2, not 1", id="version"),
        pytest.param('{"version": 1, "findings": [{"path": "a"}]}', "is no baseline", id="half-an-entry"),
        pytest.param(
            '{"version": 1, "findings": [{"path": 1, "code": "", "function": "", "fingerprint": ""}]}',
            "is no baseline",
            id="a-number",
        ),
        pytest.param("<<<<<<< ours", "is no baseline", id="merge-conflict"),
    ],
)
def test_a_broken_one_is_never_taken(run: Run, text: str | None, says: str) -> None:
    if text is not None:
        Path(FILE).write_text(text, "utf-8")
    status, out, err = run("--baseline", FILE)
    assert (status, out) == (2, "")
    [line] = err.splitlines()
    assert line.startswith(f"lint-sessions: command line: {FILE} {says}")


def test_one_that_cannot_be_written(run: Run) -> None:
    status, _, err = run("--write-baseline", "nowhere/b.json")
    assert status == 2
    assert err == (
        "lint-sessions: command line: nowhere/b.json could not be written: No such file or directory; make the folder nowhere first\n"
    )

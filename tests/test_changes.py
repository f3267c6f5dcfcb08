"""Only what was changed since a revision."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lint_sessions import cli
from lint_sessions.changes import ChangesError, since
from lint_sessions.finding import Finding, Note, Position

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

ROWS = "".join(f"row{n}\n" for n in range(1, 11))


def git(*arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments], check=True, capture_output=True
    )


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_CONFIG_GLOBAL"]:
        monkeypatch.delenv(name)
    Path("app").mkdir()
    Path("app/a.py").write_text(ROWS, "utf-8")
    Path("app/b.py").write_text(ROWS, "utf-8")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")


def finding(path: str, row: int, *, last: int | None = None, trace: tuple[Note, ...] = ()) -> Finding:
    return Finding(Path(path), Position(row, 1), Position(last or row, 2), "LS301", "n", "m", trace)


def touched(path: str, revision: str = "HEAD") -> list[int]:
    changes = since(revision, Path.cwd())
    return [row for row in range(1, 14) if changes.touch(finding(path, row))]


def edit(path: str, old: str, new: str) -> None:
    Path(path).write_text(Path(path).read_text("utf-8").replace(old, new), "utf-8")


def test_nothing() -> None:
    assert touched("app/a.py") == []


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        pytest.param("row3\n", "changed\n", [3], id="changed"),
        pytest.param("row3\n", "row3\nnew\nnew\n", [4, 5], id="added"),
        pytest.param("row3\nrow4\n", "", [2, 3], id="deleted"),
        pytest.param("row3\n", "++ b/x\n@@ -1 +9 @@\n", [3, 4], id="like-a-diff"),
        pytest.param("row10\n", "row10", [10], id="line-end"),
    ],
)
def test_rows(old: str, new: str, rows: list[int]) -> None:
    edit("app/a.py", old, new)
    assert touched("app/a.py") == rows
    assert touched("app/b.py") == []


def test_staged_and_committed_rows_count() -> None:
    edit("app/a.py", "row3\n", "staged\n")
    git("add", ".")
    assert touched("app/a.py") == [3]
    git("commit", "--quiet", "--message", "more")
    assert touched("app/a.py") == []
    assert touched("app/a.py", "HEAD~1") == [3]


def test_all_rows_of_untracked_files() -> None:
    Path("app/neu ä.py").write_text(ROWS, "utf-8")
    assert len(touched("app/neu ä.py")) == 13


def test_ignored_files_are_not_new() -> None:
    Path(".gitignore").write_text("*.pyi\n", "utf-8")
    Path("app/x.pyi").write_text(ROWS, "utf-8")
    assert touched("app/x.pyi") == []


@pytest.mark.parametrize("name", ["ä.py", "a b.py", 'quo"te.py', "tab\t.py"])
def test_names_that_git_writes_in_its_own_way(name: str) -> None:
    Path(name).write_text(ROWS, "utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "odd")
    edit(name, "row5\n", "x\n")
    assert touched(name) == [5]


def test_the_users_settings_for_diffs_do_not_matter() -> None:
    for setting in (
        ("diff.mnemonicPrefix", "true"),
        ("diff.noprefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "false"),
    ):
        git("config", *setting)
    edit("app/a.py", "row3\n", "changed\n")
    assert touched("app/a.py") == [3]


def test_a_file_that_moved() -> None:
    git("mv", "app/a.py", "app/c.py")
    edit("app/c.py", "row3\n", "changed\n")
    assert touched("app/c.py") == [3]


def test_a_finding_of_several_rows_and_one_whose_path_was_changed() -> None:
    edit("app/a.py", "row3\n", "changed\n")
    changes = since("HEAD", Path("app"))
    assert changes.touch(finding("app/a.py", 1, last=3))
    step = Note(Position(3, 1), "then", Path("app/a.py"))
    assert changes.touch(finding("app/b.py", 1, trace=(step,)))
    assert not changes.touch(finding("app/b.py", 1, trace=(Note(Position(3, 1), "then"),)))


class TestRefuses:
    @pytest.mark.parametrize("revision", ["nowhere", "--help", ""])
    def test_no_such_revision(self, revision: str) -> None:
        with pytest.raises(ChangesError, match="no such revision"):
            since(revision, Path.cwd())

    def test_no_repository(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with pytest.raises(ChangesError, match="git says: not a git repository"):
            since("HEAD", tmp_path_factory.mktemp("elsewhere"))

    def test_no_git(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(ChangesError, match="git cannot be run: No such file"):
            since("HEAD", Path.cwd())


LEAK = """from sqlalchemy.orm import sessionmaker

Local = sessionmaker("sqlite://")


def old(query):
    db = Local()
    rows = db.scalars(query).all()
    db.close()
    return rows
"""


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for path in Path("app").iterdir():
        path.unlink()
    Path("app/db.py").write_text(LEAK, "utf-8")
    git("add", ".")
    git("commit", "--quiet", "--message", "leak")
    Path("app/db.py").write_text(LEAK + LEAK[LEAK.index("\n\ndef") :].replace("old", "new"), "utf-8")
    command = ["check", "--select", "LS301", "--output-format", "concise", "--diff-base"]
    assert cli.main([*command, "HEAD"]) == 1
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == ["app/db.py:14:10"]
    assert cli.main([*command, "HEAD~1"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert cli.main([*command, "nowhere"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lint-sessions: command line: --diff-base nowhere: git knows no such revision in ")

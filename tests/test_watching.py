"""What `--watch` tells after each change is what a run that knows nothing finds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from lint_sessions import linting, watching
from lint_sessions.cli import main
from lint_sessions.run import Run

PROJECT = {
    "pyproject.toml": "",
    "db.py": """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite:///db"))


def open_session():
    return SessionLocal()
""",
    "users.py": """\
from db import open_session


def read():
    db = open_session()
    return db.execute("q").all()
""",
    "posts.py": """\
from db import SessionLocal


def read():
    with SessionLocal() as db:
        return db.execute("q").all()
""",
}
Change = Callable[[], object]


class Watch:
    """`check --watch`, with a change made each time that it waits, until there is none left."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.full = 0

        def counted(run: Run) -> int | None:
            self.full += 1
            return linting.lint_paths(run)

        monkeypatch.setattr(watching, "lint_paths", counted)

    def __call__(self, *changes: Change, options: Sequence[str] = (), cache: str = "--no-cache") -> list[str]:
        """What is told at first, and after each change; on standard error and output."""
        told: list[str] = []
        left = list(changes)

        def wait(_: float) -> None:
            told.append("".join(reversed(self.capsys.readouterr())))
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        self.monkeypatch.setattr(watching.watch, "__defaults__", (wait,))
        self.status = main(["check", cache, "--watch", *options])
        told[-1] += "".join(reversed(self.capsys.readouterr()))
        return told

    def found_anew(self) -> list[str]:
        main(["check", "--no-cache", "--output-format", "concise"])
        return findings(self.capsys.readouterr().out)


@pytest.fixture
def watch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watch:
    for name, code in PROJECT.items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    return Watch(capsys, monkeypatch)


def findings(text: str) -> list[str]:
    return re.findall(r"^\S+\.py:\d+:\d+: .*$", text, re.MULTILINE)


def edit(name: str, old: str, new: str) -> Change:
    def change() -> None:
        path = Path(name)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def test_one_change_is_checked_alone(watch: Watch) -> None:
    with_block = edit("users.py", '    db = open_session()\n    return db.execute("q").all()', "    return 1")
    first, after = watch(with_block, options=["--output-format", "concise"])
    assert "users.py:5:10: LS301" in first
    assert re.search(r"^Checked 3 files in \d+\.\d\d s\. Watching for changes; Ctrl-C ends it\.$", first, re.MULTILINE)
    assert findings(after) == []
    assert "All checks passed: 3 files." in after
    assert re.search(r"^Checked [12] files? in", after, re.MULTILINE)
    assert (watch.full, watch.status) == (1, 0)


def test_a_change_is_followed_to_other_files(watch: Watch) -> None:
    closed = edit("db.py", "    return SessionLocal()", "    with SessionLocal() as db:\n        return db.info")
    opened = edit("db.py", "    with SessionLocal() as db:\n        return db.info", "    return SessionLocal()")
    first, after, again = watch(closed, opened, options=["--output-format", "concise"])
    assert [findings(told) for told in (first, after, again)] == [findings(first), [], findings(first)]
    assert "users.py:5:10: LS301" in first
    assert watch.full == 1
    assert watch.status == 1


def test_nothing_is_told_where_nothing_has_changed(watch: Watch) -> None:
    first, nothing, same = watch(lambda: None, lambda: Path("db.py").write_text(PROJECT["db.py"]))
    assert first
    assert nothing == ""
    assert same == ""


def test_what_is_known_is_told_at_once(watch: Watch) -> None:
    """And kept for the next run; what changes then is checked alone."""
    concise = ["--output-format", "concise"]
    first, nothing = watch(lambda: None, options=concise, cache="--cache-dir=known")
    assert (watch.full, nothing) == (1, "")
    closed = edit("db.py", "    return SessionLocal()", "    with SessionLocal() as db:\n        return db.info")
    again, after = watch(closed, options=concise, cache="--cache-dir=known")
    assert findings(again) == findings(first)
    assert findings(after) == []
    assert watch.full == 1


def test_what_comes_and_goes_takes_a_full_run(watch: Watch) -> None:
    come = lambda: Path("more.py").write_text(PROJECT["users.py"])  # noqa: E731
    first, more, less = watch(come, lambda: Path("more.py").unlink(), options=["--output-format", "concise"])
    assert len(findings(more)) == 2
    assert findings(less) == findings(first)
    assert watch.full == 3


def test_a_new_configuration_takes_a_full_run(watch: Watch) -> None:
    config = Path("pyproject.toml")
    table = "[tool.lint-sessions]\n"
    first, ignored, broken, mended = watch(
        lambda: config.write_text(table + 'ignore = ["LS301"]\n'),
        lambda: config.write_text(table + "ignore = [\n"),
        lambda: config.write_text(""),
    )
    assert "LS301" in first
    assert "All checks passed" in ignored
    assert "pyproject.toml" in broken
    assert "LS301" not in broken
    assert "LS301" in mended


def test_what_cannot_be_parsed_is_told(watch: Watch) -> None:
    first, broken, mended = watch(
        edit("users.py", "def read():", "def read(:"),
        edit("users.py", "def read(:", "def read():"),
        options=["--output-format", "concise"],
    )
    assert "users.py:4:10: LS000" in broken
    assert findings(mended) == findings(first)


def test_a_baseline_and_quiet(watch: Watch) -> None:
    main(["check", "--no-cache", "--write-baseline", "known.json"])
    watch.capsys.readouterr()
    worse = edit("posts.py", "    with SessionLocal() as db:\n        return", "    db = SessionLocal()\n    return")
    first, after = watch(worse, options=["--baseline", "known.json", "-q", "--output-format", "concise"])
    assert first == ""
    assert after.startswith("posts.py:5:10: LS301")
    assert len(after.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-"], "standard input does not change"),
        (["--fix"], "it only tells what is found"),
        (["--output-file", "out.txt"], "it tells on the screen"),
        (["--output-format", "json:out.json"], "it tells on the screen"),
        (["--baseline", "none.json"], "none.json"),
    ],
)
def test_what_cannot_be_watched(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--watch", *options]) == 2
    assert says in capsys.readouterr().err


def test_a_series_of_changes_tells_what_full_runs_find(watch: Watch) -> None:
    """Applications of some rules are mended and broken again, in a project that has them all."""
    fixtures = Path(__file__).parents[1] / "fixtures"
    texts: list[tuple[Path, str]] = []
    for stem in ("unclosed_session", "use_after_close", "yield_without_finally"):
        shutil.copytree(fixtures / stem, Path(stem), ignore=shutil.ignore_patterns("fixed.py", "__pycache__"))
        app = Path(stem, "app.py")
        texts += [(app, (fixtures / stem / "fixed.py").read_text("utf-8")), (app, app.read_text("utf-8"))]
    checked: list[list[str]] = []
    for path, text in texts:
        path.write_text(text, "utf-8")
        checked.append(watch.found_anew())
    told = watch(
        *(partial(path.write_text, text, "utf-8") for path, text in texts), options=["--output-format=concise"]
    )
    assert [findings(text) for text in told[1:]] == checked
    assert len({len(found) for found in checked}) > 1
    assert watch.full == 1

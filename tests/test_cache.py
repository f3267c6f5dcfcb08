"""What is known is told again as it was; what may have changed is found out anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lint_sessions import disk, linting, workers
from lint_sessions.cli import main
from lint_sessions.run import Run
from lint_sessions.store import FOLDER, MOST_ENTRIES, SUFFIX

FACTORY = "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(create_engine('sqlite:///db'))\n"
LEAK = "from db import SessionLocal\n\n\ndef read():\n    db = SessionLocal()\n    return db.execute('q').all()\n"
CLEAN = LEAK.replace("db = SessionLocal()", "with SessionLocal() as db:").replace("    return", "        return")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "db.py").write_text(FACTORY)
    (tmp_path / "app" / "users.py").write_text(LEAK)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINT_SESSIONS_CACHE_DIR", raising=False)
    return tmp_path


class Runs:
    """Runs of the command: what they print, and whether they had to find it out."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        self.worked = 0
        lint_paths = linting.lint_paths

        def counted(run: Run) -> int | None:
            self.worked += 1
            return lint_paths(run)

        monkeypatch.setattr(linting, "lint_paths", counted)

    def __call__(self, *options: str) -> tuple[int, str, str]:
        status = main(["check", *options])
        return (status, *self.capsys.readouterr())

    def is_known(self, *options: str) -> bool:
        """Whether the answer is at hand; and if so, whether it is what a run finds that has no cache."""
        before = self.worked
        told = self(*options)
        if self.worked > before:
            return False
        assert told == self(*options, "--no-cache")
        return True


@pytest.fixture
def runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(capsys, monkeypatch)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="text"),
        pytest.param(("--cache-dir", "app/kept"), id="kept among what is checked"),
        pytest.param(("--output-format", "json"), id="fixes and traces"),
        pytest.param(("--output-format", "sarif"), id="paths from the root"),
        pytest.param(("--statistics",), id="counts"),
        pytest.param(("--select", "LS3", "app"), id="some rules, some files"),
        pytest.param(("broken.py", "missing.py", "app"), id="input that cannot be used"),
    ],
)
def test_the_second_run_tells_the_same(project: Path, runs: Runs, options: tuple[str, ...]) -> None:
    (project / "broken.py").write_bytes(b"x = '\xff'\n")
    first = runs(*options)
    assert runs.worked == 1
    assert runs.is_known(*options)
    assert first == runs(*options)


def _edit(project: Path) -> None:
    (project / "app" / "users.py").write_text(CLEAN)


def _edit_same_size_and_time(project: Path) -> None:
    path = project / "app" / "users.py"
    path.write_text(LEAK.replace("q", "r"))
    os.utime(path, (1_000_000_000, 1_000_000_000))


def _shadow(project: Path) -> None:
    (project / "app" / "db").mkdir()
    (project / "app" / "db" / "__init__.py").write_text("SessionLocal = None\n")


def _put_in_place_of_folder(project: Path) -> None:
    shutil.rmtree(project / "app")
    (project / "app").write_text("")


CHANGES: dict[str, Callable[[Path], object]] = {
    "an edit": _edit,
    "an edit that keeps size and time": _edit_same_size_and_time,
    "a new file": lambda root: (root / "app" / "new.py").write_text(LEAK),
    "a file less": lambda root: (root / "db.py").unlink(),
    "a module that another now shadows": _shadow,
    "the configuration": lambda root: (root / "pyproject.toml").write_text(
        "[tool.lint-sessions]\nignore = ['LS301']\n"
    ),
    "a nearer configuration": lambda root: (root / "app" / "lint-sessions.toml").write_text("ignore = ['LS301']\n"),
    "a requirement": lambda root: (root / "requirements.txt").write_text("fastapi==0.100\n"),
    "an ignore file": lambda root: (root / ".gitignore").write_text("app\n"),
    "a nearer ignore file": lambda root: (root / "app" / ".gitignore").write_text("users.py\n"),
    "what git excludes": lambda root: _put(root / ".git" / "info" / "exclude", "users.py\n"),
    "a lock file": lambda root: (root / "uv.lock").write_text('[[package]]\nname = "fastapi"\nversion = "0.100"\n'),
    "a requirement elsewhere": lambda root: _put(root / "requirements" / "base.txt", "fastapi==0.100\n"),
    "a file in a new folder": lambda root: _put(root / "more" / "users.py", LEAK),
    "another name": lambda root: (root / "app" / "users.py").rename(root / "app" / "people.py"),
    "a file in the place of a folder": _put_in_place_of_folder,
    "another end of a link": lambda root: _link(root / "link.py", root / "app" / "__init__.py"),
    "an end for a link without one": lambda root: (root / "nowhere.py").write_text(LEAK),
}


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def _link(path: Path, to: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(to)


@pytest.fixture(params=["stamps", "contents"])
def told_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just written is compared by its contents, unless its stamps count at once."""
    monkeypatch.setattr(disk, "_FRESH", -(10**18) if request.param == "stamps" else 10**18)


@pytest.mark.usefixtures("told_by")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(project: Path, runs: Runs, change: str) -> None:
    (project / "aside").mkdir()
    (project / "aside" / "lint-sessions.toml").write_text("")
    _put(project / "aside" / "linked.py", LEAK)
    _link(project / "link.py", project / "aside" / "linked.py")
    _link(project / "app" / "broken.py", project / "nowhere.py")
    runs()
    assert runs.is_known()
    runs.worked = 1
    CHANGES[change](project)
    assert runs()[:2] == runs("--no-cache")[:2]
    assert runs.worked == 3
    assert runs.is_known()


@pytest.mark.usefixtures("told_by")
def test_what_no_finding_rests_on_may_change(project: Path, runs: Runs) -> None:
    runs()
    (project / "README.md").write_text("x")
    _put(project / "app" / "__pycache__" / "users.pyc", "x")
    os.utime(project / "app" / "users.py")
    assert runs.is_known()
    assert runs.is_known()


@pytest.mark.usefixtures("told_by")
def test_several_processes_find_what_is_known_afterwards(
    project: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ENOUGH", 10)
    runs("--jobs", "2")
    assert runs.is_known("--jobs", "2")
    (project / "db.py").write_text("SessionLocal = None\n")
    assert not runs.is_known("--jobs", "2")


def test_runs_at_the_same_time(project: Path, runs: Runs) -> None:
    expected = runs("--no-cache")[1]
    command = [sys.executable, "-m", "lint_sessions", "check"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) for _ in range(3)]
    assert [run.communicate()[0] for run in several] == [expected] * 3
    assert {path.suffix for path in (project / FOLDER).iterdir() if path.name != ".gitignore"} == {SUFFIX, ".TAG"}


def test_files_of_others_stay(project: Path, runs: Runs) -> None:
    mine = [project / "mine" / f"{number}.json" for number in range(MOST_ENTRIES + 5)]
    for path in mine:
        _put(path, "{}")
    runs("--cache-dir", "mine")
    assert runs.is_known("--cache-dir", "mine")
    assert all(path.exists() for path in mine)


def test_what_was_asked_matters(project: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs()
    assert not runs.is_known("--select", "LS4")
    assert not runs.is_known("--isolated")
    assert not runs.is_known("app")
    monkeypatch.chdir(project / "app")
    assert not runs.is_known()


def test_a_fresh_file_is_compared_by_what_it_holds(project: Path, runs: Runs) -> None:
    """A file may change twice within one tick of the clock of its file system."""
    path = project / "app" / "users.py"
    path.write_text(LEAK)
    stamp = path.stat()
    runs()
    path.write_text(LEAK.replace("q", "r"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert not runs.is_known()


def _entries(project: Path) -> list[Path]:
    return sorted((project / FOLDER).glob(f"*{SUFFIX}"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="torn"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda data: data.replace(b"LS301", b"LS302"), id="changed"),
        pytest.param(lambda _: b"\xff\xfe", id="no text"),
        pytest.param(lambda data: b"0" * 32 + data[32:], id="another checksum"),
    ],
)
def test_a_spoilt_entry_is_never_believed(project: Path, runs: Runs, spoil: Callable[[bytes], bytes]) -> None:
    told = runs()
    [entry] = _entries(project)
    entry.write_bytes(spoil(entry.read_bytes()))
    assert runs() == told
    assert runs.worked == 2
    assert runs.is_known()


@pytest.mark.usefixtures("project")
def test_an_entry_of_another_version_is_not_asked(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs()
    monkeypatch.setattr("lint_sessions.store.__version__", "99.0")
    assert not runs.is_known()


@pytest.mark.usefixtures("project")
def test_an_entry_in_another_format(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs()
    monkeypatch.setattr("lint_sessions.store._FORMAT", 99)
    assert not runs.is_known()


def test_where_it_is_kept(
    project: Path, runs: Runs, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs("--no-cache")
    assert not (project / FOLDER).exists()
    other = tmp_path_factory.mktemp("other")
    runs("--cache-dir", str(other / "a"))
    monkeypatch.setenv("LINT_SESSIONS_CACHE_DIR", str(other / "b"))
    runs()
    assert [len(list((other / name).glob(f"*{SUFFIX}"))) for name in "ab"] == [1, 1]
    assert not (project / FOLDER).exists()
    monkeypatch.delenv("LINT_SESSIONS_CACHE_DIR")
    runs()
    assert (project / FOLDER / ".gitignore").read_text() == "*\n"
    assert (project / FOLDER / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_no_project_no_cache(tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(
        (place / mark).exists()
        for place in tmp_path.parents
        for mark in (".git", "pyproject.toml", "setup.cfg", "setup.py")
    ):
        pytest.skip("the folder for temporary files lies in a project")
    (tmp_path / "a.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINT_SESSIONS_CACHE_DIR", raising=False)
    runs()
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


def test_a_folder_that_cannot_be_written_to_does_no_harm(project: Path, runs: Runs) -> None:
    (project / FOLDER).write_text("a file in its place")
    first = runs()
    assert runs() == first
    assert runs.worked == 2


def test_fixes_are_worked_out_anew(project: Path, runs: Runs) -> None:
    runs()
    runs("--fix", "--unsafe-fixes")
    assert (project / "app" / "users.py").read_text() == CLEAN
    assert runs()[0] == 0


def test_a_baseline_learns_what_did_not_run(project: Path, runs: Runs) -> None:
    runs("--write-baseline", "known.json")
    for _ in range(2):
        status, told, _ = runs("--baseline", "known.json")
        assert (status, "Forgave 1 problem" in told) == (0, True)
    _edit(project)
    assert "is found no more" in runs("--baseline", "known.json")[1]
    assert "is found no more" in runs("--baseline", "known.json")[1]
    assert "is found no more" not in runs("--baseline", "known.json", "--ignore", "LS301")[1]


def test_old_answers_go(project: Path, runs: Runs) -> None:
    (project / FOLDER).mkdir()
    for number in range(MOST_ENTRIES + 5):
        old = project / FOLDER / f"{number:032}{SUFFIX}"
        old.write_text("")
        os.utime(old, (number, number))
    runs()
    left = _entries(project)
    assert len(left) == MOST_ENTRIES
    assert sum(path.stat().st_size > 0 for path in left) == 1
    assert not (project / FOLDER / f"{0:032}{SUFFIX}").exists()


@pytest.mark.usefixtures("project")
def test_an_answer_imports_nothing_that_takes_time() -> None:
    code = "import sys; from lint_sessions.cli import main; main(['check']); print(*sys.modules, file=sys.stderr)"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8", env=environ
        )
    modules = set(done.stderr.split())
    assert "lint_sessions.cache" in modules
    heavy = {
        "libcst",
        "lint_sessions.engine",
        "pathspec",
        "subprocess",
        "lint_sessions.config",
        "lint_sessions.source.document",
    }
    assert not modules & (heavy | {"lint_sessions.baseline", "lint_sessions.changes", "lint_sessions.source.cut"})

"""Files are replaced whole or not at all, and never over someone else's change."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from lint_sessions import cli, fixing
from lint_sessions.engine import Analysis
from lint_sessions.finding import Finding
from lint_sessions.write import WriteError, replace

CHECKOUT = Path(__file__).parents[1]
OLD, NEW = b"y = BAD\n", b"new\r\n"
LEAK = """\
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def get_db():
    db = SessionLocal()
    yield db
    db.close()
"""
FIXED = LEAK.replace("    yield db\n    db.close()", "    try:\n        yield db\n    finally:\n        db.close()")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_bytes(OLD)


def everything() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir()}


def fix(*argv: str) -> int:
    return cli.main(["check", "--fix", "--isolated", "--select", "LS101", "--quiet", *argv])


def test_mode_and_owner_stay() -> None:
    file = Path("bad.py")
    file.chmod(0o750)
    before = file.stat()
    replace(file, OLD, NEW)
    after = file.stat()
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(after.st_mode) == 0o750
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="only root gives files away")
def test_another_owner_stays() -> None:
    os.chown("bad.py", 12345, 23456)
    Path("bad.py").chmod(0o2755)
    replace(Path("bad.py"), OLD, NEW)
    after = Path("bad.py").stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12345, 23456, 0o2755)


def test_a_link_stays_one() -> None:
    Path("folder").mkdir()
    Path("inner").symlink_to("bad.py")
    Path("folder/link.py").symlink_to("../inner")
    replace(Path("folder/link.py"), OLD, NEW)
    assert (str(Path("folder/link.py").readlink()), str(Path("inner").readlink())) == ("../inner", "bad.py")
    assert Path("bad.py").read_bytes() == NEW
    assert list(Path("folder").iterdir()) == [Path("folder/link.py")]


def test_a_file_and_a_link_to_it_are_fixed_once() -> None:
    Path("bad.py").write_text(LEAK, "utf-8")
    Path("link.py").symlink_to("bad.py")
    assert fix("bad.py", "link.py") == 0
    assert Path("bad.py").read_text("utf-8") == FIXED
    assert Path("link.py").is_symlink()


def test_links_in_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.py").symlink_to("two.py")
    Path("two.py").symlink_to("one.py")
    Path("package").symlink_to("package")
    with pytest.raises(WriteError, match="could not be written"):
        replace(Path("one.py"), OLD, NEW)
    Path("bad.py").write_text(LEAK, "utf-8")
    assert fix("--extend-select", "LS307", "one.py", "bad.py") == 2
    assert capsys.readouterr().err.startswith("lint-sessions: one.py: ")
    assert Path("bad.py").read_text("utf-8") == FIXED


def test_another_name_of_the_file_keeps_what_was_there() -> None:
    os.link("bad.py", "other.py")
    replace(Path("bad.py"), OLD, NEW)
    assert everything() == {"bad.py": NEW, "other.py": OLD}


def test_anothers_change_is_not_overwritten() -> None:
    with pytest.raises(WriteError, match="changed while it was being checked"):
        replace(Path("bad.py"), b"old", NEW)
    assert everything() == {"bad.py": OLD}


def test_nor_is_one_that_comes_at_the_last_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: Path("bad.py").write_bytes(b"theirs"))
    with pytest.raises(WriteError, match="changed while it was being checked"):
        replace(Path("bad.py"), OLD, NEW)
    assert everything() == {"bad.py": b"theirs"}


def test_a_file_that_changes_during_the_run_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what was found in it is still reported; the other files are fixed."""
    for name in ("bad.py", "other.py"):
        Path(name).write_text(LEAK, "utf-8")
    theirs = LEAK + "# theirs\n"
    fix_all = fixing.fix

    def changed_meanwhile(findings: Iterable[Finding], analysis: Analysis, *, unsafe: bool) -> fixing.Fixed:
        Path("bad.py").write_text(theirs, "utf-8")
        return fix_all(findings, analysis, unsafe=unsafe)

    monkeypatch.setattr(fixing, "fix", changed_meanwhile)
    assert fix("--output-format", "concise", "bad.py", "other.py") == 2
    out, err = capsys.readouterr()
    assert out.startswith("bad.py:8:")
    assert err == "lint-sessions: bad.py: changed while it was being checked, so it was left alone; run again\n"
    assert everything() == {"bad.py": theirs.encode(), "other.py": FIXED.encode()}


def test_a_read_only_file_stays() -> None:
    Path("bad.py").chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        replace(Path("bad.py"), OLD, NEW)
    assert everything() == {"bad.py": OLD}


def test_a_file_in_a_folder_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(WriteError, match="could not be written: Permission denied"):
        replace(Path("bad.py"), OLD, NEW)
    assert everything() == {"bad.py": OLD}


def test_a_missing_file() -> None:
    with pytest.raises(WriteError, match="could not be written: No such file"):
        replace(Path("nowhere.py"), b"", NEW)


@pytest.mark.parametrize("moment", ["write", "chmod", "fsync", "replace"])
def test_an_interrupt_leaves_no_trace(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if moment == "write":
        monkeypatch.setattr(os, "fdopen", interrupt)
    else:
        monkeypatch.setattr(os, moment, interrupt)
    Path("bad.py").write_text(LEAK, "utf-8")
    assert fix("bad.py") == 130
    assert everything() == {"bad.py": LEAK.encode()}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_run_that_is_killed_leaves_each_file_whole(moment: str) -> None:
    """The first file is fixed, the second as it was; another run fixes it."""
    for name in ("a.py", "b.py"):
        Path(name).write_text(LEAK, "utf-8")
    program = (
        "import os, signal, sys\n"
        "from lint_sessions import cli\n"
        f"real, calls = os.{moment}, []\n"
        "def killed(*given):\n"
        "    calls.append(given)\n"
        "    if len(calls) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*given)\n"
        f"os.{moment} = killed\n"
        "sys.exit(cli.main(['check', '--fix', '--isolated', '--select', 'LS101', 'a.py', 'b.py']))\n"
    )
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (Path("a.py").read_text("utf-8"), Path("b.py").read_text("utf-8")) == (FIXED, LEAK)
    assert fix(".") == 0
    assert (Path("a.py").read_text("utf-8"), Path("b.py").read_text("utf-8")) == (FIXED, FIXED)

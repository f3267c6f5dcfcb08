"""The sdist and the wheel hold what they must, and the wheel works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

from lint_sessions import __version__
from lint_sessions.commands.completion import SHELLS

DATA = ("py.typed", "observed.json", "demo/app.py.txt", "demo/try_it.py.txt")
"""What else the package has."""
APP = """from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Local = sessionmaker(create_engine("sqlite://"))


def count(query):
    db = Local()
    rows = db.execute(query).all()
    db.close()
    return len(rows)
"""


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FORCE_COLOR")}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=600
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def modules(root: Path) -> set[str]:
    """Where each Python file of the checkout belongs in the wheel."""
    inside = {
        f"lint_sessions/{path.relative_to(root / 'lint_sessions')}" for path in root.glob("lint_sessions/**/*.py")
    }
    return inside | {f"lint_sessions/rules/{path.relative_to(root / 'rules')}" for path in root.glob("rules/**/*.py")}


def test_the_wheel_works_away_from_the_checkout(copied: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", cwd=copied)
    [sdist] = (tmp_path / "dist").glob("*.tar.gz")
    [wheel] = (tmp_path / "dist").glob("*.whl")
    _check_sdist(sdist)
    _check_wheel(wheel, copied)
    project = tmp_path / "project"
    project.mkdir()
    (project / "app.py").write_text(APP, "utf-8")
    (project / "other.py").write_text("x = 1\n", "utf-8")
    _use(_installed(wheel, tmp_path / "venv"), project)


def _check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", ".pre-commit-hooks.yaml", "rules/unclosed_session.py"} <= names
    assert {"tests/test_packaging.py", "fixtures/unclosed_session/app.py", "docs/architecture.md"} <= names


def _check_wheel(wheel: Path, checkout: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    completions = {f"lint_sessions/completions/lint-sessions.{shell}" for shell in SHELLS}
    manual = f"lint_sessions-{__version__}.data/data/share/man/man1/lint-sessions.1"
    page = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / "lint_sessions" / "map").rglob("*")
        if path.suffix in (".html", ".js", ".txt")
    }
    assert {"lint_sessions/map/page.html", "lint_sessions/map/vendor/cytoscape.LICENSE.txt"} < page
    assert names == {*modules(checkout), *completions, *page, *(f"lint_sessions/{name}" for name in DATA), manual}


def _installed(wheel: Path, folder: Path) -> Path:
    """A virtual environment with the wheel, whose dependencies are those of this environment."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, cwd=folder)
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    borrowed = "\n".join(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))
    Path(purelib, "borrowed.pth").write_text(borrowed, "utf-8")
    return scripts


def _use(scripts: Path, project: Path) -> None:
    assert run(scripts / "lint-sessions", "--version", cwd=project) == f"lint-sessions {__version__}\n"
    where = run(scripts / "python", "-c", "import lint_sessions; print(lint_sessions.__path__)", cwd=project)
    assert str(scripts.parent) in where
    assert "LS301" in run(scripts / "lint-sessions", "rules", cwd=project)
    assert "unclosed-session" in run(scripts / "lint-sessions", "completion", "fish", cwd=project)
    assert (scripts.parent / "share" / "man" / "man1" / "lint-sessions.1").is_file()
    assert "app.py:8:10: LS301" in run(scripts / "lint-sessions", "check", cwd=project, status=1)
    assert "app.py:8:10: LS301" in run(scripts / "python", "-m", "lint_sessions", "check", cwd=project, status=1)
    assert f"lint-sessions: {__version__}" in run(scripts / "python", "-m", "flake8", "--version", cwd=project)
    found = run(scripts / "python", "-m", "flake8", "--jobs", "2", "--select", "LS", ".", cwd=project, status=1)
    assert found.startswith(f".{os.sep}app.py:8:10: LS301 ")
    assert len(found.splitlines()) == 1

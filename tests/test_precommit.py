"""The hooks, as pre-commit installs and runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "pyproject.toml": "[tool.lint-sessions]\nextend-exclude = ['excluded.py']\n",
    "app/__init__.py": "",
    "app/db.py": 'from sqlalchemy.orm import sessionmaker\n\nLocal = sessionmaker("sqlite://")\n',
    "app/routes.py": "from app.db import Local\n\n\ndef get_db():\n    db = Local()\n    yield db\n    db.close()\n",
    "app/excluded.py": "from app.db import Local\n\n\ndef get_db():\n    db = Local()\n    yield db\n    db.close()\n",
}
FIXED = """from app.db import Local


def get_db():
    db = Local()
    try:
        yield db
    finally:
        db.close()
"""


def run(*command: str | Path, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHONPATH"))}
    environ |= {"PRE_COMMIT_HOME": str(home), "PRE_COMMIT_COLOR": "never", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", check=False, timeout=900
    )


def commit(folder: Path, home: Path) -> None:
    for command in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "all"),
    ):
        done = run("git", *command, cwd=folder, home=home)
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit needs git")
def test_both_hooks(copied: Path, tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for name, source in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(source, "utf-8")
    commit(copied, home)
    commit(project, home)

    # Only these files are given; what `Local` is stands in another one.
    given = ("--files", "app/routes.py", "app/excluded.py")
    done = run(sys.executable, "-m", "pre_commit", "try-repo", copied, *given, cwd=project, home=home)

    first, second = done.stdout.split("lint-sessions (fix)")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "exit code: 1" in first
    assert "app/routes.py:6:5: LS101 [*]" in first
    assert "excluded.py" not in first
    assert "files were modified by this hook" in second
    assert "Fixed 1 problem in 1 file." in second
    assert (project / "app/routes.py").read_text("utf-8") == FIXED
    assert (project / "app/excluded.py").read_text("utf-8") == FILES["app/excluded.py"]

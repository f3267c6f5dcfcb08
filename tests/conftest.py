"""What several test modules need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*_cache", "__pycache__", "*.egg-info", ".git", ".venv", "venv", "build", "dist")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on GitHub, where the output format would be another one; and with no cache, be it of the checkout."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("LINT_SESSIONS_CACHE_DIR", f"{os.devnull}/none")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the checkout, uncommitted files included, in which something can be built."""
    copy = tmp_path / "copied"
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        return copy
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy

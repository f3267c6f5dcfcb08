"""The walkthrough of docs/contributing.md, walked through in a copy of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEP = re.compile(r"^`([\w./]+)`\n\n(`{3,})\w+\n(.*?)^\2$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: str, copy: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = re.findall(r'"[^"]*"|\S+', command)
    argv = [sys.executable, *(["-m", "pytest", "-q", "-p", "no:cacheprovider"] if program == "pytest" else [])]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [*argv, *(argument.strip('"') for argument in arguments)],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_walkthrough(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    text = (ROOT / "docs" / "contributing.md").read_text("utf-8")
    _, record, generate = (found.splitlines() for found in COMMANDS.findall(text))
    for name, _, code in STEP.findall(text):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_text(code, "utf-8")
    for command in record:
        shown = run(command, copied)
        assert shown.returncode == 0, shown.stderr
    assert re.search(r"users not counted\W+1\b", shown.stdout)
    for command in generate:
        done = run(command, copied)
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d+ passed", done.stdout)
    page = (copied / "docs" / "rules" / "LS901-reconfigured-factory.md").read_text("utf-8")
    assert "| users not counted | 1 | 0 |" in page

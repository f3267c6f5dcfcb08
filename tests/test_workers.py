"""Several processes find what one finds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from lint_sessions import engine, workers
from lint_sessions.config import Config
from lint_sessions.engine import Analysis, Report

FACTORY = 'from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(create_engine("sqlite:///db"))\n'
LEAK = "from db import SessionLocal\n\n\ndef read_{n}():\n    db = SessionLocal()\n    return db.execute('q').all()\n"
PADDING = "# a comment\n" * 2_000


@pytest.fixture
def project(tmp_path: Path) -> list[Path]:
    """Enough files for several processes, every fourth with a leak, one that can't be parsed and one that can't be
    read."""
    (tmp_path / "db.py").write_text(FACTORY)
    for n in range(40):
        (tmp_path / f"m{n:02}.py").write_text(PADDING + (LEAK.format(n=n) if n % 4 == 0 else f"x = {n}\n"))
    (tmp_path / "m07.py").write_text("def broken(:\n")
    (tmp_path / "m08.py").write_bytes(b"# \xff\n")
    return sorted(tmp_path.glob("*.py"))


def alone(paths: Sequence[Path]) -> Report:
    return engine.check(paths, Config(paths[0].parent))


def together(paths: Sequence[Path], jobs: int = 2) -> Report:
    config = Config(paths[0].parent)
    return workers.check(paths, config, Analysis(config), jobs=jobs)


def test_the_report_is_the_same(project: list[Path]) -> None:
    expected = alone(project)
    assert len(expected.findings) == 10
    assert [problem.path.name for problem in expected.problems] == ["m08.py"]
    assert together(project, 2) == expected
    assert together(project, 5) == expected


def test_processes_that_import_everything_anew(project: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_context", lambda: get_context("spawn"))
    assert together(project) == alone(project)


def test_little_work_is_done_in_this_process(project: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_parts", None)
    assert together(project[:8]) == alone(project[:8])
    assert together(project, 1) == alone(project)


def _dies(_: Sequence[Path]) -> None:
    os._exit(1)


def test_what_a_process_leaves_that_dies_is_done_here(project: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_work", _dies)
    assert together(project) == alone(project)


def test_fixes_get_the_documents_and_what_is_in_them_now(project: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    parts = workers._parts

    def changing(*args: object) -> object:
        yield from parts(*args)  # type: ignore[arg-type]
        (project[0].parent / "m00.py").write_text("x = 0\n")
        (project[0].parent / "m04.py").unlink()

    monkeypatch.setattr(workers, "_parts", changing)
    config = Config(project[0].parent)
    analysis = Analysis(config)
    report = workers.check(project, config, analysis, jobs=2, documents=True)
    assert len(report.findings) == 8
    assert {problem.path.name for problem in report.problems} == {"m04.py", "m08.py"}
    assert {path.name for path in analysis.documents} == {p.name for p in project} - {"m04.py", "m08.py"}
    assert all(document.data == path.read_bytes() for path, document in analysis.documents.items())

"""What `--timing` tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lint_sessions import timing, workers
from lint_sessions.cli import main

FACTORY = "from sqlalchemy import create_engine\nfrom sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(create_engine('sqlite:///db'))\n"
LEAK = "from db import SessionLocal\n\n\ndef read():\n    db = SessionLocal()\n    return db.execute('q').all()\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "_clock", None)
    Path("db.py").write_text(FACTORY)
    Path("users.py").write_text(LEAK)
    Path("other.py").write_text("x = 1\n" * 100)


def numbers(line: str) -> dict[str, float]:
    return {stage: float(seconds) for stage, seconds in re.findall(r"(\w+) (\d+\.\d+)", line)}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_stages_and_what_is_parsed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    monkeypatch.setattr(workers, "ENOUGH", 10)
    assert main(["check", "--timing", "--jobs", jobs]) == 1
    seconds, parsed = capsys.readouterr().err.splitlines()
    assert list(numbers(seconds)) == list(timing.STAGES)
    [(some, files, few, lines)] = re.findall(r"(\d+) of (\d+) files, (\d+) of (\d+) lines", parsed)
    assert (some, files, lines) == ("2", "3", "110")
    assert 4 <= int(few) < 40
    assert re.search(r"took \d+ MB", parsed)


def test_nothing_is_told_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check"])
    assert capsys.readouterr().err == ""
    assert not timing.is_taken()


def test_time_counts_for_the_innermost_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([1.0, 3.0, 7.0, 8.0, 8.5])
    monkeypatch.setattr("time.process_time", lambda: next(now))
    timing.begin()
    with timing.stage("rules"), timing.stage("flow"):
        pass
    times = timing.take()
    assert times is not None
    assert {stage: taken for stage, taken in times.seconds.items() if taken} == {
        "start": 1.5,
        "rules": 3.0,
        "flow": 4.0,
    }

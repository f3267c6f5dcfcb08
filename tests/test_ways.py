"""The same is found whatever is done to find it sooner, fixes and paths included; each trick has its switch here."""

from __future__ import annotations

from pathlib import Path

import monorepo
import pytest
import tricks
from harness import FIXTURES
from test_fixtures import CONFIG, marks

from lint_sessions import engine, workers
from lint_sessions.cli import main
from lint_sessions.config import Config
from lint_sessions.engine import Analysis, Report

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monorepo with each kind of misuse."""
    folder = tmp_path_factory.mktemp("monorepo")
    monorepo.write(folder, 40)
    monorepo.write_misuses(folder)
    return folder


@pytest.fixture(scope="module")
def usual(tree: Path) -> Report:
    report = engine.check([tree], Config(tree))
    assert len(report.findings) >= len(monorepo.MISUSES)
    assert report.problems == ()
    return report


@pytest.mark.parametrize("way", tricks.WAYS)
def test_each_way_finds_the_same(tree: Path, usual: Report, way: str, monkeypatch: Patch) -> None:
    tricks.WAYS[way](monkeypatch.setattr)
    assert engine.check([tree], Config(tree)) == usual


def test_several_processes_find_the_same(tree: Path, usual: Report, monkeypatch: Patch) -> None:
    monkeypatch.setattr(workers, "ENOUGH", 50_000)
    config = Config(tree)
    assert workers.check(sorted(tree.rglob("*.py")), config, Analysis(config), jobs=2) == usual


def test_the_cache_tells_the_same(
    tree: Path, usual: Report, tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree)
    told = []
    for options in (["--no-cache"], ["--cache-dir", str(tmp_path)], ["--cache-dir", str(tmp_path)]):
        assert main(["check", "--output-format", "json", "--jobs", "1", *options]) == 1
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] == told[2]
    assert told[0].count('"code"') >= len(usual.findings)


def test_no_gate_keeps_anything_back_in_the_fixtures(monkeypatch: Patch) -> None:
    """That what is marked is found with the gates is tested with the fixtures."""
    tricks.no_gates(monkeypatch.setattr)
    found = [(f.path, f.start.row, f.code) for f in engine.check([FIXTURES], CONFIG, fixes=False).findings]
    assert sorted(found) == [mark for path in sorted(FIXTURES.glob("*/app*.py")) for mark in marks(path)]

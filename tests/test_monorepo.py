"""The trees of `benchmarks/monorepo.py`: the same each time, of the shares that they promise, with misuse that is found."""

from __future__ import annotations

from pathlib import Path

import monorepo
import pytest

from lint_sessions import engine
from lint_sessions.config import Config


def contents(tree: Path) -> dict[str, bytes]:
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("same", 7), ("other", 8)):
        monorepo.write(tmp_path / name, 70, seed)
    one, same, other = (contents(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize("modules", [50, 300])
def test_what_is_promised_is_there(tmp_path: Path, modules: int) -> None:
    misuses = monorepo.write(tmp_path, modules)
    shares = monorepo.shares(tmp_path)
    assert shares.modules == modules
    assert 0.25 < shares.mentioning / modules < 0.4
    assert 0.07 < shares.touching / shares.functions < 0.14
    assert 80 < shares.lines / modules < 250
    assert abs(len(misuses) - shares.touching / 50) < 2.5


def test_each_misuse_is_found_and_the_rest_is_clean(tmp_path: Path) -> None:
    monorepo.write(tmp_path, 40)
    wanted = {(Path(file).name, code) for code, file in monorepo.write_misuses(tmp_path)}
    report = engine.check([tmp_path], Config(tmp_path))
    assert report.problems == ()
    found = {(finding.path.name, finding.code) for finding in report.findings}
    assert wanted - found == set()
    assert {name for name, _ in found} == {name for name, _ in wanted}  # some harm two rules see


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="40 modules"):
        monorepo.write(tmp_path, 10)
    (tmp_path / "mine.txt").write_text("here")
    with pytest.raises(SystemExit):
        monorepo.main([str(tmp_path), "--modules", "40"])

"""All that an answer may rest on is read through `disk`, and its facts hold only as long as nothing changes."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from lint_sessions import disk

PACKAGE = Path(__file__).parents[1] / "lint_sessions"
READING = ("source", "config", "project", "flow", "requirements.py", "engine.py", "workers.py")
"""Where the answers come from."""
ASKING = frozenset(
    ["read_bytes", "read_text", "exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "scandir", "listdir", "walk"]
    + ["lstat", "realpath", "resolve", "readlink", "open"]
)


def _asks() -> list[str]:
    found = []
    for place in (PACKAGE / name for name in READING):
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="disk"))):
                        continue
                    case ast.Call(func=ast.Attribute(value=value, attr=attr)) if (
                        attr in ASKING and ast.unparse(value) != "entry"
                    ):
                        found.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(value)}.{attr}")
                    case ast.Call(func=ast.Name(id="open")):
                        found.append(f"{path.relative_to(PACKAGE)}: open")
    return found


def test_nobody_else_asks_the_disk() -> None:
    assert _asks() == ["source/places.py: MetadataWrapper(module, unsafe_skip_copy=True).resolve"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file.py").write_text("x = 1\n")
    (tmp_path / "inner").mkdir()
    for path in (tmp_path / "file.py", tmp_path / "inner", tmp_path):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return tmp_path


def _ask(folder: Path) -> None:
    disk.read_bytes(folder / "file.py")
    disk.entries(folder)
    for name in ("file.py", "inner", "absent"):
        disk.exists(folder / name)
    disk.realpath(folder / "file.py")
    with pytest.raises(FileNotFoundError):
        disk.read_bytes(folder / "absent")


def test_facts_hold_while_nothing_changes(folder: Path) -> None:
    with disk.witnessed() as witness:
        _ask(folder)
    assert len(witness.facts) == 6
    assert disk.hold(witness.record())[0]
    os.utime(folder / "file.py")
    assert disk.hold(witness.record())[0], "only its time has changed"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "file.py").write_text("x = 2\n"), id="contents"),
        pytest.param(lambda folder: (folder / "file.py").unlink(), id="a file less"),
        pytest.param(lambda folder: (folder / "absent").write_text(""), id="a file more"),
        pytest.param(lambda folder: (folder / "other").mkdir(), id="a folder more"),
        pytest.param(lambda folder: (folder / "inner").rename(folder / "outer"), id="another name"),
    ],
)
def test_a_change_is_seen(folder: Path, change: object) -> None:
    with disk.witnessed() as witness:
        _ask(folder)
    assert callable(change)
    change(folder)
    assert not disk.hold(witness.record())[0]


def test_what_changes_meanwhile_is_torn(folder: Path) -> None:
    with disk.witnessed() as witness:
        disk.read_bytes(folder / "file.py")
        assert not witness.is_torn
        (folder / "file.py").write_text("x = 2\n")
        disk.read_bytes(folder / "file.py")
    assert witness.is_torn


def test_facts_of_several_processes_are_joined(folder: Path) -> None:
    with disk.witnessed() as one:
        disk.exists(folder / "absent")
    (folder / "absent").write_text("")
    with disk.witnessed() as other:
        disk.exists(folder / "absent")
        disk.exists(folder / "inner")
    one.join(other)
    assert (len(one.facts), one.is_torn) == (2, True)


def test_nothing_is_noted_without_a_witness(folder: Path) -> None:
    _ask(folder)
    assert disk.present() is None


def test_stamps_that_differ_are_renewed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with disk.witnessed() as witness:
        _ask(folder)
    record = witness.record()
    os.utime(folder / "file.py")
    assert disk.hold(record) == (True, False), "a stamp so fresh tells nothing; the contents are compared each time"
    monkeypatch.setattr(disk, "_FRESH", -(10**18))
    assert disk.hold(record) == (True, True)
    assert disk.hold(record) == (True, False)
    (folder / "absent").write_text("")
    assert disk.hold(record) == (False, False)


def test_what_is_no_module_comes_and_goes(folder: Path) -> None:
    with disk.witnessed() as witness:
        disk.entries(folder)
    (folder / "README.md").write_text("")
    (folder / "__pycache__").mkdir()
    assert disk.hold(witness.record())[0]
    (folder / "link").symlink_to(folder / "inner")
    assert not disk.hold(witness.record())[0]

"""Which files are checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lint_sessions.config import EXCLUDE
from lint_sessions.source.files import discover


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a.py",
        "b.txt",
        "pkg/c.py",
        "pkg/deep/d.py",
        ".venv/e.py",
        "node_modules/f.py",
        "build/g.py",
        "x.py/h.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def found(root: Path, *paths: str, exclude: tuple[str, ...] = EXCLUDE) -> tuple[list[str], list[str]]:
    files, problems = discover([root / path for path in paths], root=root, exclude=exclude)
    return [f.relative_to(root).as_posix() for f in files], [f"{p.relative_to(root)}: {why}" for p, why in problems]


def test_a_folder(tree: Path) -> None:
    assert found(tree, ".") == (["a.py", "pkg/c.py", "pkg/deep/d.py", "x.py/h.py"], [])


def test_a_file_by_name_is_always_checked(tree: Path) -> None:
    assert found(tree, "b.txt", ".venv/e.py") == ([".venv/e.py", "b.txt"], [])


def test_each_file_once(tree: Path) -> None:
    assert found(tree, "pkg", "pkg/c.py", ".")[0].count("pkg/c.py") == 1


def test_missing_and_broken(tree: Path) -> None:
    (tree / "pkg" / "lost.py").symlink_to("nowhere.py")
    (tree / "pkg" / "loop").symlink_to(tree, target_is_directory=True)
    files, problems = found(tree, "none.py", "pkg")
    assert files == ["pkg/c.py", "pkg/deep/d.py"]
    assert problems == ["none.py: no such file or folder", "pkg/lost.py: a symbolic link that leads nowhere"]


def test_gitignore(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text("deep/\n")
    (tree / "pkg" / ".gitignore").write_text("c.py\n!deep/\n")
    assert found(tree, ".")[0] == ["a.py", "pkg/deep/d.py", "x.py/h.py"]
    assert found(tree, "pkg")[0] == ["pkg/deep/d.py"]


def test_a_folder_in_an_ignored_one_is_ignored(tree: Path) -> None:
    (tree / ".git" / "info").mkdir(parents=True)
    (tree / ".git" / "info" / "exclude").write_text("pkg/\n")
    assert found(tree, "pkg/deep")[0] == []
    assert found(tree, "pkg/deep/d.py")[0] == ["pkg/deep/d.py"]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("*.py\n!pkg/c.py", ["pkg/c.py"]),
        ("/a.py\ndeep", ["pkg/c.py", "x.py/h.py"]),
        ("pkg/*.py", ["a.py", "pkg/deep/d.py", "x.py/h.py"]),
        ("# a.py\n a.py\n[ac].py", ["pkg/deep/d.py", "x.py/h.py"]),
        ("x.py/", ["a.py", "pkg/c.py", "pkg/deep/d.py"]),
        ("a.py/", ["a.py", "pkg/c.py", "pkg/deep/d.py", "x.py/h.py"]),
    ],
)
def test_patterns(tree: Path, lines: str, left: list[str]) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text(lines)
    assert found(tree, ".")[0] == left


def test_gitignore_outside_of_a_repository_means_nothing(tree: Path) -> None:
    (tree / ".gitignore").write_text("a.py\n")
    assert "a.py" in found(tree, ".")[0]


def test_exclude(tree: Path) -> None:
    assert found(tree, ".", exclude=("pkg/deep", "x.py", ".*", "node_modules", "build"))[0] == ["a.py", "pkg/c.py"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_unreadable_folder(tree: Path) -> None:
    (tree / "pkg").chmod(0)
    files, problems = found(tree, ".")
    (tree / "pkg").chmod(0o755)
    assert "a.py" in files
    assert problems == ["pkg: can't be listed: Permission denied"]

"""Which files are checked: those given by name, and the Python files below folders that no ignore file leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pathspec

Problem = tuple[Path, str]


def discover(paths: Sequence[Path], *, root: Path, exclude: Sequence[str]) -> tuple[list[Path], list[Problem]]:
    """The files to check in sorted order, each once, and what could not be looked at with the reason in one line.

    A file given by name is checked whatever it is called. Of a folder, the files ending in .py are, except for those
    that `exclude` (patterns as in .gitignore, relative to `root`) or a .gitignore leaves out.
    """
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    ours = pathspec.GitIgnoreSpec.from_lines(exclude)
    for path in paths:
        if path.is_dir():
            for file, problem in _walk(path, Path(os.path.abspath(root)), ours):
                if problem is not None:
                    problems.append((file, problem))
                else:
                    files.setdefault(os.path.realpath(file), file)
        elif path.is_file():
            files.setdefault(os.path.realpath(path), path)
        else:
            problems.append((path, _why_not(path)))
    return sorted(files.values()), problems


def _why_not(path: Path) -> str:
    if path.is_symlink():
        return "a symbolic link that leads nowhere"
    return "is no regular file" if path.exists() else "no such file or folder"


def _walk(top: Path, root: Path, ours: pathspec.GitIgnoreSpec) -> Iterator[tuple[Path, str | None]]:
    """The Python files below a folder, each with None, and what can't be looked at with the reason."""
    pending = [(top, Path(os.path.abspath(top)))]
    while pending:
        shown, folder = pending.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            yield shown, f"can't be listed: {error.strerror or error}"
            continue
        ignored = _ignores(folder)
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not entry.name.endswith(".py"):
                continue
            place = folder / entry.name
            if _excluded(place, root, ours, is_folder) or _git_ignores(place, ignored, is_folder):
                continue
            if is_folder:
                pending.append((shown / entry.name, place))
            elif entry.is_file():
                yield shown / entry.name, None
            elif not entry.is_dir():
                yield shown / entry.name, _why_not(place)


def _excluded(place: Path, root: Path, ours: pathspec.GitIgnoreSpec, is_folder: bool) -> bool:
    try:
        name = place.relative_to(root).as_posix()
    except ValueError:
        name = place.name
    return ours.match_file(f"{name}/" if is_folder else name)


def _git_ignores(place: Path, ignored: Sequence[tuple[Path, pathspec.GitIgnoreSpec]], is_folder: bool) -> bool:
    """The nearest .gitignore that has anything to say decides."""
    for folder, spec in ignored:
        name = place.relative_to(folder).as_posix()
        verdict = spec.check_file(f"{name}/" if is_folder else name).include
        if verdict is not None:
            return verdict
    return False


@cache
def _ignores(folder: Path) -> tuple[tuple[Path, pathspec.GitIgnoreSpec], ...]:
    """The ignore files that hold in a folder, nearest first, up to the root of its repository; none outside of one."""
    found: list[tuple[Path, pathspec.GitIgnoreSpec]] = []
    for place in (folder, *folder.parents):
        if (spec := _ignore_file(place / ".gitignore")) is not None:
            found.append((place, spec))
        if (place / ".git").exists():
            if (spec := _ignore_file(place / ".git" / "info" / "exclude")) is not None:
                found.append((place, spec))
            return tuple(found)
    return ()


def _ignore_file(path: Path) -> pathspec.GitIgnoreSpec | None:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return pathspec.GitIgnoreSpec.from_lines(lines)

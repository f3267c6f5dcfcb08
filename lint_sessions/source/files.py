"""Which files are checked: those given by name, and the Python files below folders that no ignore file leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pathspec

from lint_sessions import disk

Problem = tuple[Path, str]


def discover(paths: Sequence[Path], *, root: Path, exclude: Sequence[str]) -> tuple[list[Path], list[Problem]]:
    """The files to check in sorted order, each once, and what could not be looked at with the reason in one line.

    A file given by name is checked whatever it is called. Of a folder, the files ending in .py are, except for those
    that `exclude` (patterns as in .gitignore, relative to `root`) or a .gitignore leaves out.
    """
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    walk = _Walk(os.path.abspath(root), exclude)
    for path in paths:
        if disk.is_dir(path):
            for file, real, problem in walk.below(path):
                if problem is None:
                    files.setdefault(real, file)
                else:
                    problems.append((file, problem))
        elif disk.is_file(path):
            files.setdefault(disk.realpath(path), path)
        else:
            problems.append((path, _why_not(path)))
    return sorted(files.values()), problems


def _why_not(path: Path) -> str:
    if path.is_symlink():
        return "a symbolic link that leads nowhere"
    return "is no regular file" if disk.exists(path) else "no such file or folder"


class _Patterns:
    """The lines of an ignore file. Paths are given to it relative to where it stands."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._all = pathspec.GitIgnoreSpec.from_lines(lines)
        written = [line for line in map(str.rstrip, lines) if line and not line.startswith("#")]
        self._negated = any(line.startswith("!") for line in written)
        # Most patterns are a name. As long as none takes another back, a look at the name does for those.
        self._names = {line for line in written if _is_name(line)}
        self._folders = {line[:-1] for line in written if line.endswith("/") and _is_name(line[:-1])}
        others = [line for line in written if not _is_name(line.removesuffix("/"))]
        self._others = self._all if self._negated else pathspec.GitIgnoreSpec.from_lines(others) if others else None

    def verdict(self, path: str, is_folder: bool) -> bool | None:
        """Whether they leave out a file or folder, of which no parent is left out; None: they say nothing of it."""
        if not self._negated:
            name = path.rpartition("/")[2]
            if name in self._names or (is_folder and name in self._folders):
                return True
        if self._others is None:
            return None
        return self._others.check_file(f"{path}/" if is_folder else path).include

    def verdict_on_all(self, folder: str) -> bool | None:
        """The same of all that is in a folder, be it because of one of its parents."""
        verdict = self._all.check_file(f"{folder}/").include if folder else None
        # What is left out here may be taken back for some of it.
        return False if verdict and self._negated else verdict


def _is_name(pattern: str) -> bool:
    return bool(pattern) and not any(sign in pattern for sign in "/*?[]!\\ #")


class _Walk:
    """What is known while folders are searched."""

    def __init__(self, root: str, exclude: Sequence[str]) -> None:
        self._root = root
        self._exclude = _Patterns(exclude)
        self._known: dict[str, tuple[tuple[str, _Patterns], ...] | None] = {}

    def below(self, top: Path) -> Iterator[tuple[Path, str, str | None]]:
        """The Python files below a folder, each with its real path; and what can't be looked at, with the reason."""
        absolute = os.path.abspath(top)
        if self._leaves_out_all(absolute):
            return
        pending = [(top, absolute, disk.realpath(top))]
        while pending:
            shown, folder, real = pending.pop()
            try:
                entries = disk.entries(folder)
            except OSError as error:
                yield shown, real, f"can't be listed: {error.strerror or error}"
                continue
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.name.endswith(".py"):
                    continue
                if self._leaves_out(folder, entry.path, is_folder):
                    continue
                path = f"{real.rstrip(os.sep)}{os.sep}{entry.name}"
                if is_folder:
                    pending.append((shown / entry.name, entry.path, path))
                # Not `entry.is_file()`, which raises an error where links lead in a circle.
                elif entry.is_file(follow_symlinks=False) or disk.is_file(Path(entry.path)):
                    yield shown / entry.name, disk.realpath(path) if entry.is_symlink() else path, None
                elif not disk.is_dir(Path(entry.path)):
                    yield shown / entry.name, path, _why_not(Path(entry.path))

    def _leaves_out(self, folder: str, path: str, is_folder: bool) -> bool:
        if self._exclude.verdict(_inside(path, self._root), is_folder):
            return True
        # The nearest .gitignore that has anything to say decides.
        for place, patterns in self._ignore_files(folder) or ():
            verdict = patterns.verdict(_inside(path, place), is_folder)
            if verdict is not None:
                return verdict
        return False

    def _leaves_out_all(self, folder: str) -> bool:
        if folder.startswith(self._root) and self._exclude.verdict_on_all(_inside(folder, self._root)):
            return True
        for place, patterns in self._ignore_files(folder) or ():
            verdict = patterns.verdict_on_all(_inside(folder, place))
            if verdict is not None:
                return verdict
        return False

    def _ignore_files(self, folder: str) -> tuple[tuple[str, _Patterns], ...] | None:
        """The ignore files that hold in a folder, nearest first, up to its repository's root; None outside of one."""
        if folder not in self._known:
            place = Path(folder)
            own = _ignore_file(folder, place / ".gitignore")
            if disk.exists(place / ".git"):
                self._known[folder] = (*own, *_ignore_file(folder, place / ".git" / "info" / "exclude"))
            elif place.parent == place or (above := self._ignore_files(str(place.parent))) is None:
                self._known[folder] = None
            else:
                self._known[folder] = (*own, *above)
        return self._known[folder]


def _inside(path: str, folder: str) -> str:
    """The path relative to a folder, with slashes; of one outside of it, its name."""
    if path == folder:
        return ""
    within = folder.rstrip(os.sep) + os.sep
    return (path[len(within) :] if path.startswith(within) else path.rpartition(os.sep)[2]).replace(os.sep, "/")


def _ignore_file(folder: str, path: Path) -> tuple[tuple[str, _Patterns], ...]:
    try:
        lines = disk.read_bytes(path).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return ((folder, _Patterns(lines)),)

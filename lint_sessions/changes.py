"""Which rows differ from a revision of git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class ChangesError(Exception):
    """What git could not tell, in one line."""


@dataclass(frozen=True)
class Changes:
    """The changed rows of each file; None for a file that git does not know."""

    rows: Mapping[str, frozenset[int] | None]

    def touch(self, finding: Finding) -> bool:
        """Whether a row of the finding, or of the path that proves it, was changed."""
        own = range(finding.start.row, finding.end.row + 1)
        return self._changed(finding.path, own) or any(
            self._changed(step.path or finding.path, range(step.position.row, step.position.row + 1))
            for step in finding.trace
        )

    def _changed(self, path: Path, rows: range) -> bool:
        changed = self.rows.get(os.path.realpath(path), frozenset())
        return changed is None or not changed.isdisjoint(rows)


def since(revision: str, folder: Path) -> Changes:
    """What the files of the repository around `folder` have that a revision has not. Raises ChangesError."""
    root = _git(folder, "rev-parse", "--show-toplevel").removesuffix("\n")
    try:
        commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()
    except ChangesError:
        raise ChangesError(f"git knows no such revision in {root}; a shallow clone has to fetch it first") from None
    diff = _git(
        Path(root), "-c", "core.quotePath=off", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv",
        "--no-relative", "--src-prefix=a/", "--dst-prefix=b/", commit, "--",
    )  # fmt: skip
    untracked = _git(Path(root), "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    rows: dict[str, frozenset[int] | None] = {**dict(_changed_rows(diff)), **{path: None for path in untracked if path}}
    return Changes({os.path.realpath(Path(root, path)): changed for path, changed in rows.items()})


def _changed_rows(diff: str) -> Iterator[tuple[str, frozenset[int]]]:
    """The rows of each file in a diff without context; where rows were deleted, those that stood beside them."""
    path, rows = "", set[int]()
    lines = iter(diff.split("\n"))
    for line in lines:
        if line.startswith("+++ "):
            if rows:
                yield path, frozenset(rows)
            path, rows = _unquoted(line.removeprefix("+++ ")).removeprefix("b/"), set()
        elif hunk := _HUNK.match(line):
            before, start, after = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
            rows |= set(range(start, start + after)) if after else {start, start + 1}
            # A changed row may look like the head of a file.
            for _ in range(before + after):
                next(lines, None)
    if rows:
        yield path, frozenset(rows)


def _unquoted(path: str) -> str:
    if not path.startswith('"'):
        return path.removesuffix("\t")
    return _ESCAPE.sub(
        lambda found: chr(int(found[1], 8)) if found[1].isdigit() else _LETTERS.get(found[1], found[1]), path[1:-1]
    )


def _git(folder: Path, *arguments: str) -> str:
    command = ("git", "-C", str(folder), *arguments)
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, env=environ, check=False)
    except OSError as error:
        raise ChangesError(
            f"git cannot be run: {error.strerror or error}; it has to be installed, and on the PATH"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise ChangesError(f"git says: {said[0].removeprefix('fatal: ')}")
    return done.stdout.decode("utf-8", "surrogateescape")

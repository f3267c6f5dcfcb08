"""The same `Finding` for people and for programs, in many formats; what they share is here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions import disk

if TYPE_CHECKING:
    from lint_sessions.finding import Finding, Safety
    from lint_sessions.source.document import Document

STDIN = Path("-")
"""The path of standard input when no name was given for it."""

FORMATS = (
    "text", "concise", "grouped", "json", "json-lines", "sarif", "github", "gitlab", "junit", "azure",
)  # fmt: skip


class Sources:
    """The text that findings speak of, read when first asked for; None where it cannot be read (any more)."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self._documents: dict[Path, Document | None] = {document.path: document for document in documents}
        self._lines: dict[Path, list[str]] = {}

    def document(self, path: Path) -> Document | None:
        if path not in self._documents:
            from lint_sessions.source.document import Document, SourceError

            try:
                self._documents[path] = Document.read(path)
            except SourceError:
                self._documents[path] = None
        return self._documents[path]

    def line(self, path: Path, row: int) -> str | None:
        if path not in self._lines:
            # Not splitlines(), which also splits at form feeds and other characters that are no line ends to Python.
            self._lines[path] = re.split(r"\r\n|\r|\n", self._text(path))
        lines = self._lines[path]
        return lines[row - 1] if 0 < row <= len(lines) else None

    def _text(self, path: Path) -> str:
        """The text alone, which a document is too slow to import for."""
        from lint_sessions.source.text import SourceError, decoded, read

        if path in self._documents:
            document = self._documents[path]
            return document.text if document else ""
        try:
            return decoded(read(path))[0]
        except SourceError:
            return ""


def shown_path(path: Path) -> str:
    """The path as a person in the current folder would write it."""
    if path == STDIN:
        return str(path)
    absolute, here = os.path.abspath(path), os.path.abspath(os.curdir)
    inside = absolute.startswith(here.rstrip(os.sep) + os.sep)
    return os.path.relpath(absolute, here) if inside else absolute


def file_name(path: Path) -> str:
    """The path for a program, which may read it in another folder."""
    return str(path) if path == STDIN else os.path.abspath(path)


def source_root(roots: Iterable[Path]) -> Path:
    """What paths in reports for other programs are relative to: the repository around these folders, else theirs."""
    try:
        common = Path(os.path.commonpath([os.path.abspath(root) for root in roots]))
    except ValueError:
        # There are none, or they lie on different drives.
        common = Path.cwd()
    return next((folder for folder in (common, *common.parents) if disk.exists(folder / ".git")), common)


def path_from(root: Path, path: Path) -> str | None:
    """The path from a folder on, with slashes; None for what does not lie in it."""
    if path == STDIN:
        return str(path)
    try:
        return Path(os.path.abspath(path)).relative_to(root).as_posix()
    except ValueError:
        return None


def count_fixable(findings: Iterable[Finding], safety: Safety) -> int:
    return sum(1 for finding in findings if finding.fix and finding.fix.safety is safety)

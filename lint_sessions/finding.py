"""What is found: a misuse at one place, the path that proves it, and the fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

INVALID_SYNTAX: Final = ("LS000", "invalid-syntax")
UNUSED_SUPPRESSION: Final = ("LS001", "unused-suppression")
"""Codes and names of the findings that no rule makes."""


class Safety(Enum):
    """Whether a fix keeps the meaning of every correct run."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file: row and column, both from 1, the column in characters."""

    row: int
    column: int


@dataclass(frozen=True)
class Edit:
    """Replace the characters `start` to `end` (offsets into the document's text) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """A change that ends the misuse; its edits do not overlap."""

    title: str
    safety: Safety
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Note:
    """One step of the path that proves a finding; `path` is None in the finding's own file."""

    position: Position
    message: str
    path: Path | None = None


@dataclass(frozen=True)
class Finding:
    """One misuse at one place, with the path on which its harm happens."""

    path: Path
    start: Position
    end: Position
    code: str
    name: str
    message: str
    trace: tuple[Note, ...] = ()
    fix: Fix | None = field(default=None, compare=False)
    rows: range | None = field(default=None, compare=False)
    """Where a comment silences it; None for its first row alone."""

    @property
    def order(self) -> tuple[str, Position, str]:
        return (str(self.path), self.start, self.code)

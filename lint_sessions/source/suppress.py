"""`noqa` comments: which findings they silence, by code, prefix or name, with room for a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lint_sessions.source.cut import COMMENT, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lint_sessions.rule import Finding
    from lint_sessions.source.document import Document

_NOQA = re.compile(
    r"#\s*noqa(?::\s*(?P<names>[A-Za-z][\w-]*(?:(?:\s*,\s*|\s+(?=[A-Z]+\d+\b))[A-Za-z][\w-]*)*))?(?![\w:])", re.I
)
_FILE = re.compile(
    r"#\s*lint-sessions:\s*noqa(?::\s*(?P<names>[A-Za-z][\w-]*(?:\s*,\s*[A-Za-z][\w-]*)*))?\s*(?![\w:])", re.I
)


@dataclass(frozen=True)
class Suppressions:
    """The comments of one document: by row what they name; None stands for everything."""

    rows: Mapping[int, frozenset[str] | None]
    file: tuple[frozenset[str] | None, ...]

    @classmethod
    def of(cls, document: Document) -> Suppressions:
        """The suppressions of a document; its text is looked into only where the word stands in it."""
        text = document.text
        rows: dict[int, frozenset[str] | None] = {}
        file: list[frozenset[str] | None] = []
        if "noqa" not in text.lower():
            return cls(rows, ())
        for start, end in _comments(text):
            comment = text[start:end]
            row = document.row(start)
            alone = not text[document.offset_of_row(row) : start].strip()
            if alone and (match := _FILE.match(comment)):
                file.append(_names(match))
            elif match := _NOQA.search(comment):
                rows[row] = _names(match)
        return cls(rows, tuple(file))

    def hides(self, finding: Finding, rows: range) -> bool:
        """Whether a comment on any of the rows of the finding's statement, or on the file, silences it."""
        named = [self.rows[row] for row in rows if row in self.rows]
        return any(names is None or _matches(names, finding) for names in (*named, *self.file))


def _comments(text: str) -> list[tuple[int, int]]:
    """The first character and the end of every comment in which `noqa` stands; none of those in strings."""
    found: list[tuple[int, int]] = []
    for kind, start, end in tokens(text, 0, len(text)):
        # A line end takes the blank and comment lines after it along.
        if kind == COMMENT:
            found.append((start, end))
        else:
            found += [(start + m.start(), start + m.end()) for m in re.finditer(r"#[^\r\n]*", text[start:end])]
    return [(start, end) for start, end in found if "noqa" in text[start:end].lower()]


def _names(match: re.Match[str]) -> frozenset[str] | None:
    names = match["names"]
    return None if names is None else frozenset(re.split(r"[\s,]+", names.lower()))


def _matches(names: frozenset[str], finding: Finding) -> bool:
    code, name = finding.code.lower(), finding.name.lower()
    return any(word == name or (re.fullmatch(r"ls\d*", word) and code.startswith(word)) for word in names)

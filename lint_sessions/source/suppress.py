"""`noqa` comments: which findings they silence, by code, prefix or name, with room for a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lint_sessions.source.cut import COMMENT, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lint_sessions.finding import Finding
    from lint_sessions.source.document import Document

_NOQA = re.compile(
    r"#\s*noqa(?::\s*(?P<names>[A-Za-z][\w-]*(?:(?:\s*,\s*|\s+(?=[A-Z]+\d+\b))[A-Za-z][\w-]*)*))?(?![\w:])", re.I
)
_FILE = re.compile(
    r"#\s*lint-sessions:\s*noqa(?::\s*(?P<names>[A-Za-z][\w-]*(?:\s*,\s*[A-Za-z][\w-]*)*))?\s*(?![\w:])", re.I
)


@dataclass(frozen=True)
class Suppression:
    """One comment: the offsets of its `#`, of its names and of their end, and what it names; None for everything."""

    row: int
    start: int
    names_start: int
    end: int
    names: tuple[str, ...] | None
    whole_file: bool

    @classmethod
    def of(cls, match: re.Match[str], row: int, at: int, *, whole_file: bool) -> Suppression:
        names = None if match["names"] is None else tuple(re.split(r"[\s,]+", match["names"]))
        first = at + (match.start("names") if names else match.end())
        return cls(row, at + match.start(), first, at + match.end(), names, whole_file)

    def covers(self, rows: range) -> bool:
        return self.whole_file or self.row in rows

    def hides(self, finding: Finding) -> bool:
        return self.names is None or any(_matches(name, finding.code, finding.name) for name in self.names)


@dataclass(frozen=True)
class Suppressions:
    """The comments of one document."""

    all: tuple[Suppression, ...]

    @classmethod
    def of(cls, document: Document) -> Suppressions:
        """The suppressions of a document; its text is looked into only where the word stands in it."""
        text = document.text
        found: list[Suppression] = []
        if "noqa" not in text.lower():
            return cls(())
        for start, end in _comments(text):
            comment = text[start:end]
            row = document.row(start)
            alone = not text[document.offset_of_row(row) : start].strip()
            if alone and (match := _FILE.match(comment)):
                found.append(Suppression.of(match, row, start, whole_file=True))
            elif match := _NOQA.search(comment):
                found.append(Suppression.of(match, row, start, whole_file=False))
        return cls(tuple(found))

    def hides(self, finding: Finding, rows: range) -> bool:
        """Whether a comment on any of the rows of the finding's statement, or on the file, silences it."""
        return any(comment.covers(rows) and comment.hides(finding) for comment in self.all)

    def names(self, rule: Named, row: int) -> bool:
        """Whether a comment on a row, or on the file, names the very rule."""
        words = frozenset(word.lower() for word in rule)
        return any(
            comment.covers(range(row, row + 1)) and words.intersection(map(str.lower, comment.names or ()))
            for comment in self.all
        )

    def unused(self, found: Sequence[tuple[Finding, range]], rules: Rules) -> Iterator[Unused]:
        """The comments, or names in them, that silence none of the findings.

        A name of a rule that did not run may be needed, a plain `noqa` may be another linter's, and so is every name
        that is none of ours.
        """
        for comment in self.all:
            hidden = [finding for finding, rows in found if comment.covers(rows)]
            if comment.names is None:
                if comment.whole_file and not hidden and not rules.others:
                    yield Unused(comment, ())
                continue
            used = [(finding.code, finding.name) for finding in hidden]
            idle = tuple(
                name for name in comment.names if rules.decide(name) and not any(_matches(name, *rule) for rule in used)
            )
            if idle:
                yield Unused(comment, idle)


Named = tuple[str, str]
"""The code and name of a rule."""


@dataclass(frozen=True)
class Rules:
    """The rules that ran on a file, and all others of ours."""

    ran: frozenset[Named]
    others: frozenset[Named]

    def decide(self, word: str) -> bool:
        """Whether what ran can tell if a word is needed: it means rules that ran, or is a code that no rule has."""
        if any(_matches(word, *rule) for rule in self.others):
            return False
        return re.fullmatch(r"ls\d*", word.lower()) is not None or any(_matches(word, *rule) for rule in self.ran)


@dataclass(frozen=True)
class Unused:
    """A comment that silences nothing, or some of whose names do not."""

    comment: Suppression
    names: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.names) == len(self.comment.names or ())

    def removal(self, text: str) -> tuple[int, int, str]:
        """What to replace, from where to where, and by what."""
        comment = self.comment
        if not self.is_whole:
            rest = [name for name in comment.names or () if name not in self.names]
            return comment.names_start, comment.end, ", ".join(rest)
        line_end = re.compile(r"\r?\n|\r|\Z").search(text, comment.end)
        stop = line_end.start() if line_end else len(text)
        # A reason belongs to the comment; another comment after it does not.
        other = re.compile(r"(?<=\s)#(?=\s*[A-Za-z])").search(text, comment.end, stop)
        if other is not None:
            return comment.start, other.start(), ""
        line = max(text.rfind("\n", 0, comment.start), text.rfind("\r", 0, comment.start)) + 1
        before = text[line : comment.start]
        if before.strip():
            return line + len(before.rstrip()), stop, ""
        return line, line_end.end() if line_end else stop, ""


def silenced(document: Document, findings: Iterable[Finding]) -> tuple[Document, list[Finding]]:
    """The document with a comment for each finding, and the findings for which there is no place for one."""
    left = []
    for finding in findings:
        changed = next(_with_comment(document, finding), None)
        document = changed or document
        if changed is None:
            left.append(finding)
    return document, left


def _with_comment(document: Document, finding: Finding) -> Iterator[Document]:
    """The document with a comment in each of the places that silence a finding, the best first."""
    rows = finding.rows or range(finding.start.row, finding.start.row + 1)
    for text in _commented(document, finding, rows):
        changed = document.with_text(text)
        # A row may end within a string, where a comment is none.
        if Suppressions.of(changed).hides(finding, rows):
            yield changed


def _commented(document: Document, finding: Finding, rows: range) -> Iterator[str]:
    text = document.text
    for comment in Suppressions.of(document).all:
        if comment.names and not comment.whole_file and comment.row in rows:
            yield f"{text[: comment.end]}, {finding.code}{text[comment.end :]}"
    for row in sorted(rows, key=lambda row: (row < finding.start.row, row)):
        start = document.offset_of_row(row)
        line = text[start:].split("\n", 1)[0].split("\r", 1)[0]
        code = line.rstrip()
        if not code.endswith("\\"):
            yield f"{text[: start + len(code)]}  # noqa: {finding.code}{text[start + len(line) :]}"


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


def _matches(word: str, code: str, name: str) -> bool:
    word = word.lower()
    return word == name or (re.fullmatch(r"ls\d*", word) is not None and code.lower().startswith(word))

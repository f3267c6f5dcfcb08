"""What LibCST has to say of a text that is no Python, in a few words and at the right place."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from lint_sessions.source.cut import NEWLINE, STRING, format_string_end


class SyntaxProblem(Exception):
    """Text that LibCST can't parse: `row` and `column` from 1, the column in characters, `message` in one line."""

    def __init__(self, row: int, column: int, message: str) -> None:
        super().__init__(f"{row}:{column}: {message}")
        self.row = row
        self.column = column
        self.message = message


def problem_at(text: str, offset: int, message: str) -> SyntaxProblem:
    """The problem at an offset of `text`."""
    starts = [0, *(match.end() for match in re.finditer(NEWLINE, text[:offset]))]
    return SyntaxProblem(len(starts), offset - starts[-1] + 1, message)


def explain(text: str, message: str) -> SyntaxProblem:
    """What LibCST's message about `text` means, at the word that is wrong."""
    known = _PARSER_ERROR.match(message)
    if known is None:
        return _untokenizable(text, message)
    starts = [0, *(match.end() for match in re.finditer(NEWLINE, text))]
    after = min(starts[min(int(known[1]), len(starts)) - 1] + int(known[2]), len(text))
    return _unexpected(text, after, known[3].split(", "))


_PARSER_ERROR = re.compile(r"parser error: error at (\d+):(\d+): expected (?:one of )?(.*)", re.DOTALL)
_LEXEME = re.compile(
    rf"[ \t\f]+|\\{NEWLINE}|\#[^\r\n]*|({NEWLINE})|([(\[{{])|([)\]}}])|((?=[\"'])(?:{STRING}))"
    r"|(\w+|\*\*|//|[^\w\s]=?|.)",
    re.DOTALL,
)


@dataclass
class _Reading:
    """What a text consists of up to some place."""

    open: list[int] = field(default_factory=list)
    """Where the brackets stand that are open there."""
    last: tuple[int, int] = (0, 0)
    """The start and end of the last word, string or sign."""
    stray: int | None = None
    """The first quote that begins no whole string."""
    lines: list[int] = field(default_factory=list)
    """Where the logical lines end, past their line ends."""


def _read(text: str, end: int) -> _Reading:
    reading = _Reading()
    start = 0
    while start < end:
        for match in _LEXEME.finditer(text, start, end):
            start = match.end()
            kind = match.lastindex
            if kind is None:
                continue
            if kind == 1:
                if not reading.open:
                    reading.lines.append(start)
                continue
            if kind == 2:
                reading.open.append(match.start())
            elif kind == 3 and reading.open:
                reading.open.pop()
            elif kind == 4 and match[5] is not None:
                start = min(format_string_end(text, match.start(), end), end)
                reading.last = match.start(), start
                break
            elif kind == 6 and match[0] in ("'", '"') and reading.stray is None:
                reading.stray = match.start()
            reading.last = match.span()
    return reading


def _unexpected(text: str, after: int, expected: list[str]) -> SyntaxProblem:
    """What stands where none of `expected` does: LibCST tells the place of what comes `after` that."""
    hint = f", expected {' or '.join(expected)}" if len(expected) <= 3 else ""
    reading = _read(text, after)
    start, end = reading.last
    if expected == ["INDENT"]:
        return problem_at(text, start, "invalid syntax, expected an indented block")
    if reading.open and not text[after:].strip():
        opening = reading.open[-1]
        return problem_at(text, opening, f"`{text[opening]}` is never closed")
    if not text[:after].strip() or (reading.lines and end <= reading.lines[-1]):
        if "pass" in expected:
            return problem_at(text, after, "unexpected indentation")
        return problem_at(text, end, f"invalid syntax at the end of the line{hint}")
    word = text[start:end]
    there = f" at `{word}`" if len(word) <= 20 and word.isprintable() else ""
    return problem_at(text, start, f"invalid syntax{there}{hint}")


def _untokenizable(text: str, message: str) -> SyntaxProblem:
    """What LibCST can't cut into words; it does not tell where, so that beginnings of the text are tried."""
    import libcst as cst

    def fails(end: int) -> bool:
        try:
            # Where all words can be told, the parser ends at once.
            cst.parse_module("1 1\n" + text[:end])
        except cst.ParserSyntaxError as error:
            return not _PARSER_ERROR.match(error.message)
        return False

    lines = [*_read(text, len(text)).lines, len(text)]
    index = min(bisect_left(lines, True, key=fails), len(lines) - 1)
    start, end = lines[index - 1] if index else 0, lines[index]
    reason = message.removeprefix("tokenizer error: ")
    place = start + len(text[start:end]) - len(text[start:end].lstrip())
    if named := re.match(r"(?:unmatched )?'(.)'", reason):
        place = max(place, text.find(named[1], start, end))
    elif "unterminated" in reason:
        place = max(place, _read(text, end).stray or 0)
    return problem_at(text, place, " ".join(reason.split()))

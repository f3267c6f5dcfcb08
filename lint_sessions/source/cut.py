"""Cut Python text into statements by looking only at its strings, brackets, comments and line ends, not parsing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Kind = Literal["function", "class", "statement"]

NEWLINE: Final = r"(?:\r\n?|\n)"
"""What Python and LibCST take for the end of a line; a form feed is white space."""


# What a match of `token_pattern` found, by its last group; all else that it passes over has no group. Plain numbers,
# since this is compared once a token.
LINE_END: Final = 1
"""The end of a line, and with it all blank and comment lines that follow."""
START: Final = 2
"""The same, and what follows is a line at the indentation asked for."""
LAST: Final = 3
"""The same, and what follows is the end of the text."""
OPEN: Final = 4
CLOSE: Final = 5
FORMAT: Final = 6
"""The quote that opens an f-string or t-string too intricate for a regular expression."""
COMMENT: Final = 7
COLON: Final = 8
"""Only where asked for."""


class Piece(NamedTuple):
    """One statement: offsets of its first character (of its first decorator) and past its last line."""

    start: int
    end: int
    head: int
    """Where the statement begins when its decorators are left out."""
    kind: Kind
    name: str | None


# An f-string's replacement field that holds no backslash, no comment and at most one level of braces, `others` being
# the strings that may stand in it. Braces in those strings are left to the slow way, so that the braces always add up.
def _field(plain: str, others: str) -> str:
    return rf"\{{(?!\{{){plain}*(?:(?:{others}|\{{{plain}*\}}){plain}*)*\}}"


_ESCAPE = r"\\(?:N\{[\w -]*\}|\r\n|[^{]|(?=\{))"
_SINGLE = r"'[^'{}\"\\\r\n]*'"
_DOUBLE = r'"[^"{}\'\\\r\n]*"'


def _format_string(quote: str) -> str:
    other = _DOUBLE if quote[0] == "'" else _SINGLE
    if len(quote) == 1:
        field = _field(r"[^{}\"'#\\\r\n]", other)
        return (
            rf"{quote}(?!{quote}{quote})[^{quote}\\{{\r\n]*(?:(?:{_ESCAPE}|\{{\{{|{field})[^{quote}\\{{\r\n]*)*{quote}"
        )
    field = _field(r"[^{}\"'#\\]", f"{_SINGLE}|{_DOUBLE}")
    inner = rf"{_ESCAPE}|\{{\{{|{field}|{quote[0]}(?!{quote[:2]})"
    return rf"{quote}[^{quote[0]}\\{{]*(?:(?:{inner})[^{quote[0]}\\{{]*)*{quote}"


def _plain_string(quote: str) -> str:
    if len(quote) == 1:
        return rf"{quote}(?!{quote}{quote})[^{quote}\\\r\n]*(?:\\(?:\r\n|.)[^{quote}\\\r\n]*)*{quote}"
    return rf"{quote}[^{quote[0]}\\]*(?:(?:\\.|{quote[0]}(?!{quote[:2]}))[^{quote[0]}\\]*)*{quote}"


_QUOTES = ('"""', "'''", '"', "'")
_PLAIN = f"(?:{'|'.join(map(_plain_string, _QUOTES))})"
_FORMAT = f"(?:{'|'.join(map(_format_string, _QUOTES))})"
# A letter before a quote makes a prefix only where no longer word ends in it: `if"a"` has none.
_FORMAT_PREFIX = r"(?:(?<=(?<!\w)[fFtT])|(?<=(?<!\w)[fFtT][rR])|(?<=(?<!\w)[rR][fFtT]))"
STRING: Final = rf"(?<![fFtTrR]){_PLAIN}|{_FORMAT_PREFIX}(?:{_FORMAT}|([\"']))|{_PLAIN}"
"""A string from its first quote to its last; its group is the quote of those that `format_string_end` has to follow."""
PAIR = r"\([^()\[\]{}'\"#\\]*\)|\[[^()\[\]{}'\"#\\]*\]|\{[^()\[\]{}'\"#\\]*\}"


@lru_cache(maxsize=64)
def token_pattern(indent: str = "", colon: bool = False) -> re.Pattern[str]:
    """The pattern whose matches, one after the other, walk over a text; `m.lastindex` says what was found."""
    comment = r"\#[^\r\n]*"
    blank_lines = rf"({NEWLINE}(?:[ \t\f]*(?:{comment})?{NEWLINE})*)"
    start = rf"(?:[ \t\f]*\f)?{re.escape(indent)}(?=[^ \t\f\r\n\#])()"
    last = rf"[ \t\f]*(?:{comment})?\Z()"
    line_end = rf"{blank_lines}(?:{start}|{last})?"
    stop = r":" if colon else ""
    alternatives = (
        line_end,
        PAIR,
        r"([(\[{])",
        r"([)\]}])",
        STRING,
        rf"({comment})",
        rf"\\{NEWLINE}",
        *(["(:)"] if colon else []),
        # A quote that closes nowhere, a stray backslash, the end of the text.
        r".|\Z",
    )
    return re.compile(rf"[^'\"#()\[\]{{}}\\\r\n{stop}]*(?:{'|'.join(alternatives)})", re.DOTALL)


def tokens(text: str, start: int, end: int, indent: str = "", *, colon: bool = False) -> Iterator[tuple[int, int, int]]:
    """Walk over `text` from `start` to `end`: the kind, the first character and the end of each token that has a kind.

    `start` must not lie in a string or comment. Line ends and colons in brackets are given as well.
    """
    finditer = token_pattern(indent, colon).finditer
    while start < end:
        for match in finditer(text, start, end):
            kind = match.lastindex
            if kind is None:
                continue
            if kind == FORMAT:
                start = format_string_end(text, match.start(FORMAT), end)
                break
            first, past = match.span(kind if kind > LAST else LINE_END)
            yield kind, first, past if kind > LAST else match.end()
        else:
            return


_LEADING = re.compile(rf"(?:[ \t\f]*(?:\#[^\r\n]*)?{NEWLINE})*")
_INDENT = re.compile(r"(?:[ \t\f]*\f)?([ \t]*)(?=[^ \t\f\r\n\#])")
_GAP = rf"(?:[ \t\f]|\\{NEWLINE})"
_GAPS = re.compile(f"{_GAP}*")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_HEAD = re.compile(rf"(@)|((?:elif|else|except|finally)\b)|(?:(?:async{_GAP}+)?(def){_GAP}+|(class){_GAP}+)(\w+)")


def _end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    match = pattern.match(text, start, end)
    return match.end() if match else start


def cut(text: str, start: int = 0, end: int | None = None, indent: str = "") -> list[Piece]:
    """The statements of one body, in order: the lines between `start` and `end` that begin at `indent`, and all below.

    `start` is the beginning of a line, or of the first statement. A compound statement comes with its clauses and
    decorators; simple statements parted by `;` are one. Comments and blank lines between statements belong to none.
    Text that is no Python is cut somehow, never refused.
    """
    end = len(text) if end is None else end
    pieces: list[Piece] = []
    decorators: int | None = None
    for begin, past in _lines(text, start, end, indent):
        if text[begin] == "\\":
            # A line continued before there is anything on it.
            begin = _end(_GAPS, text, begin, past)
            if begin == past or text[begin] in "\r\n#\\":
                continue
        match = _HEAD.match(text, begin, past)
        kind = match.lastindex if match else None
        if kind == 1:
            decorators = begin if decorators is None else decorators
        elif kind == 2 and pieces and decorators is None:
            pieces[-1] = pieces[-1]._replace(end=past)
        else:
            name = match[5] if match and kind == 5 else None
            what: Kind = "statement" if name is None else "function" if match and match[3] else "class"
            pieces.append(Piece(begin if decorators is None else decorators, past, begin, what, name))
            decorators = None
    if decorators is not None:
        pieces.append(Piece(decorators, past, decorators, "statement", None))
    return pieces


def _lines(text: str, start: int, end: int, indent: str) -> Iterator[tuple[int, int]]:
    """Of each logical line at `indent`, and what is indented below it, the first character and the end."""
    begin = _end(_INDENT, text, _end(_LEADING, text, start, end), end)
    if begin >= end or text[begin] in " \t\f\r\n#":
        return
    depth = 0
    last = end
    for kind, first, past in tokens(text, begin, end, indent):
        if kind == START:
            if not depth:
                yield begin, _without_blanks(text, begin, first)
                begin = past
        elif kind == OPEN:
            depth += 1
        elif kind == CLOSE:
            depth -= depth > 0
        elif kind == LAST:
            last = first
    yield begin, _without_blanks(text, begin, last)


def _without_blanks(text: str, start: int, end: int) -> int:
    # A line that is continued may end in blank lines.
    while end > start + 1 and text[end - 1] in " \t\f\r\n\\":
        end -= 1
    return end


def cut_class(text: str, piece: Piece) -> tuple[str, list[Piece]]:
    """The indentation of a class body, and its statements; of a body on the row of the colon, the former is empty."""
    depth = 0
    past = piece.end
    for kind, _, past in tokens(text, piece.head, piece.end, colon=True):  # noqa: B007
        if kind == OPEN:
            depth += 1
        elif kind == CLOSE:
            depth -= depth > 0
        elif kind == COLON and not depth:
            break
    else:
        return "", []
    start = _end(_GAPS, text, past, piece.end)
    if start < piece.end and text[start] not in "\r\n#":
        return "", [Piece(start, piece.end, start, "statement", None)]
    body = _end(_LEADING, text, start, piece.end)
    match = _INDENT.match(text, body, piece.end)
    return (match[1], cut(text, body, piece.end, match[1])) if match else ("", [])


_LITERAL_PART = re.compile(rf"{_ESCAPE}|\{{\{{|[{{\r\n\"'}}]", re.DOTALL)
_FIELD_PART = re.compile(rf"[^'\"#()\[\]{{}}:]*(?:{PAIR}|([(\[{{])|([)\]}}])|{STRING}|\#[^\r\n]*|(:)|.|\Z)", re.DOTALL)


_MAX_NESTED = 150  # as in CPython


def format_string_end(text: str, start: int, end: int, nested: int = 0) -> int:
    """Where the f-string or t-string that opens at `start` ends; of one without an end, its first line."""
    if nested > _MAX_NESTED:
        return start + 1
    quote = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    place = start + len(quote)
    # One entry for each part around `place`: None for text, else how many brackets are open in the replacement field.
    around: list[int | None] = [None]
    while place < end:
        depth = around[-1]
        if depth is None:
            match = _LITERAL_PART.search(text, place, end)
            if match is None:
                break
            place = match.end()
            found = match[0]
            if found == "{" or (found == "{{" and len(around) > 1):
                place = match.start() + 1
                around.append(0)
            elif found == "}" and len(around) > 1:
                del around[-2:]
            elif text.startswith(quote, match.start()) and found in "'\"":
                return match.start() + len(quote)
            elif found in "\r\n" and len(quote) == 1 and len(around) == 1:
                break
        else:
            match = _FIELD_PART.match(text, place, end)
            if match is None:
                break
            place = match.end()
            match match.lastindex:
                case 1:
                    around[-1] = depth + 1
                case 2 if depth:
                    around[-1] = depth - 1
                case 2:
                    around.pop()
                case 3:
                    place = format_string_end(text, match.start(3), end, nested + 1)
                case 4 if not depth:
                    around.append(None)
                case _:
                    pass
    return _end(_REST_OF_LINE, text, start, end)

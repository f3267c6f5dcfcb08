"""Text to a LibCST tree, or the place where it is no Python; never a crash, however deep the text is nested."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from lint_sessions.source.cut import NEWLINE, STRING, cut, format_string_end
from lint_sessions.source.problem import SyntaxProblem, explain, problem_at

if TYPE_CHECKING:
    import libcst as cst

T = TypeVar("T")

MAX_BRACKETS: Final = 200
"""As in CPython."""
MAX_WEIGHT: Final = 3000
"""How deep a tree may get, about; LibCST takes seconds for this, and its time grows with the square."""
_EASY: Final = 100
"""What a stack of 1 MB, the smallest of a main thread, takes several times over."""
_STACK: Final = 64 << 20
"""Bytes for the stack of a thread that works on deep trees, of which it touches few; 16 MB would do for the limits."""


def parse(text: str) -> cst.Module:
    """The tree of `text`. Raises SyntaxProblem, with its place in `text`."""
    import libcst as cst

    weight, place = _weigh(text)
    if weight > MAX_WEIGHT:
        raise problem_at(text, place, "nested too deeply")
    parse_module: Callable[[str], cst.Module] = cst.parse_module if weight <= _EASY else _parse_with_room
    try:
        return parse_module(text)
    except cst.ParserSyntaxError as error:
        raise explain(text, error.message) from None
    except cst.CSTValidationError as error:
        # What the grammar lets pass, and the tree does not: '' b''. It has no place, save that of a statement.
        for piece in cut(text):
            try:
                parse_module(text[piece.start : piece.end])
            except cst.CSTValidationError:
                raise problem_at(text, piece.head, f"invalid syntax: {error}") from None
            except cst.ParserSyntaxError:
                continue
        raise problem_at(text, 0, f"invalid syntax: {error}") from None
    except RecursionError:
        raise SyntaxProblem(1, 1, "nested too deeply") from None


def _parse_with_room(text: str) -> cst.Module:
    import libcst as cst

    return with_room(lambda: cst.parse_module(text))


def with_room(work: Callable[[], T]) -> T:
    """What `work` returns or raises, run in a thread of its own that may recurse deep, and waited for."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(work())
        except BaseException as error:
            raised.append(error)

    limit = sys.getrecursionlimit()
    before = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=run)
        sys.setrecursionlimit(max(limit, 10 * MAX_WEIGHT))
        thread.start()
    finally:
        threading.stack_size(before)
    try:
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
    if raised:
        raise raised[0]
    return returned[0]


# --- how deep --------------------------------------------------------------------------------------------------------

_WORDS = r"(?:and|or|not|if|else|for|await|lambda)\b"
_OPERATOR = rf"[-+*/%@&|^~.]|{_WORDS}"
_WEIGHT = re.compile(
    rf"(?:[^-+*/%@&|^~.,;()\[\]{{}}\"'#\\\r\n\w]|(?!{_WORDS})\w+)*"
    rf"(?:({NEWLINE})|([-+*/%@&|^~.]|(?!lambda){_WORDS})|([(\[{{])|([)\]}}])|([,;])|(lambda)|((?=[\"'])(?:{STRING}))"
    rf"|\#[^\r\n]*|\\{NEWLINE}|.|\Z)",
    re.DOTALL,
)
_FORMAT_WEIGHT = re.compile(rf"(\{{)|(\}})|(?:{_OPERATOR}|lambda\b|[(\[])")
_IFS = re.compile(r"(?:^|(?<=[\r\n]))([ \t\f]*)(el)?if\b")


def _weigh(text: str) -> tuple[int, int]:
    """The most operators, brackets and strings that may stand inside each other in `text`, and where that is.

    Never less than there are, save for what indentation adds, which is a hundred levels at most; often more.
    """
    worst = place = 0
    total = 0
    # What each open bracket began with, and what has been added since the last comma in it.
    levels: list[tuple[int, int]] = []
    base = 0
    start = 0
    while start < len(text):
        for match in _WEIGHT.finditer(text, start):
            kind = match.lastindex
            if kind is None:
                continue
            if kind == 1:
                if not levels:
                    total = base = 0
                continue
            if kind == 5:
                total = base
                continue
            if kind == 2:
                total += 1
            elif kind == 3:
                total += 3
                levels.append((base, total))
                base = total
            elif kind == 4:
                if levels:
                    base, total = levels.pop()
            elif kind == 6:
                # The commas between its parameters end nothing.
                total += 1
                base += 1
            else:
                total += 1
                opening, end = match.span(7)
                if match[8] is not None:
                    end = format_string_end(text, opening, len(text))
                if text[opening - 1] in "fFtTrR":
                    worst, place = max((worst, place), (total + _weigh_format(text[opening:end]), opening))
                if match[8] is not None:
                    start = end
                    break
            if total > worst:
                worst, place = total, match.start(kind)
                if len(levels) > MAX_BRACKETS or total > MAX_WEIGHT:
                    return MAX_WEIGHT + 1, place
        else:
            break
    return max((worst, place), _weigh_ifs(text))


def _weigh_format(text: str) -> int:
    worst = depth = total = 0
    for match in _FORMAT_WEIGHT.finditer(text):
        if match[1]:
            depth += 1
        elif match[2]:
            depth -= depth > 0
            total = total if depth else 0
            continue
        if depth:
            total += 3
            worst = max(worst, total)
    return worst


def _weigh_ifs(text: str) -> tuple[int, int]:
    """The longest chain of `elif`, each of which stands in the `else` of the one before, and its last."""
    worst = place = 0
    chains: dict[str, int] = {}
    for match in _IFS.finditer(text):
        chains[match[1]] = length = chains.get(match[1], 0) + 1 if match[2] else 1
        if length > worst:
            worst, place = length, match.start(2)
    return worst, place

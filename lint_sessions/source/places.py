"""Where the nodes of one parsed text stand in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from lint_sessions.source.cut import NEWLINE
from lint_sessions.source.parse import with_room

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

T = TypeVar("T")

_WHITE = re.compile(r"[ \t\f\r\n\\]")


class Places:
    """The offsets of all nodes of `module` in `text`, from which it was parsed."""

    def __init__(self, module: cst.Module, text: str) -> None:
        self._text = text
        self._ranges = _with_room(lambda: _ranges(module))
        self._lost = [(0, 0)]
        self._starts = _starts(text)
        # LibCST does not keep all white space: not that before a form feed, nor some continued lines.
        # Nor does it tell so; but where a line is missing, the end comes early. It ends the last line if need be.
        rows = len(self._starts) + (not text.endswith(("\r", "\n")))
        if "\f" in text or self._ranges[module].end.line != rows:
            code = _with_room(lambda: module.code)
            self._lost = _lost(text, code)
            self._starts = _starts(code)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """The offsets of the first character of `node` and past its last. Raises KeyError for nodes of other trees."""
        place = self._ranges[node]
        return self._offset(place.start.line, place.start.column), self._offset(place.end.line, place.end.column)

    def _offset(self, row: int, column: int) -> int:
        if row > len(self._starts):
            return len(self._text)
        offset = self._starts[row - 1] + column
        lost = self._lost[bisect_right(self._lost, (offset, len(self._text))) - 1][1]
        return min(offset + lost, len(self._text))


def _ranges(module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
    from libcst.metadata import MetadataWrapper, PositionProvider

    # LibCST's parser uses no node twice, so that there is nothing a copy would part.
    return MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)


def _starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(NEWLINE, text))]


def _with_room(work: Callable[[], T]) -> T:
    try:
        return work()
    except RecursionError:
        return with_room(work)


def _lost(text: str, code: str) -> list[tuple[int, int]]:
    """From which offsets of `code` on how many characters of `text` are missing before: it lacks some white space."""
    lost = [(0, 0)]
    at = missing = 0
    while at + missing < len(text):
        same = _same(text, at + missing, code, at)
        at += same
        gap = _WHITE.match(text, at + missing)
        if gap is None:
            break
        missing += 1
        lost.append((at, missing))
    return lost


def _same(text: str, start: int, code: str, at: int) -> int:
    """How many characters are the same from two places on."""
    step = 1 << 16
    same = 0
    while step:
        if text[start + same : start + same + step] == code[at + same : at + same + step]:
            same += step
            if start + same >= len(text) or at + same >= len(code):
                return min(len(text) - start, len(code) - at)
        else:
            step //= 2
    return same

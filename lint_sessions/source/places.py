"""Where the nodes of one parsed text stand in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lint_sessions.source.cut import NEWLINE
from lint_sessions.source.parse import with_room

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

# White space that LibCST does not keep: what stands before a form feed in the indentation, and a line continued before
# anything stands on it. Its positions are those of the text without.
_LOST = re.compile(rf"[ \t\f]*\f|[ \t\f]*\\{NEWLINE}")


class Places:
    """The offsets of all nodes of `module` in `text`, from which it was parsed."""

    def __init__(self, module: cst.Module, text: str) -> None:
        self._text = text
        try:
            self._ranges = _ranges(module)
        except RecursionError:
            self._ranges = with_room(lambda: _ranges(module))
        self._code, self._lost = text, [(0, 0)]
        if _LOST.search(text):
            try:
                code = module.code
            except RecursionError:
                code = with_room(lambda: module.code)
            self._code, self._lost = code, _lost(text, code)
        self._starts = [0, *(match.end() for match in re.finditer(NEWLINE, self._code))]

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """The offsets of the first character of `node` and past its last. Raises KeyError for a node of another tree."""
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


def _lost(text: str, code: str) -> list[tuple[int, int]]:
    """From which offsets of `code` on how many characters of `text` are missing before."""
    lost = [(0, 0)]
    at = missing = 0
    for line in re.finditer(rf".*?(?:{NEWLINE}|\Z)", text, re.DOTALL):
        start, end = line.span()
        while start < end and not code.startswith(text[start:end], at) and (match := _LOST.match(text, start, end)):
            missing += match.end() - start
            lost.append((at, missing))
            start = match.end()
        at += end - start
    return lost

"""Text to a LibCST tree, or the place where it is no Python; never a crash, however deep the text is nested."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import libcst as cst

T = TypeVar("T")

MAX_BRACKETS: Final = 200
"""As in CPython."""
MAX_CHAIN: Final = 3000
"""How many operators may follow each other; LibCST takes seconds for more, its time growing with the square."""
_EASY: Final = 100
"""What a stack of 1 MB, the smallest of a main thread, takes several times over."""
_STACK: Final = 256 << 20
"""Bytes for the stack of a thread that parses deep text: reserved, not used. 16 MB are enough for the limits above."""


class SyntaxProblem(Exception):
    """Text that LibCST can't parse: `row` and `column` from 1, the column in characters, `message` in one line."""

    def __init__(self, row: int, column: int, message: str) -> None:
        super().__init__(f"{row}:{column}: {message}")
        self.row = row
        self.column = column
        self.message = message


def parse(text: str) -> cst.Module:
    """The tree of `text`. Raises SyntaxProblem, with its place in `text`."""
    import libcst as cst

    weight, place = _weight(text)
    if place is not None:
        raise SyntaxProblem(*_row_and_column(text, place), "nested too deeply")
    try:
        return cst.parse_module(text) if weight <= _EASY else with_room(lambda: cst.parse_module(text))
    except cst.ParserSyntaxError as error:
        row, column, message = _explain(text, error.message)
        raise SyntaxProblem(row, column, message) from None
    except RecursionError:
        raise SyntaxProblem(1, 1, "nested too deeply") from None


def with_room(work: Callable[[], T]) -> T:
    """What `work` returns or raises, run in a thread of its own whose stack is deep, and waited for."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(work())
        except BaseException as error:
            raised.append(error)

    before = threading.stack_size(_STACK)
    limit = sys.getrecursionlimit()
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    sys.setrecursionlimit(max(limit, 10 * MAX_CHAIN))
    try:
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
    if raised:
        raise raised[0]
    return returned[0]

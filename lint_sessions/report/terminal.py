"""What a terminal needs: colour or none, and lines measured in cells instead of characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

Look = Literal["strong", "faint", "code", "mark", "good", "bad"]

TAB = 4
_LOOKS: dict[Look, str] = {"strong": "1", "faint": "2", "code": "1;31", "mark": "36", "good": "32", "bad": "31"}
_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_NO_WIDTH = {"Mn", "Me", "Cf"}


@dataclass(frozen=True)
class Style:
    """Paints text where colour is wanted."""

    colour: bool = False

    def paint(self, text: str, look: Look) -> str:
        return f"\033[{_LOOKS[look]}m{text}\033[0m" if self.colour and text else text


def wants_colour(choice: str, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """`choice` is auto, always or never; `auto` honours NO_COLOR first, then FORCE_COLOR, then asks the stream."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


@dataclass(frozen=True)
class Excerpt:
    """One line as it is shown, and the cells of the part that is meant."""

    text: str
    start: int
    width: int


def excerpt(line: str, start: int, end: int, room: int) -> Excerpt:
    """Show `line` in about `room` cells; `start` and `end` are columns of characters, from 1."""
    shapes = _shapes(line)
    start = max(0, min(start - 1, len(shapes)))
    end = max(start, min(end - 1, len(shapes)))
    first, last = _window([width for _, width in shapes], start, end, room)
    before, after = "…" if first else "", "…" if last < len(shapes) else ""
    return Excerpt(
        before + "".join(text for text, _ in shapes[first:last]).rstrip() + after,
        len(before) + sum(width for _, width in shapes[first:start]),
        max(1, sum(width for _, width in shapes[start : min(end, last)])),
    )


def printable(text: str) -> str:
    """The text with nothing in it that moves the cursor or turns the writing direction."""
    if _is_plain(text):
        return text
    return "".join(shape for shape, _ in _shapes(text))


def cells(text: str) -> int:
    return len(text) if _is_plain(text) else sum(width for _, width in _shapes(text))


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _is_plain(text: str) -> bool:
    """Whether each character is shown as it is, in one cell: nearly always, and soon told."""
    return text.isascii() and text.isprintable()


def _shapes(line: str) -> list[tuple[str, int]]:
    """What is shown for each character, and how many cells it takes."""
    if _is_plain(line):
        return [(character, 1) for character in line]
    shapes: list[tuple[str, int]] = []
    at = 0
    for character in line:
        shape = _shape(character, at)
        shapes.append(shape)
        at += shape[1]
    return shapes


def _shape(character: str, at: int) -> tuple[str, int]:
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        width = TAB - at % TAB
        return " " * width, width
    category = unicodedata.category(character)
    if category == "Cc" or unicodedata.bidirectional(character) in _BIDI_CONTROLS:
        return "\N{REPLACEMENT CHARACTER}", 1
    if category in _NO_WIDTH:
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _window(widths: list[int], start: int, end: int, room: int) -> tuple[int, int]:
    """The characters to show so that `start` is seen, and as much before and after it as there is room for."""
    if sum(widths) <= room:
        return 0, len(widths)
    first = 0 if sum(widths[:end]) < room else max(0, start - room // 4)
    last, used = first, 0
    while last < len(widths) and used + widths[last] < room:
        used += widths[last]
        last += 1
    return first, last

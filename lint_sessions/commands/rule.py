"""`lint-sessions rule`: the pages of some rules."""

from __future__ import annotations

import difflib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lint_sessions.commands.arguments import complain
from lint_sessions.commands.colour import add_colour, style

if TYPE_CHECKING:
    from lint_sessions.pages import Page

FORMATS = ("text", "markdown", "json")


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "rules", metavar="RULE", nargs="+", help="a code, a name or a prefix: LS101, yield-without-finally, LS3"
    )
    parser.add_argument(
        "--output-format", choices=FORMATS, default="text", metavar="FORMAT", help="text, markdown or json"
    )
    add_colour(parser)


def run(asked: Namespace) -> int:
    """Print the pages; the exit status."""
    from lint_sessions.pages import pages

    found: dict[str, Page] = {}
    for word in asked.rules:
        meant = _meant(word, pages())
        if not meant:
            return complain(f"no rule is named {word}; {_hint(word, pages())}")
        found |= {page.code: page for page in meant}
    for line in _lines(list(found.values()), asked):
        print(line)
    sys.stdout.flush()
    return 0


def _meant(word: str, pages: Sequence[Page]) -> list[Page]:
    """The rule of this code or name, else those whose codes begin so."""
    named = [page for page in pages if word.lower() in (page.code.lower(), page.name)]
    return named or [page for page in pages if len(word) > 1 and page.code.startswith(word.upper())]


def _hint(word: str, pages: Sequence[Page]) -> str:
    close = difflib.get_close_matches(word, [name for page in pages for name in (page.code, page.name)], n=1)
    return f"did you mean {close[0]}?" if close else "`lint-sessions rules` lists all"


def _lines(pages: Sequence[Page], asked: Namespace) -> Iterator[str]:
    from lint_sessions.pages import markdown, record
    from lint_sessions.report import page as terminal

    if asked.output_format == "json":
        import json

        yield json.dumps([record(page) for page in pages], indent=2, ensure_ascii=False)
        return
    import shutil

    paint, width = style(asked), shutil.get_terminal_size((80, 24)).columns
    for number, page in enumerate(pages):
        if number:
            yield ""
        if asked.output_format == "markdown":
            yield markdown(page).rstrip("\n")
        else:
            yield from terminal.full(page, paint, width)

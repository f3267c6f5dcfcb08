"""`lint-sessions rules`: all rules, one a row."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from lint_sessions.commands.colour import add_colour, style


def add_options(parser: ArgumentParser) -> None:
    add_colour(parser)


def run(asked: Namespace) -> int:
    """Print the list; the exit status."""
    from lint_sessions.pages import pages

    paint = style(asked).paint
    found = pages()
    width = max(len(page.name) for page in found)
    for page in found:
        default = "on" if page.default else "opt-in"
        print(f"{paint(page.code, 'code')}  {page.name:{width}}  {default:6}  fix: {page.fix:6}  {page.summary}")
    sys.stdout.flush()
    return 0

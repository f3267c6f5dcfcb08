"""`lint-sessions rule`: the page of one rule."""

from __future__ import annotations

import difflib
import sys
from argparse import ArgumentParser, Namespace

from lint_sessions.commands.arguments import complain
from lint_sessions.commands.colour import add_colour, style


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("rule", metavar="RULE", help="a code or a name: LS101, yield-without-finally")
    add_colour(parser)


def run(asked: Namespace) -> int:
    """Print the page; the exit status."""
    from lint_sessions.pages import markdown, pages

    known = {word: page for page in pages() for word in (page.code, page.name)}
    if asked.rule not in known:
        prefixed = [word for word in known if word.startswith(asked.rule)]
        close = difflib.get_close_matches(asked.rule, known, n=1)
        if prefixed:
            hint = f"name one of {', '.join(prefixed)}"
        else:
            hint = f"did you mean {close[0]}?" if close else "`lint-sessions rules` lists all"
        return complain(f"no rule is named {asked.rule}; {hint}")
    paint = style(asked).paint
    for line in markdown(known[asked.rule]).splitlines():
        print(paint(line, "strong") if line.startswith("#") else line)
    sys.stdout.flush()
    return 0

"""`lint-sessions map`: a picture of how sessions flow through a project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from lint_sessions.commands.arguments import add_configuration

FORMATS: Final = ("html", "mermaid", "dot", "json")


def add_options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="files and folders (default: the current)")
    add_configuration(parser)
    add(
        "--output-format",
        choices=FORMATS,
        default="html",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: html, a page that needs no network)",
    )
    add("--output-file", "-o", metavar="FILE", help="write there (default: session-map.html for html)")
    add("--by", choices=("definition", "module"), metavar="WHAT", help="draw each definition, or each module")
    parser.epilog = "more than 80 definitions are drawn by module as mermaid and dot"
    parser.set_defaults(
        select=None, ignore=[], extend_select=[], force_exclude=False, exit_zero=True, verbose=False, quiet=False
    )


def run(asked: Namespace) -> int:
    """Find out, draw, write; the exit status."""
    from lint_sessions.drawing import draw

    return draw(asked)

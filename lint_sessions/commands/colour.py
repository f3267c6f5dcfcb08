"""The option that several commands have."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lint_sessions.report.terminal import Style


def add_colour(parser: ArgumentParser | _ArgumentGroup) -> None:
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="always, never or auto: on a terminal",
    )


def style(asked: Namespace) -> Style:
    """How to paint what goes to standard output."""
    from lint_sessions.report.terminal import Style, wants_colour

    return Style(wants_colour(asked.color, sys.stdout, os.environ))

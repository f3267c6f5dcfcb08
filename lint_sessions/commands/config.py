"""`lint-sessions config`: what is in force for a file, and where it is said."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.commands.arguments import add_configuration, complain
from lint_sessions.commands.colour import add_colour, style

if TYPE_CHECKING:
    from lint_sessions.inforce import InForce
    from lint_sessions.report.terminal import Style


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", default=".", metavar="FILE", help="a file or folder (default: the current)")
    add_configuration(parser)
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", metavar="FORMAT", help="text or json"
    )
    add_colour(parser)


def run(asked: Namespace) -> int:
    """Print it; the exit status."""
    from lint_sessions.config import ConfigError, Configs
    from lint_sessions.inforce import in_force

    path = Path(asked.file)
    if not path.exists():
        return complain(f"{path}: no such file or folder; name one that is there")
    try:
        found = in_force(path, Configs(isolated=asked.isolated, file=asked.config))
    except ConfigError as error:
        return complain(str(error))
    if asked.output_format == "json":
        print(found.record())
    else:
        print(*_text(found, style(asked)), sep="\n")
    sys.stdout.flush()
    return 0


def _text(found: InForce, paint: Style) -> Iterator[str]:
    from lint_sessions.report import shown_path

    excluded = ", which the patterns of exclude leave out unless it is named" if found.excluded else ""
    yield f"# {shown_path(found.path)}{excluded}"
    yield f"# configuration: {shown_path(found.config.file) if found.config.file else 'none'}"
    yield f"# root: {found.config.root}"
    for setting in found.settings:
        where = ", ".join(f"{shown_path(file)}:{row}" for file, row in setting.places) or "default"
        yield f"{setting.text}  {paint.paint(f'# {where}', 'faint')}"
    off = [rule for rule in found.rules if rule.why]
    yield ""
    yield f"{len(found.rules) - len(off)} rules run:"
    yield from (f"  {paint.paint(rule.code, 'code')} {rule.name}" for rule in found.rules if not rule.why)
    if off:
        width = max(len(rule.name) for rule in off)
        yield f"{len(off)} do not:"
        yield from (f"  {paint.paint(rule.code, 'code')} {rule.name:{width}}  {rule.why}" for rule in off)

"""The command. Everything heavy is imported where it is needed, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from lint_sessions import __version__
from lint_sessions.commands import COMMANDS, USAGE
from lint_sessions.commands.arguments import Parser, complain, unknown_command

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    try:
        parser, commands = parsers(argv)
        if not argv:
            parser.print_help(sys.stderr)
            return USAGE
        if problem := unknown_command(argv):
            return complain(problem)
        asked, unknown = parser.parse_known_args(argv)
        if unknown:
            commands[asked.command].refuse(unknown)
        run: Callable[[Namespace], int] = asked.run
        return run(asked)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on; without this, Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parsers(wanted: Sequence[str]) -> tuple[Parser, Mapping[str, Parser]]:
    """The parser, and that of each command by its name; only the commands that are wanted know their options."""
    parser = Parser(
        prog="lint-sessions",
        usage="%(prog)s COMMAND [OPTIONS] ...",
        description="Find misuse of SQLAlchemy and SQLModel sessions.",
        epilog="`lint-sessions COMMAND --help` tells what a command takes.",
    )
    parser.add_argument("--version", action="version", version=f"lint-sessions {__version__}", help="show the version")
    parser.add_argument("-h", "--help", action="help", help="show this")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command", prog="lint-sessions"
    )
    for name, says in COMMANDS.items():
        command = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        if name in wanted:
            module = import_module(f"lint_sessions.commands.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser, commands.choices

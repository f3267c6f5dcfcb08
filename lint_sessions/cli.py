"""The command. Everything heavy is imported where it is needed, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from lint_sessions import __version__
from lint_sessions.commands import COMMANDS, USAGE

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser(argv).parse_args(argv)
        run: Callable[[Namespace], int] = arguments.run
        return run(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on; without this, Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(argv: Sequence[str]) -> ArgumentParser:
    """Knows all commands by name, and the options of those that the arguments mention."""
    parser = ArgumentParser(
        prog="lint-sessions",
        description="Find misuse of SQLAlchemy and SQLModel sessions.",
        epilog="`lint-sessions COMMAND --help` tells what a command takes, and what its exit status means.",
    )
    parser.add_argument("--version", action="version", version=f"lint-sessions {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, says in COMMANDS.items():
        command = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        if name in argv:
            module = import_module(f"lint_sessions.commands.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser

"""Parsing the command line: help that fits a screen, and errors of one line with the next step in it."""

from __future__ import annotations

import re
import sys
from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter, _ArgumentGroup
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from lint_sessions.commands import COMMANDS, USAGE

_HELP_COLUMN: Final = 26


class Formatter(RawDescriptionHelpFormatter):
    """Groups without empty rows between them, and options as `-o, --output-file FILE` in each version of Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN)

    def _format_action_invocation(self, action: Action) -> str:
        if not action.option_strings:
            return str(action.metavar or action.dest)
        names = ", ".join(sorted(action.option_strings, key=len))
        metavar = self._get_default_metavar_for_optional(action)
        return names if action.nargs == 0 else f"{names} {self._format_args(action, metavar)}"

    def format_help(self) -> str:
        return re.sub(r"(\n {2,}[^\n]+)\n\n(?=\S[^\n]*:\S*\n {2})", r"\1\n", super().format_help())


class Parser(ArgumentParser):
    """An `ArgumentParser` of ours; a command may put `--help` into a group of its own."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=Formatter, conflict_handler="resolve", **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit."""
        hint = "" if message.endswith("?") else f"; `{self.prog} --help` lists what there is"
        self.exit(USAGE, f"lint-sessions: {message}{hint}\n")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Say that nothing is known of some arguments, and exit."""
        word = next((word for word in words if word.startswith("-")), words[0])
        name = word.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        close = closest(name, known) if word.startswith("-") else None
        what = "option is named" if word.startswith("-") else "argument is expected where you wrote"
        self.error(f"no {what} {name}; did you mean {close}?" if close else f"no {what} {name}")


def add_configuration(parser: ArgumentParser | _ArgumentGroup) -> None:
    """The options that say which configuration is read."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--config", type=Path, metavar="FILE", help="read this configuration, and no other")
    either.add_argument("--isolated", action="store_true", help="read no configuration file")


def closest(word: str, known: Iterable[str]) -> str | None:
    """What was probably meant by a word that is none of those known."""
    import difflib  # nothing that is right should wait for it

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def unknown_command(argv: Sequence[str]) -> str | None:
    """What to say of a command that is none; None when there is nothing to say."""
    word = next((word for word in argv if not word.startswith("-")), None)
    if word is None or word in COMMANDS:
        return None
    close = closest(word, COMMANDS)
    if close:
        hint = f"did you mean {close}?"
    elif Path(word).exists():
        hint = f"`lint-sessions check {word}` checks it"
    else:
        hint = f"the commands are {', '.join(COMMANDS)}"
    return f"no command is named {word}; {hint}"


def complain(message: str) -> int:
    """Say what is wrong with the usage; the exit status."""
    print(f"lint-sessions: {message}", file=sys.stderr)
    return USAGE

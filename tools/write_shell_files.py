"""Write what shells and `man` are given, made of the parser: the completions, and the manual page.

`python tools/write_shell_files.py` writes the files; with `--check` it only says which are out of step.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from unittest.mock import patch

import shtab
from argparse_manpage.manpage import Manpage

from lint_sessions import __version__
from lint_sessions.cli import parsers
from lint_sessions.commands import COMMANDS
from lint_sessions.commands.completion import SHELLS
from lint_sessions.config.selection import selectors
from lint_sessions.registry import known
from lint_sessions.report import FORMATS

ROOT: Final = Path(__file__).parents[1]
COMPLETIONS: Final = ROOT / "lint_sessions" / "completions"
MANUAL: Final = ROOT / "docs" / "lint-sessions.1"

_SECTIONS: Final = {
    "exit status": """\
.TP
0
no findings; with \\-\\-fix\\-only: whatever is left
.TP
1
findings; with \\-\\-diff: something to fix
.TP
2
wrong usage or configuration, or a file that could not be read, also beside findings
.TP
3
a fault of lint\\-sessions itself""",
    "files": """\
The nearest of these at or above what is checked holds for it; `lint\\-sessions config FILE` shows what that comes to.
.TP
.I .lint\\-sessions.toml
.TQ
.I lint\\-sessions.toml
the keys at the top level
.TP
.I pyproject.toml
the keys in the table [tool.lint\\-sessions]""",
    "environment": """\
.TP
NO_COLOR, FORCE_COLOR
no colour, or colour where no terminal is, unless \\-\\-color says otherwise
.TP
GITHUB_ACTIONS
if it is true, the output format is github unless \\-\\-output\\-format says otherwise""",
    "see also": ".BR ruff (1),\n.BR flake8 (1)",
}
"""What the parser does not know."""


@patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"})  # else the terminal has a say in the usage
def documents() -> dict[Path, str]:
    """Every file, and what it should hold."""
    wanted = {COMPLETIONS / f"lint-sessions.{shell}": f"{shtab.complete(_parser(), shell)}\n" for shell in SHELLS}
    return {**wanted, MANUAL: _manual()}


def stale() -> list[Path]:
    """The files that are missing, differ, or should not be there."""
    wanted = documents()
    differing = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    return differing + [path for path in COMPLETIONS.iterdir() if path not in wanted]


def _parser() -> ArgumentParser:
    """The parser, with all that can stand behind an option."""
    parser, commands = parsers([*COMMANDS])
    _add_values(commands.values())
    return parser


def _add_values(commands: Iterable[ArgumentParser]) -> None:
    rules = [word for rule in known() for word in rule]
    choices = {"RULES": selectors(known()), "RULE": rules, "FORMAT": FORMATS}
    for action in (action for command in commands for action in command._actions):
        metavar = str(action.metavar)
        if action.choices is None and metavar in choices:
            action.choices = choices[metavar]
        elif metavar in ("FILE", "PATH"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def _manual() -> str:
    parser, _ = parsers([*COMMANDS])
    parser.epilog = None
    page = Manpage(parser, format="single-commands-section")
    page.date, page.manual = "", "User Commands"
    page.source, page.description = f"lint-sessions {__version__}", "find misuse of SQLAlchemy and SQLModel sessions"
    parser._manpage = [  # type: ignore[attr-defined]
        {"heading": heading, "content": content} for heading, content in _SECTIONS.items()
    ]
    return str(page)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments not in ([], ["--check"]):
        print("usage: python tools/write_shell_files.py [--check]", file=sys.stderr)
        return 2
    out_of_step, wanted = stale(), documents()
    for path in out_of_step:
        print(path.relative_to(ROOT))
        if arguments:
            continue
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 1 if arguments and out_of_step else 0


if __name__ == "__main__":
    sys.exit(main())

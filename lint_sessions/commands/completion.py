"""`lint-sessions completion`: what makes a shell complete our commands, options and rules.

The files are made of the parser beforehand, by `tools/write_shell_files.py`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")

USE: Final = """\
bash: eval "$(lint-sessions completion bash)"   in ~/.bashrc
zsh:  eval "$(lint-sessions completion zsh)"    in ~/.zshrc, after compinit
fish: lint-sessions completion fish | source    in ~/.config/fish/config.fish
"""


def add_options(parser: ArgumentParser) -> None:
    parser.epilog = USE
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(asked: Namespace) -> int:
    """Print it; the exit status."""
    file = Path(__file__).parents[1] / "completions" / f"lint-sessions.{asked.shell}"
    sys.stdout.write(file.read_text("utf-8"))
    sys.stdout.flush()
    return 0

"""`lint-sessions demo`: a small application with a leak, linted, run, fixed and run again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.commands import check
from lint_sessions.commands.arguments import Parser, complain
from lint_sessions.commands.colour import add_colour, style

if TYPE_CHECKING:
    from lint_sessions.report.terminal import Style

FILES = Path(__file__).parents[1] / "demo"
NEEDED = ("fastapi", "sqlalchemy")
"""What the application takes to run; to lint it takes neither."""
NEXT = """
What to do next:
  lint-sessions rule LS301   why that is so, and what was measured
  lint-sessions rules        all that is looked for
  lint-sessions check        your own project
"""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("lint-sessions-demo"), metavar="DIR",
        help="where to write it (default: lint-sessions-demo)",
    )  # fmt: skip
    add_colour(parser)


def run(asked: Namespace) -> int:
    """Write the application and show the steps; the exit status."""
    folder: Path = asked.folder
    try:
        if folder.exists() and any(folder.iterdir()):
            return complain(f"{folder} is not empty; name another folder: lint-sessions demo DIR")
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(FILES.glob("*.py.txt")):
            shutil.copyfile(file, folder / file.stem)
    except OSError as error:
        says = error.strerror or error
        return complain(f"{folder} cannot be written to: {says}; name another folder: lint-sessions demo DIR")
    with _inside(folder):
        _Show(style(asked), folder).all()
    return 0


class _Show:
    """The steps, each a command as a person would type it and what it prints."""

    def __init__(self, look: Style, folder: Path) -> None:
        self.look = look
        self.folder = folder
        self.can_run = all(find_spec(name) is not None for name in NEEDED)

    def all(self) -> None:
        print(f"{self.folder} has an application now, app.py, and try_it.py, which asks for users that do not exist.")
        self.step("The application looks right, and is not", "app.py")
        self.attempt("So requests fail")
        self.step("The fix", "--diff", "--quiet", "app.py")
        self.step("Applied", "--fix", "app.py")
        self.attempt("And no connection is lost")
        if not self.can_run:
            missing = " and ".join(name for name in NEEDED if find_spec(name) is None)
            print(f"\nTo see it fail, and run once it is fixed, install {missing}: pip install 'lint-sessions[demo]'")
        print(NEXT, end="")
        sys.stdout.flush()

    def step(self, title: str, *command: str) -> None:
        self.head(title, ["lint-sessions", "check", *command])
        parser = Parser()
        check.add_options(parser)
        colour = "always" if self.look.colour else "never"
        check.run(parser.parse_args([*command, "--isolated", "--no-cache", "--color", colour]))

    def attempt(self, title: str) -> None:
        if self.can_run:
            self.head(title, ["python", "try_it.py"])
            subprocess.run([sys.executable, "try_it.py"], check=False)

    def head(self, title: str, command: Sequence[str]) -> None:
        print(f"\n{self.look.paint(title, 'strong')}\n{self.look.paint('$ ' + ' '.join(command), 'faint')}")
        sys.stdout.flush()


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)

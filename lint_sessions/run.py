"""One run of `lint-sessions check`: what was asked for, and what it has come to so far."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lint_sessions.fault import confession
from lint_sessions.finding import INVALID_SYNTAX, Finding
from lint_sessions.progress import Progress
from lint_sessions.report import Sources, output, shown_path
from lint_sessions.report.terminal import printable
from lint_sessions.sift import Sieve
from lint_sessions.source.text import SourceError
from lint_sessions.write import WriteError

CLEAN: Final = 0
FOUND: Final = 1
UNUSABLE: Final = 2
FAULT: Final = 3


@dataclass
class Run:
    """One run of the command: what it was asked for, and what it has come to so far."""

    asked: Namespace
    progress: Progress
    outputs: Sequence[output.Output] = ()
    sieve: Sieve = field(default_factory=Sieve)
    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    paths: list[Path] = field(default_factory=list)
    """The files that were looked at, those among them that could not be checked; none where the answer was known."""
    unusable: int = 0
    faults: int = 0
    fixed: list[Finding] = field(default_factory=list)
    sources: Sources = field(default_factory=Sources)
    root: Path = field(default_factory=Path.cwd)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each file that could be checked, by its absolute path: the codes of the rules that did not run on it."""
    told: list[str] = field(default_factory=list)
    """What was said on standard error."""
    refused: set[str] = field(default_factory=set)
    """Configurations already complained of."""

    def problem(self, place: str, message: str) -> None:
        """Input that cannot be used; the run goes on."""
        self.unusable += 1
        self.say(place, message)

    def fault(self, place: str, message: str) -> None:
        """A fault of our own; the run goes on."""
        self.faults += 1
        self.say(place, message)

    def say(self, place: str, message: str) -> None:
        """Something to know that changes nothing."""
        self.tell(f"{place}: {message}")

    def decided(self, code: str, path: Path) -> bool:
        """Whether what ran can tell that a rule finds nothing in a file."""
        place = os.path.abspath(path)
        left_out = self.left_out.get(place)
        if left_out is None or any(
            os.path.abspath(f.path) == place for f in self.findings if f.code == INVALID_SYNTAX[0]
        ):
            return False
        return code not in left_out

    def tell(self, message: str) -> None:
        self.told.append(message)
        self.progress.close()
        print(f"lint-sessions: {printable(message)}", file=sys.stderr)

    def status(self, *, found: bool) -> int:
        if self.unusable:
            return UNUSABLE
        if self.faults:
            return FAULT
        return FOUND if found and not self.asked.exit_zero else CLEAN


@contextmanager
def blame(path: Path, run: Run) -> Iterator[None]:
    """Turn what goes wrong with one file into one line about it."""
    try:
        yield
    except (SourceError, WriteError) as error:
        run.problem(shown_path(path), str(error))
    except Exception as error:
        run.fault(shown_path(path), confession(error))

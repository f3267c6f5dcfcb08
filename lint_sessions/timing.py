"""How long each stage of a run takes (`--timing`), and how much of what was read had to be parsed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

STAGES = ("start", "collect", "gates", "parsing", "indexing", "flow", "rules", "report")
"""`gates` reads and cuts the files, and asks Python for syntax errors; `rules` resolves names as well."""


@dataclass
class Times:
    """Processor seconds by stage, each without the stages in it, and what was counted."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    lines: int = 0
    """Of the files that were checked."""
    parsed_lines: int = 0
    """What LibCST parsed; a line counts as often as it is parsed."""
    parsed_files: set[Path] = field(default_factory=set)
    """Of which it parsed some."""
    megabytes: float = 0
    """The most that one process took; 0 where the system does not tell."""

    def add(self, other: Times) -> None:
        """Take in those of another process."""
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds
        self.lines += other.lines
        self.parsed_lines += other.parsed_lines
        self.parsed_files |= other.parsed_files
        self.megabytes = max(self.megabytes, other.megabytes)

    def told(self, files: int) -> Iterator[str]:
        """In words; `files` were checked."""
        shown = (f"{stage} {self.seconds[stage]:.2f}" for stage in STAGES)
        yield f"seconds of processor time: {', '.join(shown)}"
        parsed = f"{len(self.parsed_files):,} of {files:,} files, {self.parsed_lines:,} of {self.lines:,} lines"
        memory = f"; the largest process took {self.megabytes:.0f} MB" if self.megabytes else ""
        yield f"parsed by LibCST: {parsed}{memory}"


class _Clock:
    """The stages that are under way; time counts for the innermost."""

    def __init__(self) -> None:
        self.times = Times()
        self.around = ["start"]
        self.since = 0.0

    def turn(self) -> None:
        now = time.process_time()
        self.times.seconds[self.around[-1]] += now - self.since
        self.since = now


class _Stage:
    def __init__(self, clock: _Clock, name: str) -> None:
        self._clock = clock
        self._name = name

    def __enter__(self) -> None:
        self._clock.turn()
        self._clock.around.append(self._name)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._clock.turn()
        self._clock.around.pop()


_clock: _Clock | None = None
_OFF = nullcontext()


def begin() -> None:
    """Take the time from here on, and what this process has used so far for its start."""
    global _clock
    _clock = _Clock()


def begin_again(*, wanted: bool) -> None:
    """The same in a process that was made by another, be it forked from one that takes the time or not."""
    global _clock
    _clock = _Clock() if wanted else None
    if _clock is not None:
        _clock.since = time.process_time()


def is_taken() -> bool:
    return _clock is not None


def stage(name: str) -> AbstractContextManager[None]:
    """Let time count for one of the `STAGES`; does nothing where nobody asked."""
    return _OFF if _clock is None else _Stage(_clock, name)


def read(data: bytes) -> None:
    """Count the lines of a file that is checked."""
    if _clock is not None:
        _clock.times.lines += data.count(b"\n")


def parsed(path: Path, text: str) -> None:
    """Count what LibCST is given."""
    if _clock is not None:
        _clock.times.parsed_files.add(path.absolute())
        _clock.times.parsed_lines += text.count("\n")


def take() -> Times | None:
    """What was taken since the last time; None where nobody asked."""
    if _clock is None:
        return None
    _clock.turn()
    times, _clock.times = _clock.times, Times()
    times.megabytes = max(times.megabytes, _peak())
    return times


def join(times: Times | None) -> None:
    """Take in what another process has taken."""
    if _clock is not None and times is not None:
        _clock.times.add(times)


def _peak() -> float:
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)

"""A progress bar on standard error, for runs that take long enough to wonder."""

from __future__ import annotations

import sys
import time
from typing import Protocol

PATIENCE = 1.0
"""Seconds before a bar appears; shorter runs do not even import it."""


class _Bar(Protocol):
    total: float | None
    n: float

    def refresh(self) -> object: ...

    def update(self, n: float) -> object: ...

    def close(self) -> None: ...


class Progress:
    """Called with how many files are done, and of how many; draws only on a terminal."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._started = time.monotonic()
        self._bar: _Bar | None = None

    def __call__(self, done: int, total: int) -> None:
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() - self._started < PATIENCE:
                return
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="file", leave=False, file=sys.stderr)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar off the screen, so that something else can be printed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

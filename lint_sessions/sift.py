"""Which findings count: not those that a baseline forgives, nor those away from what was changed.

Baselines and git are imported where they are asked for: a run without them should not wait.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.report import Sources, text
from lint_sessions.write import WriteError

if TYPE_CHECKING:
    from lint_sessions import baseline
    from lint_sessions.baseline import Baseline
    from lint_sessions.changes import Changes
    from lint_sessions.finding import Finding


class SiftError(Exception):
    """A baseline or a revision that cannot be used; one line that names it."""


@dataclass
class Sieve:
    """What was asked for, and what it came to."""

    old: Baseline | None = None
    target: Path | None = None
    """The baseline to write."""
    revision: str | None = None
    changes: Changes | None = None
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, asked: Namespace) -> Sieve:
        """Raises SiftError."""
        old = None
        if asked.baseline is not None:
            from lint_sessions.baseline import Baseline, BaselineError

            try:
                old = Baseline.read(Path(asked.baseline))
            except BaselineError as error:
                raise SiftError(f"{asked.baseline} {error}") from error
        target = None if asked.write_baseline is None else Path(asked.write_baseline)
        return cls(old, target, asked.diff_base)

    def look_at(self, root: Path) -> None:
        """Ask git what was changed. Raises SiftError."""
        if self.revision is not None:
            from lint_sessions import changes

            try:
                self.changes = changes.since(self.revision, root)
            except changes.ChangesError as error:
                raise SiftError(f"--diff-base {self.revision}: {error}") from error

    @property
    def passes_new(self) -> bool:
        """Whether not all that was found counts."""
        return any(asked is not None for asked in (self.old, self.target, self.revision))

    def sift(
        self, findings: Sequence[Finding], sources: Sources, decided: Callable[[str, Path], bool]
    ) -> list[Finding]:
        """What is left to report; `decided` tells whether a rule ran on a file. Raises SiftError."""
        kept = self._new(findings, sources, decided)
        return [finding for finding in kept if self.changes is None or self.changes.touch(finding)]

    def _new(
        self, findings: Sequence[Finding], sources: Sources, decided: Callable[[str, Path], bool]
    ) -> list[Finding]:
        old, target = self.old, self.target
        if old is None and target is None:
            return list(findings)
        from lint_sessions import baseline

        if old is None:
            assert target is not None
            found = baseline.entries(findings, sources, target)
            self._write(target, found)
            self.remarks.append(f"Wrote {text.number(len(found), 'problem')} to {target}.")
            return []
        found = baseline.entries(findings, sources, old.file)
        known = old.known(found)
        gone = old.gone(found, decided)
        if any(known):
            self.remarks.append(f"Forgave {text.number(sum(known), 'problem')} of {old.file}.")
        if gone:
            are = "entry of {} is" if len(gone) == 1 else "entries of {} are"
            says = f"{len(gone)} {are.format(old.file)} found no more"
            drops = f"--write-baseline {old.file} drops {'it' if len(gone) == 1 else 'them'}"
            self.remarks.append(f"{says}; {drops}." if target is None else f"{says}.")
        if target is not None:
            self._write(target, old.entries - gone)
        return [finding for finding, forgiven in zip(findings, known, strict=True) if not forgiven]

    def _write(self, target: Path, entries: Iterable[baseline.Entry]) -> None:
        from lint_sessions import baseline

        try:
            baseline.write(target, entries)
        except WriteError as error:
            raise SiftError(f"{target} {error}") from error

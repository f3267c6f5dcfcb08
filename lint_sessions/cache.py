"""What a run has found, kept for the next time the same is asked: these paths, with these options, in this folder.

Nothing here imports the analysis, so that an answer that is known is given at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lint_sessions.finding import Edit, Finding, Fix, Note, Position, Safety
from lint_sessions.store import Store, checksum_of, question

if TYPE_CHECKING:
    from lint_sessions.disk import Fact, Seen, Witness
    from lint_sessions.run import Run

_OPTIONS: Final = ("paths", "select", "ignore", "extend_select", "config", "isolated", "force_exclude", "verbose")
"""What was asked that changes what is found, or said of it."""


class Cache:
    """The answers in one folder, and the question of one run."""

    def __init__(self, store: Store, run: Run) -> None:
        self.store = store
        asked = {name: getattr(run.asked, name) for name in _OPTIONS}
        self.question = question(**asked, baseline=run.sieve.old is not None)
        self._name = checksum_of(self.question)

    @classmethod
    def of(cls, run: Run) -> Cache | None:
        """The cache for a run; None for a run that changes files, and where there is no project to keep it in."""
        asked = run.asked
        if asked.no_cache or asked.fix or asked.diff or asked.add_noqa:
            return None
        store = Store.of(asked.cache_dir)
        return None if store is None else cls(store, run)

    def recall(self, run: Run) -> bool:
        """Bring a run to where it was when the same was asked before; whether that is known, and true still."""
        answer = self.store.read(self._name, self.question)
        try:
            findings = [_finding(record) for record in answer["findings"]]
            left_out = {path: tuple(codes) for codes, paths in answer["left_out"] for path in paths}
            run.files, run.unusable, run.root = int(answer["files"]), int(answer["unusable"]), Path(answer["root"])
            told = list(answer["told"])
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
        run.findings, run.left_out = findings, left_out
        for line in told:
            run.tell(line)
        return True

    def facts(self) -> dict[Fact, Seen]:
        """What the answer rests on that was recalled."""
        return self.store.facts(self._name)

    def keep(self, run: Run, witness: Witness) -> None:
        """Keep what a run has come to; nothing where it had a fault, or files changed meanwhile. Never fails."""
        if run.faults:
            return
        by_codes: dict[tuple[str, ...], list[str]] = {}
        for path, codes in run.left_out.items():
            by_codes.setdefault(codes, []).append(path)
        answer = {
            "findings": [_record(finding) for finding in run.findings],
            "files": run.files,
            "unusable": run.unusable,
            "root": str(run.root),
            "left_out": [[codes, paths] for codes, paths in by_codes.items()],
            "told": run.told,
        }
        self.store.write(self._name, self.question, witness, answer)


# --- findings as records ----------------------------------------------------------------------------------------------


def _record(finding: Finding) -> list[Any]:
    fix, rows = finding.fix, finding.rows
    return [
        str(finding.path),
        _pair(finding.start),
        _pair(finding.end),
        finding.code,
        finding.name,
        finding.message,
        [[_pair(note.position), note.message, None if note.path is None else str(note.path)] for note in finding.trace],
        None if fix is None else [fix.title, fix.safety.value, [[e.start, e.end, e.text] for e in fix.edits]],
        None if rows is None else [rows.start, rows.stop],
    ]


def _pair(position: Position) -> list[int]:
    return [position.row, position.column]


def _finding(record: Sequence[Any]) -> Finding:
    path, start, end, code, name, message, trace, fix, rows = record
    notes = (Note(Position(*place), says, None if where is None else Path(where)) for place, says, where in trace)
    mended = None if fix is None else Fix(fix[0], Safety(fix[1]), tuple(Edit(*edit) for edit in fix[2]))
    silenced = None if rows is None else range(*rows)
    return Finding(Path(path), Position(*start), Position(*end), code, name, message, tuple(notes), mended, silenced)

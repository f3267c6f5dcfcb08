"""What a run has found, kept with all the facts that it rests on, for the next time the same is asked.

An entry answers one question: these paths, with these options, in this folder, by this very version. It is believed
only if it is whole and every fact still holds; whatever else lies in the folder is passed over. Nothing here imports
the analysis, so that an answer that is known is given at once.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lint_sessions import __version__, disk
from lint_sessions.finding import Edit, Finding, Fix, Note, Position, Safety

if TYPE_CHECKING:
    from lint_sessions.disk import Witness
    from lint_sessions.run import Run

FOLDER: Final = ".lint_sessions_cache"
VARIABLE: Final = "LINT_SESSIONS_CACHE_DIR"
MOST_ENTRIES: Final = 32
"""Answers kept; the one that was used longest ago goes first."""
_FORMAT: Final = 2
_MARKS: Final = (".git", "pyproject.toml", "setup.cfg", "setup.py")
_OPTIONS: Final = ("paths", "select", "ignore", "extend_select", "config", "isolated", "force_exclude", "verbose")
"""What was asked that changes what is found, or said of it."""
_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of lint-sessions; it may be removed at any time.\n"
)


class Cache:
    """The answers in one folder, and the question of one run."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        asked = {name: getattr(run.asked, name) for name in _OPTIONS}
        asked |= {"here": str(Path.cwd()), "home": os.environ.get("HOME"), "by": _version()}
        asked["baseline"] = run.sieve.old is not None
        self.question = json.dumps(asked, default=str, sort_keys=True)
        self._file = folder / f"{_checksum(self.question)}.json"

    @classmethod
    def of(cls, run: Run) -> Cache | None:
        """The cache for a run; None for a run that changes files, and where there is no project to keep it in."""
        asked = run.asked
        if asked.no_cache or asked.fix or asked.diff or asked.add_noqa:
            return None
        named = asked.cache_dir or os.environ.get(VARIABLE)
        folder = Path(named) if named else _default()
        return None if folder is None else cls(folder, run)

    def recall(self, run: Run) -> bool:
        """Bring a run to where it was when the same was asked before; whether that is known, and true still."""
        try:
            checksum, _, text = self._file.read_text("utf-8").partition("\n")
            if checksum != _checksum(text):
                return False
            entry = json.loads(text)
            if entry["format"] != _FORMAT or entry["question"] != self.question:
                return False
            holds, renewed = disk.hold(entry["facts"])
            if not holds:
                return False
            answer = entry["answer"]
            findings = [_finding(record) for record in answer["findings"]]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return False
        run.findings, run.files, run.unusable = findings, answer["files"], answer["unusable"]
        run.root = Path(answer["root"])
        run.left_out = {path: tuple(codes) for codes, paths in answer["left_out"] for path in paths}
        for line in answer["told"]:
            run.tell(line)
        with suppress(OSError):
            if renewed:
                self._write(entry)
            else:
                os.utime(self._file)
        return True

    def keep(self, run: Run, witness: Witness) -> None:
        """Keep what a run has come to; nothing where it had a fault, or files changed meanwhile. Never fails."""
        if run.faults or witness.is_torn:
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
        entry = {"format": _FORMAT, "question": self.question, "facts": witness.record(), "answer": answer}
        with suppress(OSError):
            self._write(entry)
            self._sweep()

    def prepare(self) -> None:
        """Make the folder, before anybody looks at the one that it lies in. Never fails."""
        with suppress(OSError):
            self.folder.mkdir(parents=True)
            (self.folder / ".gitignore").write_text("*\n", "utf-8")
            (self.folder / disk.CACHE_MARK).write_text(_TAG, "utf-8")

    def _write(self, entry: dict[str, Any]) -> None:
        """As a whole or not at all: others may read it, or write it, at the same time. Raises OSError."""
        import tempfile  # slow to import, and not needed for an answer that is known

        text = json.dumps(entry, separators=(",", ":"))
        data = f"{_checksum(text)}\n{text}".encode()
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=self._file.stem, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self._file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def _sweep(self) -> None:
        files = [entry for entry in os.scandir(self.folder) if entry.name.endswith((".json", ".part"))]
        files.sort(key=lambda entry: entry.stat().st_mtime_ns)
        for entry in files[:-MOST_ENTRIES]:
            Path(entry.path).unlink(missing_ok=True)


def _default() -> Path | None:
    """In the project around the current folder."""
    here = Path.cwd()
    place = next((place for place in (here, *here.parents) if any((place / mark).exists() for mark in _MARKS)), None)
    return None if place is None else place / FOLDER


def _version() -> list[object]:
    """What stands for the code that answers: ours, that of LibCST, and Python's."""
    own = [Path(__file__).parent, *(Path(place) for place in _places("lint_sessions.rules"))]
    files = [entry for folder in own for entry in _below(folder) if entry.name.endswith((".py", ".pyc"))]
    stamps = sorted((entry.path, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in files)
    outside = [
        Path(place).stat().st_mtime_ns for name in ("libcst", "pathspec", "packaging") for place in _places(name)
    ]
    return [__version__, sys.version, _checksum(repr(stamps)), outside]


def _places(package: str) -> Sequence[str]:
    spec = find_spec(package)
    return [] if spec is None else list(spec.submodule_search_locations or ())


def _below(folder: Path) -> list[os.DirEntry[str]]:
    found: list[os.DirEntry[str]] = []
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending += [] if entry.name == "__pycache__" else [entry.path]
                else:
                    found.append(entry)
    return found


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


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

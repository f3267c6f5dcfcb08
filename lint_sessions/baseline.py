"""Findings that were there before: a file of fingerprints that are forgiven, which is meant to shrink."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lint_sessions.report import Sources, path_from
from lint_sessions.report.fingerprint import fingerprints, function
from lint_sessions.write import put

if TYPE_CHECKING:
    from lint_sessions.finding import Finding

VERSION = 1


class BaselineError(Exception):
    """A file that is no baseline; one line that does not name it."""


@dataclass(frozen=True, order=True)
class Entry:
    """One finding; all but the fingerprint is there to be read."""

    path: str
    """From the folder of the baseline on."""
    code: str
    function: str
    fingerprint: str


@dataclass(frozen=True)
class Baseline:
    """What is forgiven."""

    file: Path
    entries: frozenset[Entry]

    @classmethod
    def read(cls, file: Path) -> Baseline:
        """Raises BaselineError."""
        try:
            record = json.loads(file.read_bytes())
            if record["version"] != VERSION:
                raise BaselineError(
                    f"is a baseline of version {record['version']}, not {VERSION}; --write-baseline writes a new one"
                )
            entries = frozenset(Entry(**entry) for entry in record["findings"])
        except OSError as error:
            hint = "; --write-baseline writes it" if isinstance(error, FileNotFoundError) else ""
            raise BaselineError(f"cannot be read: {error.strerror or error}{hint}") from error
        except (ValueError, TypeError, LookupError):
            raise BaselineError("is no baseline; --write-baseline writes one") from None
        if not all(isinstance(value, str) for entry in entries for value in asdict(entry).values()):
            raise BaselineError("is no baseline; --write-baseline writes one")
        return cls(file, entries)

    def known(self, found: Iterable[Entry]) -> list[bool]:
        """Which of some findings are forgiven."""
        forgiven = {entry.fingerprint for entry in self.entries}
        return [entry.fingerprint in forgiven for entry in found]

    def gone(self, found: Iterable[Entry], decided: Callable[[str, Path], bool]) -> frozenset[Entry]:
        """The entries that are found no more: their file is gone, or their rule ran on it, which `decided` tells."""
        there = {entry.fingerprint for entry in found}
        lost = (entry for entry in self.entries if entry.fingerprint not in there)
        return frozenset(e for e in lost if not self._path(e).exists() or decided(e.code, self._path(e)))

    def _path(self, entry: Entry) -> Path:
        return Path(os.path.abspath(_folder(self.file) / entry.path))


def entries(findings: Sequence[Finding], sources: Sources, file: Path) -> list[Entry]:
    """The findings as entries of a baseline in `file`."""
    folder = _folder(file)
    found = []
    for finding, fingerprint in zip(findings, fingerprints(findings, sources, folder), strict=True):
        document = sources.document(finding.path)
        where = function(finding, document) if document else ""
        found.append(Entry(_relative(finding.path, folder), finding.code, where, fingerprint))
    return found


def write(file: Path, found: Iterable[Entry]) -> None:
    """Sorted, with a row for each entry, so that a diff shows which came and went. Raises WriteError."""
    rows = ",\n".join(f"    {json.dumps(asdict(entry))}" for entry in sorted(set(found)))
    body = f"[\n{rows}\n  ]" if rows else "[]"
    put(file, f'{{\n  "version": {VERSION},\n  "findings": {body}\n}}\n'.encode())


def _relative(path: Path, folder: Path) -> str:
    try:
        return path_from(folder, path) or Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        # On another drive.
        return Path(os.path.abspath(path)).as_posix()


def _folder(file: Path) -> Path:
    return Path(os.path.abspath(file)).parent

"""A folder of answers, each with its question and the facts that it rests on.

An entry is believed only if it is whole, answers this very question, and every fact still holds; whatever else lies in
the folder is passed over. A folder that cannot be written to keeps nothing, and that is all.
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

if TYPE_CHECKING:
    from lint_sessions.disk import Fact, Seen, Witness

FOLDER: Final = ".lint_sessions_cache"
VARIABLE: Final = "LINT_SESSIONS_CACHE_DIR"
MOST_ENTRIES: Final = 32
"""Answers kept; the one that was used longest ago goes first."""
SUFFIX: Final = ".lint-sessions"
"""Of entries. Nothing else is ever removed: the folder may be one in which people keep files of their own."""
_PART: Final = f"{SUFFIX}-part"
_FORMAT: Final = 3
_NO_ENTRY: Final = (OSError, ValueError, LookupError, TypeError, AttributeError)
_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of lint-sessions; it may be removed at any time.\n"
)


class Store:
    """The entries in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, named: str | None = None) -> Store | None:
        """Where answers are kept, by an option, by the environment, or in the project around the current folder; None
        where there is no project."""
        named = named or os.environ.get(VARIABLE)
        folder = Path(named) if named else _default()
        return None if folder is None else cls(folder)

    def read(self, name: str, question: str) -> Any:
        """The answer of an entry; None where there is none that holds."""
        file = self._file(name)
        try:
            checksum, _, text = file.read_text("utf-8").partition("\n")
            if checksum != checksum_of(text):
                return None
            entry = json.loads(text)
            if entry["format"] != _FORMAT or entry["question"] != question:
                return None
            holds, renewed = disk.hold(entry["facts"])
            if not holds:
                return None
            answer = entry["answer"]
        except _NO_ENTRY:
            return None
        with suppress(OSError):
            if renewed:
                self._write(file, entry)
            else:
                os.utime(file)
        return answer

    def facts(self, name: str) -> dict[Fact, Seen]:
        """What an entry rests on, whether it holds or not; nothing where there is none."""
        try:
            return disk.facts_of(json.loads(self._file(name).read_text("utf-8").partition("\n")[2])["facts"])
        except _NO_ENTRY:
            return {}

    def write(self, name: str, question: str, witness: Witness, answer: object) -> None:
        """Keep an answer, unless files changed while they were read for it. Never fails."""
        if not witness.is_torn:
            entry = {"format": _FORMAT, "question": question, "facts": witness.record(), "answer": answer}
            with suppress(OSError):
                self._write(self._file(name), entry)
                self._sweep()

    def names(self, start: str) -> list[str]:
        """The entries whose names begin so, those that were used last first."""
        try:
            found = [entry for entry in self._entries() if entry.name.startswith(start)]
            found.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        except OSError:
            return []
        return [entry.name.removesuffix(SUFFIX) for entry in found if entry.name.endswith(SUFFIX)]

    def remove(self, name: str) -> None:
        """Remove an entry. Never fails."""
        with suppress(OSError):
            self._file(name).unlink()

    def prepare(self) -> None:
        """Make the folder, before anybody looks at the one that it lies in. Never fails."""
        with suppress(OSError):
            self.folder.mkdir(parents=True)
            (self.folder / ".gitignore").write_text("*\n", "utf-8")
            (self.folder / disk.CACHE_MARK).write_text(_TAG, "utf-8")

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def _write(self, file: Path, entry: dict[str, Any]) -> None:
        """As a whole or not at all: others may read it, or write it, at the same time. Raises OSError."""
        import tempfile  # slow to import, and not needed for an answer that is known

        text = json.dumps(entry, separators=(",", ":"))
        data = f"{checksum_of(text)}\n{text}".encode()
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=file.stem, suffix=_PART)
        try:
            with os.fdopen(handle, "wb") as part:
                part.write(data)
            Path(name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def _sweep(self) -> None:
        entries = sorted(self._entries(), key=lambda entry: entry.stat().st_mtime_ns)
        for entry in entries[:-MOST_ENTRIES]:
            Path(entry.path).unlink(missing_ok=True)

    def _entries(self) -> list[os.DirEntry[str]]:
        return [entry for entry in os.scandir(self.folder) if entry.name.endswith((SUFFIX, _PART))]


def question(**asked: object) -> str:
    """What is asked, with all that has a say in the answer and is no fact of the disk."""
    around = {"here": str(Path.cwd()), "home": os.environ.get("HOME"), "by": _version()}
    return json.dumps({**asked, **around}, default=str, sort_keys=True)


def checksum_of(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _default() -> Path | None:
    """In the project around the current folder."""
    place = disk.project_around(Path.cwd())
    return None if place is None else place / FOLDER


def _version() -> list[object]:
    """What stands for the code that answers: ours, that of LibCST, and Python's."""
    own = [Path(__file__).parent, *(Path(place) for place in _places("lint_sessions.rules"))]
    files = [entry for folder in own for entry in _below(folder) if entry.name.endswith((".py", ".pyc"))]
    stamps = sorted((entry.path, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in files)
    outside = [
        Path(place).stat().st_mtime_ns for name in ("libcst", "pathspec", "packaging") for place in _places(name)
    ]
    return [__version__, sys.version, checksum_of(repr(stamps)), outside]


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
